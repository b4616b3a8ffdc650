// SPDX-License-Identifier: Apache-2.0
// Every op against PyTorch's results.
#include "golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace flashlight::golden {
namespace {

const std::vector<Case>& cases() {
  static const std::vector<Case> all = load_cases(FLASHLIGHT_SOURCE_DIR "/test/tensor/golden/ops.txt");
  return all;
}

// What one rounding to the dtype may cost, a few units in the last place for the functions of libm.
double relative_tolerance(DType dtype) {
  switch (dtype) {
    case kFloat16: return 1.1e-3;
    case kBFloat16: return 8.5e-3;
    case kFloat64: return 1e-13;
    default: return 2e-6;
  }
}

double value_at(const Tensor& x, std::int64_t i) { return x.select(0, i).item<double>(); }

std::string difference(const Case& one, const Tensor& have, const Tensor& want) {
  if (have.dtype() != want.dtype())
    return std::string("dtype ") + name_of(have.dtype()) + ", not " + name_of(want.dtype());
  if (!(have.sizes() == want.sizes())) return "sizes differ";
  if (one.check == "view" && want.numel() > 0)
    for (std::int64_t d = 0; d < want.dim(); ++d)
      if (want.size(d) > 1 && have.stride(d) != want.stride(d))
        return "stride differs at dim " + std::to_string(d);
  const Tensor a = have.reshape(-1), b = want.reshape(-1);
  double scale = 0;
  for (std::int64_t i = 0; i < b.numel(); ++i)
    if (std::isfinite(value_at(b, i))) scale = std::max(scale, std::fabs(value_at(b, i)));
  const double relative = one.check == "close" ? relative_tolerance(have.dtype()) : 0;
  // Sums cancel: what is left of them is compared against the largest result. Subnormal float16 counts in
  // steps.
  const double absolute = relative * (have.dtype() == kFloat64 || one.inputs.size() < 2 ? 0 : scale * 0.1) +
                          (one.check == "close" && have.dtype() == kFloat16 ? 6e-8 : 0) + relative * 1e-7;
  for (std::int64_t i = 0; i < b.numel(); ++i) {
    const double p = value_at(a, i), q = value_at(b, i);
    if (p == q || (std::isnan(p) && std::isnan(q))) continue;
    if (!(std::fabs(p - q) <= absolute + relative * std::fabs(q)))
      return "element " + std::to_string(i) + " is " + std::to_string(p) + ", not " + std::to_string(q);
  }
  return "";
}

TEST(Golden, EveryCaseAgreesWithPyTorch) {
  ASSERT_GT(cases().size(), 2000u);
  for (const Case& one : cases()) {
    const std::string where = "ops.txt:" + std::to_string(one.line) + " " + one.op;
    ASSERT_TRUE(op_table().count(one.op)) << where;
    try {
      const std::vector<Tensor> results = op_table().at(one.op)(one.inputs, one.arguments);
      ASSERT_EQ(results.size(), one.outputs.size()) << where;
      for (std::size_t i = 0; i < results.size(); ++i) {
        const std::string text = difference(one, results[i], one.outputs[i]);
        EXPECT_EQ(text, "") << where << " (" << one.check << "), output " << i;
      }
    } catch (const Error& error) { ADD_FAILURE() << where << " threw " << error.what(); }
  }
}

TEST(Golden, EveryPointwiseRowHasACase) {
  std::set<std::string> seen;
  for (const Case& one : cases()) seen.insert(one.op);
#define FL_UNARY(name, ...) EXPECT_TRUE(seen.count(#name)) << #name;
#define FL_BINARY(name, ...) EXPECT_TRUE(seen.count(#name)) << #name;
#include <flashlight/detail/pointwise.def>
#undef FL_UNARY
#undef FL_BINARY
}

TEST(Golden, RangesOfTheTableHold) {
  struct Row {
    const char* name;
    double lo, hi;
  };
#define FL_UNARY(name, result, lo, hi, weight, expression) {#name, lo, hi},
  const Row rows[] = {
#include <flashlight/detail/pointwise.def>
  };
#undef FL_UNARY
  const Tensor x =
      cat({randn({1000}, 3) * 10, tensor({0.0, -0.75, -1.28, INFINITY, -INFINITY, 1e30, -1e30})});
  for (const Row& row : rows) {
    const Tensor y = op_table().at(row.name)({x}, {})[0].to(kFloat64);
    EXPECT_FALSE(any((y < row.lo) | (y > row.hi)).item<bool>()) << row.name;
  }
}

}  // namespace
}  // namespace flashlight::golden
