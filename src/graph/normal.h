// SPDX-License-Identifier: Apache-2.0
// Normal forms of scalar functions over one iteration space. Inside of Builder.
//
// Values are operands: nodes seen through an index map over the iteration axes. A function of a view is the
// view of a function of the node, so a new node is made over the fewest axes, in an order that its operands
// give.
#pragma once
#include <algorithm>

#include "graph/builder.h"

namespace flashlight::graph {

// Operands in order of first appearance, each with a host value: a coefficient or an exponent.
struct Weighted {
  Operand operand;
  Sym weight;
};

// Values that an integer expression takes from nodes: Datum(k) stands for atom k.
struct Atoms {
  std::vector<Operand> list;  // sorted by structure
  // Operands that have been seen, and their expressions: a value used twice is unfolded once.
  using Key = std::pair<NodeId, std::vector<Sym>>;
  std::set<Key> collected;
  std::map<Key, std::optional<Sym>> known;
};

class NormalForm {
 public:
  NormalForm(Builder& b, Shape extents) : b_(b), extents_(std::move(extents)) {}

  Operand apply(Fn, std::vector<Operand>);
  // Without copies and with a simplified index; positions become arithmetic on whole iotas.
  Operand resolve(const Operand&);
  Operand to(Type, const Operand&);
  // A node over the axes that the operands use, as seen from here. `keep`: axes that the node has in any
  // case.
  Operand emit(Fn, Type, std::vector<Operand>);
  Operand scalar(const Sym& value, Type type) { return {b_.scalar(value, type), {}}; }

  // Axes of the iteration that the indices use, in the order in which the operands name them.
  std::vector<int> axis_order(const std::vector<Operand>&, bool last_first = false) const;
  // The value as an expression of axes and atoms. Float values only if they are integers by construction;
  // nullopt else.
  std::optional<Sym> expression(const Operand&, Atoms&) const;
  void collect_atoms(const Operand&, Atoms&) const;
  void sort(std::vector<Operand>&) const;

 private:
  struct Sum {
    Sym constant = Sym(0.0);
    std::vector<Weighted> terms;
  };
  struct Product {
    Sym scalar = Sym(1.0);
    std::vector<Weighted> factors;
  };

  const Node& node(const Operand& o) const { return b_.node(o.node); }
  bool is_fn(const Operand& o, Fn fn) const { return node(o).op == Op::Map && node(o).fn == fn; }
  std::optional<Sym> scalar_value(const Operand& o) const;
  bool is_infinite(const Operand& o, int sign) const;
  bool is_masked(const Operand& o) const;  // where(c, x, -inf)
  std::vector<Operand> operands_of(const Operand& o) const;
  // A function of whole nodes, seen as `o` is.
  template <class F>
  Operand at_node(const Operand& o, F f) {
    const Node n = node(o);
    NormalForm inner(b_, n.shape);
    return seen_through(f(inner, Operand{o.node, whole_index(n.shape)}), o.index);
  }
  static std::vector<Sym> whole_index(const Shape&);
  int compare(const Operand&, const Operand&) const;

  // normal_int.cpp
  bool unfolds(const Node&, NodeId) const;
  std::optional<Sym> unfolded(const Operand&, Atoms&) const;
  std::optional<Operand> integer_map(Fn, const std::vector<Operand>&);
  Operand value_of(const Sym& e, const Atoms&);
  Operand comparison_of(const Sym& e, const Atoms&);
  Operand term_value(const Sym& e, const Atoms&);
  // normal_sum.cpp
  Operand sum(const std::vector<Operand>&);
  void expand_sum(const Operand&, const Sym& coefficient, Sum&);
  Operand collected(Sum);
  Operand scaled(const Operand&, const Sym& coefficient);
  Operand added(std::vector<Operand>);
  Operand masked_sum(const std::vector<Operand>&);
  bool depends_on(const Operand&, const std::vector<NodeId>&) const;
  Operand negative(const Operand&);
  // normal_product.cpp
  Operand product(const std::vector<Operand>&);
  Operand power(const Operand& base, const Operand& exponent);
  void expand_product(const Operand&, const Sym& exponent, Product&);
  void expand_sum_factor(const Operand&, const Sym& exponent, Product&);
  Operand collected(Product);
  // normal_logic.cpp
  Operand logic(Fn, const std::vector<Operand>&);
  Operand negate(const Operand&);
  Operand where(Operand c, Operand a, Operand b);
  std::optional<Operand> where_of_bools(const Operand& c, const Operand& a, const Operand& b);
  Operand compare_values(Fn, Operand a, Operand b);
  // normal_map.cpp
  Operand unary(Fn, const Operand&);
  Operand extremum(Fn, const std::vector<Operand>&);
  std::optional<Operand> fold(Fn, const std::vector<Operand>&);

  Builder& b_;
  Shape extents_;
};

}  // namespace flashlight::graph
