// SPDX-License-Identifier: Apache-2.0
// See extract.h.
#include "fusion/extract.h"

#include <algorithm>
#include <cmath>

#include "fusion/describe.h"
#include "fusion/leaf_info.h"
#include "fusion/local.h"
#include "fusion/segments.h"
#include "graph/finite.h"

namespace flashlight::fusion {

namespace {

using algebra::Expr;
using graph::Fn;
using graph::Op;
using graph::Sym;
using graph::Type;

class Extraction {
 public:
  Extraction(const graph::Function& function, Dependence& dependence, KernelPlan& plan)
      : function_(function),
        graph_(function.graph),
        dependence_(dependence),
        local_(function.graph, dependence, plan),
        plan_(plan),
        arena_(*plan.arena) {}

  const std::vector<Expr>& fold_bodies() const { return fold_bodies_; }

  Expr value(const Access& access) {
    if (auto found = memo_.find(access); found != memo_.end()) return found->second;
    const Expr result = compute(access);
    if (graph_.source(access.node).line > 0 && !result.is(algebra::Op::kConstant)) plan_.sources.try_emplace(result, graph_.source(access.node));
    memo_[access] = result;
    return result;
  }

 private:
  [[noreturn]] void refuse(graph::NodeId node, std::string id, std::string text, std::string hint) {
    throw Refused{{std::move(id), std::move(text), std::move(hint), graph_.source(node)}};
  }
  // A value that a kernel before could compute, unless it is as large as the scores.
  [[noreturn]] void refuse(const Access& access, std::string id, std::string text, std::string hint) {
    const LoopSet loops = dependence_(access);
    const bool large = (loops & bit(plan_.row)) && (loops & bit(plan_.stream));
    throw Refused{{std::move(id), std::move(text), std::move(hint), graph_.source(access.node)}, large ? -1 : access.node};
  }

  // `positions`: of the reduced axes that are written out.
  Expr leaf(Leaf leaf, const std::vector<Sym>& positions = {}) {
    const auto key = std::make_tuple(static_cast<int>(leaf.kind), leaf.node, leaf.index, leaf.feature, positions);
    auto [found, fresh] = leaf_ids_.try_emplace(key, static_cast<int>(plan_.leaves.size()));
    const algebra::LeafInfo info = leaf_info(function_, leaf, plan_);
    if (fresh) plan_.leaves.push_back(std::move(leaf));
    return arena_.leaf(found->second, info);
  }

  Expr point(const Access& access) {
    Leaf result;
    result.node = access.node;
    result.index = access.index;
    result.loops = static_cast<unsigned>(dependence_(access));
    if (varies_with_all(result.loops))
      refuse(access.node, "rank-three", "a streamed sum varies with query, key and output column at once: " + describe(function_, plan_, result),
             "write it as a product of a term over (query, key) and a term over (key, column)");
    return leaf(std::move(result));
  }

  bool varies_with_all(LoopSet loops) const {
    if (!(loops & bit(plan_.row)) || !(loops & bit(plan_.stream))) return false;
    for (std::size_t l = 0; l < plan_.loops.size(); ++l)
      if (plan_.loops[l].role == Role::Column && (loops & bit(static_cast<int>(l)))) return true;
    return false;
  }

  Expr compute(const Access& access) {
    const graph::Node& node = graph_[access.node];
    switch (node.op) {
      case Op::Scalar:
        if (auto c = node.value.as_real(); c && node.type == Type::Float) return arena_.constant(*c);
        return point(access);
      case Op::Reduce: return reduction(access);
      case Op::Map: return map(access);
      case Op::Opaque:
        refuse(access.node, "opaque", "'" + node.name + "' has no law by which it could be computed tile by tile",
               "apply it outside the fused function, before or after the attention");
      case Op::Scan: return scan(access);
      case Op::Segment: return segment(access);
      default: return point(access);
    }
  }

  Expr scan(const Access& access) {
    const graph::Node& node = graph_[access.node];
    const bool along_keys = access.index[node.axis] == Sym::axis(plan_.stream) && node.shape[node.axis] == plan_.loops[plan_.stream].size;
    if (!along_keys) refuse(access, "unsupported-scan", "a running sum along another axis than the keys is not fused yet", "compute it before the attention");
    return algebra::scan_sum(value(compose(node.operands[0], access.index)), false);
  }

  Expr segment(const Access& access) {
    std::vector<Sym> sizes;
    for (const Loop& loop : plan_.loops) sizes.push_back(loop.size);
    if (const auto one = segment_at(graph_, access, sizes)) return value(*one);
    if (local_(access)) return point(access);
    refuse(access.node, "unsupported-segment", "a concatenation of computed scores is read across its parts",
           "concatenate the keys and the values instead of scores, or reduce over each part on its own");
  }

