// SPDX-License-Identifier: Apache-2.0
// For tests of the kernel stage: a DSL body taken through fusion to a verified tile program, and comparisons.
#pragma once
#include <memory>

#include "fusion/roles.h"
#include "graph/dsl_reading.h"
#include "kernel/interpret.h"
#include "kernel/verify.h"

namespace flashlight::kernel {

// A program keeps pointers to the other two, so all three stay in place.
struct Lowered {
  graph::Function function;
  fusion::FusionPlan plan;
  Program program;
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
  result->plan = fusion::plan_fusion(result->function);
  if (result->plan.status != fusion::Status::Fused) throw NotLowered(*result->plan.reason);
  try {
    result->program = build_program(result->function, result->plan.kernels.at(0), strict_nan);
  } catch (const fusion::Refused& refused) { throw NotLowered(refused.reason); }
  verify(result->program);
  return result;
}

inline std::unique_ptr<Lowered> lower(int params, const graph::Body& body, bool strict_nan = false,
                                      int real_scalars = 0) {
  return lower(graph::read(params, body, nullptr, real_scalars), strict_nan);
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
