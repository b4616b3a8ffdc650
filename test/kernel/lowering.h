// SPDX-License-Identifier: Apache-2.0
// For tests of the kernel stage: a DSL body taken through fusion to a verified tile program, and comparisons.
#pragma once
#include <memory>

#include "fusion/placing.h"
#include "fusion/roles.h"
#include "graph/evaluate_bind.h"
#include "graph/dsl_reading.h"
#include "kernel/interpret.h"
#include "kernel/verify.h"

namespace flashlight::kernel {

// Programs keep pointers to the other two, so all stay in place.
struct Lowered {
  graph::Function function;
  fusion::FusionPlan plan;
  std::vector<Program> programs;  // of each kernel
  Program program;                // of the last one
};

// A reason not to fuse, readable where a test does not expect one.
struct NotLowered : std::runtime_error {
  explicit NotLowered(const fusion::Reason& r) : std::runtime_error(r.id + ": " + r.text), id(r.id) {}
  std::string id;
};

// Throws NotLowered where the function, or its tile program, is refused.
inline std::unique_ptr<Lowered> lower(graph::Function function, bool strict_nan = false) {
  auto result = std::make_unique<Lowered>();
  result->function = std::move(function);
  fusion::PlanOptions options;
  options.strict_nan = strict_nan;
  result->plan = fusion::plan_fusion(result->function, options);
  if (result->plan.status != fusion::Status::Fused) throw NotLowered(*result->plan.reason);
  try {
    for (const fusion::Step& kernel : result->plan.steps)
      result->programs.push_back(build_program(*kernel.function, kernel.plan));
  } catch (const fusion::Refused& refused) { throw NotLowered(refused.reason); }
  for (const Program& program : result->programs) verify(program);
  result->program = result->programs.back();
  return result;
}

inline std::unique_ptr<Lowered> lower(int params, const graph::Body& body, bool strict_nan = false,
                                      int real_scalars = 0) {
  return lower(graph::read(params, body, nullptr, real_scalars), strict_nan);
}

// The function's results by its kernels, one after the other.
inline std::vector<graph::Array> interpret_all(const Lowered& lowered, std::vector<graph::Array> tensors,
                                               const std::vector<double>& scalars,
                                               const InterpretOptions& options) {
  const auto& kernels = lowered.plan.steps;
  const graph::Binding binding(lowered.function, tensors, scalars);
  const auto& declared = kernels[0].function->tensors;
  for (std::size_t t = tensors.size(); t < declared.size(); ++t) {
    graph::Array array{declared[t].pack ? binding.leading() : graph::Extents{}, {}};
    for (std::size_t a = declared[t].pack; a < declared[t].shape.size(); ++a)
      array.shape.push_back(binding.extents({declared[t].shape[a]})[0]);
    array.data.assign(static_cast<std::size_t>(graph::count(array.shape)), std::nan(""));
    tensors.push_back(std::move(array));
  }
  std::vector<graph::Array> results(lowered.function.outputs.size());
  for (std::size_t k = 0; k < kernels.size(); ++k) {
    auto got = interpret(lowered.programs[k], tensors, scalars, options);
    for (std::size_t o = 0; o < got.size(); ++o) {
      const fusion::Target& target = kernels[k].targets[o];
      const auto number = static_cast<std::size_t>(target.number);
      if (target.intermediate) fusion::lay(*kernels[k].function, binding, target, got[o], tensors[number]);
      else fusion::lay(lowered.function, binding, target, got[o], results[number]);
    }
  }
  return results;
}

// The id of the reason; "" where the program is lowered.
inline std::string refusal_of(int params, const graph::Body& body) {
  try {
    lower(params, body);
  } catch (const NotLowered& refused) {
    EXPECT_GT(std::string(refused.what()).size(), refused.id.size() + 2);
    return refused.id;
  }
  return "";
}

// Relative to the larger of the value and 1. Where the wanted value is NaN, the row is one without keys and
// has `empty`.
inline void expect_close(const graph::Array& got, const graph::Array& wanted, double empty,
                         const std::string& where) {
  ASSERT_EQ(got.shape, wanted.shape) << where;
  for (std::size_t k = 0; k < wanted.data.size(); ++k) {
    const double w = std::isnan(wanted.data[k]) ? empty : wanted.data[k], g = got.data[k];
    if (std::isnan(w) && std::isnan(g)) continue;
    if (w == g) continue;
    const double tolerance = std::isfinite(w) ? 1e-10 * std::max(1.0, std::fabs(w)) : 0;
    ASSERT_LE(std::fabs(w - g), tolerance) << where << ", element " << k << ": " << g << " for " << w;
  }
}

}  // namespace flashlight::kernel
