// SPDX-License-Identifier: Apache-2.0
// Reads rewrite rules out of a source file.
#pragma once
#include "frontend/program.h"
#include "rewrite/rule.h"

namespace flashlight::frontend {

struct RuleFile {
  Program program;  // text, diagnostics, dependencies, parsed; no functions
  std::vector<rewrite::Rule> rules;
};

// A rule is two functions `pattern` and `replacement` with the same parameters in one struct or namespace,
// which gives the rule its name, inside of a namespace named after a phase:
//
//   namespace hoist {
//   struct row_factor {
//     static Tensor pattern(Tensor x, Tensor r) { return (x * r.unsqueeze(-1)).sum(-1); }
//     static Tensor replacement(Tensor x, Tensor r) { return x.sum(-1) * r; }
//   };
//   }
//
// Rules are read, not verified. Errors are in the program's diagnostics.
RuleFile read_rules(const std::string& path, const ReadOptions&);

}  // namespace flashlight::frontend
