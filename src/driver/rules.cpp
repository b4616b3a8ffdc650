// SPDX-License-Identifier: Apache-2.0
// Reads, verifies and lists rewrite rules.
#include "driver/rules.h"

#include <algorithm>

#include "driver/compiler_args.h"
#include "driver/resources.h"
#include "frontend/rules.h"
#include "rewrite/builtin.h"
#include "rewrite/verify_rule.h"

namespace flashlight::driver {

using frontend::Diagnostic;
using frontend::Severity;
using rewrite::Rule;

namespace {

Diagnostic error(std::string id, const Rule& rule, std::string text, std::string hint) {
  Diagnostic d;
  d.id = std::move(id);
  d.where.file = rule.location.substr(0, rule.location.rfind(':'));
  d.where.line = static_cast<unsigned>(std::stoul(rule.location.substr(rule.location.rfind(':') + 1)));
  d.where.column = 1;
  d.text = std::move(text);
  d.hint = std::move(hint);
  return d;
}

void read_file(const std::string& path, const Options& o, RuleSet& out) {
  frontend::ReadOptions how;
  std::string database;
  how.compiler_args = compiler_args_for(path, o, &database);
  how.include_dir = find_include_dir(o);
  how.resource_dir = find_resource_dir(o);
  frontend::RuleFile file = frontend::read_rules(path, how);
  for (Diagnostic& d : file.program.diagnostics)
    if (d.severity == Severity::Error) out.errors.push_back(std::move(d));
  if (file.program.parsed && file.rules.empty() && out.errors.empty()) {
    Diagnostic d;
    d.id = "malformed-rule";
    d.where.file = path;
    d.text = "no rule in this file";
    d.hint =
        "a rule is a struct with static functions pattern and replacement, in a namespace named after its "
        "phase";
    out.errors.push_back(std::move(d));
  }
  for (Rule& rule : file.rules) {
    if (auto fault = rewrite::verify_rule(rule))
      out.errors.push_back(error(fault->id, rule, fault->text, fault->hint));
    out.rules.push_back(std::move(rule));
  }
  out.dependencies.push_back(path);
  for (std::string& d : file.program.dependencies)
    if (d != path) out.dependencies.push_back(std::move(d));
  if (!database.empty()) out.dependencies.push_back(std::move(database));
}

}  // namespace

RuleSet load_rules(const Options& o) {
  RuleSet out;
  for (const std::string& path : o.rules) read_file(path, o, out);
  const std::vector<Rule>& own = rewrite::builtin_rules();
  out.rules.insert(out.rules.end(), own.begin(), own.end());
  return out;
}

std::string list_rules(const std::vector<Rule>& rules) {
  std::string out;
  for (rewrite::Phase phase : rewrite::kPhases)
    for (const Rule& r : rules)
      if (r.phase == phase)
        out += std::string(rewrite::name_of(phase)) + "  " + r.name + "  (" + r.location + ")\n    " +
               r.mathematics + "\n";
  return out;
}

}  // namespace flashlight::driver
