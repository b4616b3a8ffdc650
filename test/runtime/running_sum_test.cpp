// SPDX-License-Identifier: Apache-2.0
// Running sums of rows on the emulated device, against the eager library: types, strides, every length.
#include "flashlight/generated/running_sum.h"

#include <gtest/gtest.h>

#include <limits>

namespace flashlight::generated {
namespace {

// Running sums along the last dim of x, which has two dims, as a kernel gives them.
Tensor summed(const Tensor& x, DType type) {
  Tensor out = empty(x.sizes(), type, kCUDA);
  const auto axis = [&](std::int64_t d) { return OrderAxis{x.size(d), x.stride(d), out.stride(d), 0}; };
  Launch launch("f");
  launch.tensor("x", x, false, {{-1, x.size(0)}, {-1, x.size(1)}});
  launch.bind();
  run(launch, launch.running_sum(0, 0, out, false, {axis(0)}, axis(1), 3));
  return out.to(kCPU);
}

void expect_equal(const Tensor& got, const Tensor& wanted, double tolerance = 0) {
  EXPECT_TRUE(allclose(got.to(kFloat64), wanted.to(kFloat64), tolerance, tolerance, true)) << got << wanted;
}

TEST(RunningSum, OfEveryLength) {
  for (std::int64_t length : {1, 2, 3, 5, 255, 256, 257, 1023, 1024, 1025, 2500}) {
    SCOPED_TRACE(length);
    const Tensor x = randint(-9, 9, {5, length}, 3);
    expect_equal(summed(x.to(kInt64).to(kCUDA), kInt64), cumsum(x.to(kInt64), -1));
    expect_equal(summed(x.to(kFloat32).to(kCUDA), kFloat32), cumsum(x.to(kFloat64), -1));
  }
}

TEST(RunningSum, OfEveryType) {
  for (DType type : {kFloat16, kBFloat16, kFloat32, kFloat64})
    expect_equal(summed(randint(-9, 9, {3, 45}, 7).to(type).to(kCUDA), kFloat32),
                 cumsum(randint(-9, 9, {3, 45}, 7).to(kFloat64), -1));
  for (DType type : {kInt8, kUInt8, kInt32, kInt64, kBool})
    expect_equal(summed(randint(0, 2, {3, 45}, 7).to(type).to(kCUDA), kInt64),
                 cumsum(randint(0, 2, {3, 45}, 7).to(type).to(kInt64), -1));
}

// Sums of many numbers lose nothing to what came before: they are kept in float64.
TEST(RunningSum, KeepsSmallNumbersBesideLargeOnes) {
  const Tensor x =
      cat({full({1, 1}, 16777216.0), ones({1, 3000}), full({1, 1}, -16777216.0)}, 1).to(kFloat32);
  EXPECT_EQ(summed(x.to(kCUDA), kFloat32).slice(1, 3001, 3002).item<float>(), 3000.0f);
}

TEST(RunningSum, OfColumnsAndOfWhatIsRepeated) {
  const Tensor x = randint(-9, 9, {37, 6}, 5).to(kFloat32).to(kCUDA);
  expect_equal(summed(x.transpose(0, 1), kFloat32), cumsum(x.transpose(0, 1).to(kCPU), -1));
  const Tensor row = randint(-9, 9, {1, 37}, 5).to(kFloat32).to(kCUDA).expand({4, 37});
  expect_equal(summed(row, kFloat32), cumsum(row.to(kCPU), -1));
}

TEST(RunningSum, GoesOnBehindAnInfinity) {
  Tensor x = ones({1, 1500});
  x = where(arange(1500) == 3, -std::numeric_limits<double>::infinity(), x).to(kFloat32);
  expect_equal(summed(x.to(kCUDA), kFloat32), cumsum(x, -1));
}

}  // namespace
}  // namespace flashlight::generated
