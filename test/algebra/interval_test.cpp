// SPDX-License-Identifier: Apache-2.0
// Bounds and signs hold for every value an expression takes.
#include "fusion/algebra/interval.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "programs.h"

namespace flashlight::fusion::algebra::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(Interval, KnowsTheBoundsOfCommonMaps) {
  Arena arena;
  const Leaves leaf(arena);
  const Expr s = leaf[kS];
  const auto expect = [](Expr e, double lo, double hi) {
    EXPECT_NEAR(range(e).lo, lo, 1e-12) << to_string(e);
    EXPECT_NEAR(range(e).hi, hi, 1e-12) << to_string(e);
  };
  expect(30 * tanh(s / 30.0), -30, 30);
  expect(sigmoid(s) - 2.0, -2, -1);
  expect(exp(-relu(s)), 0, 1);
  expect(pow(tanh(s), 2), 0, 1);
  expect(pow(tanh(s), 3) * -2.0, -2, 2);
  expect(abs(tanh(s) - 3.0), 2, 4);
  expect(max2(tanh(s), 0.5) + min2(sigmoid(s), 0.25), 0.5, 1.25);
  expect(where(leaf[kMask], tanh(s), 5.0), -1, 5);
  expect(pow(sigmoid(s) + 1.0, -1), 0.5, 1);
  EXPECT_EQ(range(s * s).lo, -kInf);  // not seen as a square
  EXPECT_EQ(range(where(leaf[kMask], tanh(s), -kInf)).lo, -kInf);
}

TEST(Interval, AMaskedExponentIsBoundedByWhatItKeeps) {
  Arena arena;
  const Leaves leaf(arena);
  const Expr e = where(leaf[kMask], 3 * tanh(leaf[kS]), -kInf) * 2.0 + 1.0;
  EXPECT_EQ(finite_range(e).lo, -5);
  EXPECT_EQ(finite_range(e).hi, 7);
}

TEST(Interval, Signs) {
  Arena arena;
  const Leaves leaf(arena);
  const Expr s = leaf[kS];
  for (Expr e : {exp(s), abs(s), relu(s) * sigmoid(s), pow(s, 2), pow(s, -2), max2(s, 0.0),
                 reduce_sum(exp(s)), where(leaf[kMask], exp(s), 0.0), leaf.length(), sqrt(s)})
    EXPECT_TRUE(is_nonneg(e)) << to_string(e);
  for (Expr e : {s, s * abs(s), tanh(s), pow(s, 3), exp(s) - 1.0, log(s), reduce_max(s), max2(s, -1.0)})
    EXPECT_FALSE(is_nonneg(e)) << to_string(e);
  EXPECT_TRUE(is_positive(reduce_sum(where(leaf[kMask], exp(s), 0.0))));
  EXPECT_TRUE(is_positive(1 / (abs(s) + 1.0)));
  EXPECT_FALSE(is_positive(abs(s)));
  EXPECT_FALSE(is_positive(reduce_sum(relu(s))));
}

// Random expressions at random points.
TEST(Interval, ContainsEveryValue) {
  std::mt19937 random(5);
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int trial = 0; trial < 2000; ++trial) {
    Arena arena;
    const Leaves leaf(arena);
    LeafInfo bounded;
    bounded.streamed = true;
    bounded.lo = -1.5;
    bounded.hi = 2;
    std::vector<Expr> pool{leaf[kS], arena.leaf(50, bounded), arena.constant(pick(7) - 3)};
    for (int i = 0; i < 8; ++i) {
      const Expr x = pool[random() % pool.size()], y = pool[random() % pool.size()];
      const double exponents[] = {-2, -1, 0.5, 2, 3};
      switch (pick(12)) {
        case 0: pool.push_back(x + y); break;
        case 1: pool.push_back(x * y); break;
        case 2: pool.push_back(pow(x, exponents[pick(5)])); break;
        case 3: pool.push_back(exp(x)); break;
        case 4: pool.push_back(log(x)); break;
        case 5: pool.push_back(abs(x)); break;
        case 6: pool.push_back(relu(x)); break;
        case 7: pool.push_back(tanh(x)); break;
        case 8: pool.push_back(sigmoid(x)); break;
        case 9: pool.push_back(max2(x, y)); break;
        case 10: pool.push_back(min2(x, y)); break;
        default: pool.push_back(where(gt(x, y), x, y)); break;
      }
    }
    Bindings<double> row = rows(Scores::kNormal, static_cast<unsigned>(trial))[0];
    for (std::size_t j = 0; j < kKeys; ++j)
      row.leaves[50].push_back(-1.5 + 3.5 * static_cast<double>(j) / (kKeys - 1));
    for (Expr e : pool) {
      const double lo = eager<double>({reduce_min(e)}, row)[0], hi = eager<double>({reduce_max(e)}, row)[0];
      if (std::isnan(lo)) continue;
      const double slack = 1e-9 * (1 + std::min(std::abs(lo), 1e300));
      EXPECT_GE(lo, range(e).lo - slack) << to_string(e);
      EXPECT_LE(hi, range(e).hi + 1e-9 * (1 + std::min(std::abs(hi), 1e300))) << to_string(e);
      if (is_nonneg(e) || is_positive(e)) { EXPECT_GE(lo, 0) << to_string(e); }
    }
  }
}

}  // namespace
}  // namespace flashlight::fusion::algebra::test