  // Stays opaque to the algebra: no streamed reduction below, and nothing the laws could use.
  bool is_point(const Access& access) {
    if (!local_(access)) return false;
    const LoopSet loops = dependence_(access);
    const bool key = loops & bit(plan_.stream);
    if (dependence_.has_reduction(access.node) && key) {
      // A value of the key as a whole is computed once a key; what also varies with the query reads it.
      return !(loops & bit(plan_.row)) && (graph_[access.node].type != Type::Float || is_power(access) || is_value(access));
    }
    return graph_[access.node].type != Type::Float || !key || is_offset(access) || is_value(access);
  }

  // 1 - mask[j], to be scaled by -1e9: apart, the 1 would leave as a term of the row, and 1e9 * mask swallow the scores.
  bool is_offset(const Access& access) const {
    const graph::Node& node = graph_[access.node];
    return node.fn == Fn::Add && std::any_of(node.operands.begin(), node.operands.end(),
                                             [&](const graph::Operand& o) { return graph_[o.node].op == Op::Scalar; });
  }

  bool is_power(const Access& access) const {
    const Fn fn = graph_[access.node].fn;
    return fn == Fn::Pow || fn == Fn::Max || fn == Fn::Min || fn == Fn::Abs;
  }

  // Of what varies with key and column, products are left to the laws; anything else is an operand of a contraction,
  // filled as it is written.
  bool is_value(const Access& access) {
    const Fn fn = graph_[access.node].fn;
    if (fn == Fn::Mul || fn == Fn::Pow) return false;
    const LoopSet loops = dependence_(access);
    if (loops & bit(plan_.row)) return false;
    for (std::size_t l = 0; l < plan_.loops.size(); ++l) {
      if (plan_.loops[l].role == Role::Column && (loops >> l & 1)) return true;
    }
    return false;
  }

  std::vector<Expr> operands(const Access& access) {
    std::vector<Expr> result;
    for (const graph::Operand& operand : graph_[access.node].operands) result.push_back(value(compose(operand, access.index)));
    return result;
  }

  Expr map(const Access& access) {
    if (is_point(access)) return point(access);
    const graph::Node& node = graph_[access.node];
    if (node.type == Type::Int) {
      refuse(access.node, "unsupported-integer", "integer arithmetic on a value that depends on a reduction", "compute it in floating point");
    }
    const std::vector<Expr> a = operands(access);
    switch (node.fn) {
      case Fn::Add: return sum(access, a);
      case Fn::Mul: return product(a);
      case Fn::Pow:
        if (a[1].is(algebra::Op::kConstant)) return pow(a[0], a[1].value());
        return algebra::call(arena_, static_cast<int>(node.fn), a);
      case Fn::Max: return max2(a[0], a[1]);
      case Fn::Min: return min2(a[0], a[1]);
      case Fn::Lt: return lt(a[0], a[1]);
      case Fn::Le: return le(a[0], a[1]);
      case Fn::Eq: return eq(a[0], a[1]);
      case Fn::Ne: return ne(a[0], a[1]);
      case Fn::And: return algebra::all_of(a);
      case Fn::Or: return algebra::any_of(a);
      case Fn::Not: return algebra::not_of(a[0]);
      case Fn::Where: return where(a[0], a[1], a[2]);
      case Fn::Exp: return exp(a[0]);
      case Fn::Log: return log(a[0]);
      case Fn::Tanh: return tanh(a[0]);
      case Fn::Sigmoid: return sigmoid(a[0]);
      case Fn::Abs: return algebra::abs(a[0]);
      case Fn::ToFloat: return a[0].is_bool() ? where(a[0], 1.0, 0.0) : a[0];
      case Fn::ToBool: return ne(a[0], 0.0);
      default: return algebra::call(arena_, static_cast<int>(node.fn), a, node.type == Type::Bool);
    }
  }

  // score + (keep[j] * 1e9 - 1e9): what balances stays with what it balances, as one value to the laws.
  std::vector<Expr> with_offset(const Access& access, const std::vector<Expr>& terms) {
    std::vector<Expr> numbers, balanced, others;
    for (std::size_t k = 0; k < terms.size(); ++k) {
      const Access term = compose(graph_[access.node].operands[k], access.index);
      const bool keyed = (dependence_(term) & bit(plan_.stream)) && !terms[k].node().column && local_(term);
      (graph::may_balance(graph_, term.node) ? numbers : keyed ? balanced : others).push_back(terms[k]);
    }
    if (numbers.empty() || balanced.empty()) return terms;
    balanced.insert(balanced.end(), numbers.begin(), numbers.end());
    others.push_back(algebra::call(arena_, static_cast<int>(Fn::Add), balanced));
    return others;
  }

