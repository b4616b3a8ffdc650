// SPDX-License-Identifier: Apache-2.0
// See products.h.
#include "fusion/products.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "fusion/local.h"
#include "fusion/pair.h"

namespace flashlight::fusion {

namespace {

using graph::Fn;
using graph::Graph;
using graph::NodeId;
using graph::Op;
using graph::Operand;
using graph::Sym;
using graph::SymOp;

LoopSet below(std::size_t count) { return (LoopSet{1} << count) - 1; }

bool is_sum(const graph::Node& node) {
  return node.op == Op::Reduce && node.reduce == graph::ReduceKind::Sum && node.type == graph::Type::Float;
}

// A sum of a product, and which of its own axes the factors of each side have.
struct Sides {
  std::vector<Access> left, right;  // over the node's own axes and the reduced ones
  LoopSet left_axes = 0, right_axes = 0;
  LoopSet shared() const { return left_axes & right_axes; }
};

class Search {
 public:
  Search(const graph::Function& function, Dependence& dependence)
      : function_(function), graph_(function.graph), dependence_(dependence) {}

  std::vector<NodeId> products() {
    find_all_scores();
    std::vector<NodeId> result;
    for (NodeId id = 0; id < graph_.size(); ++id)
      if (!scores_.contains(id) && !streams_.contains(id) && sides_of(id)) result.push_back(id);
    return result;
  }

  std::set<NodeId> scores() {
    find_all_scores();
    return scores_;
  }

  // Batches, rows, columns: a side that is a tensor as it is has the columns, and where both are the later
  // argument.
  std::vector<int> order_of(NodeId id, const Sides& sides) const {
    const auto input_of = [&](const std::vector<Access>& side) {
      return is_plain(side) ? graph_[side[0].node].input : -1;
    };
    const LoopSet columns = input_of(sides.left) > input_of(sides.right) ? sides.left_axes : sides.right_axes;
    const LoopSet rows = input_of(sides.left) > input_of(sides.right) ? sides.right_axes : sides.left_axes;
    std::vector<int> order;
    for (const LoopSet part : {rows & columns, rows & ~columns, columns & ~rows})
      for (std::size_t a = 0; a < graph_[id].shape.size(); ++a)
        if (part & bit(static_cast<int>(a))) order.push_back(static_cast<int>(a));
    return order;
  }

  // Runs along the keys of scores, perhaps along other axes, too.
  std::optional<Attended> attended(NodeId id) {
    if (scores_.empty()) find_all_scores();
    const graph::Node& node = graph_[id];
    if (node.op != Op::Reduce) return std::nullopt;
    const std::size_t rank = node.shape.size(), total = rank + node.reduced.size();
    if (total > 30) return std::nullopt;
    const Access body = compose(node.operands[0], graph::identity_index(total));
    const bool bent = node.reduce != graph::ReduceKind::Sum;
    // Of several axes the keys are those along which values are weighed; of scores alone, either may be.
    std::optional<Attended> along_several;
    for (std::size_t r = rank; node.reduced.size() > 1 && r < total; ++r) {
      const LoopSet others = below(total) & ~bit(static_cast<int>(r));
      if (!holds_scores(body, r, others, total, bent)) continue;
      along_several = Attended{id, static_cast<int>(r - rank)};
      if (is_sum(node) && weighs_values(node, r)) break;
    }
    if (along_several) return along_several;
    for (std::size_t r = rank; r < total; ++r)
      if (holds_scores(body, r, below(rank), total, bent)) return Attended{id, -1};
    return std::nullopt;
  }

  // The factors of a sum of products as two sides with axes that the other lacks; nothing where they have
  // none.
  std::optional<Sides> sides_of(NodeId id) {
    const graph::Node& node = graph_[id];
    const std::size_t rank = node.shape.size(), total = rank + node.reduced.size();
    if (!is_sum(node) || total > 30) return std::nullopt;
    if (std::all_of(node.reduced.begin(), node.reduced.end(), is_handful)) return std::nullopt;
    const std::vector<Access> factors =
        factors_of(graph_, compose(node.operands[0], graph::identity_index(total)));
    for (std::size_t p = 0; p < factors.size(); ++p)
      for (std::size_t q = p + 1; q < factors.size(); ++q)
        if (auto sides = around(factors, p, q, rank)) return sides;
    return std::nullopt;
  }

