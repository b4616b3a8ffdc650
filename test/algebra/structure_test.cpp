// SPDX-License-Identifier: Apache-2.0
// What a kernel generator reads from a plan: factors, guards, references, moves, values without keys, and its
// text.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "fusion/algebra/plan.h"
#include "programs.h"

namespace flashlight::fusion::algebra::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

class StructureTest : public testing::Test {
 protected:
  Sweep only_sweep(std::vector<Expr> outputs, PlanOptions options = {}) {
    const auto result = plan(arena_, outputs, options);
    if (const auto* r = std::get_if<Refusal>(&result)) {
      ADD_FAILURE() << r->text;
      return {};
    }
    EXPECT_EQ(std::get<Plan>(result).sweeps.size(), 1u);
    return std::get<Plan>(result).sweeps[0];
  }

  Arena arena_;
  Leaves leaf_{arena_};
  Expr s_ = leaf_[kS], v_ = leaf_[kV], w_ = leaf_[kW], mask_ = leaf_[kMask];
  Expr m_ = masked_scores(leaf_), p_ = softmax(m_);
};

TEST_F(StructureTest, SoftmaxIsOneMaximumAndTwoSums) {
  const Sweep s = only_sweep({reduce_sum(p_ * v_)});
  ASSERT_EQ(s.references.size(), 1u);
  EXPECT_EQ(s.references[0].kind, ReferenceKind::kRunningMax);
  EXPECT_EQ(s.references[0].value, s_);
  EXPECT_EQ(s.references[0].guard, mask_);
  ASSERT_EQ(s.accumulators.size(), 2u);
  for (const Accumulator& a : s.accumulators) {
    EXPECT_EQ(a.guard, mask_);
    ASSERT_EQ(a.exponents.size(), 1u);
    EXPECT_EQ(a.exponents[0].u, s_);
    EXPECT_EQ(a.exponents[0].lambda, 1);
    EXPECT_EQ(a.exponents[0].reference, 0);
    ASSERT_EQ(a.move.size(), 1u);
    EXPECT_EQ(a.move[0].coefficient, 1);
  }
  EXPECT_TRUE(s.accumulators[0].factors.empty());
  EXPECT_TRUE(s.accumulators[0].exact_sum);
  ASSERT_EQ(s.accumulators[1].factors.size(), 1u);
  EXPECT_EQ(s.accumulators[1].factors[0].atom, v_);
  EXPECT_FALSE(s.accumulators[1].exact_sum);
  EXPECT_EQ(s.empty_values[0], 0.0);
}

// 1 / where(c, s, 0) is infinite where c does not hold: c is no guard of the sum.
TEST_F(StructureTest, AReciprocalKeepsWhatItsMaskHides) {
  const Expr hidden = where(mask_, s_, 0.0);
  for (double power : {-1.0, -2.0}) {
    const Sweep s = only_sweep({reduce_sum(pow(hidden, power) * v_)});
    ASSERT_EQ(s.accumulators.size(), 1u);
    EXPECT_FALSE(s.accumulators[0].guard) << to_string(s.accumulators[0].guard);
    EXPECT_EQ(s.accumulators[0].product, v_ * pow(hidden, power)) << to_string(s.accumulators[0].product);
  }
  const Sweep square = only_sweep({reduce_sum(pow(hidden, 2) * v_)});
  ASSERT_EQ(square.accumulators.size(), 1u);
  EXPECT_EQ(square.accumulators[0].guard, mask_);
}

TEST_F(StructureTest, EverySpellingOfSoftmaxIsOneSweep) {
  const std::string expected = to_string(only_sweep({reduce_sum(p_ * v_)}).fixups[0]);
  EXPECT_EQ(to_string(only_sweep({reduce_sum(naive_softmax(m_) * v_)}).fixups[0]), expected);
  EXPECT_EQ(to_string(only_sweep({reduce_sum(exp(m_ - log_sum_exp(m_)) * v_)}).fixups[0]), expected);
  const Expr inverted = where(not_of(mask_), -kInf, s_), e = exp(inverted - reduce_max(inverted));
  EXPECT_EQ(to_string(only_sweep({reduce_sum(e * v_) / reduce_sum(e)}).fixups[0]), expected);
}