  // A row constant that may be -inf is a mask, and one that is NaN poisons its row. To the laws it is a number like any
  // other, which a softmax does not see: it joins the scores it is added to, as one value.
  Expr sum(const Access& access, const std::vector<Expr>& terms) {
    const Expr all = arena_.make(algebra::Op::kAdd, terms);
    if (!(dependence_(access) & bit(plan_.stream))) return all;
    std::vector<Expr> masks, kept;
    for (std::size_t k = 0; k < terms.size(); ++k) {
      const Access term = compose(graph_[access.node].operands[k], access.index);
      const bool of_row = terms[k].is(algebra::Op::kLeaf) && !(dependence_(term) & bit(plan_.stream));
      if (of_row && graph::may_mask(graph_, term.node)) masks.push_back(terms[k]);
      else kept.push_back(terms[k]);
    }
    if (masks.empty()) return arena_.make(algebra::Op::kAdd, with_offset(access, terms));
    // First what is computed point by point: of a bias F_i - F_j the difference is kept, which may be small.
    for (bool contracted : {false, true}) {
      for (Expr& term : kept) {
        if (holds_contraction(term) != contracted) continue;
        const Expr joined = with_row(term, masks);
        if (!joined) continue;
        term = joined;
        const Expr scores = kept.size() == 1 ? joined : arena_.make(algebra::Op::kAdd, kept);
        return plan_.strict_nan ? scores : hidden_by(masks, scores);  // strictly, the scores alone say it
      }
    }
    return hidden_by(masks, all);
  }

  // A condition of the row alone: the laws take it out of the sums, where it costs nothing for each key.
  static Expr hidden_by(std::vector<Expr> biases, Expr scores) {
    for (Expr& bias : biases) bias = algebra::not_of(eq(bias, -INFINITY));
    return where(algebra::all_of(biases), scores, -INFINITY);
  }

  bool holds_contraction(Expr e) const {
    const std::vector<Expr> leaves = algebra::collect(e, {algebra::Op::kLeaf});
    return std::any_of(leaves.begin(), leaves.end(), [&](Expr l) { return plan_.leaves[l.leaf_id()].kind != Leaf::Point; });
  }

  // A term of the keys, masked or not, and values of the row; nothing where it is made of a reduction.
  Expr with_row(Expr term, const std::vector<Expr>& row) {
    const bool masked = term.is(algebra::Op::kWhere) && term.arg(2).is_constant(-INFINITY);
    if (masked) {
      const Expr inside = with_row(term.arg(1), row);
      return inside ? where(term.arg(0), inside, -INFINITY) : Expr();
    }
    using enum algebra::Op;
    const bool is_made = !algebra::collect(term, {kReduceSum, kReduceMax, kReduceMin, kReduceProd, kReduceAny, kReduceAll, kScan}).empty();
    if (is_made || term.node().kind != algebra::kKeyed || term.node().column) return {};
    std::vector<Expr> terms{term};
    terms.insert(terms.end(), row.begin(), row.end());
    return composite(arena_.make(kAdd, terms));
  }

  bool is_launch_number(Expr e) const {
    if (!e.is(algebra::Op::kLeaf)) return false;
    const Leaf& leaf = plan_.leaves[e.leaf_id()];
    return leaf.kind == Leaf::Point && graph_[leaf.node].op == Op::Scalar;
  }

  // A contraction times numbers known at launch is a score: one leaf, so that the laws find its maximum, its exponential
  // and its powers to be of one value.
  Expr product(const std::vector<Expr>& factors) {
    std::vector<Expr> rest, parts;
    Expr contraction;
    for (Expr f : factors) {
      const bool contracts = f.is(algebra::Op::kLeaf) && plan_.leaves[f.leaf_id()].kind == Leaf::Contraction;
      if (is_launch_number(f)) parts.push_back(f);
      else if (contracts && !contraction) contraction = f;
      else rest.push_back(f);
    }
    if (!contraction || parts.empty()) return arena_.make(algebra::Op::kMul, factors);
    parts.push_back(contraction);
    rest.push_back(composite(arena_.make(algebra::Op::kMul, parts)));
    return rest.size() == 1 ? rest[0] : arena_.make(algebra::Op::kMul, rest);
  }