 private:
  bool holds_scores(const Access& body, std::size_t keys, LoopSet rows, std::size_t total, bool bent) {
    seen_.clear();
    found_.clear();
    return collect(body, static_cast<int>(keys), rows, static_cast<int>(total), bent);
  }

  // What is summed is weights times values, of which the keys have columns that the weights have not.
  bool weighs_values(const graph::Node& node, std::size_t keys) {
    const std::size_t total = node.shape.size() + node.reduced.size();
    const auto factors = factors_of(graph_, compose(node.operands[0], graph::identity_index(total)));
    return std::any_of(factors.begin(), factors.end(), [&](const Access& weight) {
      return is_of_stream(node, factors, weight, static_cast<int>(keys), false);
    });
  }

  // The sides that grow from two factors which both vary with what is summed over. A factor joins the side
  // that has all its axes, and where both have them the one that is computed anyway.
  std::optional<Sides> around(const std::vector<Access>& factors, std::size_t p, std::size_t q,
                              std::size_t rank) {
    const LoopSet own = below(rank);
    const LoopSet first = dependence_(factors[p]), second = dependence_(factors[q]);
    if (!(first & ~own) || !(second & ~own)) return std::nullopt;
    if (!(first & own & ~second) || !(second & own & ~first)) return std::nullopt;
    Sides sides{{factors[p]}, {factors[q]}, first & own, second & own};
    std::vector<Access> open;
    for (std::size_t k = 0; k < factors.size(); ++k) {
      if (k == p || k == q) continue;
      const LoopSet axes = dependence_(factors[k]) & own;
      const bool fits_left = !(axes & ~sides.left_axes), fits_right = !(axes & ~sides.right_axes);
      if (fits_left && fits_right) open.push_back(factors[k]);
      else if (!fits_right && !(axes & sides.right_axes & ~sides.left_axes))
        join(sides.left, sides.left_axes, factors[k], axes);
      else if (!fits_left && !(axes & sides.left_axes & ~sides.right_axes))
        join(sides.right, sides.right_axes, factors[k], axes);
      else return std::nullopt;
    }
    if (!(sides.left_axes & ~sides.right_axes) || !(sides.right_axes & ~sides.left_axes)) return std::nullopt;
    for (const Access& factor : open)
      (is_plain(sides.left) && !is_plain(sides.right) ? sides.right : sides.left).push_back(factor);
    return sides;
  }

  static void join(std::vector<Access>& side, LoopSet& axes, const Access& factor, LoopSet its) {
    side.push_back(factor);
    axes |= its;
  }

  bool is_plain(const std::vector<Access>& side) const {
    return side.size() == 1 && graph_[side[0].node].op == Op::Input;
  }

  // ---- scores

  // What is taken for such.
  enum class Means { Strict, Lenient, Pairs };

  // Products inside of functions that are not linear come first, then functions of two (pair.h): beside
  // these, what is summed with weights made of them may look like the scores of a linear attention.
  void find_all_scores() {
    find_all_scores(Means::Strict);
    if (scores_.empty()) find_all_scores(Means::Lenient);
    if (has_bent_) return;
    const auto linear = std::pair(scores_, streams_);
    const Means means = means_;
    scores_.clear(), streams_.clear();
    find_all_scores(Means::Pairs);
    if (has_bent_) return;
    std::tie(scores_, streams_) = linear;
    means_ = means;
  }

  void find_all_scores(Means means) {
    means_ = means;
    for (NodeId id = 0; id < graph_.size(); ++id)
      if (graph_[id].op == Op::Reduce) find_scores(id);
  }

