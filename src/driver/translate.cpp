// SPDX-License-Identifier: Apache-2.0
// Translates all sources of a run in memory, and judges the result: errors, unmet marks, checks.
#include <algorithm>
#include <cstdint>
#include <regex>
#include <set>
#include <stdexcept>
#include <tuple>

#include "driver/compiler_args.h"
#include "driver/failure.h"
#include "driver/files.h"
#include "driver/pipeline.h"
#include "driver/resources.h"
#include "driver/rules.h"
#include "driver/translation.h"
#include "driver/version.h"
#include "emit/baseline.h"
#include "emit/c_header.h"
#include "emit/explain.h"
#include "emit/report.h"

namespace flashlight::driver {

using emit::FusedFunction;
using frontend::Diagnostic;
using frontend::Severity;
using fusion::Status;

namespace {

std::string name_of(const FusedFunction& f) {
  return f.source->qualified_name.empty() ? f.source->name : f.source->qualified_name;
}

bool is_called(const FusedFunction& f, const std::string& name) {
  return name == f.source->name || name == name_of(f);
}

std::string line_of(const std::string& text, unsigned line) {
  std::size_t begin = 0;
  for (unsigned i = 1; i < line; ++i) {
    begin = text.find('\n', begin);
    if (begin == std::string::npos) return {};
    ++begin;
  }
  std::string out = text.substr(begin, std::min(text.find('\n', begin), text.size()) - begin);
  if (!out.empty() && out.back() == '\r') out.pop_back();
  return out;
}

std::string enumerated(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t k = 0; k < words.size(); ++k)
    out += (k == 0 ? "" : k + 1 < words.size() ? ", " : " and ") + words[k];
  return out;
}

// Counted things of a call, which may differ between variants: "1 kernel", "1 to 3 kernels".
class Counts {
 public:
  void add(std::size_t n) {
    least_ = std::min(least_, n);
    most_ = std::max(most_, n);
  }
  bool any() const { return most_ > 0; }
  std::string of(const std::string& what) const {
    return (least_ < most_ ? std::to_string(least_) + " to " : "") + std::to_string(most_) + " " + what +
           (most_ == 1 ? "" : "s");
  }