  // `whole` as one leaf, which varies with the loops of all that it is made of.
  Expr composite(Expr whole) {
    whole = expanded(whole);
    for (const auto& [leaf, made_of] : plan_.made_of) {
      if (made_of == whole) return leaf;
    }
    const std::vector<Expr> parts = algebra::collect(whole, {algebra::Op::kLeaf});
    Leaf leaf = plan_.leaves[parts.front().leaf_id()];
    leaf.kind = Leaf::Composite;
    for (Expr part : parts) leaf.loops |= plan_.leaves[part.leaf_id()].loops;
    algebra::LeafInfo info;
    info.streamed = true;
    info.name = to_string(whole);
    const Expr result = arena_.leaf(static_cast<int>(plan_.leaves.size()), info);
    plan_.leaves.push_back(std::move(leaf));
    plan_.made_of[result] = whole;
    return result;
  }

  Expr expanded(Expr e) const {
    if (const auto found = plan_.made_of.find(e); found != plan_.made_of.end()) return found->second;
    if (e.args().empty()) return e;
    std::vector<Expr> args;
    for (Expr arg : e.args()) args.push_back(expanded(arg));
    return algebra::with_args(e, args);
  }

  // Runs over a few positions that are neither the keys nor a concatenation with them: coordinates of a point.
  bool is_of_few(const Access& access) const {
    const graph::Node& node = graph_[access.node];
    const auto size = node.reduced[0].as_integer();
    if (!size || *size > kFewPositions || node.reduced[0] == plan_.loops[plan_.stream].size) return false;
    Index iteration = access.index;
    iteration.push_back(Sym::axis(plan_.stream));
    const auto parts = parts_of_loop(graph_, dependence_, compose(node.operands[0], iteration), plan_.stream, node.reduced[0]);
    return parts && parts->size() == 1;
  }

  Expr reduction(const Access& access) {
    const graph::Node& node = graph_[access.node];
    if (node.reduced.size() != 1 && local_(access)) return point(access);
    if (node.reduced.size() != 1 && (dependence_(access) & bit(plan_.stream))) return mixed(access);
    if (node.reduced.size() == 2) {
      if (const auto folded = folded_stream(access)) return *folded;
    }
    if (node.reduced.size() != 1) refuse(access, "unsupported-reduction", "a reduction over several axes at once is not fused yet", "");
    const bool outer = !(dependence_(access) & bit(plan_.stream));
    if (!outer || is_of_few(access) || !is_streamed(graph_, dependence_, access.node, access.index, plan_.stream, plan_.loops[plan_.stream].size)) {
      if (local_(access)) return point(access);
      if (!outer || !is_after_stream(access)) return mixed(access);
      if (is_along_columns(access)) return fold(access);
      if (const auto turned = written_out(access, 0)) return *turned;
      check_fold(access);
      return fold(access);
    }
    Index iteration = access.index;
    iteration.push_back(Sym::axis(plan_.stream));
    const Access body = compose(node.operands[0], iteration);
    const auto parts = parts_of_loop(graph_, dependence_, body, plan_.stream, node.reduced[0]);
    if (!parts) refuse(access.node, "unsupported-segment", "concatenations whose parts lie differently on one axis", "reduce over each on its own");
    std::vector<Expr> values;
    for (const Part& part : *parts) {
      const auto size = part.size.as_integer();
      const bool few = size && *size <= kFewPositions && parts->size() > 1;  // keys alone are streamed, however few they are
      if (!few) values.push_back(reduce_part(access, part));
      for (std::int64_t k = 0; few && k < *size; ++k) values.push_back(reduce_part(access, {part.start + k, Sym(1)}));
    }
    return values.size() == 1 ? values[0] : joined(node.reduce, values);
  }

  static constexpr std::int64_t kFewPositions = 16;  // a part of so many is written out

  // One part of a reduction over a concatenated axis: a single position, or the keys.
  Expr reduce_part(const Access& access, const Part& part) {
    const graph::Node& node = graph_[access.node];
    const bool single = part.size.is_integer(1);
    if (!single && !(part.size == plan_.loops[plan_.stream].size)) {
      if (part.size == node.reduced[0]) return contraction(access);
      refuse(access.node, "unsupported-segment", "a reduction over a part of the axis that is neither the keys nor a few positions",
             "state the size of a small part, assume(sinks.size(-1) == 4), or reduce over the parts on their own");
    }
    Index iteration = access.index;
    iteration.push_back(single ? part.start : Sym::axis(plan_.stream) + part.start);
    const Expr body = value(compose(node.operands[0], iteration));
    return single ? body : reduced_over_keys(access, body);
  }

