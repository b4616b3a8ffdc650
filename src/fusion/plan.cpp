// SPDX-License-Identifier: Apache-2.0
// See plan.h: one kernel, from roles over rows to the algebra.
#include "fusion/plan.h"

#include <algorithm>
#include <set>

#include "fusion/algebra/plan.h"
#include "fusion/describe.h"
#include "fusion/extract.h"

namespace flashlight::fusion {

namespace {

constexpr std::size_t kLongestLine = 320, kLongestReason = 240;

std::string readable_lines(const std::string& text) {
  std::string out;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    out += readable(text.substr(begin, end - begin), kLongestLine) + "\n";
    begin = end + 1;
  }
  return out;
}

}  // namespace

KernelPlan plan_kernel(const graph::Function& function, const PlanOptions& options) {
  Dependence dependence(function.graph);
  KernelPlan kernel;
  kernel.strict_nan = options.strict_nan;
  const std::vector<algebra::Expr> outputs =
      extract_rows(function, dependence, find_roles(function, dependence), kernel);
  algebra::PlanOptions algebra_options;
  algebra_options.max_sweeps = options.max_sweeps;
  algebra_options.strict_nan = options.strict_nan;
  // A constant reference leaves exp(u - bound) far below 1, where float16 weights underflow; a running
  // maximum is right for every storage type.
  algebra_options.static_references = false;
  auto derived = algebra::plan(*kernel.arena, outputs, algebra_options);
  if (const auto* refusal = std::get_if<algebra::Refusal>(&derived)) {
    throw Refused{{algebra::reason_id(refusal->reason), readable(refusal->text, kLongestReason),
                   algebra::reason_hint(refusal->reason), source_of(kernel, refusal->at)}};
  }
  auto& plan = std::get<algebra::Plan>(derived);
  kernel.explanation = readable_lines(algebra::explain(plan));
  kernel.sweeps = std::move(plan.sweeps);
  return kernel;
}

bool Target::is_part() const {
  return std::any_of(views.begin(), views.end(),
                     [](const Reshaping& view) { return view.kind == Reshaping::Part; });
}

graph::SourceRange source_of(const KernelPlan& plan, algebra::Expr root) {
  if (!root) return {};
  std::vector<algebra::Expr> level{root};
  std::set<algebra::Expr> seen{root};
  while (!level.empty()) {
    std::vector<algebra::Expr> below;
    for (algebra::Expr e : level) {
      if (const auto found = plan.sources.find(e); found != plan.sources.end()) return found->second;
      for (algebra::Expr arg : e.args()) {
        if (seen.insert(arg).second) below.push_back(arg);
      }
    }
    level = std::move(below);
  }
  return {};
}

namespace {

std::string kernel_text(const Step& step) {
  static const char* const kRoles[] = {"batch", "row", "stream", "column", "feature", "packed"};
  std::string text = "kernel\n";
  for (std::size_t l = 0; l < step.plan.loops.size(); ++l) {
    const Loop& loop = step.plan.loops[l];
    text += "  loop " + std::to_string(l) + ": " + kRoles[static_cast<int>(loop.role)] +
            (loop.pack ? " pack" : "") + " [" + describe(*step.function, loop.size) + "]\n";
  }
  return text + step.plan.explanation;
}

// The graph's nodes and results, without the signature and the checks, which are those of the whole function.
std::string graph_text(const graph::Function& function) {
  const std::string text = graph::to_string(function);
  std::string out;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    if (line.rfind("  %", 0) == 0 || line.rfind("  result", 0) == 0) out += line + "\n";
    begin = end + 1;
  }
  return out;
}

}  // namespace

std::string to_string(const FusionPlan& plan, const graph::Function& function) {
  std::string text = "function " + function.name + ": ";
  if (plan.status == Status::Unfused) {
    return text + "unfused, " + plan.reason->id + ": " + plan.reason->text + "\n";
  }
  text += plan.status == Status::Fused ? "fused\n" : "partial\n";
  for (const Step& step : plan.steps) {
    static const char* const kKinds[] = {"kernel", "product", "order", "group"};
    if (step.kind == StepKind::Kernel) text += kernel_text(step);
    else text += std::string(kKinds[static_cast<int>(step.kind)]) + "\n" + graph_text(*step.function);
  }
  return text;
}

}  // namespace flashlight::fusion
