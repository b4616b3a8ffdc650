// SPDX-License-Identifier: Apache-2.0
// Whether a rule may be used.
#pragma once
#include "rewrite/rule.h"

namespace flashlight::rewrite {

// Why a rule is refused.
struct RuleFault {
  std::string id;    // "malformed-rule", "wrong-rule", "endless-rule"
  std::string text;  // for a wrong rule: the smallest counterexample that was found
  std::string hint;
};

// Checks that the pattern binds all that the replacement needs, that both sides agree in float64 on random
// tensors (every combination of sizes 1 to 4 and larger ones, up to two leading axes; -inf among the values
// of `masked` parameters), and that the rule, applied to its own pattern, makes its phase's measure smaller.
// Deterministic.
std::optional<RuleFault> verify_rule(const Rule&);

}  // namespace flashlight::rewrite
