// SPDX-License-Identifier: Apache-2.0
// Storage types of 16 bits, their conversions, and the fast approximations a kernel's inner loop uses.
#pragma once

#include "flashlight/device/base.h"

#if !defined(__CUDACC__)
#include <bit>
#include <cmath>
#endif

namespace flashlight::device {

// The upper half of a float32; arithmetic happens in float only.
struct bfloat16 {
  std::uint16_t bits;
};

// IEEE 754 binary16; arithmetic happens in float only.
struct float16 {
  std::uint16_t bits;
};

template <class T> inline constexpr bool is_bfloat16 = false;
template <> inline constexpr bool is_bfloat16<bfloat16> = true;

template <class T> inline constexpr bool is_half_width = false;
template <> inline constexpr bool is_half_width<bfloat16> = true;
template <> inline constexpr bool is_half_width<float16> = true;

#if defined(__CUDACC__)

FL_DEVICE std::uint32_t float_bits(float x) { return __float_as_uint(x); }
FL_DEVICE float bits_float(std::uint32_t x) { return __uint_as_float(x); }

#else

FL_DEVICE std::uint32_t float_bits(float x) { return std::bit_cast<std::uint32_t>(x); }
FL_DEVICE float bits_float(std::uint32_t x) { return std::bit_cast<float>(x); }

namespace detail {

// Round to nearest even; NaN becomes the canonical NaN, as cvt.rn.bf16.f32 does.
inline std::uint16_t to_bfloat16_bits(float x) {
  const std::uint32_t u = float_bits(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
  return static_cast<std::uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

// Round to nearest even, subnormals kept, overflow to infinity.
inline std::uint16_t to_float16_bits(float x) {
  const std::uint32_t u = float_bits(x), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
  if (a > 0x7f800000u) return 0x7fff;
  if (a >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // >= 65520 rounds to infinity
  if (a < 0x38800000u) {  // below 2^-14: the float adder rounds at the subnormals' spacing, 2^-24
    const std::uint32_t r = float_bits(bits_float(a) + 0.5f) - float_bits(0.5f);
    return static_cast<std::uint16_t>(sign | r);
  }
  const std::uint32_t r = a - 0x38000000u;
  return static_cast<std::uint16_t>(sign | ((r + 0xfffu + ((r >> 13) & 1u)) >> 13));
}

inline float from_float16_bits(std::uint16_t h) {
  const std::uint32_t sign = (h & 0x8000u) << 16, a = h & 0x7fffu;
  if (a >= 0x7c00u) return bits_float(sign | 0x7f800000u | ((a & 0x3ffu) << 13));
  if (a < 0x400u) return bits_float(sign | float_bits(static_cast<float>(a) * 0x1p-24f));
  return bits_float(sign | ((a << 13) + 0x38000000u));
}

// The .ftz suffix: subnormals count as zero, on input and on output.
inline float flush(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }

}  // namespace detail

#endif

FL_DEVICE float to_float(float x) { return x; }
FL_DEVICE float to_float(bfloat16 x) { return bits_float(static_cast<std::uint32_t>(x.bits) << 16); }
FL_DEVICE float to_float(float16 x) {
#if defined(__CUDACC__)
  float r;
  asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(x.bits));
  return r;
#else
  return detail::from_float16_bits(x.bits);
#endif
}

// Rounds to nearest even.
template <class T> FL_DEVICE T from_float(float x);
template <> FL_DEVICE float from_float<float>(float x) { return x; }
template <> FL_DEVICE bfloat16 from_float<bfloat16>(float x) {
#if defined(__CUDACC__)
  bfloat16 r;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r.bits) : "f"(x));
  return r;
#else
  return {detail::to_bfloat16_bits(x)};
#endif
}
template <> FL_DEVICE float16 from_float<float16>(float x) {
#if defined(__CUDACC__)
  float16 r;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r.bits) : "f"(x));
  return r;
#else
  return {detail::to_float16_bits(x)};
#endif
}

// Two rounded values in one register: `low` in bits 0..15, `high` in bits 16..31.
template <class T> FL_DEVICE std::uint32_t pack(float low, float high) {
  static_assert(is_half_width<T>, "only 16-bit storage types are packed in pairs");
#if defined(__CUDACC__)
  std::uint32_t r;
  if constexpr (is_bfloat16<T>) {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  } else {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  }
  return r;
#else
  return static_cast<std::uint32_t>(from_float<T>(low).bits) |
         static_cast<std::uint32_t>(from_float<T>(high).bits) << 16;
#endif
}

// a + b, rounded for itself: never one operation with a product in a or b, as a compiler may make of a sum. For
// values that are computed in two places and must be equal.
#if defined(__CUDACC__)
FL_DEVICE float rounded_sum(float a, float b) { return __fadd_rn(a, b); }
#else
FL_DEVICE float rounded_sum(float a, float b) { return a + b; }
#endif

// Approximations of one or two ulp; subnormal arguments and results are zero. exp2_fast(-inf) is 0.
#if defined(__CUDACC__)
FL_DEVICE float exp2_fast(float x) {
  float r;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
}
FL_DEVICE float log2_fast(float x) {
  float r;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
}
FL_DEVICE float rcp(float x) {
  float r;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
}
FL_DEVICE float rsqrt_fast(float x) {
  float r;
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
}
// Relative error about 2^-11: for results stored in 16 bits only.
FL_DEVICE float tanh_fast(float x) {
  float r;
  asm("tanh.approx.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
}
#else
FL_DEVICE float exp2_fast(float x) { return detail::flush(std::exp2(detail::flush(x))); }
FL_DEVICE float log2_fast(float x) { return std::log2(detail::flush(x)); }
FL_DEVICE float rcp(float x) { return detail::flush(1.0f / detail::flush(x)); }
FL_DEVICE float rsqrt_fast(float x) { return 1.0f / std::sqrt(detail::flush(x)); }
FL_DEVICE float tanh_fast(float x) { return std::tanh(x); }
#endif

// The smaller and the larger of two values; of a NaN and a number NaN, so that a NaN score poisons its row.
FL_HOST_DEVICE int least(int a, int b) { return b < a ? b : a; }
FL_HOST_DEVICE int greatest(int a, int b) { return a < b ? b : a; }
FL_HOST_DEVICE long long least(long long a, long long b) { return b < a ? b : a; }
FL_HOST_DEVICE long long greatest(long long a, long long b) { return a < b ? b : a; }
#if defined(__CUDA_ARCH__)
FL_HOST_DEVICE float least(float a, float b) {
  float r;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
  return r;
}
FL_HOST_DEVICE float greatest(float a, float b) {
  float r;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
  return r;
}
#else
FL_HOST_DEVICE float least(float a, float b) { return a < b || a != a ? a : b; }
FL_HOST_DEVICE float greatest(float a, float b) { return a > b || a != a ? a : b; }
#endif

// The integer below or at a / b, and the remainder with the sign of b. b != 0.
FL_HOST_DEVICE int floor_div(int a, int b) { return a / b - ((a % b != 0) & ((a < 0) != (b < 0))); }
FL_HOST_DEVICE int floor_mod(int a, int b) { return a - floor_div(a, b) * b; }
FL_HOST_DEVICE long long floor_div(long long a, long long b) {
  return a / b - ((a % b != 0) & ((a < 0) != (b < 0)));
}
FL_HOST_DEVICE long long floor_mod(long long a, long long b) { return a - floor_div(a, b) * b; }

}  // namespace flashlight::device
