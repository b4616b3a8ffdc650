// SPDX-License-Identifier: Apache-2.0
// Plans as text for reports and tests.
#include "fusion/algebra/plan.h"

namespace flashlight::fusion::algebra {
namespace {

const char* kind_name(const Reference& r) {
  switch (r.kind) {
    case ReferenceKind::kRunningMax: return r.lazy ? "lazy running max" : "running max";
    case ReferenceKind::kArgMax: return "running max with reset";
    case ReferenceKind::kRunningMean: return "running mean";
  }
  return "?";
}

std::string reference_text(const Sweep& s, const Reference& r) {
  std::string text = std::string(kind_name(r)) + " of " + to_string(r.value);
  if (r.guard) text += " where " + to_string(r.guard);
  if (r.kind == ReferenceKind::kRunningMean && r.weight >= 0)
    text += " weighted by " + to_string(s.accumulators[static_cast<std::size_t>(r.weight)].node);
  return text;
}

void line(std::string& out, const std::string& label, const std::string& text) {
  out += "  " + label + " " + text + "\n";
}

}  // namespace

std::string explain(const Sweep& s) {
  std::string out;
  for (Expr e : s.knowns) line(out, "known", to_string(e));
  for (const Scan& x : s.scans) line(out, "scan", to_string(x.node));
  for (const Reference& r : s.references) line(out, "reference", reference_text(s, r));
  for (const Accumulator& a : s.accumulators) line(out, "state", to_string(a.node));
  for (const Plain& p : s.plain) line(out, "state", to_string(p.node));
  for (std::size_t i = 0; i < s.fixups.size(); ++i) {
    line(out, "target", to_string(s.targets[i]));
    line(out, "  =", to_string(s.fixups[i]));
    line(out, "  without keys", to_string(s.empty[i]));
  }
  return out;
}

std::string explain(const Plan& plan) {
  std::string out;
  for (std::size_t k = 0; k < plan.sweeps.size(); ++k) {
    out += "sweep " + std::to_string(k + 1) + " of " + std::to_string(plan.sweeps.size()) + "\n";
    out += explain(plan.sweeps[k]);
  }
  for (const std::string& reason : plan.because) out += "not fewer: " + reason + "\n";
  return out;
}

}  // namespace flashlight::fusion::algebra
