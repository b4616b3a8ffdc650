// SPDX-License-Identifier: Apache-2.0
// See leaf_info.h.
#include "fusion/leaf_info.h"

#include <algorithm>

#include "fusion/describe.h"

namespace flashlight::fusion {

using graph::Fn;
using graph::Op;
using graph::Sym;
using graph::SymOp;

bool is_positive(const Sym& value) {
  if (auto c = value.as_real()) return *c > 0;
  const auto& a = value.args();
  switch (value.op()) {
    case SymOp::Symbol: return value.symbol_id().kind != graph::SymbolId::Scalar;
    case SymOp::Add:
    case SymOp::Mul:
    case SymOp::Div:
    case SymOp::Min: return std::all_of(a.begin(), a.end(), is_positive);
    case SymOp::Max: return std::any_of(a.begin(), a.end(), is_positive);
    case SymOp::Pow:
    case SymOp::ToReal: return is_positive(a[0]);
    case SymOp::Call: return value.callee() == "exp" || (value.callee() == "sqrt" && is_positive(a[0]));
    default: return false;
  }
}

namespace {

bool is_nonneg(const graph::Graph& graph, graph::NodeId id) {
  const graph::Node& node = graph[id];
  auto arg = [&](int k) { return is_nonneg(graph, node.operands[k].node); };
  if (node.op == Op::Iota) return true;
  if (node.op == Op::Scalar) {
    const auto c = node.value.as_real();
    return c ? *c >= 0 : is_positive(node.value);
  }
  if (node.type == graph::Type::Bool) return true;
  if (node.op == Op::Reduce || node.op == Op::Segment) {
    for (std::size_t k = 0; k < node.operands.size(); ++k) {
      if (!arg(static_cast<int>(k))) return false;
    }
    return true;
  }
  if (node.op != Op::Map) return false;
  switch (node.fn) {
    case Fn::Abs:
    case Fn::Exp:
    case Fn::Sigmoid: return true;
    case Fn::Add:
    case Fn::Mul: {
      bool all = true;
      for (std::size_t k = 0; k < node.operands.size(); ++k) all = all && arg(static_cast<int>(k));
      return all;
    }
    case Fn::Pow: {
      const graph::Node& exponent = graph[node.operands[1].node];
      if (arg(0)) return true;
      if (exponent.op != Op::Scalar || !exponent.value.is_constant()) return false;
      const double half = exponent.value.real() / 2;
      return half == static_cast<double>(static_cast<long long>(half));
    }
    case Fn::Max: return arg(0) || arg(1);
    case Fn::Min: return arg(0) && arg(1);
    case Fn::Where: return arg(1) && arg(2);
    case Fn::ToFloat: return arg(0);
    default: return false;
  }
}

}  // namespace

algebra::LeafInfo leaf_info(const graph::Function& function, const Leaf& leaf, const KernelPlan& plan) {
  const graph::Node& node = function.graph[leaf.node];
  algebra::LeafInfo info;
  info.streamed = leaf.loops >> plan.stream & 1;
  for (std::size_t l = 0; l < plan.loops.size(); ++l) {
    if (plan.loops[l].role == Role::Column && (leaf.loops >> l & 1)) info.column = true;
  }
  info.is_bool = node.type == graph::Type::Bool;
  if (leaf.kind == Leaf::Point || leaf.kind == Leaf::Fold) info.nonneg = is_nonneg(function.graph, leaf.node);
  if (info.nonneg) info.lo = 0;
  info.name = describe(function, plan, leaf);
  return info;
}

}  // namespace flashlight::fusion
