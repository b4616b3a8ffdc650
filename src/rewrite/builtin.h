// SPDX-License-Identifier: Apache-2.0
// The rules of rules/, read when the translator was built.
#pragma once
#include "rewrite/rule.h"

namespace flashlight::rewrite {

const std::vector<Rule>& builtin_rules();

}  // namespace flashlight::rewrite
