// SPDX-License-Identifier: Apache-2.0
// See roles.h.
#include "fusion/roles.h"

#include <algorithm>
#include <set>

#include "fusion/local.h"
#include "fusion/pair.h"
#include "fusion/segments.h"

namespace flashlight::fusion {

namespace {

using graph::Graph;
using graph::NodeId;
using graph::Op;
using graph::Sym;

// The scores a streamed reduction sees: a contraction and the sides' loops.
struct Scores {
  Access at;  // the contraction, over the loops of the probing nest
  LoopSet query = 0, key = 0;
};

Index with_bound(const Index& index, int bound) {
  Index iteration = index;
  iteration.push_back(Sym::axis(bound));
  return iteration;
}

// What counts as scores, in the order in which it is looked for.
enum class Pairing : std::uint8_t {
  PlainProducts,  // contractions of sides that are no products themselves
  Products,       // contractions
  Maps,           // pair.h
  OneRow,         // contractions whose query side has no axis of its own: a single query
};

// Searches `access` for scores that pair loop `bound` with others; inner reductions bind fresh loops.
// `wanted`: for these scores only.
class ScoreSearch {
 public:
  ScoreSearch(const Graph& graph, Dependence& dependence, int bound, Pairing pairing, NodeId wanted = -1)
      : graph_(graph), dependence_(dependence), bound_(bound), pairing_(pairing), wanted_(wanted) {}

  std::optional<Scores> find(const Access& access) { return find(access, false); }

 private:
  // `bent`: inside of a function that is not linear.
  std::optional<Scores> find(const Access& access, bool bent) {
    if (!seen_.insert({access, bent}).second) return std::nullopt;
    const graph::Node& node = graph_[access.node];
    if (!(dependence_(access) & bit(bound_))) return std::nullopt;
    if (pairing_ != Pairing::Maps && !dependence_.has_reduction(access.node)) return std::nullopt;
    if (wanted_ < 0 || wanted_ == access.node) {
      if (auto scores = pair(access, bent)) return scores;
    }
    Index iteration = access.index;
    for (std::size_t r = 0; r < node.reduced.size(); ++r)
      iteration.push_back(Sym::axis(kInner + static_cast<int>(r)));
    for (std::size_t k = 0; k < node.operands.size(); ++k) {
      if (auto scores = find(compose(node.operands[k], iteration), bent || bends(node, k))) return scores;
    }
    return std::nullopt;
  }

 private:
  // Loops bound inside the search, never confused with output loops: those of a contraction, those below its
  // factors.
  static constexpr int kInner = 52, kBelow = 58;
  static constexpr LoopSet kOuter = (LoopSet{1} << kInner) - 1;
  static bool varies_inside(LoopSet loops) {
    return loops >> kInner & ((LoopSet{1} << (kBelow - kInner)) - 1);
  }

  std::optional<Scores> pair(const Access& access, bool bent) {
    const graph::Node& node = graph_[access.node];
    if (pairing_ == Pairing::Maps) {
      const auto pair = pair_at(graph_, dependence_, access, bound_, kOuter, bent);
      return pair ? std::optional(Scores{access, pair->query & kOuter, pair->key & kOuter}) : std::nullopt;
    }
    if (node.op != Op::Reduce || node.reduce != graph::ReduceKind::Sum ||
        node.reduced.size() > kBelow - kInner)
      return std::nullopt;
    Index iteration = access.index;
    for (std::size_t r = 0; r < node.reduced.size(); ++r)
      iteration.push_back(Sym::axis(kInner + static_cast<int>(r)));
    LoopSet query = 0, key = 0;
    bool two_sided = false;
    for (const Access& factor : factors_of(graph_, compose(node.operands[0], iteration))) {
      const LoopSet loops = dependence_(factor);
      if (!varies_inside(loops)) continue;
      if (pairing_ == Pairing::PlainProducts && is_product(factor)) return std::nullopt;
      two_sided = two_sided || !(loops & bit(bound_));
      (loops & bit(bound_) ? key : query) |= loops & kOuter;
    }
    if (key == 0 || (pairing_ == Pairing::OneRow ? !two_sided : (query & ~key) == 0)) return std::nullopt;
    return Scores{access, query, key};
  }

