// SPDX-License-Identifier: Apache-2.0
// Results seen as views, on the emulated device and against the program run in float64.
#include "views.h"

#include <gtest/gtest.h>

#include <cmath>

namespace {

using namespace flashlight;

// `run(f)` calls the program with f of each input.
template <class Run> void agree(const Run& run, double tolerance = 0.02) {
  const Tensor wanted = run([](const Tensor& x) { return x.to(kFloat16).to(kFloat64); });
  const Tensor got = run([](const Tensor& x) { return x.to(kFloat16).to(kCUDA); });
  ASSERT_EQ(got.device(), kCUDA);
  EXPECT_EQ(got.dtype(), kFloat16);
  EXPECT_LE(max_abs_diff(got.to(kCPU).to(kFloat64), wanted), tolerance);
}

constexpr std::int64_t kDepth = 24;

struct Heads {
  std::int64_t sq = 37, sk = 45;
  Tensor q = randn({2, 3, sq, kDepth}, 1), k = randn({2, 3, sk, kDepth}, 2), v = randn({2, 3, sk, kDepth}, 3);
};

TEST(Views, FirstRowsOfBlocks) {
  const Heads t{48, 48};
  for (const long long first : {5ll, 16ll, 47ll, 48ll, 60ll})
    agree([&](auto f) { return first_of_blocks(f(t.q), f(t.k), f(t.v), first); });
}

TEST(Views, BlocksWithAGateAndAResidual) {
  const Heads t{48, 48};
  agree([&](auto f) { return gated_blocks(f(t.q), f(t.k), f(t.v)); });
}

TEST(Views, PointsSideBySide) {
  const Heads t;
  const Tensor v = randn({2, 3, t.sk, 3, 4}, 4);
  agree([&](auto f) { return points_side_by_side(f(t.q), f(t.k), f(v)); });
}

TEST(Views, GroupedQueries) {
  const Tensor q = randn({2, 37, 6, kDepth}, 1), k = randn({2, 37, 2, kDepth}, 2),
               v = randn({2, 37, 2, kDepth}, 3);
  agree([&](auto f) { return grouped_queries(f(q), f(k), f(v)); });
}

TEST(Views, ScoresSummedOverHeads) {
  const Heads t;
  const Tensor k = randn({2, t.sk, kDepth}, 5), v = randn({2, t.sk, kDepth}, 6);
  agree([&](auto f) { return summed_scores(f(t.q), f(k), f(v)); });
}

TEST(Views, PartsOfAResult) {
  const Heads t;
  agree([&](auto f) { return with_mean(f(t.q), f(t.k), f(t.v)); });
  agree([&](auto f) { return with_zeros(f(t.q), f(t.k), f(t.v)); });
  const Tensor c = randn({2, 3, t.sk, kDepth}, 7);
  agree([&](auto f) { return stacked(f(t.q), f(t.k), f(t.v), f(c)); });
}

TEST(Views, AMeanOverHeadsAndRows) {
  const Heads t;
  agree([&](auto f) { return mean_of_all(f(t.q), f(t.k), f(t.v)); });
}

TEST(Views, LayersWithoutProductsInTheirScores) {
  const Tensor x = randn({2, 37, 20}, 1);
  const auto weight = [](Sizes sizes, std::uint64_t seed) {
    return randn(sizes, seed) / std::sqrt(double(sizes[0]));
  };
  agree([&](auto f) {
    return graph_layer(f(x), f(weight({20, kDepth}, 2)), f(weight({kDepth}, 3)), f(weight({kDepth}, 4)));
  });
  agree([&](auto f) {
    return additive_layer(f(x), {f(weight({20, kDepth}, 2)), f(weight({20, kDepth}, 3)),
                                 f(weight({20, 16}, 4)), f(weight({16, 20}, 5)), f(weight({kDepth}, 6))});
  });
}

}  // namespace
