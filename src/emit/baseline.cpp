// SPDX-License-Identifier: Apache-2.0
// Reads a baseline report and compares a run with it.
#include "emit/baseline.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

namespace flashlight::emit {

using fusion::Status;
using nlohmann::json;

namespace {

Status status_of(const std::string& name) {
  for (Status s : {Status::Fused, Status::Partial, Status::Unfused})
    if (name == status_name(s)) return s;
  throw std::invalid_argument("'" + name + "' is no status");
}

using Key = std::pair<std::string, std::string>;  // file, name

struct Present {
  const FusedFunction* function;
  Status status;
};

std::map<Key, std::vector<Present>> functions_of(const std::vector<ReportUnit>& units) {
  std::map<Key, std::vector<Present>> out;
  for (const ReportUnit& unit : units)
    for (const FusedFunction& f : *unit.functions) {
      const auto& s = *f.source;
      out[{s.location.file, s.qualified_name.empty() ? s.name : s.qualified_name}].push_back({&f, f.status});
    }
  for (auto& [key, list] : out)
    std::stable_sort(list.begin(), list.end(), [](auto& a, auto& b) { return a.status < b.status; });
  return out;
}

std::set<std::string> files_of(const std::vector<ReportUnit>& units) {
  std::set<std::string> out;
  for (const ReportUnit& unit : units) {
    out.insert(unit.file);
    for (const FusedFunction& f : *unit.functions) out.insert(f.source->location.file);
  }
  return out;
}

frontend::Diagnostic lost(const BaselineFunction& was, const Present* now) {
  frontend::Diagnostic d;
  d.id = "baseline-lost";
  d.where.file = was.file;
  d.text = "'" + was.name + "' was " + status_name(was.status) + " in the baseline and ";
  if (!now) {
    d.text += "is no longer there";
    d.hint = "if it was renamed or removed on purpose, make a new baseline with --report";
    return d;
  }
  d.where = now->function->source->location;
  auto why = reason_of(*now->function);
  d.text += std::string("is now ") + status_name(now->status) + ": " + why->text;
  d.hint = why->hint;
  return d;
}

}  // namespace

std::vector<BaselineFunction> parse_baseline(const std::string& text) {
  std::vector<BaselineFunction> out;
  try {
    json report = json::parse(text);
    if (int version = report.at("schema_version").get<int>(); version != 1)
      throw std::invalid_argument("schema_version " + std::to_string(version) + " is not 1");
    for (const json& f : report.at("functions"))
      out.push_back({f.at("location").at("file").get<std::string>(), f.at("name").get<std::string>(),
                     status_of(f.at("status").get<std::string>())});
  } catch (const json::exception& e) { throw std::invalid_argument(e.what()); }
  return out;
}

std::vector<frontend::Diagnostic> compare_to_baseline(const std::vector<BaselineFunction>& baseline,
                                                      const std::vector<ReportUnit>& units) {
  auto now = functions_of(units);
  auto files = files_of(units);
  std::vector<BaselineFunction> before = baseline;
  std::stable_sort(before.begin(), before.end(), [](auto& a, auto& b) { return a.status < b.status; });
  std::map<Key, std::size_t> seen;
  std::vector<frontend::Diagnostic> out;
  for (const BaselineFunction& was : before) {
    if (was.status == Status::Unfused || !files.count(was.file)) continue;
    Key key{was.file, was.name};
    const auto& list = now[key];
    std::size_t k = seen[key]++;
    if (k >= list.size()) out.push_back(lost(was, nullptr));
    else if (list[k].status > was.status) out.push_back(lost(was, &list[k]));
  }
  return out;
}

bool covers(const std::vector<BaselineFunction>& baseline, const std::vector<ReportUnit>& units) {
  auto files = files_of(units);
  return baseline.empty() ||
         std::any_of(baseline.begin(), baseline.end(), [&](auto& f) { return files.count(f.file) > 0; });
}

}  // namespace flashlight::emit