  // Holds a reduction for each element of the side: weights that are made of scores, a projection.
  bool is_product(const Access& factor) {
    if (!dependence_.has_reduction(factor.node)) return false;
    const graph::Node& node = graph_[factor.node];
    if (node.op == Op::Reduce && varies_inside(dependence_(factor))) {
      const auto size = node.reduced[0].as_integer();
      if (!size || *size > kHandful) return true;
    }
    Index iteration = factor.index;
    for (std::size_t r = 0; r < node.reduced.size(); ++r)
      iteration.push_back(Sym::axis(kBelow + static_cast<int>(r)));
    return std::any_of(node.operands.begin(), node.operands.end(), [&](const graph::Operand& operand) {
      return is_product(compose(operand, iteration));
    });
  }

  const Graph& graph_;
  Dependence& dependence_;
  int bound_;
  Pairing pairing_;
  NodeId wanted_;
  std::set<std::pair<Access, bool>> seen_;
};

// Depth-first search from an output for its first streamed reduction.
struct StreamSearch {
  const Graph& graph;
  Dependence& dependence;
  int bound;
  Pairing pairing;
  NodeId wanted = -1;  // the scores to find; -1: any
  std::set<Access> seen = {};
  std::optional<Scores> scores = {};
  Sym size = {};
  NodeId reduce = -1;

  // Of a concatenated axis, the part that the scores lie in.
  Sym stream_size(const Access& body, const Sym& whole) const {
    const auto parts = parts_of_loop(graph, dependence, body, bound, whole);
    if (!parts) return whole;
    for (const Sym& index : scores->at.index) {
      const auto at = graph::affine_in(index, bound);
      if (!at || !at->first.is_integer(1)) continue;
      for (const Part& part : *parts) {
        if (part.start == -at->second) return part.size;
      }
    }
    return whole;
  }

  bool find(const Access& access) {
    if (!seen.insert(access).second || !dependence.has_reduction(access.node)) return false;
    const graph::Node& node = graph[access.node];
    const bool of_products = pairing == Pairing::PlainProducts || pairing == Pairing::Products;
    if (node.op == Op::Reduce && node.reduced.size() == 1 && (of_products || !is_handful(node.reduced[0]))) {
      const Access body = compose(node.operands[0], with_bound(access.index, bound));
      if ((scores = ScoreSearch(graph, dependence, bound, pairing, wanted).find(body))) {
        size = stream_size(body, node.reduced[0]);
        reduce = access.node;
        return true;
      }
    }
    if (node.op == Op::Gather && !of_products) return false;  // rows of a computed tensor, by a table
    Index iteration = access.index;
    for (std::size_t r = 0; r < node.reduced.size(); ++r)
      iteration.push_back(Sym::axis(bound + 1 + static_cast<int>(r)));
    for (const graph::Operand& operand : node.operands) {
      if (find(compose(operand, iteration))) return true;
    }
    return false;
  }
};

Refused refuse(std::string id, std::string text, std::string hint, graph::SourceRange where = {}) {
  return Refused{{std::move(id), std::move(text), std::move(hint), std::move(where)}};
}

// An output seen as an access of its node over the loops [first, first + rank).
Access access_of(const graph::TensorView& view, int first) {
  Index axes;
  for (std::size_t a = 0; a < view.shape.size(); ++a) axes.push_back(Sym::axis(first + static_cast<int>(a)));
  return compose({view.node, view.index}, axes);
}

struct Probe {
  std::optional<Scores> scores;
  Sym size;
  NodeId reduce = -1;
  Pairing pairing = Pairing::Products;
};

Probe probe(const graph::Function& function, Dependence& dependence, int output, NodeId wanted = -1) {
  const graph::TensorView& view = function.outputs[output].value;
  const int rank = static_cast<int>(view.shape.size());
  // A norm of the result is met before the attention, and pairs its weights with the values' columns. So
  // scores whose sides are no products themselves come first, if they have rows.
  for (const Pairing pairing : {Pairing::PlainProducts, Pairing::Products, Pairing::Maps, Pairing::OneRow}) {
    StreamSearch search{function.graph, dependence, rank, pairing, wanted};
    if (!search.find(access_of(view, 0))) continue;
    const bool has_rows = search.scores->query & ~search.scores->key & ((LoopSet{1} << rank) - 1);
    if (has_rows || pairing == Pairing::Products || pairing == Pairing::OneRow)
      return {search.scores, search.size, search.reduce, pairing};
  }
  return {};
}

// The output axes that the factors of streamed reductions vary with: weights hold scores, values hold none
// but columns.
struct FactorSearch {
  const Graph& graph;
  Dependence& dependence;
  int rank;  // the output's; reductions bind loops from here on
  const Probe& found;
  std::set<Access> seen = {};
  LoopSet weights = 0, values = 0;

