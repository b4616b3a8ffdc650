// SPDX-License-Identifier: Apache-2.0
// Walks a value down to where an infinity could come from.
#include "graph/finite.h"

#include <algorithm>
#include <cmath>

namespace flashlight::graph {

bool may_mask(const Graph& g, NodeId id) {
  const Node& n = g[id];
  if (n.type != Type::Float) return false;
  auto any = [&](auto begin, auto end) {
    return std::any_of(begin, end, [&](const Operand& o) { return may_mask(g, o.node); });
  };
  switch (n.op) {
    case Op::Input: return true;
    case Op::Scalar: return n.value.is_constant() && !std::isfinite(n.value.real());
    case Op::Iota: return false;
    case Op::Gather: return may_mask(g, n.operands[0].node);
    case Op::Map: break;
    default: return any(n.operands.begin(), n.operands.end());
  }
  switch (n.fn) {
    case Fn::Add:
    case Fn::Max:
    case Fn::Min:
    case Fn::Where:
    case Fn::Abs:
    case Fn::Floor:
    case Fn::Ceil:
    case Fn::Round: return any(n.operands.begin(), n.operands.end());
    case Fn::Log:
    case Fn::Log1p: return true;
    case Fn::Mul: {
      const bool scaled = g[n.operands[0].node].op == Op::Scalar;
      return scaled && n.operands.size() == 2 && may_mask(g, n.operands[1].node);
    }
    default: return false;
  }
}

bool may_balance(const Graph& g, NodeId id) {
  constexpr double kSmall = 16;  // costs a score no digit that counts
  const Node& n = g[id];
  if (n.op != Op::Scalar || n.type != Type::Float) return false;
  if (const auto value = n.value.as_real()) return std::isfinite(*value) && std::abs(*value) > kSmall;
  std::vector<SymbolId> symbols;
  collect_symbols(n.value, symbols);
  return std::any_of(symbols.begin(), symbols.end(),
                     [](const SymbolId& s) { return s.kind == SymbolId::Scalar; });
}

bool is_of_positions(const Graph& g, NodeId id) {
  const Node& n = g[id];
  if (n.op == Op::Iota) return true;
  if (n.op != Op::Map) return false;
  bool any = false;
  for (const Operand& o : n.operands) {
    if (g[o.node].op == Op::Scalar) continue;
    if (!is_of_positions(g, o.node)) return false;
    any = true;
  }
  return any;
}

}  // namespace flashlight::graph
