// SPDX-License-Identifier: Apache-2.0
// See local.h.
#include "fusion/local.h"

#include <algorithm>
#include <set>

namespace flashlight::fusion {

using graph::Op;
using graph::Sym;

namespace {

// The iteration space of a node at `access`, its reduced axes bound to loops from `bound` on.
Index iteration_of(const graph::Node& node, const Access& access, int bound) {
  Index iteration = access.index;
  for (std::size_t r = 0; r < node.reduced.size(); ++r)
    iteration.push_back(Sym::axis(bound + static_cast<int>(r)));
  return iteration;
}

}  // namespace

bool Locality::is_cheap(const Access& access, int bound) {
  const graph::Node& node = graph_[access.node];
  const LoopSet loops = dependence_(access);
  if (!of_pairs_ && (loops & bit(plan_.row)) && (loops & bit(plan_.stream))) return false;
  if (std::all_of(node.reduced.begin(), node.reduced.end(), is_handful)) return true;
  for (int l = 0; l < bound; ++l) {
    if (!(loops & bit(l))) continue;
    if (l >= kFirstBound) return false;
    const Role role = plan_.loops[static_cast<std::size_t>(l)].role;
    if (role == Role::Feature || role == Role::Column) return false;
  }
  return std::none_of(node.reduced.begin(), node.reduced.end(), [&](const Sym& size) {
    return size == plan_.loops[plan_.row].size || size == plan_.loops[plan_.stream].size;
  });
}

bool Locality::is_local(const Access& access, int bound) {
  if (auto found = memo_.find(access); found != memo_.end()) return found->second;
  const graph::Node& node = graph_[access.node];
  bool result = !is_order(node) && node.op != Op::Scan;
  if (node.op == Op::Reduce) result = is_cheap(access, bound);
  if (node.op == Op::Gather) result = graph_[node.operands[0].node].op == Op::Input;
  const Index iteration = iteration_of(node, access, bound);
  const int inner = bound + static_cast<int>(node.reduced.size());
  for (std::size_t k = 0; result && k < node.operands.size(); ++k) {
    if (node.op == Op::Gather && k == 0) continue;
    result = is_local(compose(node.operands[k], iteration), inner);
  }
  memo_[access] = result;
  return result;
}

namespace {

struct Collection {
  const graph::Graph& graph;
  Dependence& dependence;
  int except;
  std::set<Access> seen = {};
  std::vector<Access> found = {};

  void collect(const Access& access, int bound) {
    if (!dependence.has_reduction(access.node) || !seen.insert(access).second) return;
    const graph::Node& node = graph[access.node];
    const Index iteration = iteration_of(node, access, bound);
    for (const graph::Operand& operand : node.operands) {
      collect(compose(operand, iteration), bound + static_cast<int>(node.reduced.size()));
    }
    if (node.op != Op::Reduce) return;
    const LoopSet loops = dependence(access);
    if (loops >> kFirstBound) return;  // inside another reduction
    if (except >= 0 && (loops & bit(except))) return;
    found.push_back(access);
  }
};

}  // namespace

std::vector<Access> reductions_in(const graph::Graph& graph, Dependence& dependence, const Access& access,
                                  int except) {
  Collection collection{graph, dependence, except};
  collection.collect(access, kFirstBound);
  return std::move(collection.found);
}

}  // namespace flashlight::fusion