  LoopSet outputs() const { return (LoopSet{1} << rank) - 1; }
  LoopSet scores() const { return (found.scores->query | found.scores->key) & outputs(); }

  void visit(const Access& access, int bound) {
    if (!seen.insert(access).second || !dependence.has_reduction(access.node)) return;
    const graph::Node& node = graph[access.node];
    Index iteration = access.index;
    const int inner = bound + static_cast<int>(node.reduced.size());
    for (int loop = bound; loop < inner; ++loop) iteration.push_back(Sym::axis(loop));
    for (std::size_t r = 0; r < node.reduced.size(); ++r) {
      if (!(node.reduced[r] == found.size)) continue;
      for (const Access& factor : factors_of(graph, compose(node.operands[0], iteration)))
        note(factor, bound + static_cast<int>(r));
    }
    for (const graph::Operand& operand : node.operands) visit(compose(operand, iteration), inner);
  }

  void note(const Access& factor, int stream) {
    const LoopSet mine = dependence(factor);
    if (!(mine & bit(stream))) return;
    if (ScoreSearch(graph, dependence, stream, found.pairing).find(factor)) weights |= mine & outputs();
    else if (mine & outputs() & ~scores()) values |= mine & scores();
  }
};

FactorSearch factors_of_output(const graph::Function& function, Dependence& dependence, const Probe& found,
                               int output) {
  const graph::TensorView& view = function.outputs[output].value;
  FactorSearch search{function.graph, dependence, static_cast<int>(view.shape.size()), found};
  search.visit(access_of(view, 0), search.rank);
  return search;
}

// The axes that may be rows: those of the queries alone. Where values vary with these too, as the pair
// features of an (i, j) do, products over the keys have rows only along the axes of the scores that the
// values lack, such as the heads.
LoopSet rows_of(const FactorSearch& factors, bool pack) {
  const Scores& scores = *factors.found.scores;
  const LoopSet rows = scores.query & ~scores.key & factors.outputs();
  const LoopSet others = factors.scores() & ~factors.values & (pack ? ~LoopSet{1} : ~LoopSet{0});
  return (rows & factors.values) && others ? others : rows;
}

// Of a single query any axis of size 1 is the row; -1: there is none.
int row_of_one(const graph::TensorView& view) {
  for (int a = static_cast<int>(view.shape.size()) - 1; a >= (view.pack ? 1 : 0); --a)
    if (view.shape[static_cast<std::size_t>(a)].is_integer(1)) return a;
  return -1;
}

// Roles of the first output's axes; returns the nest with the stream loop appended.
Nest nest_of_first(const graph::Function& function, Dependence& dependence, const Probe& found) {
  const graph::TensorView& view = function.outputs[0].value;
  const int rank = static_cast<int>(view.shape.size());
  const FactorSearch factors = factors_of_output(function, dependence, found, 0);
  const int only_row = found.pairing == Pairing::OneRow ? row_of_one(view) : -1;
  const LoopSet rows = only_row >= 0 ? bit(only_row) : rows_of(factors, view.pack);
  if (rows == 0) {
    throw refuse("no-row-axis", "the result has no axis that only the query side of the scores has",
                 "return one value per query row", function.graph.source(found.reduce));
  }
  Nest nest;
  for (int a = 0; a < rank; ++a) {
    if (rows & bit(a)) nest.row = a;  // the innermost one is tiled; outer ones are batch axes
  }
  const LoopSet scores = factors.scores() | factors.weights, used = dependence(access_of(view, 0));
  nest.output_loops.emplace_back();
  for (int a = 0; a < rank; ++a) {
    const bool is_one =
        view.shape[a].is_integer(1) && !(used & bit(a));  // an axis that the program only put there
    const Role role = a == nest.row ? Role::Row : (scores & bit(a)) || is_one ? Role::Batch : Role::Column;
    nest.loops.push_back({role, view.shape[a], view.pack && a == 0});
    nest.output_loops[0].push_back(a);
  }
  nest.stream = rank;
  nest.loops.push_back({Role::Stream, found.size, false});
  return nest;
}

Refused differs(int output) {
  return refuse(
      "outputs-differ",
      "result " + std::to_string(output + 1) + " has other rows, keys or batches than the first result",
      "return results of different shapes from different functions");
}

// The loops of another output's axes, -1 where they are open, by laying its scores over the first one's.
std::vector<int> loops_by_scores(const Probe& first, const Probe& other, int rank) {
  std::vector<int> loops(rank, -1);
  for (std::size_t a = 0; a < other.scores->at.index.size(); ++a) {
    const Sym &mine = other.scores->at.index[a], &theirs = first.scores->at.index[a];
    if (mine.op() != graph::SymOp::Axis || theirs.op() != graph::SymOp::Axis) continue;
    if (mine.integer() < rank) loops[mine.integer()] = static_cast<int>(theirs.integer());
  }
  return loops;
}

// The same for scores of their own, of the same rows, keys and batches: any pairing of axes of one size
// computes the same.
std::vector<int> loops_by_size(const graph::TensorView& view, const Nest& nest, const Probe& other,
                               int output) {
  const int rank = static_cast<int>(view.shape.size());
  std::vector<int> loops(rank, -1);
  const LoopSet scores = other.scores->query | other.scores->key,
                rows = other.scores->query & ~other.scores->key;
  int row = -1;
  for (int a = 0; a < rank; ++a) row = rows & bit(a) ? a : row;
  for (int a = 0; a < rank; ++a) {
    if (!(scores & bit(a))) continue;
    const bool pack = view.pack && a == 0;
    for (std::size_t l = 0; l < nest.loops.size() && loops[a] < 0; ++l) {
      const Loop& loop = nest.loops[l];
      const bool taken = std::find(loops.begin(), loops.end(), static_cast<int>(l)) != loops.end();
      if (!taken && loop.role == (a == row ? Role::Row : Role::Batch) && loop.pack == pack &&
          loop.size == view.shape[a])
        loops[a] = static_cast<int>(l);
    }
    if (loops[a] < 0) throw differs(output);
  }
  return loops;
}

// A batch loop of this size that no axis has yet; -1: none.
int batch_of_size(const Nest& nest, const std::vector<int>& taken, const Sym& size) {
  for (std::size_t l = 0; l < nest.loops.size(); ++l) {
    const bool free = std::find(taken.begin(), taken.end(), static_cast<int>(l)) == taken.end();
    if (free && nest.loops[l].role == Role::Batch && nest.loops[l].size == size) return static_cast<int>(l);
  }
  return -1;
}

// Maps another output's axes onto the nest: batches and rows as above, all others are columns.
void align(const graph::Function& function, Dependence& dependence, Nest& nest, const Probe& first,
           int output) {
  const graph::TensorView& view = function.outputs[output].value;
  const int rank = static_cast<int>(view.shape.size());
  const Probe same = probe(function, dependence, output, first.scores->at.node);
  const bool shared = same.scores && same.size == first.size;
  const Probe any = shared ? same : probe(function, dependence, output);
  if (!any.scores || !(any.size == first.size)) throw differs(output);
  std::vector<int> loops =
      shared ? loops_by_scores(first, same, rank) : loops_by_size(view, nest, any, output);
  if (const int row = first.pairing == Pairing::OneRow ? row_of_one(view) : -1; row >= 0)
    loops[row] = nest.row;
  if (std::find(loops.begin(), loops.end(), nest.row) == loops.end()) throw differs(output);
  const LoopSet weights = factors_of_output(function, dependence, any, output).weights;
  for (int a = 0; a < rank; ++a) {
    if (loops[a] >= 0) continue;
    if (weights & bit(a)) {
      loops[a] = batch_of_size(nest, loops, view.shape[a]);
      if (loops[a] < 0) throw differs(output);
      continue;
    }
    for (std::size_t l = 0; l < nest.loops.size() && loops[a] < 0; ++l) {
      const Loop& loop = nest.loops[l];
      const bool taken = std::find(loops.begin(), loops.end(), static_cast<int>(l)) != loops.end();
      if (loop.role == Role::Column && loop.size == view.shape[a] && !taken) loops[a] = static_cast<int>(l);
    }
    if (loops[a] < 0) {
      loops[a] = static_cast<int>(nest.loops.size());
      nest.loops.push_back({Role::Column, view.shape[a], false});
    }
  }
  nest.output_loops.push_back(loops);
}

// True of q (k^T v): nothing stands between two products, and what would be its rows are the last axis of the
// result, which holds features. As scores they would have a head dimension as long as the sequence.
bool is_product_of_features(const graph::Function& function, const Probe& found, const Nest& nest) {
  const Graph& graph = function.graph;
  const graph::Node& body = graph[graph[found.reduce].operands[0].node];
  const int rank = static_cast<int>(function.outputs[0].value.shape.size());
  if (rank < 2 || nest.row != rank - 1 || nest.loops[static_cast<std::size_t>(rank - 2)].role != Role::Column)
    return false;
  if (body.op != Op::Map || body.fn != graph::Fn::Mul) return false;
  const auto counted = [&](const graph::Operand& o) { return graph[o.node].op != Op::Scalar; };
  const auto is_scores = [&](const graph::Operand& o) { return o.node == found.scores->at.node; };
  return std::count_if(body.operands.begin(), body.operands.end(), counted) == 2 &&
         std::any_of(body.operands.begin(), body.operands.end(), is_scores);
}

// Whether elements of the result are made of elements of the scores, and not of reductions over them alone.
bool holds_scores(const Graph& graph, const Access& access, NodeId scores, std::set<Access>& seen) {
  if (access.node == scores) return true;
  if (graph[access.node].op != Op::Map || !seen.insert(access).second) return false;
  for (const graph::Operand& operand : graph[access.node].operands)
    if (holds_scores(graph, compose(operand, access.index), scores, seen)) return true;
  return false;
}

}  // namespace

std::optional<LoopSet> loops_of_scores(const Graph& graph, Dependence& dependence, const Access& body,
                                       int bound) {
  const auto scores = ScoreSearch(graph, dependence, bound, Pairing::PlainProducts).find(body);
  return scores ? std::optional(scores->query | scores->key) : std::nullopt;
}

bool lacks_row(const graph::Function& function, Dependence& dependence, int output) {
  return row_of_one(function.outputs[static_cast<std::size_t>(output)].value) < 0 &&
         probe(function, dependence, 0).pairing == Pairing::OneRow;
}

bool is_streamed(const Graph& graph, Dependence& dependence, NodeId reduce, const Index& index, int bound,
                 const Sym& size, bool one_row) {
  const graph::Node& node = graph[reduce];
  if (node.reduced.size() != 1) return false;
  const Access body = compose(node.operands[0], with_bound(index, bound));
  if (loops_of_scores(graph, dependence, body, bound)) return true;
  if (!(node.reduced[0] == size)) return false;
  const auto holds = [&](Pairing pairing) {
    return ScoreSearch(graph, dependence, bound, pairing).find(body).has_value();
  };
  return holds(Pairing::Products) || holds(Pairing::Maps) || (one_row && holds(Pairing::OneRow));
}

Nest find_roles(const graph::Function& function, Dependence& dependence) {
  if (function.outputs.empty()) throw refuse("no-attention", "the function returns no tensor", "");
  const Probe first = probe(function, dependence, 0);
  if (!first.scores) {
    throw refuse("no-attention", "no reduction over keys of scores between queries and keys was found",
                 "scores are a contraction such as matmul(q, k.transpose(-2, -1)), or of sums such as "
                 "tanh(a.unsqueeze(-1) + b.unsqueeze(-2)), reduced over the keys");
  }
  for (const graph::Output& out : function.outputs) {
    const Access result = access_of(out.value, 0);
    std::set<Access> seen;
    if (holds_scores(function.graph, result, first.scores->at.node, seen))
      throw refuse("scores-sized-result",
                   "the result is as large as the scores, so that fusing would save nothing",
                   "let a function of this file call it and return what follows: calls are inlined",
                   function.graph.source(result.node));
  }
  Nest nest = nest_of_first(function, dependence, first);
  if (is_product_of_features(function, first, nest)) {
    throw refuse("no-attention", "one product follows the other, and the first sums over the sequence",
                 "in this order they are two matrix products, which no kernel of scores can better",
                 function.graph.source(first.reduce));
  }
  for (std::size_t o = 1; o < function.outputs.size(); ++o) {
    align(function, dependence, nest, first, static_cast<int>(o));
  }
  return nest;
}

}  // namespace flashlight::fusion
