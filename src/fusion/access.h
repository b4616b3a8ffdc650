// SPDX-License-Identifier: Apache-2.0
// Graph nodes at points of a loop nest: composing index maps and asking which loops a value varies with.
#pragma once
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "graph/graph.h"

namespace flashlight::fusion {

using Index = std::vector<graph::Sym>;

// A node's value at `index`, one expression per axis of the node over the loops of a nest (axis(k) is loop
// k).
struct Access {
  graph::NodeId node = -1;
  Index index;
  auto operator<=>(const Access&) const = default;
};

// Bit k: varies with loop k.
using LoopSet = std::uint64_t;
inline LoopSet bit(int loop) { return LoopSet{1} << loop; }

LoopSet loops_of(const graph::Sym& index);
LoopSet loops_of(const Index& index);

// The operand of a node whose iteration axes (own axes, then reduced ones) stand at `iteration`.
Access compose(const graph::Operand& operand, const Index& iteration);

// Which loops a value varies with, bound loops of its reductions excluded; memoised.
class Dependence {
 public:
  explicit Dependence(const graph::Graph& graph) : graph_(graph) {}
  LoopSet operator()(const Access& access);
  // Holds a reduction, scan or order anywhere below.
  bool has_reduction(graph::NodeId node);

 private:
  const graph::Graph& graph_;
  // Per node: which of its own axes matter (an axis a node does not use does not count).
  std::map<graph::NodeId, LoopSet> used_axes_;
  std::map<graph::NodeId, bool> reduces_;
  LoopSet used_axes(graph::NodeId node);
};

// An axis that values read in two parts, axis / inner and axis % inner.
struct AxisParts {
  graph::Sym outer, inner;  // sizes
};
std::optional<AxisParts> parts_of_axis(const graph::Graph& graph, const std::vector<Access>& values,
                                       int axis);

// The factors of a product, looking through nested Map(Mul) nodes.
std::vector<Access> factors_of(const graph::Graph& graph, const Access& access);

}  // namespace flashlight::fusion
