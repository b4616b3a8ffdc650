// SPDX-License-Identifier: Apache-2.0
// Renders the report.
#include "emit/report.h"

#include <nlohmann/json.hpp>

namespace flashlight::emit {

using fusion::Status;
using json = nlohmann::ordered_json;

const char* status_name(Status s) {
  switch (s) {
    case Status::Fused: return "fused";
    case Status::Partial: return "partial";
    case Status::Unfused: return "unfused";
  }
  return "unfused";
}

std::optional<frontend::Diagnostic> reason_of(const FusedFunction& f) {
  if (f.status == Status::Fused) return std::nullopt;
  frontend::Diagnostic d;
  d.where = f.source->location;
  if (f.reason) {
    d.id = f.reason->id;
    d.text = f.reason->text;
    d.hint = f.reason->hint;
    if (f.reason->where.line > 0)
      d.where = {f.reason->where.file, f.reason->where.line, f.reason->where.column};
  } else if (f.source->refusal) {
    d = *f.source->refusal;
  } else {
    d.id = "unfused";
    d.text = "no stage gave a reason";
  }
  d.severity = frontend::Severity::Remark;
  return d;
}

namespace {

json location(const frontend::Location& at) {
  return {{"file", at.file}, {"line", at.line}, {"column", at.column}};
}

json kernel(const KernelFacts& k) {
  json out = {{"name", k.name},
              {"kind", k.kind},
              {"arch", k.arch},
              {"tile", k.tile},
              {"smem_bytes", k.smem_bytes},
              {"ops", k.ops},
              {"flops", k.flops},
              {"bytes_unfused", k.bytes_unfused},
              {"bytes_fused", k.bytes_fused},
              {"sparsity", k.sparsity}};
  if (!k.variant.empty()) out["variant"] = k.variant;
  if (!k.why.empty()) out["why"] = k.why;
  return out;
}

json function(const FusedFunction& f) {
  json out = {{"name", f.source->qualified_name.empty() ? f.source->name : f.source->qualified_name},
              {"location", location(f.source->location)}};
  if (!f.source->template_tag.empty()) out["instantiation"] = f.source->template_tag;
  out["status"] = status_name(f.status);
  if (auto why = reason_of(f))
    out["reason"] = {
        {"id", why->id}, {"text", why->text}, {"location", location(why->where)}, {"hint", why->hint}};
  out["kernels"] = json::array();
  for (const KernelFacts& k : f.kernels) out["kernels"].push_back(kernel(k));
  if (f.totals.kernels_fused > 0)
    out["totals"] = {{"kernels_unfused", f.totals.kernels_unfused},
                     {"kernels_fused", f.totals.kernels_fused},
                     {"bytes_unfused", f.totals.bytes_unfused},
                     {"bytes_fused", f.totals.bytes_fused}};
  out["rules"] = json::array();
  for (const RuleUse& r : f.rules)
    out["rules"].push_back({{"name", r.name}, {"location", r.location}, {"count", r.count}});
  out["numerics"] = f.numerics;
  return out;
}

json input(const ReportUnit& unit) {
  json out = {{"file", unit.file}};
  out["output"] = unit.output.empty() ? json(nullptr) : json(unit.output);
  return out;
}

}  // namespace

std::string render_report(const ReportHeader& header, const std::vector<ReportUnit>& units) {
  json report = {{"schema_version", 1},
                 {"tool", {{"name", "flashlight-translate"}, {"version", header.version}}}};
  report["inputs"] = json::array();
  report["options"] = {{"archs", header.archs},         {"head_dims", header.head_dims},
                       {"dtypes", header.dtypes},       {"tiles", header.tiles},
                       {"functions", header.functions}, {"strict_nan", header.strict_nan}};
  report["functions"] = json::array();
  int counts[3] = {0, 0, 0};
  for (const ReportUnit& unit : units) {
    report["inputs"].push_back(input(unit));
    for (const FusedFunction& f : *unit.functions) {
      report["functions"].push_back(function(f));
      ++counts[static_cast<int>(f.status)];
    }
  }
  report["summary"] = {{"fused", counts[0]}, {"partial", counts[1]}, {"unfused", counts[2]}};
  // Names and comments of the input may hold bytes that are no UTF-8.
  return report.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace flashlight::emit
