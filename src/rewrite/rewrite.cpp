// SPDX-License-Identifier: Apache-2.0
// The loop over phases.
#include "rewrite/rewrite.h"

#include "graph/rebuild.h"
#include "rewrite/instantiate.h"
#include "rewrite/measure.h"

namespace flashlight::rewrite {

namespace {

// The first application of a rule of this phase that makes progress.
std::optional<Application> apply_one(graph::Function& f, Phase phase, const std::vector<Rule>& rules) {
  const int before = measure(phase, f);
  if (before == 0) return std::nullopt;
  for (graph::NodeId root = 0; root < f.graph.size(); ++root)
    for (const Rule& rule : rules) {
      if (rule.phase != phase) continue;
      const auto match = find_match(rule, f, root);
      if (!match) continue;
      graph::Function next = instantiate(f, rule, *match);
      if (measure(phase, next) >= before) continue;
      Application done{&rule, f.graph.source(root)};
      f = std::move(next);
      return done;
    }
  return std::nullopt;
}

bool sums_squares_over_several(const graph::Graph& graph, const graph::Node& n) {
  if (n.op != graph::Op::Reduce || n.reduce != graph::ReduceKind::Sum || n.reduced.size() < 2) return false;
  const graph::Node& body = graph[n.operands[0].node];
  if (body.op != graph::Op::Map || body.fn != graph::Fn::Pow) return false;
  const graph::Node& exponent = graph[body.operands[1].node];
  return exponent.op == graph::Op::Scalar && exponent.value.as_real() == 2.0;
}

// A distance of several points is one of a longer vector: its reduced axes become the digits of one, which
// rules about features have.
graph::Function with_one_axis(const graph::Function& f) {
  graph::Rebuild rebuild(f);
  return rebuild.run(f.outputs, [&](graph::NodeId id) -> std::optional<graph::Operand> {
    graph::Node n = f.graph[id];
    if (!sums_squares_over_several(f.graph, n)) return std::nullopt;
    std::vector<graph::Sym> axes = graph::identity_index(n.shape.size());
    for (const graph::Sym& digit : digits_of(graph::Sym::axis(static_cast<int>(n.shape.size())), n.reduced))
      axes.push_back(digit);
    graph::Sym size(1);
    for (const graph::Sym& s : n.reduced) size = size * s;
    n.reduced = {size};
    n.operands[0] = graph::seen_through(n.operands[0], axes);
    return rebuild.kept(std::move(n));
  });
}

bool has_sums_of_squares(const graph::Graph& graph) {
  for (graph::NodeId id = 0; id < graph.size(); ++id)
    if (sums_squares_over_several(graph, graph[id])) return true;
  return false;
}

}  // namespace

Rewritten rewrite(graph::Function function, const std::vector<Rule>& rules) {
  Rewritten out{has_sums_of_squares(function.graph) ? with_one_axis(function) : std::move(function), {}};
  for (Phase phase : kPhases)
    while (auto done = apply_one(out.function, phase, rules)) out.trace.push_back(*done);
  return out;
}

}  // namespace flashlight::rewrite
