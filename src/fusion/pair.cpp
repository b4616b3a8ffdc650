// SPDX-License-Identifier: Apache-2.0
// See pair.h.
#include "fusion/pair.h"

#include "graph/finite.h"

namespace flashlight::fusion {

using graph::Fn;
using graph::Op;

bool bends(const graph::Node& node, std::size_t operand) {
  if (node.op == Op::Reduce) return node.reduce != graph::ReduceKind::Sum;
  if (node.op != Op::Map) return false;
  if (node.fn == Fn::Add || node.fn == Fn::Mul || node.fn == Fn::ToFloat) return false;
  return node.fn != Fn::Where || operand == 0;
}

std::optional<Pair> pair_at(const graph::Graph& graph, Dependence& dependence, const Access& access,
                            int stream, LoopSet rows, bool bent) {
  const graph::Node& node = graph[access.node];
  if (node.op != Op::Map || node.operands.size() < 2) return std::nullopt;
  switch (node.fn) {
    case Fn::Add:
      if (!bent) return std::nullopt;
      break;
    case Fn::Max:
    case Fn::Min:
    case Fn::Lt:
    case Fn::Le:
    case Fn::Eq:
    case Fn::Ne: break;
    default: return std::nullopt;
  }
  const auto is_number = [&](const graph::Operand& o) { return graph[o.node].type == graph::Type::Float; };
  for (const graph::Operand& key : node.operands) {
    const LoopSet of_key = dependence(compose(key, access.index));
    if (!(of_key & bit(stream)) || !is_number(key)) continue;
    for (const graph::Operand& query : node.operands) {
      const LoopSet of_query = dependence(compose(query, access.index));
      if ((of_query & bit(stream)) || !(of_query & rows & ~of_key) || !is_number(query)) continue;
      if (graph::is_of_positions(graph, key.node) && graph::is_of_positions(graph, query.node)) continue;
      return Pair{of_query, of_key};
    }
  }
  return std::nullopt;
}

}  // namespace flashlight::fusion