TEST_F(StructureTest, NestedAndAdditiveMasksBecomeOneGuard) {
  const Expr window = gt(leaf_[kPos], leaf_[kI]);
  const Expr nested = where(window, m_, -kInf);
  const Expr additive = s_ + where(mask_, 0.0, -kInf) + where(window, 0.0, -kInf);
  const Expr after = where(mask_, s_, -kInf) + where(window, 0.0, -kInf);
  for (Expr scores : {nested, additive, after}) {
    const Sweep s = only_sweep({reduce_sum(softmax(scores) * v_), reduce_max(scores)});
    EXPECT_TRUE(s.plain.empty());
    EXPECT_EQ(s.references.size(), 1u);
    for (const Accumulator& a : s.accumulators) {
      ASSERT_TRUE(a.guard.is(Op::kAnd));
      EXPECT_EQ(a.guard.args().size(), 2u);
      EXPECT_EQ(a.exponents[0].u, s_);
    }
  }
}

TEST_F(StructureTest, ScaledScoresShareTheUsersMaximum) {
  const Expr scores = where(mask_, s_ * 0.3 + leaf_[kBias], -kInf);
  const Sweep s = only_sweep({reduce_sum(softmax(scores) * v_), reduce_max(scores), log_sum_exp(scores)});
  EXPECT_EQ(s.references.size(), 1u);
  EXPECT_TRUE(s.plain.empty());
  EXPECT_EQ(s.accumulators.size(), 2u);
  EXPECT_NEAR(s.accumulators[0].exponents[0].lambda, 0.3, 1e-15);
}

TEST_F(StructureTest, EntropyCentresByTheSoftmaxReference) {
  const Expr scores = where(mask_, s_ * 0.3 + leaf_[kBias], -kInf), p = softmax(scores);
  const Sweep s = only_sweep({-reduce_sum(p * log(p))});
  EXPECT_EQ(s.references.size(), 1u);
  ASSERT_EQ(s.accumulators.size(), 2u);
  const Accumulator& a = s.accumulators[1];
  ASSERT_EQ(a.powers.size(), 1u);
  EXPECT_EQ(a.powers[0].reference, a.exponents[0].reference);
  EXPECT_EQ(a.powers[0].x, a.exponents[0].u);
}

TEST_F(StructureTest, VarianceMovesByTheBinomialTheorem) {
  const Expr n = leaf_.length(), mean = reduce_sum(s_) / n;
  const Sweep s = only_sweep({reduce_sum(pow(s_ - mean, 2)) / n});
  ASSERT_EQ(s.references.size(), 1u);
  EXPECT_EQ(s.references[0].kind, ReferenceKind::kRunningMean);
  EXPECT_EQ(s.references[0].weight, -1);
  ASSERT_EQ(s.accumulators.size(), 2u);
  const std::vector<MoveTerm>& move = s.accumulators[1].move;  // A2' = d^2 J + 2 d A1 + A2
  ASSERT_EQ(move.size(), 3u);
  EXPECT_EQ(move[0].source, -1);
  EXPECT_EQ(move[0].delta_powers, std::vector<int>{2});
  EXPECT_EQ(move[1].coefficient, 2);
  EXPECT_EQ(move[1].source, 0);
  EXPECT_EQ(move[2].source, 1);
  EXPECT_EQ(move[2].delta_powers, std::vector<int>{0});
}

TEST_F(StructureTest, MinMaxIsCentredByItsMinimum) {
  const Sweep s = only_sweep({reduce_sum((s_ - reduce_min(s_)) / (reduce_max(s_) - reduce_min(s_)) * v_)});
  ASSERT_EQ(s.references.size(), 1u);
  EXPECT_EQ(to_string(s.references[0].value), "-s");
  EXPECT_EQ(s.plain.size(), 1u);
  ASSERT_EQ(s.accumulators.size(), 2u);
  EXPECT_EQ(s.accumulators[1].powers[0].x, s.references[0].value);
}