  void find_scores(NodeId id) {
    const graph::Node& node = graph_[id];
    const std::size_t rank = node.shape.size(), total = rank + node.reduced.size();
    if (total > 30) return;
    const std::vector<Access> factors =
        factors_of(graph_, compose(node.operands[0], graph::identity_index(total)));
    for (std::size_t r = rank; r < total; ++r) {
      for (const Access& factor : factors) {
        seen_.clear();
        found_.clear();
        collect(factor, static_cast<int>(r), below(total) & ~bit(static_cast<int>(r)),
                static_cast<int>(total), false);
        for (const auto& [scores, bent] : found_)
          if (is_of_stream(node, factors, factor, static_cast<int>(r), bent)) {
            scores_.insert(scores);
            has_bent_ = has_bent_ || bent;
            streams_.insert(id);
          }
      }
    }
  }

  // What is summed along the stream is weighed by the scores: another factor has columns that they have not.
  // Scores that only multiply it are found among sides that are computed: see products.h.
  bool is_of_stream(const graph::Node& node, const std::vector<Access>& factors, const Access& weight,
                    int stream, bool bent) {
    if (!is_sum(node)) return false;
    if (!bent && factors.size() < 2) return false;
    const LoopSet own = below(node.shape.size()), mine = dependence_(weight);
    return std::any_of(factors.begin(), factors.end(), [&](const Access& other) {
      const LoopSet loops = dependence_(other);
      return (loops & bit(stream)) && (loops & own & ~mine);
    });
  }

  // Scores below `access`: contractions between a side that varies with loop `stream` and one that does not
  // but with an axis of `rows`. `bent`: inside of a function that is not linear. True where there is one.
  bool collect(const Access& access, int stream, LoopSet rows, int bound, bool bent) {
    const bool of_pairs = means_ == Means::Pairs;
    if (!(dependence_(access) & bit(stream)) || (!of_pairs && !dependence_.has_reduction(access.node)) ||
        bound > 50)
      return false;
    if (const auto [at, fresh] = seen_.try_emplace({access, bent}, false); !fresh) return at->second;
    const graph::Node& node = graph_[access.node];
    if (of_pairs && pair_at(graph_, dependence_, access, stream, rows, bent)) {
      found_.emplace_back(access.node, true);  // max(a, b) is not linear itself
      return seen_[{access, bent}] = true;
    }
    Index iteration = access.index;
    const int inner = bound + static_cast<int>(node.reduced.size());
    if (is_order(node)) iteration.push_back(access.index.back());  // its elements are those that it orders
    else
      for (int loop = bound; loop < inner; ++loop) iteration.push_back(Sym::axis(loop));
    const auto sides = node.op == Op::Reduce ? sides_of(access.node) : std::nullopt;
    if (sides && !streams_.contains(access.node)) {
      const Meeting meeting = meeting_of(*sides, iteration, stream, rows, bent);
      if (meeting == Meeting::Scores) found_.emplace_back(access.node, bent);
      if (meeting == Meeting::Scores || meeting == Meeting::Batch) return meeting == Meeting::Scores;
    }
    bool any = false;
    for (std::size_t k = 0; k < node.operands.size(); ++k)
      any = collect(compose(node.operands[k], iteration), stream, rows, inner, bent || bends(node, k)) || any;
    if (any && sides) streams_.insert(access.node);  // mixes scores, of several heads
    seen_[{access, bent}] = any;
    return any;
  }

  // How a contraction's sides meet along a stream.
  enum class Meeting { Scores, Batch, Other };

  Meeting meeting_of(const Sides& sides, const Index& iteration, int stream, LoopSet rows, bool bent) {
    const auto loops = [&](const std::vector<Access>& side) {
      LoopSet all = 0;
      for (const Access& factor : side) all |= dependence_(compose({factor.node, factor.index}, iteration));
      return all;
    };
    const LoopSet left = loops(sides.left), right = loops(sides.right);
    const bool by_left = left & bit(stream), by_right = right & bit(stream);
    if (by_left && by_right) return Meeting::Batch;
    const LoopSet keys = by_left ? left : right, queries = by_left ? right : left;
    if (!(queries & rows & ~keys)) return Meeting::Other;
    const bool weights = is_weight(sides.left, sides.left_axes, sides.right_axes, bent) ||
                         is_weight(sides.right, sides.right_axes, sides.left_axes, bent);
    return weights ? Meeting::Other : Meeting::Scores;
  }

