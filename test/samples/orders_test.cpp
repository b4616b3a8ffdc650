// SPDX-License-Identifier: Apache-2.0
// Functions that are cut at an order, on the emulated device and against the program run in float64.
#include "orders.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace {

using namespace flashlight;

constexpr std::int64_t kHeads = 2, kLength = 37, kKeys = 45, kDepth = 16;

Tensor queries(std::uint64_t seed, std::int64_t length = kLength) {
  return randn({2, kHeads, length, kDepth}, seed);
}
// Scores of these are integers, of which many are equal, in every type.
Tensor integers(std::uint64_t seed, std::int64_t length) {
  return randint(-1, 2, {2, kHeads, length, kDepth}, seed).to(kFloat64);
}

// `run(f)` calls the program with f of each floating input, and integers go to g's device.
struct To {
  DType type;
  Device device;
  Tensor operator()(const Tensor& x) const {
    return (is_floating(x.dtype()) ? x.to(kFloat16).to(type) : x).to(device);
  }
};
constexpr To kReference{kFloat64, kCPU}, kFused{kFloat16, kCUDA};

void expect_near(const Tensor& got, const Tensor& wanted, double tolerance = 0.01) {
  ASSERT_EQ(got.device(), kCUDA);
  ASSERT_EQ(got.sizes(), wanted.sizes());
  EXPECT_EQ(is_floating(got.dtype()), is_floating(wanted.dtype()));
  EXPECT_LE(max_abs_diff(got.to(kCPU).to(kFloat64), wanted.to(kFloat64)), tolerance);
}

TEST(Orders, IdsAreSortedBeforeTheAttention) {
  const Tensor q = queries(1), k = queries(2), v = queries(3), ids = randint(0, 5, {2, kLength}, 4);
  for (DType type : {kInt64, kInt32, kUInt8}) {
    const auto run = [&](const To& to) { return sorted_documents(to(q), to(k), to(v), to(ids.to(type))); };
    expect_near(run(kFused), run(kReference));
  }
}

TEST(Orders, KeysAreReadInTheOrderOfIds) {
  const Tensor q = queries(1), k = queries(2), v = queries(3), ids = randint(0, 9, {kLength}, 4);
  const auto run = [&](const To& to) { return reordered_keys(to(q), to(k), to(v), to(ids)); };
  expect_near(run(kFused), run(kReference));
}

// A maximum equals the score it comes from only where both are computed alike, to the last bit.
TEST(Orders, TheBestKeyIsRecognised) {
  const Tensor q = queries(1), k = queries(2, kKeys), v = queries(3, kKeys);
  const Tensor bias = randn({kLength, kKeys}, 4);
  expect_near(all_but_best(kFused(q), kFused(k), kFused(v), kFused(bias)),
              all_but_best(kReference(q), kReference(k), kReference(v), kReference(bias)));
  expect_near(second_best(kFused(q), kFused(k), kFused(v)),
              second_best(kReference(q), kReference(k), kReference(v)));
}

TEST(Orders, KeysAreChosenByTheirNorm) {
  const Tensor q = queries(1), k = queries(2, kKeys), v = queries(3, kKeys);
  const auto run = [&](const To& to) { return largest_keys(to(q), to(k), to(v)); };
  expect_near(run(kFused), run(kReference));
  const auto few = [&](const To& to) {
    return largest_keys(to(q), to(k.slice(2, 0, 6)), to(v.slice(2, 0, 6)));
  };
  EXPECT_THROW(few(kReference), Error);
  try {
    few(kFused);
    ADD_FAILURE() << "seven of six keys";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("k must not be larger than the dim"), std::string::npos)
        << error.what();
  }
}

TEST(Orders, TheResultsRowsAreSorted) {
  // One value a column, so that no two of a row are near each other.
  const Tensor q = queries(1), k = queries(2, kKeys);
  const Tensor v = (arange(kDepth).to(kFloat64) * 7 % double(kDepth)).expand({2, kHeads, kKeys, kDepth});
  const auto run = [&](const To& to) { return sorted_result(to(q), to(k), to(v)); };
  const auto got = run(kFused), wanted = run(kReference);
  EXPECT_EQ(got.first.dtype(), kFloat16);
  EXPECT_EQ(got.second.dtype(), kInt64);
  expect_near(got.first, wanted.first);
  expect_near(got.second, wanted.second, 0);
}

