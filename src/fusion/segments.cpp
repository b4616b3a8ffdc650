// SPDX-License-Identifier: Apache-2.0
// See segments.h.
#include "fusion/segments.h"

#include <algorithm>
#include <set>

namespace flashlight::fusion {

using graph::Op;
using graph::Sym;

namespace {

// Collects the boundaries of concatenations along a loop; loops bound below get fresh numbers.
class Boundaries {
 public:
  Boundaries(const graph::Graph& graph, Dependence& dependence, int bound)
      : graph_(graph), dependence_(dependence), bound_(bound) {}

  void visit(const Access& access) {
    if (!(dependence_(access) & bit(bound_)) || !dependence_.has_reduction(access.node) ||
        !seen_.insert(access).second)
      return;
    const graph::Node& node = graph_[access.node];
    if (node.op == Op::Segment) add(node, access.index[node.axis]);
    Index iteration = access.index;
    for (std::size_t r = 0; r < node.reduced.size(); ++r)
      iteration.push_back(Sym::axis(kInner + static_cast<int>(r)));
    for (const graph::Operand& operand : node.operands) visit(compose(operand, iteration));
  }

  std::vector<Sym> found;

 private:
  static constexpr int kInner = 60;

  void add(const graph::Node& node, const Sym& at) {
    const auto affine = graph::affine_in(at, bound_);
    if (!affine || !affine->first.is_integer(1) || graph::contains(affine->second, graph::SymOp::Axis))
      return;
    Sym boundary = -affine->second;
    for (std::size_t s = 0; s + 1 < node.segments.size(); ++s) {
      boundary = boundary + node.segments[s];
      if (std::find(found.begin(), found.end(), boundary) == found.end()) found.push_back(boundary);
    }
  }

  const graph::Graph& graph_;
  Dependence& dependence_;
  int bound_;
  std::set<Access> seen_;
};

bool at_most(const Sym& a, const Sym& b) { return graph::proves_nonnegative(b - a, {}); }

}  // namespace

std::optional<Access> segment_at(const graph::Graph& graph, const Access& access,
                                 const std::vector<Sym>& sizes) {
  const graph::Node& node = graph[access.node];
  const Sym& at = access.index[node.axis];
  Sym start(0);
  for (std::size_t s = 0; s < node.segments.size(); ++s) {
    const Sym end = start + node.segments[s];
    if (graph::proves_nonnegative(at - start, sizes) && graph::proves_nonnegative(end - 1 - at, sizes))
      return compose(node.operands[s], access.index);
    start = end;
  }
  return std::nullopt;
}

std::optional<std::vector<Part>> parts_of_loop(const graph::Graph& graph, Dependence& dependence,
                                               const Access& access, int bound, const Sym& size) {
  Boundaries boundaries(graph, dependence, bound);
  boundaries.visit(access);
  std::vector<Sym>& starts = boundaries.found;
  std::erase_if(starts, [&](const Sym& b) { return at_most(b, Sym(0)) || at_most(size, b); });
  std::sort(starts.begin(), starts.end(),
            [](const Sym& a, const Sym& b) { return !(a == b) && at_most(a, b); });
  for (std::size_t k = 0; k + 1 < starts.size(); ++k) {
    if (!at_most(starts[k], starts[k + 1])) return std::nullopt;
  }
  starts.insert(starts.begin(), Sym(0));
  std::vector<Part> parts;
  for (std::size_t k = 0; k < starts.size(); ++k) {
    const Sym end = k + 1 < starts.size() ? starts[k + 1] : size;
    parts.push_back({starts[k], end - starts[k]});
  }
  return parts;
}

}  // namespace flashlight::fusion