 private:
  std::size_t least_ = SIZE_MAX, most_ = 0;
};

// " (8 variants, chosen by mask and o.causal)"; empty where there is one.
std::string variants_of(const FusedFunction& f) {
  if (f.plans.size() < 2) return {};
  std::vector<std::string> names;
  for (const frontend::Variant& variant : f.source->variants) {
    std::vector<graph::SymbolId> symbols;
    if (variant.condition) graph::collect_symbols(*variant.condition, symbols);
    for (const graph::SymbolId& id : symbols) {
      std::string name = variant.function.scalars.at(static_cast<std::size_t>(id.param)).name;
      if (const std::string asked = ".has_value()"; name.ends_with(asked))
        name.resize(name.size() - asked.size());
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return " (" + std::to_string(f.plans.size()) + " variants, chosen by " + enumerated(names) + ")";
}

// Collects what a run says, and how it must end.
class Judge {
 public:
  Judge(const Options& options, Translation& out) : options_(options), out_(out) {}

  void fail(int code, Diagnostic d) {
    d.severity = Severity::Error;
    say(std::move(d));
    // The first failure names the exit code, but a check says little where the input is wrong, and an input
    // where the translator is.
    if (out_.exit_code == 0 || out_.exit_code == kExitCheck || code == kExitInternal) out_.exit_code = code;
  }
  void say(Diagnostic d) { out_.diagnostics.push_back(std::move(d)); }

  void messages(const Unit& unit) {
    bool compiler_errors = !unit.program.parsed, own_errors = false;
    for (const Diagnostic& d : unit.program.diagnostics) {
      if (d.severity == Severity::Remark) continue;  // of functions: see verdict
      bool own = d.severity == Severity::Error && !d.id.empty();
      own_errors |= own;
      compiler_errors |= d.severity == Severity::Error;
      if (own) fail(code_of(d.id), d);
      else say(d);
    }
    if (own_errors || !compiler_errors) return;
    Diagnostic d;
    d.id = "does-not-compile";
    d.where.file = unit.path;
    d.text = "the file does not compile; nothing was translated";
    d.hint = "compiler arguments go behind --, or come from compile_commands.json (-p)";
    fail(kExitInput, std::move(d));
  }

  // Functions that fused callers have inlined: what becomes of them by themselves is no loss.
  void inlined(const Unit& unit) {
    for (const FusedFunction& f : unit.functions)
      if (f.status != Status::Unfused)
        for (const frontend::Location& at : f.source->inlined) inlined_.insert({at.file, at.line, at.column});
  }

  void verdict(const Unit& unit, const FusedFunction& f) {
    auto why = emit::reason_of(f);
    const frontend::Location& at = f.source->location;
    if (why && !f.source->must_fuse && inlined_.count({at.file, at.line, at.column})) return;
    if (!why) {
      if (wanted(options_.pass, false)) fused(f);
      return;
    }
    if (why->source_line.empty() && why->where.file == unit.path)
      why->source_line = line_of(unit.program.text, why->where.line);
    if (f.status == Status::Partial) {
      if (wanted(options_.pass_missed, !options_.no_pass_missed)) partial(f, *why);
      return;
    }
    bool must = f.source->must_fuse, attention = why->id != "no-attention";
    if (must || (options_.fail_on_unfused && attention)) unmet(unit, f, *why, must);
    else if (wanted(options_.pass_missed, attention && !options_.no_pass_missed)) missed(f, *why);
  }

 private:
  static int code_of(const std::string& id) {
    return id == "internal" ? kExitInternal : id == "cannot-read" ? kExitInputOutput : kExitInput;
  }
  static bool wanted(const std::string& regex, bool unless_given) {
    return regex.empty() ? unless_given
                         : std::regex_search("flashlight", std::regex(regex, std::regex::extended));
  }
  void fused(const FusedFunction& f) {
    Diagnostic d;
    d.severity = Severity::Remark;
    d.id = "-Rpass=flashlight";
    d.where = f.source->location;
    Counts kernels;  // each counts once, for however many architectures it is written
    for (const fusion::FusionPlan& plan : f.plans) kernels.add(plan.steps.size());
    d.text = "'" + name_of(f) + "' became " + kernels.of("kernel") + variants_of(f);
    say(std::move(d));
  }
  // Runs on the device as a whole: no mark is unmet.
  void partial(const FusedFunction& f, Diagnostic why) {
    using fusion::StepKind;
    static const std::pair<StepKind, const char*> kKinds[] = {{StepKind::Kernel, "fused kernel"},
                                                              {StepKind::Product, "matrix product"},
                                                              {StepKind::Order, "order"},
                                                              {StepKind::Scan, "running sum"},
                                                              {StepKind::Group, "generated kernel"}};
    std::vector<std::string> parts;
    for (const auto& [kind, what] : kKinds) {
      Counts counts;
      for (const fusion::FusionPlan& plan : f.plans)
        counts.add(std::count_if(plan.steps.begin(), plan.steps.end(),
                                 [&](const fusion::Step& step) { return step.kind == kind; }));
      if (counts.any()) parts.push_back(counts.of(what));
    }
    why.severity = Severity::Remark;
    why.id += ",-Rpass-missed=flashlight";
    why.text = "'" + name_of(f) + "' runs as " + enumerated(parts) + variants_of(f) + ": " + why.text;
    why.hint.clear();
    say(std::move(why));
  }
  void missed(const FusedFunction& f, Diagnostic why) {
    why.severity = Severity::Remark;
    why.id += ",-Rpass-missed=flashlight";
    why.text = "'" + name_of(f) + "' is " + emit::status_name(f.status) + ": " + why.text;
    say(std::move(why));
  }
  void unmet(const Unit& unit, const FusedFunction& f, Diagnostic why, bool must) {
    Diagnostic d;
    d.id = must ? "fuse-unmet" : "unfused";
    d.where = f.source->location;
    d.text = "'" + name_of(f) + "' " + (must ? "is marked FLASHLIGHT_FUSE and " : "") + "is " +
             emit::status_name(f.status);
    if (d.where.file == unit.path) d.source_line = line_of(unit.program.text, d.where.line);
    fail(kExitCheck, std::move(d));
    why.severity = Severity::Note;
    say(std::move(why));
  }

  const Options& options_;
  Translation& out_;
  std::set<std::tuple<std::string, unsigned, unsigned>> inlined_;
};

void check_names(const Options& o, const std::vector<Unit>& units) {
  auto check = [&](const std::string& option, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      bool found = false;
      for (const Unit& u : units)
        found |=
            std::any_of(u.functions.begin(), u.functions.end(), [&](auto& f) { return is_called(f, name); });
      if (!found)
        throw Failure(kExitUsage, "no-such-function",
                      option + ": no function '" + name + "' that returns tensors and uses the DSL",
                      "--report-only lists the functions that were found");
    }
  };
  check("--function", o.functions);
  check("--explain", o.explain);
}

void check_baseline(const Options& o, const std::vector<emit::ReportUnit>& units, Judge& judge) {
  std::vector<emit::BaselineFunction> baseline;
  try {
    baseline = emit::parse_baseline(read_regular_file(o.check));
  } catch (const std::invalid_argument& e) {
    throw Failure(kExitUsage, "bad-baseline", std::string("malformed baseline: ") + e.what(),
                  "make one with --report", o.check);
  }
  if (!emit::covers(baseline, units))
    throw Failure(kExitUsage, "bad-baseline",
                  "the baseline speaks of none of these files, so there is nothing to check",
                  "name the sources as they were named when the baseline was made", o.check);
  for (Diagnostic& d : emit::compare_to_baseline(baseline, units)) judge.fail(kExitCheck, std::move(d));
}

Unit read_source(const std::string& path, const Options& o, const RuleSet& rules,
                 std::vector<std::string>& dependencies) {
  Unit unit;
  unit.options = &o;
  unit.rules = &rules.rules;
  unit.path = path;
  std::string database;
  unit.reading.compiler_args = compiler_args_for(path, o, &database);
  unit.reading.include_dir = find_include_dir(o);
  unit.reading.resource_dir = find_resource_dir(o);
  unit.reading.only = o.functions;
  run_passes(unit);
  dependencies = unit.program.dependencies;
  if (std::find(dependencies.begin(), dependencies.end(), path) == dependencies.end())
    dependencies.insert(dependencies.begin(), path);
  if (!database.empty()) dependencies.push_back(database);
  dependencies.insert(dependencies.end(), rules.dependencies.begin(), rules.dependencies.end());
  return unit;
}

std::string report_of(const Options& o, const std::vector<emit::ReportUnit>& units) {
  emit::ReportHeader header;
  header.version = version_number();
  header.archs = o.archs;
  header.dtypes = o.dtypes;
  header.head_dims = o.head_dims;
  header.tiles = o.tiles;
  header.functions = o.functions;
  header.strict_nan = o.strict_nan;
  return emit::render_report(header, units);
}

void translate_all(const Options& o, const std::vector<std::string>& outputs, Translation& out) {
  Judge judge(o, out);
  const RuleSet rules = load_rules(o);
  for (const Diagnostic& d : rules.errors)
    judge.fail(d.id == "cannot-read" ? kExitInputOutput : kExitInput, d);
  if (!rules.errors.empty()) return;
  if (o.list_rules) out.printed += list_rules(rules.rules);
  std::vector<Unit> units;
  units.reserve(o.sources.size());  // FusedFunction points into its Unit
  std::vector<emit::ReportUnit> report;
  for (std::size_t i = 0; i < o.sources.size(); ++i) {
    units.push_back(read_source(o.sources[i], o, rules, out.dependencies.emplace_back()));
    Unit& unit = units.back();
    judge.messages(unit);
    judge.inlined(unit);
    for (const FusedFunction& f : unit.functions) judge.verdict(unit, f);
    out.units.push_back(unit.text);
    out.printed += unit.printed;
    report.push_back({unit.path, outputs[i], &unit.functions});
  }
  if (out.exit_code == kExitInput || out.exit_code == kExitInternal) return;
  check_names(o, units);
  if (!o.check.empty()) check_baseline(o, report, judge);
  for (const std::string& name : o.explain)
    for (const Unit& u : units)
      for (const FusedFunction& f : u.functions)
        if (is_called(f, name)) out.printed += emit::explain(f);
  out.report = report_of(o, report);
  std::vector<const std::vector<FusedFunction>*> functions;
  for (const Unit& u : units) functions.push_back(&u.functions);
  if (!o.c_header.empty()) out.c_header = emit::render_c_header(functions);
}

}  // namespace

Translation translate(const Options& o, const std::vector<std::string>& outputs) {
  Translation out;
  try {
    translate_all(o, outputs, out);
  } catch (const Failure& f) {
    out.diagnostics.push_back(f.diagnostic);
    out.exit_code = f.exit_code;
  }
  return out;
}

}  // namespace flashlight::driver
