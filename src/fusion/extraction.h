// SPDX-License-Identifier: Apache-2.0
// The reading of a Graph as a row program: what extract.cpp and the files beside it share.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "fusion/leaf_info.h"
#include "fusion/local.h"
#include "fusion/roles.h"
#include "fusion/segments.h"

namespace flashlight::fusion {

// Makes expressions of the values of a function, over leaves that the laws take as given. Fills loops,
// leaves, folds and sources of the plan, whose roles are known. Throws Refused.
class Extraction {
 public:
  Extraction(const graph::Function& function, Dependence& dependence, KernelPlan& plan)
      : function_(function),
        graph_(function.graph),
        dependence_(dependence),
        local_(function.graph, dependence, plan),
        plan_(plan),
        arena_(*plan.arena) {}

  algebra::Expr value(const Access& access);
  // What each fold of the plan reduces.
  const std::vector<algebra::Expr>& fold_bodies() const { return fold_bodies_; }

 private:
  using Expr = algebra::Expr;
  using Sym = graph::Sym;
  static constexpr std::int64_t kFewPositions = 16;  // a part of so many is written out
  // Where reduced axes stand; those that are open become the digits of one feature.
  using Positions = std::vector<std::optional<Sym>>;
  // A sum of products, its open axes bound to loops from kFirstBound on.
  struct Product {
    std::vector<Sym> sizes;
    std::vector<Access> factors;
  };

  // extract.cpp: values node by node

  [[noreturn]] void refuse(graph::NodeId node, std::string id, std::string text, std::string hint);
  // A value that a kernel before could compute, unless it is as large as the scores.
  [[noreturn]] void refuse(const Access& access, std::string id, std::string text, std::string hint);
  // `positions`: of the reduced axes that are written out.
  Expr leaf(Leaf leaf, const std::vector<Sym>& positions = {});
  Expr point(const Access& access);
  bool varies_with_all(LoopSet loops) const;
  bool varies_with_columns(LoopSet loops) const;
  Expr compute(const Access& access);
  Expr scan(const Access& access);
  Expr segment(const Access& access);
  // An op without a law below is the reason to give, whatever reads it.
  void refuse_opaque(graph::NodeId id);
  // The columns or features of that size. They are shared, so that equal contractions are one leaf.
  int loop_of(Role role, const Sym& size);
  // Where a reduction runs, its own axes bound to loops from kFirstBound on.
  Index open_iteration(const Access& access) const;

  // extract_maps.cpp: values computed element by element, what stays whole to the laws and what they take
  // apart

  // Stays opaque to the algebra: no streamed reduction below, and nothing that the laws could use.
  bool is_point(const Access& access);
  // 1 - mask[j], to be scaled by -1e9: apart, the 1 would leave as a term of the row, and 1e9 * mask swallow
  // the scores.
  bool is_offset(const Access& access) const;
  bool is_power(const Access& access) const;
  // Of what varies with key and column, products are left to the laws; anything else is an operand of a
  // contraction, filled as it is written.
  bool is_value(const Access& access);
  std::vector<Expr> operands(const Access& access);
  Expr map(const Access& access);
  // A term of a sum, and where it is read.
  struct Term {
    Expr value;
    Access access;
  };
  Expr total(const std::vector<Term>& terms);
  // score + (keep[j] * 1e9 - 1e9): what balances stays with what it balances, as one value to the laws.
  Expr with_offset(const std::vector<Term>& terms);
  // j - i in floating point: the difference as one value, for its terms grow with the sequence and lose
  // digits that it has.
  std::vector<Term> with_differences(const std::vector<Term>& terms);
  // A row constant that may be -inf is a mask, and one that is NaN poisons its row. To the laws it is a
  // number like any other, which a softmax does not see: it joins the scores it is added to, as one value.
  Expr sum(const Access& access, const std::vector<Expr>& operands);
  // A condition of the row alone: the laws take it out of the sums, where it costs nothing for each key.
  static Expr hidden_by(std::vector<Expr> biases, Expr scores);
  bool holds_contraction(Expr e) const;
  // A term of the keys, masked or not, and values of the row; nothing where it is made of a reduction.
  Expr with_row(Expr term, const std::vector<Expr>& row);
  bool is_launch_number(Expr e) const;
  // A contraction times numbers known at launch is a score: one leaf, so that the laws find its maximum, its
  // exponential and its powers to be of one value.
  Expr product(const std::vector<Expr>& factors);
  // `whole` as one leaf, which varies with the loops of all that it is made of.
  Expr composite(Expr whole);
  Expr expanded(Expr e) const;