  Expr reduced_over_keys(const Access& access, Expr body) {
    const graph::Node& node = graph_[access.node];
    for (Expr leaf : algebra::collect(body, {algebra::Op::kLeaf})) {
      if (plan_.leaves[leaf.leaf_id()].kind != Leaf::Fold) continue;
      refuse(access.node, "unsupported-contraction", "a reduction over the keys uses the norm of an attention's result",
             "split the function behind the first attention");
    }
    switch (node.reduce) {
      case graph::ReduceKind::Sum: return algebra::reduce_sum(body);
      case graph::ReduceKind::Max: return algebra::reduce_max(body);
      case graph::ReduceKind::Min: return algebra::reduce_min(body);
      case graph::ReduceKind::Prod: return algebra::reduce_prod(body);
      case graph::ReduceKind::Any: return algebra::reduce_any(body);
      case graph::ReduceKind::All: return algebra::reduce_all(body);
      case graph::ReduceKind::ArgMax: break;
    }
    refuse(access.node, "opaque", "argmax over the keys has no law", "return amax instead");
  }

  // The law of segments: a reduction over them combines theirs.
  Expr joined(graph::ReduceKind kind, const std::vector<Expr>& parts) {
    Expr all = parts[0];
    for (std::size_t k = 1; k < parts.size(); ++k) {
      switch (kind) {
        case graph::ReduceKind::Sum: all = all + parts[k]; break;
        case graph::ReduceKind::Max: all = max2(all, parts[k]); break;
        case graph::ReduceKind::Min: all = min2(all, parts[k]); break;
        case graph::ReduceKind::Prod: all = all * parts[k]; break;
        case graph::ReduceKind::Any: all = algebra::any_of({all, parts[k]}); break;
        default: all = algebra::all_of({all, parts[k]}); break;
      }
    }
    return all;
  }

  // Reduces something that streamed reductions have left.
  bool is_after_stream(const Access& access) {
    if (!dependence_.has_reduction(access.node)) return false;
    const graph::Node& node = graph_[access.node];
    Index iteration = access.index;
    for (std::size_t r = 0; r < node.reduced.size(); ++r) iteration.push_back(Sym::axis(kFirstBound + static_cast<int>(r)));
    return std::any_of(node.operands.begin(), node.operands.end(), [&](const graph::Operand& operand) {
      const Access below = compose(operand, iteration);
      if (dependence_(below) & bit(plan_.stream)) return false;
      const graph::Node& inner = graph_[below.node];
      const bool streams = inner.op == Op::Reduce && inner.reduced.size() == 1 &&
                           is_streamed(graph_, dependence_, below.node, below.index, plan_.stream,
                                       plan_.loops[plan_.stream].size);
      return streams || is_after_stream(below);
    });
  }

  // A contraction of the two sides, or a reduction over a few values that are made of contractions.
  Expr mixed(const Access& access) {
    const graph::Node& node = graph_[access.node];
    if (node.reduced.size() == 1 && holds_products(access)) {
      if (const auto all = written_out(access, 0)) return *all;
    }
    return contraction(access);
  }

  // What the reduction runs over is no product of two sides, but made of such.
  bool holds_products(const Access& access) {
    const graph::Node& node = graph_[access.node];
    Index iteration = access.index;
    for (std::size_t r = 0; r < node.reduced.size(); ++r) iteration.push_back(Sym::axis(kFirstBound + static_cast<int>(r)));
    const auto factors = factors_of(graph_, compose(node.operands[0], iteration));
    return std::any_of(factors.begin(), factors.end(), [&](const Access& factor) {
      const LoopSet loops = dependence_(factor);
      return !local_(factor) && (loops & bit(plan_.row)) && (loops & bit(plan_.stream));
    });
  }

  // The reduction is the row's own: nothing of it varies with columns.
  bool is_along_columns(const Access& access) {
    const LoopSet loops = dependence_(access);
    for (std::size_t l = 0; l < plan_.loops.size(); ++l)
      if (plan_.loops[l].role == Role::Column && (loops & bit(static_cast<int>(l)))) return false;
    return true;
  }

  // A reduction over the columns of what the stream leaves, once that is whole.
  Expr fold(const Access& access) {
    const graph::Node& node = graph_[access.node];
    check_fold(access);
    const int columns = column_loop(node.reduced[0]);
    Index iteration = access.index;
    iteration.push_back(Sym::axis(columns));
    return fold_of(access, columns, value(compose(node.operands[0], iteration)));
  }

