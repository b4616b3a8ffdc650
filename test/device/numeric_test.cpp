// SPDX-License-Identifier: Apache-2.0
// Storage types, fast approximations, integer division, and the table of scalar functions, on the host
// bodies.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "flashlight/device/math.h"
#include "flashlight/device/numeric.h"

namespace {

using namespace flashlight::device;

// The value of a binary format with `exponent` and `mantissa` bits, from its definition.
double decode(unsigned bits, int exponent, int mantissa) {
  const unsigned e = bits >> mantissa & ((1u << exponent) - 1), m = bits & ((1u << mantissa) - 1);
  const double sign = bits >> (exponent + mantissa) & 1 ? -1 : 1;
  const int bias = (1 << (exponent - 1)) - 1;
  if (e == (1u << exponent) - 1) return m ? std::nan("") : sign * INFINITY;
  if (e == 0) return sign * std::ldexp(static_cast<double>(m), 1 - bias - mantissa);
  return sign * std::ldexp(1 + std::ldexp(static_cast<double>(m), -mantissa), static_cast<int>(e) - bias);
}

template <class T> constexpr int kExponent = std::is_same_v<T, bfloat16> ? 8 : 5;

template <class T> class HalfTest : public testing::Test {};
using HalfTypes = testing::Types<bfloat16, float16>;
TYPED_TEST_SUITE(HalfTest, HalfTypes);

TYPED_TEST(HalfTest, AllPatternsWidenExactlyAndComeBack) {
  constexpr int exponent = kExponent<TypeParam>;
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const TypeParam h{static_cast<std::uint16_t>(bits)};
    const double expected = decode(bits, exponent, 15 - exponent);
    const float value = to_float(h);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << bits;
      ASSERT_TRUE(std::isnan(to_float(from_float<TypeParam>(value)))) << bits;
      continue;
    }
    ASSERT_EQ(static_cast<double>(value), expected) << bits;
    ASSERT_EQ(from_float<TypeParam>(value).bits, bits);
  }
}

TYPED_TEST(HalfTest, RoundsToNearestEven) {
  constexpr int exponent = kExponent<TypeParam>;
  const unsigned largest = ((1u << exponent) - 1) << (15 - exponent);  // infinity
  for (unsigned bits = 0; bits + 1 < largest; ++bits) {
    const double low = decode(bits, exponent, 15 - exponent),
                 high = decode(bits + 1, exponent, 15 - exponent);
    const float middle = static_cast<float>((low + high) / 2);
    const unsigned even = bits & 1 ? bits + 1 : bits;
    ASSERT_EQ(from_float<TypeParam>(middle).bits, even) << bits;
    ASSERT_EQ(from_float<TypeParam>(std::nextafter(middle, INFINITY)).bits, bits + 1);
    ASSERT_EQ(from_float<TypeParam>(std::nextafter(middle, -INFINITY)).bits, bits);
    ASSERT_EQ(from_float<TypeParam>(-middle).bits, even | 0x8000u);
  }
  const TypeParam huge = from_float<TypeParam>(std::numeric_limits<float>::max());
  EXPECT_EQ(huge.bits, largest);
}

TYPED_TEST(HalfTest, PacksLowFirst) {
  const std::uint32_t word = pack<TypeParam>(1.5f, -2.0f);
  EXPECT_EQ(word & 0xffffu, from_float<TypeParam>(1.5f).bits);
  EXPECT_EQ(word >> 16, from_float<TypeParam>(-2.0f).bits);
}

TEST(Fast, Limits) {
  EXPECT_EQ(exp2_fast(-kInfinity), 0.0f);
  EXPECT_EQ(exp2_fast(-149.0f), 0.0f);  // subnormal results are flushed
  EXPECT_EQ(exp2_fast(3.0f), 8.0f);
  EXPECT_EQ(log2_fast(0.0f), -kInfinity);
  EXPECT_EQ(log2_fast(8.0f), 3.0f);
  EXPECT_EQ(rcp(0.0f), kInfinity);
  EXPECT_EQ(rcp(-kInfinity), 0.0f);
  EXPECT_EQ(rsqrt_fast(4.0f), 0.5f);
}

TEST(Extremes, KeepNaN) {
  EXPECT_TRUE(std::isnan(greatest(NAN, 1.0f)));
  EXPECT_TRUE(std::isnan(greatest(1.0f, NAN)));
  EXPECT_TRUE(std::isnan(least(NAN, 1.0f)));
  EXPECT_TRUE(std::isnan(least(1.0f, NAN)));
  EXPECT_EQ(greatest(-kInfinity, 1.0f), 1.0f);
  EXPECT_EQ(least(2.0f, 1.0f), 1.0f);
  EXPECT_EQ(greatest(2, -3), 2);
  EXPECT_EQ(least(2LL, -3LL), -3);
}

TEST(FloorDivision, AgreesWithItsDefinition) {
  for (int a = -30; a <= 30; ++a) {
    for (int b : {-7, -3, -1, 1, 2, 5}) {
      EXPECT_EQ(floor_div(a, b), static_cast<int>(std::floor(static_cast<double>(a) / b))) << a << " / " << b;
      EXPECT_EQ(floor_div(a, b) * b + floor_mod(a, b), a);
      EXPECT_TRUE(floor_mod(a, b) == 0 || (floor_mod(a, b) < 0) == (b < 0)) << a << " / " << b;
      EXPECT_EQ(floor_div(static_cast<long long>(a), static_cast<long long>(b)), floor_div(a, b));
    }
  }
}

TEST(Math, RowsAreFunctions) {
  EXPECT_EQ(math::exp(0.0f), 1.0f);
  EXPECT_FLOAT_EQ(math::tanh(0.5f), std::tanh(0.5f));
  EXPECT_EQ(math::remainder(-7.0f, 3.0f), 2.0f);
  EXPECT_EQ(math::floor_divide(-7.0f, 2.0f), -4.0f);
  EXPECT_EQ(math::isnan(NAN), 1.0f);
  EXPECT_EQ(math::lt(1.0f, 2.0f), 1.0f);
}

}  // namespace
