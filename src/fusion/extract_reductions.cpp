// SPDX-License-Identifier: Apache-2.0
// Reductions over the keys, and over a few positions, which are written out.
#include <stdexcept>

#include "fusion/extraction.h"

namespace flashlight::fusion {

using algebra::Expr;
using graph::Op;
using graph::Sym;

bool Extraction::is_of_few(const Access& access) const {
  const graph::Node& node = graph_[access.node];
  const auto size = node.reduced[0].as_integer();
  if (!size || *size > kFewPositions || node.reduced[0] == plan_.loops[plan_.stream].size) return false;
  Index iteration = access.index;
  iteration.push_back(Sym::axis(plan_.stream));
  const auto parts =
      parts_of_loop(graph_, dependence_, compose(node.operands[0], iteration), plan_.stream, node.reduced[0]);
  return parts && parts->size() == 1;
}

bool Extraction::streams(const Access& access) {
  return is_streamed(graph_, dependence_, access.node, access.index, plan_.stream,
                     plan_.loops[plan_.stream].size, plan_.loops[plan_.row].size.is_integer(1));
}

bool Extraction::is_over_keys(const Access& access) {
  const graph::Node& node = graph_[access.node];
  if (node.reduced.size() != 1 || !(node.reduced[0] == plan_.loops[plan_.stream].size)) return false;
  for (std::size_t l = 0; l < 64; ++l) {
    if (!(dependence_(access) & bit(static_cast<int>(l)))) continue;
    if (l >= plan_.loops.size() || plan_.loops[l].role == Role::Feature ||
        plan_.loops[l].role == Role::Stream)
      return false;
  }
  Index iteration = access.index;
  iteration.push_back(Sym::axis(plan_.stream));
  const LoopSet body = dependence_(compose(node.operands[0], iteration));
  const bool one_row = plan_.loops[plan_.row].size.is_integer(1);
  return (body & bit(plan_.stream)) && (one_row || (body & bit(plan_.row)));
}

Expr Extraction::reduction(const Access& access) {
  const graph::Node& node = graph_[access.node];
  if (node.reduced.size() != 1 && local_(access)) return point(access);
  if (node.reduced.size() != 1 && (dependence_(access) & bit(plan_.stream))) return mixed(access);
  if (node.reduced.size() == 2) {
    if (const auto folded = folded_stream(access)) return *folded;
  }
  if (node.reduced.size() != 1)
    refuse(access, "unsupported-reduction", "a reduction over several axes at once is not fused yet", "");
  const bool outer = !(dependence_(access) & bit(plan_.stream));
  if (!outer || is_of_few(access) || !streams(access)) {
    if (local_(access)) return point(access);
    const bool after = outer && is_after_stream(access);
    if (!after && !(outer && is_over_keys(access))) return mixed(access);
    if (after && !varies_with_columns(dependence_(access)))
      return fold(access);  // the reduction is the row's own
    if (after) {
      if (const auto turned = written_out(access, 0)) return *turned;
      check_fold(access);
      return fold(access);
    }
  }
  Index iteration = access.index;
  iteration.push_back(Sym::axis(plan_.stream));
  const Access body = compose(node.operands[0], iteration);
  const auto parts = parts_of_loop(graph_, dependence_, body, plan_.stream, node.reduced[0]);
  if (!parts)
    refuse(access.node, "unsupported-segment", "concatenations whose parts lie differently on one axis",
           "reduce over each on its own");
  std::vector<Expr> values;
  for (const Part& part : *parts) {
    const auto size = part.size.as_integer();
    const bool few =
        size && *size <= kFewPositions && parts->size() > 1;  // keys alone are streamed, however few they are
    if (!few) values.push_back(reduce_part(access, part));
    for (std::int64_t k = 0; few && k < *size; ++k)
      values.push_back(reduce_part(access, {part.start + k, Sym(1)}));
  }
  return values.size() == 1 ? values[0] : joined(node.reduce, values);
}

Expr Extraction::reduce_part(const Access& access, const Part& part) {
  const graph::Node& node = graph_[access.node];
  const bool single = part.size.is_integer(1);
  if (!single && !(part.size == plan_.loops[plan_.stream].size)) {
    if (part.size == node.reduced[0]) return contraction(access);
    refuse(
        access.node, "unsupported-segment",
        "a reduction over a part of the axis that is neither the keys nor a few positions",
        "state the size of a small part, assume(sinks.size(-1) == 4), or reduce over the parts on their own");
  }
  Index iteration = access.index;
  iteration.push_back(single ? part.start : Sym::axis(plan_.stream) + part.start);
  const Expr body = value(compose(node.operands[0], iteration));
  return single ? body : reduced_over_keys(access, body);
}

Expr Extraction::reduced_over_keys(const Access& access, Expr body) {
  const graph::Node& node = graph_[access.node];
  for (Expr leaf : algebra::collect(body, {algebra::Op::kLeaf})) {
    if (plan_.leaves[leaf.leaf_id()].kind != Leaf::Fold) continue;
    refuse(access.node, "unsupported-contraction",
           "a reduction over the keys uses the norm of an attention's result",
           "split the function behind the first attention");
  }
  switch (node.reduce) {
    case graph::ReduceKind::Sum: return algebra::reduce_sum(body);
    case graph::ReduceKind::Max: return algebra::reduce_max(body);
    case graph::ReduceKind::Min: return algebra::reduce_min(body);
    case graph::ReduceKind::Prod: return algebra::reduce_prod(body);
    case graph::ReduceKind::Any: return algebra::reduce_any(body);
    case graph::ReduceKind::All: return algebra::reduce_all(body);
  }
  throw std::logic_error("a reduction of an unknown kind");
}

Expr Extraction::joined(graph::ReduceKind kind, const std::vector<Expr>& parts) {
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

std::optional<Expr> Extraction::written_out(const Access& access, std::size_t axis) {
  const graph::Node& node = graph_[access.node];
  const auto size = node.reduced[axis].as_integer();
  if (!size || *size > kFewPositions) return std::nullopt;
  std::vector<Expr> values;
  ++written_;
  for (std::int64_t k = 0; k < *size; ++k) values.push_back(one_of(access, axis, Sym(k)));
  --written_;
  return joined(node.reduce, values);
}

Expr Extraction::one_of(const Access& access, std::size_t axis, const Sym& position) {
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

}  // namespace flashlight::fusion