// The results, and positions exactly, of scores with many ties.
template <class F> void expect_same_with_ties(F function) {
  const Tensor q = integers(1, kLength), k = integers(2, kKeys), v = queries(3, kKeys);
  const auto run = [&](const To& to) { return function(to(q), to(k), to(v)); };
  const auto got = run(kFused), wanted = run(kReference);
  expect_near(got.first, wanted.first);
  expect_near(got.second, wanted.second, 0);
}

TEST(Orders, TheFirstOfEqualScoresIsTheBest) { expect_same_with_ties(with_best_key); }

TEST(Orders, ThresholdsKeepWhatTheOrderFound) {
  // The last of the best keys must pass its own threshold, and equal ones with it: one key lost would be a
  // large error.
  for (std::uint64_t seed : {1, 2, 3})
    for (std::int64_t best : {1, 5, 45}) {
      const Tensor q = integers(seed, kLength), k = integers(seed + 10, kKeys), v = queries(seed + 20, kKeys);
      const auto run = [&](const To& to) { return best_keys(to(q), to(k), to(v), best); };
      const Best got = run(kFused), wanted = run(kReference);
      expect_near(got.result, wanted.result);
      expect_near(got.values, wanted.values);
      expect_near(got.keys, wanted.keys, 0);
    }
}

// Scores that the kernel computed again would round otherwise than those that were ordered, and half of all
// rows see nothing.
TEST(Orders, EveryQuerySeesItsBestKey) {
  const Tensor q = queries(1), k = queries(2, kKeys), v = 1 + square(queries(3, kKeys));
  const Best got = best_keys(kFused(q), kFused(k), kFused(v), 1);
  EXPECT_GE(got.result.to(kCPU).to(kFloat64).amin().item<double>(), 0.99);
}

TEST(Orders, NumbersOfElementsAreCheckedAtLaunch) {
  const Tensor q = queries(1), k = queries(2, kKeys), v = queries(3, kKeys);
  for (std::int64_t best : {-1, 46})
    for (const To& to : {kReference, kFused})
      EXPECT_THROW(best_keys(to(q), to(k), to(v), best), Error) << best;
}

TEST(Orders, PositionsAreExactFromStepToStep) { expect_same_with_ties(next_of_best); }

TEST(Orders, WhatIsOrderedMayBeAProduct) {
  const Tensor x = randn({2, kLength, 24}, 1), w = randn({24, kDepth}, 2) / 5,
               k = randn({2, kKeys, kDepth}, 3), v = randn({2, kKeys, kDepth}, 4);
  const auto run = [&](const To& to) { return sorted_projections(to(x), to(w), to(k), to(v)); };
  expect_near(run(kFused), run(kReference), 0.02);
}

TEST(Orders, NaNIsTheLargest) {
  Tensor q = integers(1, kLength);
  const Tensor k = integers(2, kKeys), v = queries(3, kKeys);
  q = where((arange(kLength) == 5).unsqueeze(-1), std::numeric_limits<double>::quiet_NaN(), q);
  const auto run = [&](const To& to) { return with_best_key(to(q), to(k), to(v)); };
  const Tensor got = run(kFused).second;
  expect_near(got, run(kReference).second, 0);
  EXPECT_EQ(got.to(kCPU).slice(2, 5, 6).slice(1, 0, 1).slice(0, 0, 1).item<std::int64_t>(), 0);
}

TEST(Orders, NothingOfNothing) {
  const Tensor q = zeros({2, kHeads, 0, kDepth}), k = queries(2, kKeys), v = queries(3, kKeys);
  const auto got = with_best_key(kFused(q), kFused(k), kFused(v));
  EXPECT_EQ(got.first.numel(), 0);
  EXPECT_EQ(got.second.numel(), 0);
}

}  // namespace