TEST_F(StructureTest, AReferenceOfOtherKeysIsNotShared) {
  const Expr n = leaf_.length(), mean = reduce_sum(s_) / n;
  const Sweep s = only_sweep({reduce_sum(pow(s_ - mean, 2)) / n, reduce_sum(p_ * v_)});
  ASSERT_EQ(s.references.size(), 2u);  // the mean of all scores, the maximum of the kept ones
  EXPECT_EQ(s.references[1].kind, ReferenceKind::kRunningMean);
}

TEST_F(StructureTest, MasksOutliveLogarithmsAndOtherMasks) {
  const Expr window = gt(leaf_[kPos], leaf_[kI]);
  const Expr other = where(window, leaf_[kS2], -kInf);
  const std::vector<Expr> outputs = {reduce_max(log(p_)), reduce_sum(where(mask_, p_ * other, 0.0))};
  const Sweep s = only_sweep(outputs);
  Plan plan;
  plan.sweeps = {s};
  Bindings<double> row = rows(Scores::kNormal, 9)[4];
  row.leaves[kS][2] = 50;
  row.leaves[kMask][2] = 0;  // the largest score is masked
  row.leaves[kMask][1] = 1;  // kept, but outside the window
  const std::vector<double> exact = eager<double>(outputs, row), got = fused<double>(plan, row, 4);
  EXPECT_NEAR(got[0], exact[0], 1e-12);
  EXPECT_EQ(exact[1], -kInf);
  EXPECT_EQ(got[1], -kInf);
}

TEST_F(StructureTest, ColumnsStayFactors) {
  const Expr v2 = [&] {
    LeafInfo info;
    info.streamed = info.column = true;
    info.name = "v2";
    return arena_.leaf(100, info);
  }();
  for (Expr value : {v_ + w_, v_ * w_ + v2 * leaf_[kS2], v_ + v2}) {
    const Sweep s = only_sweep({reduce_sum(p_ * value)});
    for (const Accumulator& a : s.accumulators)
      for (const Factor& f : a.factors)
        if (f.atom.node().column) {
          EXPECT_TRUE(collect(f.atom, {Op::kLeaf}).size() == 1 || value == v_ + v2) << to_string(f.atom);
        }
    EXPECT_EQ(s.accumulators.size(), value == v_ + v2 ? 2u : 3u);
  }
  const Sweep sums = only_sweep({reduce_sum(v_ * w_ + v2 * s_)});
  EXPECT_EQ(sums.accumulators.size(), 2u);
}

TEST_F(StructureTest, ColumnMeansDoNotDependOnTheRow) {
  const Expr variance = reduce_sum(p_ * v_ * v_) - pow(reduce_sum(p_ * v_), 2);
  const Sweep same = only_sweep({variance});
  ASSERT_EQ(same.references.size(), 2u);
  EXPECT_EQ(same.references[1].weight, -1);
  PlanOptions options;
  options.column_means = false;
  const Sweep own = only_sweep({variance}, options);
  ASSERT_EQ(own.references.size(), 2u);
  EXPECT_GE(own.references[1].weight, 0);
  // Weighted by the row, the deviation of a row with one key is exactly zero.
  Bindings<float> row = converted<float>(rows(Scores::kNormal, 5)[0]);
  for (std::size_t j = 0; j < kKeys; ++j) row.leaves[kMask][j] = j == 7;
  Plan plan;
  plan.sweeps = {own};
  EXPECT_EQ(fused<float>(plan, row, 4)[0], 0);
}

TEST_F(StructureTest, BoundedExponentsNeedNoMaximum) {
  const Expr capped = where(mask_, 30 * tanh(s_ / 30.0), -kInf);
  EXPECT_TRUE(only_sweep({reduce_sum(naive_softmax(capped) * v_)}).references.empty());
  PlanOptions options;
  options.static_references = false;
  EXPECT_EQ(only_sweep({reduce_sum(naive_softmax(capped) * v_)}, options).references.size(), 1u);
  const Expr wide = where(mask_, 31 * tanh(s_ / 30.0), -kInf);
  EXPECT_EQ(only_sweep({reduce_sum(naive_softmax(wide) * v_)}).references.size(), 1u);
  LeafInfo info;
  info.streamed = true;
  info.lo = -20;
  info.hi = 20;
  EXPECT_TRUE(only_sweep({reduce_sum(naive_softmax(arena_.leaf(101, info)) * v_)}).references.empty());
}

