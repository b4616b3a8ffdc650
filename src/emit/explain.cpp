// SPDX-License-Identifier: Apache-2.0
// What became of a function, in words.
#include "emit/explain.h"

#include "emit/report.h"

namespace flashlight::emit {

namespace {

std::string place(const frontend::Location& at) {
  return at.file + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : ", ") + w;
  return out;
}

std::string indented(const std::string& text, const std::string& by) {
  std::string out;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) out += by + text.substr(begin, end - begin);
    out += '\n';
    begin = end + 1;
  }
  return out;
}

std::string line(const std::string& what, const std::string& value) {
  return value.empty() ? "" : "    " + what + ": " + value + "\n";
}

std::string kernel(const KernelFacts& k) {
  std::string out = k.kind == "product" ? "  Matrix product by cuBLASLt\n"
                    : k.kind == "order" ? "  Order by " + k.name + "\n"
                    : k.kind == "scan"
                        ? "  Running sum by " + k.name + "\n"
                        : "  " + std::string(k.kind == "group" ? "Generated kernel " : "Kernel ") + k.name +
                              " for " + k.arch + "\n";
  out += line("of calls with", k.variant);
  out += line("folds", joined(k.ops));
  out += line("tiles", k.tile);
  out += line("shared memory", k.smem_bytes.empty() ? "" : k.smem_bytes + " bytes a block");
  out += line("flops", k.flops);
  if (!k.bytes_unfused.empty())
    out += line("memory traffic",
                k.bytes_fused + " bytes instead of " + k.bytes_unfused + "; e is the size of an element");
  out += line("skipped tiles", k.sparsity);
  out += line("why", k.why);
  return out + indented(k.explanation, "    ");
}

}  // namespace

std::string explain(const FusedFunction& f) {
  const auto& s = *f.source;
  std::string out = s.qualified_name.empty() ? s.name : s.qualified_name;
  out += " (" + place(s.location) + ")" + (s.template_tag.empty() ? "" : " with " + s.template_tag) + " is " +
         status_name(f.status) + ".\n";
  if (auto why = reason_of(f)) {
    out += "  Why: " + why->text + " [" + why->id + "], at " + place(why->where) + ".\n";
    if (!why->hint.empty()) out += "  What would help: " + why->hint + "\n";
  }
  for (const KernelFacts& k : f.kernels) out += kernel(k);
  if (f.totals.kernels_fused > 1)
    out += "  In all " + std::to_string(f.totals.kernels_fused) + " kernels instead of " +
           std::to_string(f.totals.kernels_unfused) + ", and " + f.totals.bytes_fused + " bytes instead of " +
           f.totals.bytes_unfused + "\n";
  if (f.status == fusion::Status::Unfused) return out;  // what was rewritten on the way is of no use to it
  for (const RuleUse& r : f.rules)
    out += "  Rule " + r.name + " (" + r.location + ") applied " +
           (r.count == 1 ? "once" : std::to_string(r.count) + " times") + ".\n";
  for (const std::string& n : f.numerics) out += "  Numerics: " + n + "\n";
  return out;
}

}  // namespace flashlight::emit
