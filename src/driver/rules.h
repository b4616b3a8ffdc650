// SPDX-License-Identifier: Apache-2.0
// The rewrite rules of a run: the translator's own and those of --rules.
#pragma once
#include <string>
#include <vector>

#include "driver/options.h"
#include "frontend/program.h"
#include "rewrite/rule.h"

namespace flashlight::driver {

struct RuleSet {
  std::vector<rewrite::Rule> rules;
  std::vector<std::string> dependencies;  // files read
  std::vector<frontend::Diagnostic>
      errors;  // a rule file with any of them is not used, and nothing is translated
};

// The user's rules come first and are verified before use.
RuleSet load_rules(const Options&);

std::string list_rules(const std::vector<rewrite::Rule>&);

}  // namespace flashlight::driver
