// SPDX-License-Identifier: Apache-2.0
// Rules as C++ text, so that the translator carries its own rules without reading them on every run.
#pragma once
#include "rewrite/rule.h"

namespace flashlight::rewrite {

// A source file that defines `const std::vector<Rule>& builtin_rules()` (builtin.h). Deterministic.
std::string embed(const std::vector<Rule>&);

}  // namespace flashlight::rewrite