  // Made of tensors without reductions, which have no axis of the other side but those that may broadcast.
  // Where nothing else is found, keys inside of a softmax may look like that too, unless the other side has
  // batch axes.
  bool is_weight(const std::vector<Access>& side, LoopSet mine, LoopSet others, bool bent) {
    for (const Access& factor : side)
      if (dependence_.has_reduction(factor.node) || shares_surely(factor, others)) return false;
    const LoopSet only_others = others & ~mine;
    const bool has_batch = only_others & (only_others - 1);
    return means_ == Means::Strict || !bent || (has_batch && !(mine & others));
  }

  // Has one of these axes for certain.
  bool shares_surely(const Access& access, LoopSet axes) {
    const graph::Node& node = graph_[access.node];
    if (node.op == Op::Input) {
      const graph::TensorParam& tensor = function_.tensors[static_cast<std::size_t>(node.input)];
      for (std::size_t a = 0; a < access.index.size(); ++a) {
        const bool may_lack =
            (tensor.pack && a == 0) || (a < tensor.may_broadcast.size() && tensor.may_broadcast[a]);
        if (!may_lack && (loops_of(access.index[a]) & axes)) return true;
      }
      return false;
    }
    return std::any_of(node.operands.begin(), node.operands.end(), [&](const Operand& operand) {
      return shares_surely(compose(operand, access.index), axes);
    });
  }