  // A sum over the columns of a sum over the keys is one node.
  std::optional<Expr> folded_stream(const Access& access) {
    const graph::Node& node = graph_[access.node];
    if (dependence_(access) & bit(plan_.stream)) return std::nullopt;
    for (int k = 0; k < 2; ++k) {
      Index iteration = access.index;
      for (int axis = 0; axis < 2; ++axis) iteration.push_back(Sym::axis(axis == k ? plan_.stream : kFirstBound));
      if (!(node.reduced[k] == plan_.loops[plan_.stream].size)) continue;
      const auto scores = loops_of_scores(graph_, dependence_, compose(node.operands[0], iteration), plan_.stream);
      if (!scores) continue;
      if (weighs(compose(node.operands[0], iteration), kFirstBound)) return written_out(access, 1 - k);
      check_fold(access);
      const int columns = column_loop(node.reduced[1 - k]);
      iteration[access.index.size() + 1 - k] = Sym::axis(columns);
      const Expr body = value(compose(node.operands[0], iteration));
      return fold_of(access, columns, reduced_over_keys(access, body));
    }
    return std::nullopt;
  }

  // Weights vary with the loop: what scores are made into, not only what they weigh.
  bool weighs(const Access& body, int loop) {
    const auto factors = factors_of(graph_, body);
    return std::any_of(factors.begin(), factors.end(), [&](const Access& factor) {
      return (dependence_(factor) & bit(loop)) && loops_of_scores(graph_, dependence_, factor, plan_.stream);
    });
  }

  // A reduction over a few positions of one of its axes, each written out: heads that are mixed, coordinates that are
  // turned. The axis's size is a number in the source.
  std::optional<Expr> written_out(const Access& access, std::size_t axis) {
    const graph::Node& node = graph_[access.node];
    const auto size = node.reduced[axis].as_integer();
    if (!size || *size > kFewPositions || node.reduce == graph::ReduceKind::ArgMax) return std::nullopt;
    std::vector<Expr> values;
    ++written_;
    for (std::int64_t k = 0; k < *size; ++k) values.push_back(one_of(access, axis, Sym(k)));
    --written_;
    return joined(node.reduce, values);
  }

  // The reduction with one of its axes at a position.
  Expr one_of(const Access& access, std::size_t axis, const Sym& position) {
    const graph::Node& node = graph_[access.node];
    Positions at(node.reduced.size());
    at[axis] = position;
    if (node.reduced.size() == 1) return value(compose(node.operands[0], iteration_at(access, at)));
    const bool keys = node.reduced.size() == 2 && node.reduced[1 - axis] == plan_.loops[plan_.stream].size &&
                      !(dependence_(access) & bit(plan_.stream));
    if (!keys) return contraction_at(access, at);
    at[1 - axis] = Sym::axis(plan_.stream);
    return reduced_over_keys(access, value(compose(node.operands[0], iteration_at(access, at))));
  }

  void check_fold(const Access& access) {
    const graph::Node& node = graph_[access.node];
    if (node.reduce == graph::ReduceKind::ArgMax || node.reduce == graph::ReduceKind::Any || node.reduce == graph::ReduceKind::All) {
      refuse(access.node, "unsupported-reduction", "this reduction of an attention's result is not fused yet", "apply it outside the function");
    }
    for (std::size_t l = 0; l < plan_.loops.size(); ++l) {
      if (plan_.loops[l].role == Role::Column && (dependence_(access) & bit(static_cast<int>(l)))) {
        refuse(access.node, "unsupported-contraction", "a product of the attention's result with a matrix would need the result's whole rows",
               "apply the projection outside the function");
      }
    }
  }

  Expr fold_of(const Access& access, int columns, Expr body) {
    Leaf result;
    result.kind = Leaf::Fold;
    result.node = access.node;
    result.index = access.index;
    result.loops = static_cast<unsigned>(dependence_(access));
    const Expr made = leaf(std::move(result));
    plan_.folds.push_back({made, graph_[access.node].reduce, columns});
    fold_bodies_.push_back(body);
    return made;
  }

  int column_loop(const Sym& size) {
    for (std::size_t l = 0; l < plan_.loops.size(); ++l) {
      if (plan_.loops[l].role == Role::Column && plan_.loops[l].size == size) return static_cast<int>(l);
    }
    plan_.loops.push_back({Role::Column, size, false});
    return static_cast<int>(plan_.loops.size()) - 1;
  }

  // Feature loops of one size are shared, so that equal contractions are one leaf.
  int feature_loop(const Sym& size) {
    for (std::size_t l = 0; l < plan_.loops.size(); ++l) {
      if (plan_.loops[l].role == Role::Feature && plan_.loops[l].size == size) return static_cast<int>(l);
    }
    plan_.loops.push_back({Role::Feature, size, false});
    return static_cast<int>(plan_.loops.size()) - 1;
  }

