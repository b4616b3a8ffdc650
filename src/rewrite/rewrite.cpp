// SPDX-License-Identifier: Apache-2.0
// The loop over phases.
#include "rewrite/rewrite.h"

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

}  // namespace

Rewritten rewrite(graph::Function function, const std::vector<Rule>& rules) {
  Rewritten out{std::move(function), {}};
  for (Phase phase : kPhases)
    while (auto done = apply_one(out.function, phase, rules)) out.trace.push_back(*done);
  return out;
}

}  // namespace flashlight::rewrite
