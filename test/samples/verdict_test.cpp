// SPDX-License-Identifier: Apache-2.0
// The tolerance by which fused results are judged: that it passes what it should, and above all that it fails
// what it should.
#include "verdict.h"

#include <gtest/gtest.h>

#include <limits>

namespace sample {
namespace {

using namespace flashlight;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Tensor row(std::initializer_list<double> values, DType dtype) {
  return tensor(std::vector<double>(values), dtype);
}

Verdict judge_rows(std::initializer_list<double> r, std::initializer_list<double> e,
                   std::initializer_list<double> f, bool strict_nan = false) {
  return judge(row(r, kFloat64), row(e, kBFloat16), row(f, kBFloat16), kBFloat16, strict_nan);
}

TEST(Verdict, UlpIsTheGapToTheNextNumberOfTheDtype) {
  EXPECT_EQ(ulp(1.0, kBFloat16), 0x1p-7);
  EXPECT_EQ(ulp(1.99, kFloat16), 0x1p-10);
  EXPECT_EQ(ulp(4.0, kFloat32), 0x1p-21);
  EXPECT_EQ(ulp(0.0, kFloat16), 0);
}

TEST(Verdict, AllowsOneAndAHalfTimesTheEagerErrorAndOneUlp) {
  // Eager is off by 2^-4, and an ulp at 2 is 2^-6: 1.5 / 16 + 1 / 64 = 7 / 64 in all.
  const Verdict at = judge_rows({2, 1}, {2, 1.0625}, {2 + 6.0 / 64, 1});
  EXPECT_EQ(at.allowed, 7.0 / 64);
  EXPECT_TRUE(at.passed()) << at.failure;
  const Verdict beyond = judge_rows({2, 1}, {2, 1.0625}, {2 + 8.0 / 64, 1});
  EXPECT_FALSE(beyond.passed());
}

TEST(Verdict, FailsWhereTheKernelIsNotFiniteAndTheReferenceIs) {
  EXPECT_FALSE(judge_rows({1, 2}, {1, 2}, {1, kNaN}).passed());
  EXPECT_FALSE(judge_rows({1, 2}, {1, 2}, {1, kInf}).passed());
}

TEST(Verdict, EagerOverflowDoesNotWidenTheTolerance) {
  EXPECT_TRUE(judge_rows({1, 2}, {1, kNaN}, {1, 2}).passed());
  EXPECT_FALSE(judge_rows({1, 2}, {kInf, 2}, {1.5, 2}).passed());
}

TEST(Verdict, RowsWithoutKeysAreZeroUnlessNaNIsAskedFor) {
  EXPECT_TRUE(judge_rows({1, kNaN}, {1, kNaN}, {1, 0}).passed());
  EXPECT_EQ(judge_rows({1, kNaN}, {1, kNaN}, {1, 0}).empty, 1);
  EXPECT_FALSE(judge_rows({1, kNaN}, {1, kNaN}, {1, 0.5}).passed());
  EXPECT_FALSE(judge_rows({1, kNaN}, {1, kNaN}, {1, kNaN}).passed());
  EXPECT_TRUE(judge_rows({1, kNaN}, {1, kNaN}, {1, kNaN}, true).passed());
  EXPECT_FALSE(judge_rows({1, kNaN}, {1, kNaN}, {1, 0}, true).passed());
}

TEST(Verdict, InfinitiesOfTheReferenceAreExpected) {
  EXPECT_TRUE(judge_rows({1, -kInf}, {1, -kInf}, {1, -kInf}).passed());
  EXPECT_FALSE(judge_rows({1, -kInf}, {1, -kInf}, {1, 0}).passed());
}

TEST(Verdict, ShapeAndDtypeAreTheProgramsOwn) {
  const Tensor r = row({1, 2}, kFloat64), e = row({1, 2}, kBFloat16);
  EXPECT_FALSE(judge(r, e, e.unsqueeze(0), kBFloat16, false).passed());
  EXPECT_FALSE(judge(r, e, row({1, 2}, kFloat32), kBFloat16, false).passed());
}

}  // namespace
}  // namespace sample