  // An op without a law below is the reason to give, whatever reads it.
  void refuse_opaque(graph::NodeId id) {
    if (!dependence_.has_reduction(id)) return;
    const graph::Node& node = graph_[id];
    if (node.op == Op::Opaque) compute({id, {}});
    for (const graph::Operand& operand : node.operands) refuse_opaque(operand.node);
  }

  // Where reduced axes stand; those that are open become the digits of one feature.
  using Positions = std::vector<std::optional<Sym>>;
  static Index iteration_at(const Access& access, const Positions& at) {
    Index iteration = access.index;
    for (const auto& position : at) iteration.push_back(*position);
    return iteration;
  }

  // A sum of products, its open axes bound to loops from kFirstBound on. A factor that is itself such a sum over the two
  // sides joins it: sum_h w[h] sum_d q[h, d] k[h, d].
  struct Product {
    std::vector<Sym> sizes;
    std::vector<Access> factors;
  };
  Product product_of(const Access& access, const Positions& at) {
    const graph::Node& node = graph_[access.node];
    Product result;
    Index iteration = access.index;
    for (std::size_t r = 0; r < at.size(); ++r) {
      iteration.push_back(at[r] ? *at[r] : Sym::axis(kFirstBound + static_cast<int>(result.sizes.size())));
      if (!at[r]) result.sizes.push_back(node.reduced[r]);
    }
    std::vector<Access> open = factors_of(graph_, compose(node.operands[0], iteration));
    while (!open.empty()) {
      const Access factor = open.back();
      open.pop_back();
      const graph::Node& inner = graph_[factor.node];
      const LoopSet loops = dependence_(factor);
      const bool of_both = (loops & bit(plan_.row)) && (loops & bit(plan_.stream));
      if (inner.op != Op::Reduce || inner.reduce != graph::ReduceKind::Sum || !of_both || sums_keys(inner)) {
        result.factors.push_back(factor);
        continue;
      }
      Index below = factor.index;
      for (const Sym& size : inner.reduced) {
        below.push_back(Sym::axis(kFirstBound + static_cast<int>(result.sizes.size())));
        result.sizes.push_back(size);
      }
      for (const Access& f : factors_of(graph_, compose(inner.operands[0], below))) open.push_back(f);
    }
    std::sort(result.factors.begin(), result.factors.end());
    return result;
  }

  // A sum over the keys belongs to a sweep of its own.
  bool sums_keys(const graph::Node& node) const {
    return std::any_of(node.reduced.begin(), node.reduced.end(), [&](const Sym& size) { return size == plan_.loops[plan_.stream].size; });
  }

  static Access at_digits(const Access& term, const std::vector<Sym>& digits) {
    Access result = term;
    for (Sym& index : result.index) {
      index = graph::substitute(index, [&](const Sym& leaf) -> std::optional<Sym> {
        if (leaf.op() != graph::SymOp::Axis || leaf.integer() < kFirstBound) return std::nullopt;
        return digits[static_cast<std::size_t>(leaf.integer() - kFirstBound)];
      });
    }
    return result;
  }

  Expr contraction(const Access& access) {
    const graph::Node& node = graph_[access.node];
    refuse_opaque(node.operands[0].node);
    const auto few = [](const Sym& size) { return size.as_integer() && *size.as_integer() <= kFewPositions; };
    const auto axis = std::find_if(node.reduced.begin(), node.reduced.end(), few);
    // Of what is mixed and written out, each part is needed by several.
    if (written_ > 0 && node.reduced.size() > 1 && axis != node.reduced.end())
      return *written_out(access, static_cast<std::size_t>(axis - node.reduced.begin()));
    return contraction_at(access, Positions(node.reduced.size()));
  }