  // extract_reductions.cpp: reductions over the keys, and over a few positions, which are written out

  // Runs over a few positions, neither the keys nor a concatenation with them: coordinates of a point.
  bool is_of_few(const Access& access) const;
  // See is_streamed in roles.h.
  bool streams(const Access& access);
  // Runs over as many elements as there are keys, of what varies with key and row: a sum over keys, though no
  // scores are in it. How many keys a row sees; weights that are no product.
  bool is_over_keys(const Access& access);
  Expr reduction(const Access& access);
  // One part of a reduction over a concatenated axis: a single position, or the keys.
  Expr reduce_part(const Access& access, const Part& part);
  Expr reduced_over_keys(const Access& access, Expr body);
  // The law of segments: a reduction over them combines theirs.
  Expr joined(graph::ReduceKind kind, const std::vector<Expr>& parts);
  // A reduction over a few positions of one of its axes, each written out: heads that are mixed, coordinates
  // that are turned. The axis's size is a number in the source.
  std::optional<Expr> written_out(const Access& access, std::size_t axis);
  // The reduction with one of its axes at a position.
  Expr one_of(const Access& access, std::size_t axis, const Sym& position);

  // extract_folds.cpp: reductions over the columns of what the stream leaves, the norm of a result

  // Reduces something that streamed reductions have left.
  bool is_after_stream(const Access& access);
  // A sum over the columns of a sum over the keys is one node.
  std::optional<Expr> folded_stream(const Access& access);
  // Weights vary with the loop: what scores are made into, not only what they weigh.
  bool weighs(const Access& body, int loop);
  // A reduction over the columns of what the stream leaves, once that is whole.
  Expr fold(const Access& access);
  void check_fold(const Access& access);
  Expr fold_of(const Access& access, int columns, Expr body);

  // extract_contractions.cpp: sums over features of products of a query side and a key side

  // A contraction of the two sides, or a reduction over a few values that are made of contractions.
  Expr mixed(const Access& access);
  // What the reduction runs over is no product of two sides, but made of such.
  bool holds_products(const Access& access);
  Expr contraction(const Access& access);
  // A factor that is itself such a sum over the two sides joins it: sum_h w[h] sum_d q[h, d] k[h, d].
  Product product_of(const Access& access, const Positions& at);
  // A sum over the keys belongs to a sweep of its own.
  bool sums_keys(const graph::Node& node) const;
  static Access at_digits(const Access& term, const std::vector<Sym>& digits);
  // A sum over features of a product: factors without the feature leave it, the others are the two sides.
  Expr contraction_at(const Access& access, const Positions& at);
  void check_features(const Access& access, const Product& terms);
  std::string made_by(const Access& value);
  // Scores between sides that both vary with the rows, such as the heads' scores of one query, are no product
  // of matrices: each is a sum of its own. With positions written out it is only a part of the sum, which is
  // no node.
  std::optional<Expr> element_by_element(const Access& access, const Positions& at);
  [[noreturn]] void refuse_mixed(const Access& access);
  // A factor of one row or one key leaves the sum, so that the side it belongs to stays a plain tensor,
  // copied as it is. A side that is computed while its tile is filled takes it along: one rounding, and no
  // product for every score.
  bool join_side(const Access& factor, Leaf& contraction);
  static Index iteration_at(const Access& access, const Positions& at);

  const graph::Function& function_;
  const graph::Graph& graph_;
  Dependence& dependence_;
  Locality local_;
  KernelPlan& plan_;
  algebra::Arena& arena_;
  std::vector<Expr> fold_bodies_;
  std::map<Access, Expr> memo_;
  std::map<std::tuple<int, graph::NodeId, Index, int, std::vector<Sym>>, int> leaf_ids_;
  int written_ = 0;  // reductions around that are written out
};

}  // namespace flashlight::fusion
