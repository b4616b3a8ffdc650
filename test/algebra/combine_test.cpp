// SPDX-License-Identifier: Apache-2.0
// Laws of states: the empty state is neutral, combining is associative, moving references changes no result.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "programs.h"

namespace flashlight::fusion::algebra::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// One row whose keys are masked in whole stretches, so that many parts hold no key at all.
Bindings<double> sparse_row(std::mt19937& random) {
  static const auto kData = [] {
    std::vector<Bindings<double>> all;
    for (Scores kind : {Scores::kNormal, Scores::kWide, Scores::kOffset, Scores::kBig})
      for (auto& row : rows(kind, 7)) all.push_back(row);
    return all;
  }();
  Bindings<double> row = kData[random() % kData.size()];
  for (std::size_t begin = 0; begin < kKeys; begin += 4)
    if (random() % 2)
      for (std::size_t j = begin; j < std::min(begin + 4, kKeys); ++j)
        row.leaves[kMask][j] = 0, row.leaves[kBias][j] = -kInf;
  return row;
}

struct Parts {
  State<double> a, b, c;
};

Parts three_parts(const Runtime<double>& runtime, std::mt19937& random) {
  std::size_t x = random() % (kKeys + 1), y = random() % (kKeys + 1);
  if (x > y) std::swap(x, y);
  const State<double> none = runtime.empty();
  return {runtime.tile(none, 0, x), runtime.tile(none, x, y), runtime.tile(none, y, kKeys)};
}

void expect_close(double a, double b, double scale, const char* what, const std::string& name) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return;
  EXPECT_LE(std::abs(a - b), 1e-11 * std::max(scale, 1.0))
      << name << ": " << what << " " << a << " and " << b;
}

void expect_same(const State<double>& x, const State<double>& y, const std::string& name) {
  EXPECT_EQ(x.seen, y.seen);
  for (std::size_t i = 0; i < x.references.size(); ++i)
    expect_close(x.references[i], y.references[i], std::abs(x.references[i]), "reference", name);
  double scale = 0;  // deviations cancel against their references, powers of one deviation against each other
  for (double r : x.references)
    if (std::isfinite(r)) scale = std::max(scale, std::abs(r));
  for (double a : x.accumulators) scale = std::max(scale, std::abs(a));
  for (std::size_t i = 0; i < x.accumulators.size(); ++i)
    expect_close(x.accumulators[i], y.accumulators[i], scale, "state", name);
  for (std::size_t i = 0; i < x.plain.size(); ++i)
    expect_close(x.plain[i], y.plain[i], std::abs(x.plain[i]), "plain state", name);
}

class CombineTest : public testing::Test {
 protected:
  template <typename Check>
  void for_each_first_sweep(Check check) {
    for (const Program& p : programs(arena_)) {
      if (p.has_scan) continue;
      const auto result = plan(arena_, p.outputs);
      ASSERT_TRUE(std::holds_alternative<Plan>(result)) << p.name;
      check(p.name, std::get<Plan>(result).sweeps[0]);
    }
  }
  Arena arena_;
  std::mt19937 random_{11};
};

TEST_F(CombineTest, TheEmptyStateIsNeutral) {
  for_each_first_sweep([&](const std::string& name, const Sweep& sweep) {
    for (int trial = 0; trial < 20; ++trial) {
      const Bindings<double> row = sparse_row(random_);
      const Runtime<double> runtime(sweep, row);
      const State<double> a = three_parts(runtime, random_).a, none = runtime.empty();
      for (const State<double>& joined : {runtime.combine(none, a), runtime.combine(a, none)}) {
        EXPECT_EQ(joined.references, a.references) << name;
        EXPECT_EQ(joined.accumulators, a.accumulators) << name;
        EXPECT_EQ(joined.plain, a.plain) << name;
      }
    }
  });
}

TEST_F(CombineTest, CombiningIsAssociative) {
  for_each_first_sweep([&](const std::string& name, const Sweep& sweep) {
    for (int trial = 0; trial < 1700; ++trial) {
      const Bindings<double> row = sparse_row(random_);
      const Runtime<double> runtime(sweep, row);
      const auto [a, b, c] = three_parts(runtime, random_);
      expect_same(runtime.combine(runtime.combine(a, b), c), runtime.combine(a, runtime.combine(b, c)), name);
    }
  });
}

TEST_F(CombineTest, MovingTwiceIsMovingOnce) {
  for_each_first_sweep([&](const std::string& name, const Sweep& sweep) {
    for (int trial = 0; trial < 20; ++trial) {
      const Bindings<double> row = sparse_row(random_);
      const Runtime<double> runtime(sweep, row);
      const State<double> a = three_parts(runtime, random_).a;
      std::vector<double> near = a.references, far = a.references;
      for (std::size_t i = 0; i < near.size(); ++i)
        if (std::isfinite(near[i])) near[i] += 0.25, far[i] += 1.5;
      expect_same(runtime.move(runtime.move(a, near), far), runtime.move(a, far), name);
    }
  });
}

// Entropy of scores that are all hidden, beside the maximum of others that are not.
TEST_F(CombineTest, EachOutputHasItsOwnEmptyRows) {
  const Leaves leaf(arena_);
  const Expr s = where(leaf[kMask], leaf[kS], -std::numeric_limits<double>::infinity());
  const Expr log_p = s - log(reduce_sum(exp(s)));
  const auto result = plan(arena_, {reduce_sum(exp(log_p) * log_p), reduce_max(leaf[kS2])});
  const Bindings<double> row = rows(Scores::kNormal, 1)[kFullyMaskedRow];
  const Runtime<double> runtime(std::get<Plan>(result).sweeps[0], row);
  const std::vector<double> got = runtime.final(runtime.tile(runtime.empty(), 0, kKeys));
  EXPECT_EQ(got[0], 0);
  EXPECT_TRUE(std::isfinite(got[1]));
}

TEST_F(CombineTest, ScansAreRefused) {
  const Leaves leaf(arena_);
  const Expr output = reduce_sum(scan_sum(leaf[kS2], true) * leaf[kV]);
  const auto result = plan(arena_, {output});
  const Bindings<double> row = rows(Scores::kNormal, 1)[0];
  const Runtime<double> runtime(std::get<Plan>(result).sweeps[0], row);
  const State<double> a = runtime.tile(runtime.empty(), 0, 4), b = runtime.tile(runtime.empty(), 4, kKeys);
  EXPECT_THROW(runtime.combine(a, b), std::logic_error);
}

}  // namespace
}  // namespace flashlight::fusion::algebra::test
