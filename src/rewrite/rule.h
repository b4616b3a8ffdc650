// SPDX-License-Identifier: Apache-2.0
// A rewrite rule: two functions of the DSL that compute the same, and the direction in which to read them.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "graph/function.h"

namespace flashlight::rewrite {

// Rules of one phase are applied until none makes its measure smaller; then comes the next phase. A measure
// is a number of places in a function (measure.h), so rewriting ends.
enum class Phase : std::uint8_t {
  Stabilise,   // exponentials that may overflow
  Distribute,  // sums inside of a streamed product
  Hoist,       // factors inside of a reduction that do not vary with it
  Fold,        // nodes
};
inline constexpr Phase kPhases[] = {Phase::Stabilise, Phase::Distribute, Phase::Hoist, Phase::Fold};

const char* name_of(Phase);
std::optional<Phase> phase_named(const std::string&);

// Both functions have the same parameters, read with the same facts, and one output. Parameters stand for any
// value of their shape; leading axes that neither side names (the batch pack) stand for any axes at all.
struct Rule {
  std::string name;         // after the mathematics: stable_softmax
  std::string location;     // rules/softmax.cpp:9
  std::string mathematics;  // the comment above the rule
  Phase phase = Phase::Fold;
  graph::Function pattern, replacement;
  // Per tensor parameter. `finite`: must not stand for a value that may hold infinities as a mask. `masked`:
  // verified with -inf among its values. Neither: taken to be finite, as values and weights are.
  std::vector<bool> finite, masked;
  // The replacement takes nearly equal numbers from each other; see cancelling.h for where that may be.
  bool cancels = false;
};

// One use of a rule.
struct Application {
  const Rule* rule = nullptr;
  graph::SourceRange where;  // of the node that was rewritten
};

}  // namespace flashlight::rewrite
