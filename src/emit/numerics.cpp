// SPDX-License-Identifier: Apache-2.0
// See numerics.h.
#include "emit/numerics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "emit/text.h"
#include "fusion/algebra/empty_row.h"

namespace flashlight::emit {

namespace {

bool has_products(const kernel::Program& program) {
  return std::any_of(program.sweeps.begin(), program.sweeps.end(), [](const kernel::Sweep& sweep) {
    return std::any_of(sweep.steps.begin(), sweep.steps.end(),
                       [](const kernel::Step& s) { return s.kind == kernel::StepKind::Product; });
  });
}

// "bf16 and fp16": the types narrower than what a kernel computes in.
std::string narrow_types(const EmitOptions& options) {
  std::vector<std::string> names;
  for (const std::string& name : options.dtypes)
    if (name != "fp32") names.push_back(name);
  return join(names, " and ");
}

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", x);
  return text;
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

std::vector<std::string> of_kernel(const kernel::Program& program, const EmitOptions& options) {
  std::vector<std::string> remarks;
  if (const std::string narrow = narrow_types(options); !narrow.empty()) {
    remarks.push_back(
        narrow +
        ": between load and store everything is float32, where the eager program rounds each operation's "
        "result" +
        (has_products(program) ? "; weights are rounded once, for their product with the values" : ""));
  }
  if (contains(options.dtypes, "fp32"))
    remarks.push_back(
        "fp32: products are made of TF32 products of the operands' high and low parts, of float32's "
        "precision");
  const fusion::algebra::Sweep& last = program.plan->sweeps.back();
  for (std::size_t t = 0; t < last.targets.size() && !options.strict_nan; ++t) {
    const auto eager = fusion::algebra::eager_over_empty_stream(last.targets[t]);
    if (!eager || !std::isnan(*eager) || !last.empty_values[t]) continue;
    const std::string remark = "a row whose every score is -inf gives " + number(*last.empty_values[t]) +
                               ", where the eager program gives NaN; --strict-nan keeps the NaN";
    if (!contains(remarks, remark)) remarks.push_back(remark);
  }
  return remarks;
}

// Handed on in a type that arguments give, not as a statistic of rows.
bool hands_on_narrow(const fusion::Step& step) {
  for (std::size_t o = 0; o < step.targets.size(); ++o)
    if (step.targets[o].intermediate && !step.function->outputs[o].value.dtype.inputs.empty()) return true;
  return false;
}

}  // namespace

std::vector<std::string> numerics_of(const PartText& part, const EmitOptions& options) {
  std::vector<std::string> remarks;
  if (part.is_kernel()) remarks = of_kernel(*part.program, options);
  if (part.part->kind == fusion::StepKind::Product)
    remarks.push_back("matrix products by cuBLASLt sum in float32 and round once");
  if (part.part->kind == fusion::StepKind::Group)
    remarks.push_back("generated kernels compute in float32 and round once");
  if (hands_on_narrow(*part.part))
    remarks.push_back(
        "what one kernel hands to the next is stored in the promotion of the types of the arguments that it "
        "is made of, which is the eager "
        "program's type unless it converts in between; numbers of a row or a key alone in float32");
  return remarks;
}

}  // namespace flashlight::emit
