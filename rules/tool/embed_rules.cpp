// SPDX-License-Identifier: Apache-2.0
// Reads and verifies rule files and prints them as C++: embed_rules <include folder> <output> <rule file>...
// A rule that is wrong ends the build.
#include <cstdio>
#include <fstream>
#include <iostream>

#include "frontend/rules.h"
#include "rewrite/embed.h"
#include "rewrite/verify_rule.h"

using namespace flashlight;

namespace {

bool report(const frontend::Program& program) {
  bool errors = !program.parsed;
  for (const frontend::Diagnostic& d : program.diagnostics) {
    if (d.severity != frontend::Severity::Error) continue;
    std::cerr << d.where.file << ":" << d.where.line << ":" << d.where.column << ": error: " << d.text
              << "\n";
    errors = true;
  }
  return errors;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: embed_rules <include folder> <output> <rule file>...\n";
    return 2;
  }
  frontend::ReadOptions options;
  options.include_dir = argv[1];
  std::vector<rewrite::Rule> rules;
  bool failed = false;
  for (int k = 3; k < argc; ++k) {
    frontend::RuleFile file = frontend::read_rules(argv[k], options);
    failed |= report(file.program);
    for (rewrite::Rule& rule : file.rules) {
      if (auto fault = rewrite::verify_rule(rule)) {
        std::cerr << rule.location << ": error: " << fault->text << " [" << fault->id << "]\n";
        failed = true;
      }
      rules.push_back(std::move(rule));
    }
  }
  if (failed) return 1;
  std::ofstream out(argv[2], std::ios::binary);
  out << rewrite::embed(rules) << std::flush;
  if (out) return 0;
  std::cerr << argv[2] << ": cannot be written\n";
  std::remove(argv[2]);
  return 1;
}
