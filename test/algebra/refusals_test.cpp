// SPDX-License-Identifier: Apache-2.0
// Every reason has a program that yields it, and more sweeps help where they can.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "fusion/algebra/plan.h"
#include "programs.h"

namespace flashlight::fusion::algebra::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

class RefusalTest : public testing::Test {
 protected:
  // The refusal in one sweep, and the number of sweeps that do it (0: none).
  void expect(Expr output, Reason reason, const char* id, std::size_t sweeps) {
    PlanOptions one;
    one.max_sweeps = 1;
    const auto refused = plan(arena_, {output}, one);
    ASSERT_TRUE(std::holds_alternative<Refusal>(refused)) << id << ": " << explain(std::get<Plan>(refused));
    const Refusal& r = std::get<Refusal>(refused);
    EXPECT_EQ(r.reason, reason) << r.text;
    EXPECT_STREQ(reason_id(r.reason), id);
    EXPECT_FALSE(r.text.empty());
    EXPECT_TRUE(r.at);
    EXPECT_NE(std::string(reason_hint(r.reason)), "");
    const auto result = plan(arena_, {output});
    ASSERT_EQ(std::holds_alternative<Plan>(result), sweeps > 0) << id;
    if (sweeps > 0) { EXPECT_EQ(std::get<Plan>(result).sweeps.size(), sweeps); }
  }

  Arena arena_;
  Leaves leaf_{arena_};
  Expr s_ = leaf_[kS], s2_ = leaf_[kS2], v_ = leaf_[kV], w_ = leaf_[kW], mask_ = leaf_[kMask];
  Expr n_ = leaf_.length(), p_ = softmax(masked_scores(leaf_)), mean_ = reduce_sum(s_) / n_;
};

TEST_F(RefusalTest, Exponent) {
  expect(reduce_sum(softmax(s_ / (1 + abs(reduce_max(s_)))) * v_), Reason::kInseparableExponent,
         "inseparable-exponent", 2);
}
TEST_F(RefusalTest, Log) {
  expect(-reduce_sum(p_ * log(p_ + 1e-9)), Reason::kInseparableLog, "inseparable-log", 2);
}
TEST_F(RefusalTest, Power) {
  expect(reduce_sum(v_ / (s_ + reduce_sum(abs(s2_)))), Reason::kInseparablePower, "inseparable-power", 2);
  expect(reduce_sum(v_ / p_), Reason::kInseparablePower, "inseparable-power",
         2);  // infinite where p is masked
}
TEST_F(RefusalTest, Sign) {
  expect(reduce_sum(sqrt(s_ * reduce_sum(s2_)) * v_), Reason::kSignUnknown, "sign-unknown", 2);
  expect(reduce_prod(s_ * reduce_sum(s2_)), Reason::kSignUnknown, "sign-unknown", 2);
}
TEST_F(RefusalTest, Comparison) {
  expect(reduce_sum(where(gt(p_, 1 / n_), p_, 0.0) * v_), Reason::kComparisonWithReduction,
         "comparison-with-reduction", 2);
  expect(reduce_sum(where(eq(p_, reduce_max(p_)), v_, 0.0)), Reason::kComparisonWithReduction,
         "comparison-with-reduction", 2);
  expect(reduce_sum(where(eq(exp(s_), exp(reduce_max(s_))), v_, 0.0)), Reason::kComparisonWithReduction,
         "comparison-with-reduction", 2);
  expect(reduce_sum(where(gt(s_ * reduce_sum(s2_), 0.0), v_, 0.0)), Reason::kComparisonWithReduction,
         "comparison-with-reduction", 2);
}
TEST_F(RefusalTest, Max) {
  expect(reduce_max(s_ * reduce_sum(w_) + s2_ * reduce_sum(v_)), Reason::kInseparableMax, "inseparable-max",
         2);
  expect(reduce_max(p_ * w_), Reason::kInseparableMax, "inseparable-max", 2);
}
TEST_F(RefusalTest, Product) {
  expect(reduce_prod(s_ + reduce_sum(w_)), Reason::kInseparableProduct, "inseparable-product", 2);
}
TEST_F(RefusalTest, Clamp) {
  expect(reduce_sum(max2(s_, mean_) * v_), Reason::kInseparableClamp, "inseparable-clamp", 2);
}
TEST_F(RefusalTest, Function) {
  expect(reduce_sum(sigmoid(s_ - mean_) * v_), Reason::kInseparableFunction, "inseparable-function", 2);
  expect(reduce_sum(call(arena_, 3, {s_, mean_}) * v_), Reason::kInseparableFunction, "inseparable-function",
         2);
}
TEST_F(RefusalTest, Select) {
  expect(reduce_max(where(mask_, s_ * reduce_sum(w_), -kInf)), Reason::kInseparableSelect,
         "inseparable-select", 2);
}
TEST_F(RefusalTest, Scan) {
  expect(reduce_sum(scan_sum(p_, false) * v_), Reason::kInseparableScan, "inseparable-scan", 2);
}
TEST_F(RefusalTest, Opaque) {
  expect(s_ * 2.0, Reason::kOpaque, "opaque", 0);
  expect(reduce_sum(where(eq(s_, reduce_max(s_)), softmax(s2_) * v_, 0.0)), Reason::kOpaque, "opaque", 2);
}

TEST_F(RefusalTest, TooManySweepsIsARefusal) {
  Expr x = s_;
  for (int i = 0; i < 6; ++i) x = softmax(x * 3.0);
  EXPECT_TRUE(std::holds_alternative<Refusal>(plan(arena_, {reduce_sum(x * v_)})));
  PlanOptions many;
  many.max_sweeps = 6;
  const auto result = plan(arena_, {reduce_sum(x * v_)}, many);
  ASSERT_TRUE(std::holds_alternative<Plan>(result));
  EXPECT_EQ(std::get<Plan>(result).sweeps.size(), 6u);
  EXPECT_EQ(std::get<Plan>(result).because.size(), 5u);
}

TEST_F(RefusalTest, FunctionsOfKeysOrOfTheRowAreFine) {
  const Expr of_keys = call(arena_, 1, {s_, s2_});
  const Expr of_row = call(arena_, 2, {reduce_sum(softmax(of_keys) * v_)});
  const auto result = plan(arena_, {of_row});
  ASSERT_TRUE(std::holds_alternative<Plan>(result));
  ASSERT_EQ(std::get<Plan>(result).sweeps.size(), 1u);
  Bindings<double> row = rows(Scores::kNormal, 3)[0];
  row.call = [](int id, std::span<const double> x) {
    return id == 1 ? std::sin(x[0]) + x[1] : std::erf(x[0]);
  };
  EXPECT_NEAR(fused<double>(std::get<Plan>(result), row, 5)[0], eager<double>({of_row}, row)[0], 1e-14);
}

}  // namespace
}  // namespace flashlight::fusion::algebra::test
