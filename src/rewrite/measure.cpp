// SPDX-License-Identifier: Apache-2.0
// Counts over the nodes of a function.
#include "rewrite/measure.h"

#include <algorithm>
#include <set>

namespace flashlight::rewrite {

using namespace graph;

namespace {

bool is_map(const Node& n, Fn fn) { return n.op == Op::Map && n.fn == fn; }

// -c * max(..) among the terms of the argument.
bool is_stable(const Graph& g, const Node& exponential) {
  const Node& sum = g[exponential.operands[0].node];
  if (!is_map(sum, Fn::Add)) return false;
  return std::any_of(sum.operands.begin(), sum.operands.end(), [&](const Operand& o) {
    const Node& n = g[o.node];
    if (!is_map(n, Fn::Mul) || n.operands.size() != 2) return false;
    const Node &scale = g[n.operands[0].node], &of = g[n.operands[1].node];
    return scale.op == Op::Scalar && of.op == Op::Reduce && of.reduce == ReduceKind::Max;
  });
}

// A sum of two or more values, as it is or under a power.
bool is_sum(const Graph& g, NodeId id) {
  const Node& n = g[id];
  if (is_map(n, Fn::Pow)) return g[n.operands[1].node].op == Op::Scalar && is_sum(g, n.operands[0].node);
  return is_map(n, Fn::Add);
}

std::vector<Operand> factors(const Graph& g, const Operand& o) {
  const Node& n = g[o.node];
  if (!is_map(n, Fn::Mul)) return {o};
  std::vector<Operand> out;
  for (const Operand& p : n.operands) out.push_back(seen_through(p, o.index));
  return out;
}

bool varies(const Operand& o, std::size_t first, std::size_t count) {
  for (const Sym& e : o.index)
    for (std::size_t k = first; k < first + count; ++k)
      if (depends_on_axis(e, static_cast<int>(k))) return true;
  return false;
}

// The own axes of a reduction that a term of its body varies with.
std::set<int> own_axes(const Operand& term, std::size_t own) {
  std::set<int> out;
  for (std::size_t k = 0; k < own; ++k)
    for (const Sym& e : term.index)
      if (depends_on_axis(e, static_cast<int>(k))) out.insert(static_cast<int>(k));
  return out;
}

// Whether two terms of a sum vary with axes that the other lacks, as those of q_i - k_j do: a value for each
// pair.
bool pairs(const Graph& g, const Operand& sum, std::size_t own) {
  const Node& n = g[sum.node];
  if (is_map(n, Fn::Pow)) return pairs(g, seen_through(n.operands[0], sum.index), own);
  std::vector<std::set<int>> axes;
  for (const Operand& term : n.operands) axes.push_back(own_axes(seen_through(term, sum.index), own));
  for (const auto& a : axes)
    for (const auto& b : axes)
      if (!std::includes(a.begin(), a.end(), b.begin(), b.end()) &&
          !std::includes(b.begin(), b.end(), a.begin(), a.end()))
        return true;
  return false;
}

// What is left to distribute. A sum of pairs outweighs the sums of its sides, which may remain.
int undistributed(const Graph& g, const Node& reduction, const Operand& factor) {
  constexpr int kPairs = 8;
  if (!is_sum(g, factor.node)) return 0;
  return pairs(g, factor, reduction.shape.size()) ? kPairs : 1;
}

int in_sums(const Graph& g, int (*counts)(const Graph&, const Node& sum, const Operand& factor)) {
  int out = 0;
  for (NodeId id = 0; id < g.size(); ++id) {
    const Node& n = g[id];
    if (n.op != Op::Reduce || n.reduce != ReduceKind::Sum) continue;
    for (const Operand& f : factors(g, n.operands[0])) out += counts(g, n, f);
  }
  return out;
}

}  // namespace

int measure(Phase phase, const Function& f) {
  const Graph& g = f.graph;
  int out = 0;
  switch (phase) {
    case Phase::Stabilise:
      for (NodeId id = 0; id < g.size(); ++id) out += is_map(g[id], Fn::Exp) && !is_stable(g, g[id]);
      return out;
    case Phase::Distribute: return in_sums(g, undistributed);
    case Phase::Hoist:
      return in_sums(g, [](const Graph&, const Node& n, const Operand& o) -> int {
        return !varies(o, n.shape.size(), n.reduced.size());
      });
    case Phase::Fold: return g.size();
  }
  return out;
}

}  // namespace flashlight::rewrite