  const graph::Function& function_;
  const Graph& graph_;
  Dependence& dependence_;
  std::set<NodeId> scores_, streams_;
  std::map<std::pair<Access, bool>, bool> seen_;
  Means means_ = Means::Strict;
  bool has_bent_ = false;  // scores inside of a function that is not linear
  std::vector<std::pair<NodeId, bool>> found_;
};

// ---- factors that were taken out

// `other`, a factor beside the product seen at `at`, over the product's own axes; nothing where it varies
// with more.
std::optional<Operand> over_axes(const Operand& other, const std::vector<Sym>& at) {
  Operand result{other.node, {}};
  for (const Sym& index : other.index) {
    const auto found = std::find(at.begin(), at.end(), index);
    if (found == at.end()) return std::nullopt;
    result.index.push_back(Sym::axis(static_cast<int>(found - at.begin())));
  }
  return result;
}

// The factors that stand beside the product in each of its uses.
std::vector<Operand> common_factors(const graph::Function& f, Dependence& dependence, NodeId product) {
  for (const graph::Output& out : f.outputs)
    if (out.value.node == product) return {};
  std::optional<std::vector<Operand>> common;
  for (NodeId user = 0; user < f.graph.size(); ++user) {
    const graph::Node& node = f.graph[user];
    for (const Operand& use : node.operands) {
      if (use.node != product) continue;
      if (node.op != Op::Map || node.fn != Fn::Mul) return {};
      std::vector<Operand> here;
      for (const Operand& other : node.operands) {
        if (other.node == product || !dependence.has_reduction(other.node)) continue;
        const auto factor = over_axes(other, use.index);
        if (factor && (!common || std::find(common->begin(), common->end(), *factor) != common->end()))
          here.push_back(*factor);
      }
      common = std::move(here);
    }
  }
  return common.value_or(std::vector<Operand>{});
}

// The last of these nodes that a value is made of; -1: none.
NodeId last_below(const Graph& graph, NodeId value, const std::vector<NodeId>& nodes) {
  std::vector<bool> below(static_cast<std::size_t>(value) + 1, false);
  below.back() = true;
  NodeId last = -1;
  for (NodeId id = value; id >= 0; --id) {
    if (!below[static_cast<std::size_t>(id)]) continue;
    if (last < 0 && std::find(nodes.begin(), nodes.end(), id) != nodes.end()) last = id;
    for (const Operand& operand : graph[id].operands) below[static_cast<std::size_t>(operand.node)] = true;
  }
  return last;
}

// ---- axes that are read in two parts

void split_axis(MatrixProduct& product, std::size_t axis, const AxisParts& split) {
  std::vector<Sym> place = graph::identity_index(axis);
  place.push_back(split.inner * Sym::axis(static_cast<int>(axis)) + Sym::axis(static_cast<int>(axis) + 1));
  for (std::size_t a = axis + 1; a < product.extents.size(); ++a)
    place.push_back(Sym::axis(static_cast<int>(a) + 1));
  product.extents[axis] = split.outer;
  product.extents.insert(product.extents.begin() + static_cast<std::ptrdiff_t>(axis) + 1, split.inner);
  for (std::vector<Access>* side : {&product.left, &product.right})
    for (Access& factor : *side)
      for (Sym& index : factor.index)
        index = graph::simplify_index(graph::substitute_axes(index, place), product.extents);
}

}  // namespace

std::set<NodeId> find_scores(const graph::Function& f, Dependence& dependence) {
  return Search(f, dependence).scores();
}

std::vector<Attended> attended_values(const graph::Function& f, Dependence& dependence) {
  Search search(f, dependence);
  std::vector<Attended> result;
  const auto is_result = [&](NodeId id) {
    return std::any_of(f.outputs.begin(), f.outputs.end(),
                       [&](const graph::Output& out) { return out.value.node == id; });
  };
  // Where a result is such a reduction already, only those over several axes are left to be taken out.
  for (const bool through : {false, true}) {
    std::vector<NodeId> open;
    std::set<NodeId> seen;
    bool whole = false;
    result.clear();
    for (const graph::Output& out : f.outputs) open.push_back(out.value.node);
    while (!open.empty()) {
      const NodeId id = open.back();
      open.pop_back();
      if (!seen.insert(id).second) continue;
      const auto attended = search.attended(id);
      whole = whole || (attended && attended->keys < 0 && is_result(id));
      if (attended && (!through || attended->keys >= 0)) {
        result.push_back(*attended);
        continue;
      }
      for (const Operand& operand : f.graph[id].operands) open.push_back(operand.node);
    }
    if (!whole) break;
  }
  std::sort(result.begin(), result.end(),
            [](const Attended& a, const Attended& b) { return a.node < b.node; });
  return result;
}

bool is_matrix_product(const graph::Function& f, Dependence& dependence, NodeId node) {
  return Search(f, dependence).sides_of(node).has_value();
}

std::vector<MatrixProduct> find_products(const graph::Function& f, Dependence& dependence) {
  Search search(f, dependence);
  std::vector<MatrixProduct> result;
  const std::vector<NodeId> products = search.products();
  for (const NodeId id : products) {
    const graph::Node& node = f.graph[id];
    const auto sides = search.sides_of(id);
    MatrixProduct product{
        id, sides->left, sides->right, graph::iteration_of(node), search.order_of(id, *sides), {}};
    for (const Operand& factor : common_factors(f, dependence, id)) {
      const LoopSet axes = dependence({factor.node, factor.index});
      const bool of_left = !(axes & ~sides->left_axes), of_right = !(axes & ~sides->right_axes);
      // One that later products are made of comes too late.
      if (of_left == of_right || last_below(f.graph, factor.node, products) > id) continue;
      (of_left ? product.left : product.right).push_back({factor.node, factor.index});
      product.taken_back.push_back(factor);
    }
    for (std::size_t axis = node.shape.size(); axis < product.extents.size(); ++axis) {
      std::vector<Access> all = product.left;
      all.insert(all.end(), product.right.begin(), product.right.end());
      if (const auto split = parts_of_axis(f.graph, all, static_cast<int>(axis)))
        split_axis(product, axis++, *split);
    }
    result.push_back(std::move(product));
  }
  return result;
}

}  // namespace flashlight::fusion