TEST_F(StructureTest, LazyMaximaAreApartFromTheUsers) {
  PlanOptions options;
  options.lazy = true;
  const Sweep s = only_sweep({reduce_sum(p_ * v_), reduce_max(m_)}, options);
  ASSERT_EQ(s.references.size(), 1u);
  EXPECT_TRUE(s.references[0].lazy);
  ASSERT_EQ(s.plain.size(), 1u);
  EXPECT_EQ(s.plain[0].value, m_);
}

TEST_F(StructureTest, OnlyTheReductionsALaterSweepUsesAreMadeKnown) {
  const Expr n = leaf_.length(), mean = reduce_sum(s_) / n;
  const Expr z = (s_ - mean) / sqrt(reduce_sum(pow(s_ - mean, 2)) / n + 1e-6);
  const auto result = plan(arena_, {reduce_sum(softmax(z) * v_)});
  const std::vector<Sweep>& sweeps = std::get<Plan>(result).sweeps;
  ASSERT_EQ(sweeps.size(), 2u);
  EXPECT_EQ(sweeps[0].targets.size(), 2u);  // not the maximum of z
  EXPECT_TRUE(sweeps[0].plain.empty());
  EXPECT_EQ(sweeps[1].knowns, sweeps[0].targets);
}

// sum_j (sum_g c_g p_g) v for so many softmaxes p_g of scores of their own, each weighted sum written out or
// not.
Expr mixed(Arena& arena, int count, Expr v, Expr mask, bool apart) {
  Expr all, weights;
  for (int g = 0; g < count; ++g) {
    LeafInfo score, factor;
    score.streamed = true;
    score.name = "s" + std::to_string(g);
    factor.name = "c" + std::to_string(g);
    const Expr p = softmax(where(mask, arena.leaf(200 + g, score), -kInf)), c = arena.leaf(300 + g, factor);
    weights = weights ? weights + c * p : c * p;
    all = all ? all + c * reduce_sum(p * v) : c * reduce_sum(p * v);
  }
  return apart ? all : reduce_sum(weights * v);
}

TEST_F(StructureTest, ManySumsOfOneColumnFactorAreSharedInASecondSweep) {
  for (const bool apart : {false, true}) {
    const auto result = plan(arena_, {mixed(arena_, 4, v_, mask_, apart)});
    const Plan& four = std::get<Plan>(result);
    ASSERT_EQ(four.sweeps.size(), 2u);
    EXPECT_EQ(four.sweeps[0].references.size(), 4u);
    EXPECT_EQ(four.sweeps[0].targets.size(), 8u);  // a maximum and a sum each
    EXPECT_TRUE(four.sweeps[1].references.empty());
    ASSERT_EQ(four.sweeps[1].accumulators.size(), 1u);
    EXPECT_EQ(four.sweeps[1].accumulators[0].guard, mask_);
    EXPECT_NE(explain(four).find("not fewer: many-accumulators: one sweep would keep 4 sums"),
              std::string::npos)
        << explain(four);
    const auto few = plan(arena_, {mixed(arena_, 3, v_, mask_, apart)});
    EXPECT_EQ(std::get<Plan>(few).sweeps.size(), 1u);
    PlanOptions single;
    single.max_sweeps = 1;
    EXPECT_EQ(std::get<Plan>(plan(arena_, {mixed(arena_, 4, v_, mask_, apart)}, single)).sweeps.size(), 1u);
  }
}

TEST_F(StructureTest, SumsOfOneColumnFactorWithoutExponentialsAreOne) {
  Expr sum;
  for (Expr x : {leaf_[kS], leaf_[kS2], leaf_[kKn], leaf_[kFj]}) {
    const Expr term = (sum ? leaf_[kT] : leaf_[kLam]) * reduce_sum(sigmoid(x) * v_);
    sum = sum ? sum + term : term;
  }
  EXPECT_EQ(only_sweep({sum}).accumulators.size(), 1u);
}

