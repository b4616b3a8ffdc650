// SPDX-License-Identifier: Apache-2.0
// See access.h.
#include "fusion/access.h"

#include <set>

namespace flashlight::fusion {

using graph::Op;
using graph::Sym;
using graph::SymOp;

LoopSet loops_of(const Sym& index) {
  if (index.op() == SymOp::Axis) return bit(static_cast<int>(index.integer()));
  LoopSet loops = 0;
  for (const Sym& arg : index.args()) loops |= loops_of(arg);
  return loops;
}

LoopSet loops_of(const Index& index) {
  LoopSet loops = 0;
  for (const Sym& i : index) loops |= loops_of(i);
  return loops;
}

Access compose(const graph::Operand& operand, const Index& iteration) {
  Access result{operand.node, {}};
  result.index.reserve(operand.index.size());
  for (const Sym& i : operand.index) result.index.push_back(graph::substitute_axes(i, iteration));
  return result;
}

LoopSet Dependence::used_axes(graph::NodeId id) {
  if (auto found = used_axes_.find(id); found != used_axes_.end()) return found->second;
  const graph::Node& node = graph_[id];
  const int rank = static_cast<int>(node.shape.size());
  const LoopSet own = (LoopSet{1} << rank) - 1;
  LoopSet used = 0;
  if (node.op == Op::Input || node.op == Op::Iota) used = own;
  for (const graph::Operand& operand : node.operands) {
    const LoopSet below = used_axes(operand.node);
    for (std::size_t a = 0; a < operand.index.size(); ++a) {
      if (below & bit(static_cast<int>(a))) used |= loops_of(operand.index[a]) & own;
    }
  }
  if (node.op == Op::Scan || node.op == Op::Segment || is_order(node)) used |= bit(node.axis);
  used_axes_[id] = used;
  return used;
}

LoopSet Dependence::operator()(const Access& access) {
  const LoopSet used = used_axes(access.node);
  LoopSet loops = 0;
  for (std::size_t a = 0; a < access.index.size(); ++a) {
    if (used & bit(static_cast<int>(a))) loops |= loops_of(access.index[a]);
  }
  return loops;
}

bool Dependence::has_reduction(graph::NodeId id) {
  if (auto found = reduces_.find(id); found != reduces_.end()) return found->second;
  const graph::Node& node = graph_[id];
  bool result = node.op == Op::Reduce || node.op == Op::Scan || is_order(node);
  for (const graph::Operand& operand : node.operands) result = result || has_reduction(operand.node);
  reduces_[id] = result;
  return result;
}

namespace {

// The D of axis / D and axis % D where the index has such parts.
void find_parts(const Sym& index, int axis, std::set<Sym>& parts) {
  if ((index.op() == SymOp::FloorDiv || index.op() == SymOp::Mod) && index.args()[0] == Sym::axis(axis)) {
    parts.insert(index.args()[1]);
    return;
  }
  for (const Sym& arg : index.args()) find_parts(arg, axis, parts);
}

}  // namespace

std::optional<AxisParts> parts_of_axis(const graph::Graph& graph, const std::vector<Access>& values,
                                       int axis) {
  std::set<Sym> parts;
  std::optional<Sym> outer;
  for (const Access& value : values) {
    for (std::size_t a = 0; a < value.index.size(); ++a) {
      const Sym& index = value.index[a];
      find_parts(index, axis, parts);
      if (index.op() == SymOp::FloorDiv && index.args()[0] == Sym::axis(axis))
        outer = graph[value.node].shape[a];
    }
  }
  if (parts.size() != 1 || !outer) return std::nullopt;
  return AxisParts{*outer, *parts.begin()};
}

std::vector<Access> factors_of(const graph::Graph& graph, const Access& access) {
  const graph::Node& node = graph[access.node];
  if (node.op != Op::Map || node.fn != graph::Fn::Mul) return {access};
  std::vector<Access> result;
  for (const graph::Operand& operand : node.operands) {
    const std::vector<Access> below = factors_of(graph, compose(operand, access.index));
    result.insert(result.end(), below.begin(), below.end());
  }
  return result;
}

}  // namespace flashlight::fusion
