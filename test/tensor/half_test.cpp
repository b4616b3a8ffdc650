// SPDX-License-Identifier: Apache-2.0
// float16 and bfloat16: every pattern widened and narrowed, every rounding boundary, every unary op on every
// pattern.
#include <flashlight/flashlight.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace flashlight {
namespace {

// A 16-bit format by its number of fraction bits and its exponent bias, decoded from the definition.
struct Format {
  int fraction_bits, bias;

  double value(std::uint16_t bits) const {
    const int exponent_bits = 15 - fraction_bits;
    const int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
    const int fraction = bits & ((1 << fraction_bits) - 1);
    const double sign = bits & 0x8000 ? -1 : 1;
    if (exponent == (1 << exponent_bits) - 1)
      return fraction ? std::numeric_limits<double>::quiet_NaN()
                      : sign * std::numeric_limits<double>::infinity();
    if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
    return sign * std::ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
  }
};

constexpr Format kHalf{10, 15}, kBrain{7, 127};

template <class T>
void check_all_patterns(const Format& format) {
  for (std::uint32_t pattern = 0; pattern < 65536; ++pattern) {
    T x;
    x.bits = static_cast<std::uint16_t>(pattern);
    const float widened = x;
    const double expected = format.value(x.bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(widened)) << pattern;
      ASSERT_TRUE(std::isnan(float(T(widened)))) << pattern;
      continue;
    }
    ASSERT_EQ(double(widened), expected) << pattern;
    ASSERT_EQ(std::signbit(widened), (pattern & 0x8000) != 0) << pattern;
    ASSERT_EQ(T(widened).bits, x.bits) << pattern;
  }
}

// Between neighbours: below the middle rounds down, above it up, the middle itself to the even pattern.
template <class T>
void check_all_boundaries(const Format& format) {
  const std::uint32_t infinity = ((1u << (15 - format.fraction_bits)) - 1) << format.fraction_bits;
  for (std::uint32_t low = 0; low < infinity; ++low) {
    const double next = low + 1 == infinity ? std::ldexp(2.0, format.bias)
                                            : format.value(static_cast<std::uint16_t>(low + 1));
    const double middle_exact = (format.value(static_cast<std::uint16_t>(low)) + next) / 2;
    const float middle = static_cast<float>(middle_exact);
    ASSERT_EQ(double(middle), middle_exact) << low;
    const std::uint32_t even = low % 2 == 0 ? low : low + 1;
    for (const std::uint32_t sign : {0u, 0x8000u}) {
      const float signed_middle = sign ? -middle : middle;
      ASSERT_EQ(T(signed_middle).bits, sign | even) << low;
      ASSERT_EQ(T(std::nextafter(signed_middle, 0.0f)).bits, sign | low) << low;
      ASSERT_EQ(T(std::nextafter(signed_middle, sign ? -INFINITY : INFINITY)).bits, sign | (low + 1)) << low;
    }
  }
}

TEST(Half, Float16WidensAndNarrowsEveryPattern) { check_all_patterns<Float16>(kHalf); }
TEST(Half, BFloat16WidensAndNarrowsEveryPattern) { check_all_patterns<BFloat16>(kBrain); }
TEST(Half, Float16RoundsToNearestEven) { check_all_boundaries<Float16>(kHalf); }
TEST(Half, BFloat16RoundsToNearestEven) { check_all_boundaries<BFloat16>(kBrain); }

// A tensor of all 65,536 patterns.
Tensor all_patterns(DType dtype) {
  const Tensor x = empty({65536}, dtype);
  for (std::uint32_t pattern = 0; pattern < 65536; ++pattern)
    if (dtype == kFloat16) x.data<Float16>()[pattern].bits = static_cast<std::uint16_t>(pattern);
    else x.data<BFloat16>()[pattern].bits = static_cast<std::uint16_t>(pattern);
  return x;
}

TEST(Half, UnaryOpsRoundTheFloat32ResultOnEveryPattern) {
  for (const DType dtype : {kFloat16, kBFloat16}) {
    const Tensor x = all_patterns(dtype), wide = x.to(kFloat32);
#define FL_UNARY(name, ...)                                                              \
  {                                                                                      \
    const Tensor have = x.name(), want = wide.name().to(have.dtype());                   \
    EXPECT_EQ(max_abs_diff(have, want), 0) << #name << " " << flashlight::name(x).dim(); \
  }
#include <flashlight/detail/pointwise.def>
#undef FL_UNARY
  }
}

TEST(Half, SumsRoundOnce) {
  // 4096 ones and a half: rounding after each addition would stick at 2048.
  const Tensor x = cat({ones({4096}, kFloat16), full({1}, 4, kFloat16)});
  EXPECT_EQ(sum(x).item<float>(), 4100.0f);
  EXPECT_EQ(sum(x).dtype(), kFloat16);
}

}  // namespace
}  // namespace flashlight