TEST_F(StructureTest, RowsWithoutKeysHaveAValue) {
  const Expr sink = leaf_[kSink];
  const Expr total = reduce_sum(exp(m_)) + exp(sink);
  const std::vector<Expr> outputs = {reduce_sum(p_ * v_),
                                     log_sum_exp(m_),
                                     reduce_max(m_),
                                     reduce_sum(exp(m_) / total * v_),
                                     log(total),
                                     reduce_sum(exp(m_) * v_) / reduce_sum(exp(m_)),
                                     -reduce_sum(where(gt(p_, 0.0), p_ * log(p_), 0.0))};
  const Sweep s = only_sweep(outputs);
  EXPECT_EQ(s.empty_values[0], 0.0);
  EXPECT_EQ(s.empty_values[1], -kInf);
  EXPECT_EQ(s.empty_values[2], -kInf);
  EXPECT_EQ(s.empty_values[3], 0.0);
  EXPECT_FALSE(s.empty_values[4].has_value());
  EXPECT_EQ(s.empty_values[5], 0.0);
  EXPECT_EQ(s.empty_values[6], 0.0);
  const Bindings<double> row = rows(Scores::kNormal, 2)[kFullyMaskedRow];
  Plan plan;
  plan.sweeps = {s};
  for (std::size_t tile : {1, 5, 23}) {
    const std::vector<double> got = fused<double>(plan, row, tile, {4, 9});
    EXPECT_EQ(got[0], 0);
    EXPECT_EQ(got[1], -kInf);
    EXPECT_EQ(got[3], 0);
    EXPECT_NEAR(got[4], row.leaves.at(kSink)[0], 1e-15);
    EXPECT_EQ(got[5], 0);
  }
  EXPECT_TRUE(std::isnan(fused<double>(plan, row, 5, {}, 0, true)[0]));
}

TEST_F(StructureTest, ExplainNamesEveryState) {
  const auto result = plan(arena_, {reduce_sum(p_ * v_)});
  EXPECT_EQ(explain(std::get<Plan>(result)),
            "sweep 1 of 1\n"
            "  reference running max of s where mask\n"
            "  state sum{exp(s - max) | mask}\n"
            "  state sum{v*exp(s - max) | mask}\n"
            "  target sum(exp(where(mask, s, -inf) - max(where(mask, s, -inf)))*"
            "sum(exp(where(mask, s, -inf) - max(where(mask, s, -inf))))^-1*v)\n"
            "    = sum{exp(s - max) | mask}^-1*sum{v*exp(s - max) | mask}\n"
            "    without keys 0\n");
}

TEST(Determinism, TheTextDoesNotDependOnTheArenaOrOnNames) {
  const auto text = [](const std::string& prefix) {
    Arena arena;
    std::string out;
    for (const Program& p : programs(arena, prefix))
      out += p.name + "\n" + explain(std::get<Plan>(plan(arena, p.outputs)));
    return out;
  };
  const std::string once = text("");
  EXPECT_EQ(text(""), once);
  std::string renamed = text("zz_");
  EXPECT_NE(renamed, once);
  for (std::size_t at; (at = renamed.find("zz_")) != std::string::npos;) renamed.erase(at, 3);
  EXPECT_EQ(renamed, once);
}

TEST(Determinism, PlanningTwiceInOneArenaYieldsTheSameNodes) {
  Arena arena;
  for (const Program& p : programs(arena)) {
    const Plan first = std::get<Plan>(plan(arena, p.outputs));
    const std::size_t size = arena.size();
    const Plan second = std::get<Plan>(plan(arena, p.outputs));
    EXPECT_EQ(arena.size(), size) << p.name;
    for (std::size_t k = 0; k < first.sweeps.size(); ++k)
      EXPECT_EQ(first.sweeps[k].fixups, second.sweeps[k].fixups) << p.name;
  }
}

}  // namespace
}  // namespace flashlight::fusion::algebra::test
