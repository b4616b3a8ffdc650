// SPDX-License-Identifier: Apache-2.0
// Reductions over the columns of what the stream leaves: the norm of a result.
#include "fusion/extraction.h"

#include <algorithm>

namespace flashlight::fusion {

using algebra::Expr;
using graph::Op;
using graph::Sym;

bool Extraction::is_after_stream(const Access& access) {
  if (!dependence_.has_reduction(access.node)) return false;
  const graph::Node& node = graph_[access.node];
  const Index iteration = open_iteration(access);
  return std::any_of(node.operands.begin(), node.operands.end(), [&](const graph::Operand& operand) {
    const Access below = compose(operand, iteration);
    if (dependence_(below) & bit(plan_.stream)) return false;
    const graph::Node& inner = graph_[below.node];
    const bool streamed = inner.op == Op::Reduce && inner.reduced.size() == 1 &&
                          (streams(below) || (!local_(below) && is_over_keys(below)));
    return streamed || is_after_stream(below);
  });
}

std::optional<Expr> Extraction::folded_stream(const Access& access) {
  const graph::Node& node = graph_[access.node];
  if (dependence_(access) & bit(plan_.stream)) return std::nullopt;
  for (int k = 0; k < 2; ++k) {
    Index iteration = access.index;
    for (int axis = 0; axis < 2; ++axis)
      iteration.push_back(Sym::axis(axis == k ? plan_.stream : kFirstBound));
    if (!(node.reduced[k] == plan_.loops[plan_.stream].size)) continue;
    const auto scores =
        loops_of_scores(graph_, dependence_, compose(node.operands[0], iteration), plan_.stream);
    if (!scores) continue;
    if (weighs(compose(node.operands[0], iteration), kFirstBound)) return written_out(access, 1 - k);
    check_fold(access);
    const int columns = loop_of(Role::Column, node.reduced[1 - k]);
    iteration[access.index.size() + 1 - k] = Sym::axis(columns);
    const Expr body = value(compose(node.operands[0], iteration));
    return fold_of(access, columns, reduced_over_keys(access, body));
  }
  return std::nullopt;
}

bool Extraction::weighs(const Access& body, int loop) {
  const auto factors = factors_of(graph_, body);
  return std::any_of(factors.begin(), factors.end(), [&](const Access& factor) {
    return (dependence_(factor) & bit(loop)) && loops_of_scores(graph_, dependence_, factor, plan_.stream);
  });
}

Expr Extraction::fold(const Access& access) {
  const graph::Node& node = graph_[access.node];
  check_fold(access);
  const int columns = loop_of(Role::Column, node.reduced[0]);
  Index iteration = access.index;
  iteration.push_back(Sym::axis(columns));
  return fold_of(access, columns, value(compose(node.operands[0], iteration)));
}

void Extraction::check_fold(const Access& access) {
  const graph::Node& node = graph_[access.node];
  if (node.reduce == graph::ReduceKind::Any || node.reduce == graph::ReduceKind::All) {
    refuse(access.node, "unsupported-reduction", "this reduction of an attention's result is not fused yet",
           "apply it outside the function");
  }
  if (varies_with_columns(dependence_(access))) {
    refuse(access.node, "unsupported-contraction",
           "a product of the attention's result with a matrix would need the result's whole rows",
           "apply the projection outside the function");
  }
}

Expr Extraction::fold_of(const Access& access, int columns, Expr body) {
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

}  // namespace flashlight::fusion
