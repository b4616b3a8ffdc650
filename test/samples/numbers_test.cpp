// SPDX-License-Identifier: Apache-2.0
// Numbers that eager programs get right and kernels may not: see numbers.h.
#include "numbers.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <type_traits>

namespace {

using namespace flashlight;

struct Arguments {
  explicit Arguments(std::int64_t keys = 150)
      : q(randn({2, 20, 16}, 1, kFloat32)),
        k(randn({2, keys, 16}, 2, kFloat32)),
        v(randn({2, keys, 16}, 3, kFloat32)) {}
  Tensor q, k, v;
};

template <class F, class... More> Tensor fused(F f, const Arguments& a, const More&... more) {
  auto on = [](const auto& x) {
    if constexpr (std::is_same_v<std::decay_t<decltype(x)>, Tensor>) return x.to(kCUDA);
    else return x;
  };
  const Tensor result = f(on(a.q), on(a.k), on(a.v), on(more)...);
  EXPECT_EQ(result.device(), kCUDA);
  return result.to(kCPU);
}

template <class F, class... More> void expect_eager(F f, const Arguments& a, const More&... more) {
  EXPECT_LE(max_abs_diff(fused(f, a, more...), f(a.q, a.k, a.v, more...)), 2e-5);
}

// Of whole rows of `filled` keys, the first tiles are filled ones only; and a row may have no other.
const Tensor kLeft = arange(150) >= 100, kSome = arange(150) % 3 != 1, kNone = zeros({150}, kBool);
constexpr double kLowest = std::numeric_limits<float>::lowest();

TEST(Numbers, AnAddedMaskLeavesTheScoresTheirDigits) {
  const Arguments a;
  for (const Tensor& keep : {kLeft, kSome}) {
    const Tensor kept = keep.to(kFloat32);
    expect_eager(added_mask, a, kept);
    expect_eager(subtracted_mask, a, kept);
    expect_eager(flattened_mask, a, kept);
    expect_eager(flattened_by, a, kept, 1e9);
  }
}

TEST(Numbers, TheSmallestFloatMasksAndIsANumber) {
  const Arguments a;
  for (const Tensor& keep : {kLeft, kSome, kNone}) {
    expect_eager(filled_with_lowest, a, keep);
    expect_eager(with_bias, a, where(keep, 0.0, kLowest).to(kFloat32));
    expect_eager(filled_with, a, keep, kLowest);
  }
  expect_eager(filled_beyond_float, a, kSome);
}

TEST(Numbers, AFewKeysAreStreamedAsMany) {
  expect_eager(few_keys, Arguments(5));
  expect_eager(last_keys, Arguments(70));
}

TEST(Numbers, DivisionIsThatOfIntegers) {
  const Arguments a;
  for (const int n : {48, 49, 98, 103, 107, -49, -50})
    for (const int m : {49, 103, 2, -7}) expect_eager(divided, a, n, m);
}

TEST(Numbers, HostArithmeticRoundsAsItIsWritten) {
  const Arguments a;
  for (const float r : {0.7f, 0.3f, 0.6f, 0.9f, 0.1f}) expect_eager(share_of_ten, a, r);
  expect_eager(cancelled, a, 9.0);
}

TEST(Numbers, WhatDoesNotFitIsRefusedAndNotWrappedAround) {
  const Arguments a;
  expect_eager(narrowed, a, std::int64_t{7});
  EXPECT_THROW(fused(narrowed, a, (std::int64_t{1} << 32) + 3), Error);
  expect_eager(less_five, a, 40u);
  EXPECT_THROW(fused(less_five, a, 3u), Error);
  for (const unsigned n : {3u, 40u}) expect_eager(at_least_five, a, n);
}

// As |q|^2 + |k|^2 - 2 q k the distances would come out at 1e-6 times |q|^2, or below 0.
TEST(Numbers, SmallDistancesKeepTheirDigits) {
  Arguments a(20);
  a.k = a.q;
  expect_eager(by_root, a);
  expect_eager(by_reciprocal, a);
}

}  // namespace
