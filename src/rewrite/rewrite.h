// SPDX-License-Identifier: Apache-2.0
// Applies rules to a function.
#pragma once
#include "rewrite/rule.h"

namespace flashlight::rewrite {

struct Rewritten {
  graph::Function function;
  std::vector<Application> trace;  // in order
};

// Phase by phase, rules in the order given, nodes from the inputs to the outputs; a rule is applied where it
// makes its phase's measure smaller. Deterministic, and ends: measures are counts.
Rewritten rewrite(graph::Function, const std::vector<Rule>&);

}  // namespace flashlight::rewrite
