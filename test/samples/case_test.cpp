// SPDX-License-Identifier: Apache-2.0
// The samples' harness: what inputs it makes, how it casts them, which results it takes, what it lets pass.
#include <gtest/gtest.h>

#include <array>
#include <tuple>

#include "sample.h"

namespace sample {
namespace {

using namespace flashlight;

Shape small(DType dtype = kBFloat16) {
  Shape s;
  s.batch = 1, s.heads = 4, s.key_heads = 2, s.queries = 5, s.keys = 7, s.depth = 8, s.value_depth = 6;
  s.dtype = dtype;
  return s;
}

TEST(Case, InputsHaveTheAskedSizesAndRepeat) {
  Case a(small(), false, true, false), b(small(), false, true, false);
  EXPECT_EQ(a.queries().sizes(), (Sizes{1, 4, 5, 8}));
  EXPECT_EQ(a.keys().sizes(), (Sizes{1, 2, 7, 8}));
  const Tensor values = a.values();
  EXPECT_EQ(values.sizes(), (Sizes{1, 2, 7, 6}));
  b.queries(), b.keys();
  EXPECT_EQ(max_abs_diff(values, b.values()), 0);
  EXPECT_GT(max_abs_diff(values, a.values()), 0) << "a second draw is another one";
}

TEST(Cast, EveryRunStartsFromTheSameRoundedNumbers) {
  const Tensor x = randn({2, 3, 4, 5}, 1, kFloat64);
  const Tensor reference = Cast(kBFloat16, kFloat64, kCPU, true)(x),
               eager = Cast(kBFloat16, kBFloat16, kCPU, true)(x);
  EXPECT_EQ(reference.dtype(), kFloat64);
  EXPECT_EQ(eager.dtype(), kBFloat16);
  EXPECT_EQ(max_abs_diff(reference, eager.to(kFloat64)), 0);
  EXPECT_GT(max_abs_diff(reference, x), 0);
}

TEST(Cast, MovesOtherTensorsAsTheyAre) {
  const Tensor ids = arange(10), moved = Cast(kBFloat16, kBFloat16, kCUDA, false)(ids);
  EXPECT_EQ(moved.dtype(), kInt64);
  EXPECT_EQ(moved.device(), kCUDA);
  EXPECT_EQ(max_abs_diff(moved.to(kCPU), ids), 0);
}

TEST(Cast, StridedInputsAreStoredWithHeadsInside) {
  const Tensor x = randn({2, 3, 4, 5}, 1, kFloat64);
  const Tensor strided = Cast(kFloat32, kFloat32, kCUDA, false)(x);
  EXPECT_EQ(strided.sizes(), x.sizes());
  EXPECT_EQ(strided.strides(), (Sizes{60, 5, 15, 1}));
  EXPECT_EQ(max_abs_diff(strided.to(kCPU).contiguous(), x.to(kFloat32)), 0);
}

TEST(Case, TakesOneTensorOrSeveral) {
  Case c(small(), false, true, false);
  const Tensor x = c.randn({3, 4});
  c.compare([&](const Cast& cast) { return cast(x) * 2; });
  c.compare([&](const Cast& cast) { return std::pair(cast(x), exp(cast(x))); });
  c.compare([&](const Cast& cast) { return std::tuple(cast(x), exp(cast(x)), cast(x).sum(-1)); });
  c.compare([&](const Cast& cast) { return std::array{cast(x), cast(x)}; });
  c.compare([&](const Cast& cast) { return cast(x).chunk<2>(-1); });
  EXPECT_TRUE(c.passed());
}

TEST(Case, APlainProgramDoesNotPassForATranslatedOne) {
  Case c(small(), false, false, false);
  const Tensor x = c.randn({3, 4});
  c.compare([&](const Cast& cast) { return exp(cast(x)); });
  EXPECT_FALSE(c.passed());
}

TEST(Case, ComparesWhatTheDeviceComputed) {
  const auto passes = [](double error) {
    Case c(small(), false, false, false);
    const Tensor x = c.randn({3, 4});
    c.compare([&](const Cast& cast) {
      const Tensor y = cast(x);
      return y.device() == kCUDA ? (y.to(kCPU) + error).to(kCUDA) : y * 1;  // a stand-in for a kernel
    });
    return c.passed();
  };
  EXPECT_TRUE(passes(0));
  EXPECT_FALSE(passes(0.1));
}

TEST(Case, AResultOnTheCpuIsNotTheDevices) {
  Case c(small(), false, false, false);
  const Tensor x = c.randn({3, 4});
  c.compare([&](const Cast& cast) { return cast(x).to(kCPU); });
  EXPECT_FALSE(c.passed());
}

TEST(Case, NothingComparedIsNotPassed) {
  Case c(small(), false, true, false);
  EXPECT_FALSE(c.passed());
}

}  // namespace
}  // namespace sample