  // A sum over features of a product: factors without the feature leave it, the others are the two sides.
  Expr contraction_at(const Access& access, const Positions& at) {
    const graph::Node& node = graph_[access.node];
    if (node.reduce != graph::ReduceKind::Sum) {
      refuse(access, "unsupported-reduction", "a reduction that is neither over the keys nor a contraction is not fused yet", "");
    }
    Leaf result;
    result.kind = Leaf::Contraction;
    result.node = access.node;
    result.index = access.index;
    const Product terms = product_of(access, at);
    Sym features = 1;
    for (const Sym& size : terms.sizes) features = features * size;
    result.feature = feature_loop(features);
    result.loops = static_cast<unsigned>(dependence_(access));
    std::vector<Sym> digits(terms.sizes.size());
    Sym rest = Sym::axis(result.feature);
    for (std::size_t r = digits.size(); r-- > 0;) {
      digits[r] = r == 0 ? rest : mod(rest, terms.sizes[r]);
      rest = floor_div(rest, terms.sizes[r]);
    }
    std::vector<Access> outside;
    for (const Access& term : terms.factors) {
      const Access factor = at_digits(term, digits);
      const LoopSet loops = dependence_(factor);
      if (!(loops & bit(result.feature))) {
        outside.push_back(factor);
        continue;
      }
      const bool row = loops & bit(plan_.row), key = loops & bit(plan_.stream);
      if (row && key) {
        if (const auto each = element_by_element(access)) return *each;
        refuse_mixed(access);
      }
      if (!local_(factor)) {
        refuse(access, "unsupported-contraction", "an operand of the contraction is itself a product",
               "contract tensors that vary with either queries or keys; project them before the function");
      }
      (key ? result.right : result.left).push_back({factor.node, factor.index});
    }
    if (result.right.empty() || result.left.empty()) {
      refuse(access, "unsupported-reduction", "a reduction over features of one side only is not fused yet", "compute it before the attention");
    }
    std::erase_if(outside, [&](const Access& factor) { return join_side(factor, result); });
    std::vector<Sym> positions;
    for (const auto& position : at)
      if (position) positions.push_back(*position);
    Expr product = leaf(std::move(result), positions);
    for (const Access& factor : outside) product = value(factor) * product;
    return product;
  }

  // Scores between sides that both vary with the rows, such as the heads' scores of one query, are no product of matrices:
  // each is a sum of its own.
  std::optional<Expr> element_by_element(const Access& access) {
    if (!local_.of_pair(access)) return std::nullopt;
    return point(access);
  }

  [[noreturn]] void refuse_mixed(const Access& access) {
    refuse(access.node, "mixed-heads",
           "scores or weights are summed over an axis of theirs, such as the heads: each head has its own maximum and sum, which "
           "would have to be found in a sweep before",
           "state how many there are, assume(q.size(1) == 8), up to 16; or mix the heads' results behind the attention");
  }

  // A factor of one row or one key leaves the sum, so that the side it belongs to stays a plain tensor, copied as it is.
  // A side that is computed while its tile is filled takes it along: one rounding, and no product for every score.
  bool join_side(const Access& factor, Leaf& contraction) {
    const LoopSet loops = dependence_(factor);
    const bool row = loops & bit(plan_.row), key = loops & bit(plan_.stream);
    if (row == key || !local_(factor) || graph_[factor.node].type != Type::Float) return false;
    std::vector<graph::Operand>& side = key ? contraction.right : contraction.left;
    if (side.size() == 1 && graph_[side[0].node].op == Op::Input) return false;
    side.push_back({factor.node, factor.index});
    return true;
  }

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

// How many operations the value is when it is written out, which passes and kernels do with what several parts of it read.
double written_size(Expr e, std::map<Expr, double>& known) {
  if (const auto found = known.find(e); found != known.end()) return found->second;
  double size = 1;
  for (Expr arg : e.args()) size += written_size(arg, known);
  return known[e] = size;
}

// Each value of a row by itself must be of a size to work with: x = x * x + x, sixty times, is not.
void check_size(const graph::Function& function, const std::vector<Expr>& outputs) {
  constexpr double kMost = 1e6;
  std::map<Expr, double> known;
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    if (written_size(outputs[o], known) <= kMost) continue;
    const std::size_t output = std::min(o, function.outputs.size() - 1);
    throw Refused{{"input-too-complex", "values that are used several times make an expression of more than a million operations",
                   "take fewer steps inside of the function", function.graph.source(function.outputs[output].value.node)}};
  }
}

}  // namespace

std::vector<Expr> extract_rows(const graph::Function& function, Dependence& dependence, Nest nest, KernelPlan& plan) {
  plan.loops = std::move(nest.loops);
  plan.row = nest.row;
  plan.stream = nest.stream;
  plan.arena = std::make_shared<algebra::Arena>();
  Extraction extraction(function, dependence, plan);
  std::vector<Expr> outputs;
  for (std::size_t o = 0; o < function.outputs.size(); ++o) {
    const graph::TensorView& view = function.outputs[o].value;
    Index axes;
    for (int loop : nest.output_loops[o]) axes.push_back(Sym::axis(loop));
    outputs.push_back(extraction.value(compose({view.node, view.index}, axes)));
    plan.results.push_back({static_cast<int>(o), nest.output_loops[o]});
  }
  outputs.insert(outputs.end(), extraction.fold_bodies().begin(), extraction.fold_bodies().end());
  check_size(function, outputs);
  return outputs;
}

}  // namespace flashlight::fusion
