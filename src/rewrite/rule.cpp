// SPDX-License-Identifier: Apache-2.0
// Names of phases.
#include "rewrite/rule.h"

namespace flashlight::rewrite {

const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::Stabilise: return "stabilise";
    case Phase::Distribute: return "distribute";
    case Phase::Hoist: return "hoist";
    case Phase::Fold: return "fold";
  }
  return "?";
}

std::optional<Phase> phase_named(const std::string& name) {
  for (Phase p : kPhases)
    if (name == name_of(p)) return p;
  return std::nullopt;
}

}  // namespace flashlight::rewrite
