// SPDX-License-Identifier: Apache-2.0
// The kernel that orders rows, on the emulated device and against the eager library: types, strides, lengths
// beyond shared memory, equal elements, infinities and NaN.
#include "flashlight/generated/sort.h"

#include <gtest/gtest.h>

#include <limits>

namespace flashlight::generated {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(),
                 kNan = std::numeric_limits<double>::quiet_NaN();

struct Pair {
  Tensor values, positions;
};

// The first `count` along the last dim of x, which has two or three dims, as a kernel gives them.
Pair ordered(const Tensor& host, std::int64_t count, bool descending, const Tensor* stored = nullptr) {
  const Tensor x = stored ? *stored : host.to(kCUDA);
  Sizes sizes = x.sizes();
  sizes.data()[sizes.size() - 1] = count;
  Pair out{empty(sizes, x.dtype(), kCUDA), empty(sizes, kInt64, kCUDA)};
  const std::int64_t last = x.dim() - 1;
  const auto axis = [&](std::int64_t d) {
    return OrderAxis{x.size(d), x.stride(d), out.values.stride(d), out.positions.stride(d)};
  };
  Launch launch("f");
  if (x.dim() == 2) launch.tensor("x", x, false, {{-1, x.size(0)}, {-1, x.size(1)}});
  else launch.tensor("x", x, false, {{-1, x.size(0)}, {-1, x.size(1)}, {-1, x.size(2)}});
  launch.bind();
  const Ordering order = x.dim() == 2 ? launch.order(0, 0, out.values, out.positions, false, {axis(0)},
                                                     axis(last), count, descending, 3)
                                      : launch.order(0, 0, out.values, out.positions, false,
                                                     {axis(0), axis(1)}, axis(last), count, descending, 3);
  run(launch, order);
  return {out.values.to(kCPU), out.positions.to(kCPU)};
}

void expect_equal(const Pair& got, const Tensors<2>& wanted) {
  ASSERT_EQ(got.values.dtype(), wanted[0].dtype());
  EXPECT_TRUE(allclose(got.positions.to(kFloat64), wanted[1].to(kFloat64), 0, 0))
      << got.positions << wanted[1];
  EXPECT_TRUE(allclose(got.values.to(kFloat64), wanted[0].to(kFloat64), 0, 0, true))
      << got.values << wanted[0];
}

TEST(Order, OfEveryTypeWithManyEqualElements) {
  for (DType type : {kFloat16, kBFloat16, kFloat32, kFloat64, kInt8, kUInt8, kInt32, kInt64, kBool}) {
    const std::int64_t low = type == kUInt8 || type == kBool ? 0 : -9, high = type == kBool ? 2 : 9;
    const Tensor x = randint(low, high, {3, 45}, 7).to(type);
    for (bool descending : {false, true}) expect_equal(ordered(x, 45, descending), sort(x, -1, descending));
  }
}

TEST(Order, OfIntegersThatNoFloatHolds) {
  const std::int64_t large = std::int64_t{1} << 62;
  const Tensor x = tensor({1, 0, 3, 2}).to(kInt64) + large;
  const Pair got = ordered(x.unsqueeze(0), 4, true);
  for (std::int64_t k = 0; k < 4; ++k)
    EXPECT_EQ(got.values.slice(1, k, k + 1).item<std::int64_t>(), large + 3 - k);
}

TEST(Order, OfEveryLength) {
  for (std::int64_t length : {1, 2, 3, 5, 31, 64, 65, 255, 257, 600, 1025}) {
    const Tensor x = randn({2, length}, 3);
    for (std::int64_t count : {std::int64_t{1}, (length + 1) / 2, length}) {
      SCOPED_TRACE(std::to_string(count) + " of " + std::to_string(length));
      expect_equal(ordered(x, count, true), topk(x, count));
      expect_equal(ordered(x, count, false), topk(x, count, -1, false));
    }
  }
}

TEST(Order, OfMoreThanSharedMemoryHoldsAndOfMoreRowsThanCtas) {
  const Tensor x = randint(0, 3000, {13, Ordering::kMostShared + 77}, 5).to(kFloat32);
  expect_equal(ordered(x, 500, true), topk(x, 500));
  const Tensor rows = randn({4, 9, 6}, 2);
  expect_equal(ordered(rows, 6, false), sort(rows));
}

TEST(Order, OfInfinitiesAndNaN) {
  const Tensor x =
      tensor({2.0, -kInf, 2.0, kNan, 0.0, -0.0, kInf, kNan, -2.0, -kInf}).to(kFloat32).unsqueeze(0);
  for (bool descending : {false, true})
    for (std::int64_t count : {1, 3, 10})
      expect_equal(ordered(x, count, descending), topk(x, count, -1, descending));
  const Tensor none = full({2, 7}, -kInf);
  expect_equal(ordered(none, 1, true), topk(none, 1));
}

TEST(Order, OfAnyStrides) {
  const Tensor x = randn({5, 3, 8}, 4), device = x.to(kCUDA);
  const Tensor across = device.transpose(0, 2), every_other = device.slice(2, 1, 8, 2),
               same = device.slice(1, 0, 1).expand({5, 4, 8});
  expect_equal(ordered(x, 5, false, &across), sort(x.transpose(0, 2)));
  expect_equal(ordered(x, 4, true, &every_other), sort(x.slice(2, 1, 8, 2), -1, true));
  expect_equal(ordered(x, 8, true, &same), sort(x.slice(1, 0, 1).expand({5, 4, 8}), -1, true));
}

TEST(Order, OfNothing) {
  EXPECT_EQ(ordered(zeros({0, 5}), 5, false).values.numel(), 0);
  EXPECT_EQ(ordered(zeros({5, 0}), 0, false).values.numel(), 0);
  EXPECT_EQ(ordered(zeros({2, 5}), 0, false).values.numel(), 0);
  EXPECT_THROW(ordered(zeros({2, 5}), 6, false), Error);
}

}  // namespace
}  // namespace flashlight::generated
