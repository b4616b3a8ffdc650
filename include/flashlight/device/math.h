// SPDX-License-Identifier: Apache-2.0
// Scalar functions of emitted score programs, one for each row of the table that drives the eager library
// too.
#pragma once

#include <cmath>

#include "flashlight/device/numeric.h"

#if __has_include("flashlight/detail/pointwise.def")

// The expressions name C functions unqualified, some of them like their own row (exp is exp(x)). So each is
// compiled in a namespace that has only the C functions, as a struct's member, and called from the function
// of the row's name.
namespace flashlight::device::pointwise {

using std::ceil, std::cos, std::erf, std::exp, std::exp2, std::expm1, std::fabs, std::floor, std::fmod,
    std::log, std::log1p, std::log2, std::pow, std::sin, std::sqrt, std::tanh, std::trunc;

#define FL_UNARY(name, result, lo, hi, weight, ...) \
  struct name##_row {                               \
    static FL_DEVICE float at(float x) {            \
      using T [[maybe_unused]] = float;             \
      return static_cast<float>(__VA_ARGS__);       \
    }                                               \
  };
#define FL_BINARY(name, result, weight, ...)      \
  struct name##_row {                             \
    static FL_DEVICE float at(float x, float y) { \
      using T [[maybe_unused]] = float;           \
      return static_cast<float>(__VA_ARGS__);     \
    }                                             \
  };
#include "flashlight/detail/pointwise.def"
#undef FL_UNARY
#undef FL_BINARY

}  // namespace flashlight::device::pointwise

namespace flashlight::device::math {

#define FL_UNARY(name, result, lo, hi, weight, ...) \
  FL_DEVICE float name(float x) { return pointwise::name##_row::at(x); }
#define FL_BINARY(name, result, weight, ...) \
  FL_DEVICE float name(float x, float y) { return pointwise::name##_row::at(x, y); }
#include "flashlight/detail/pointwise.def"
#undef FL_UNARY
#undef FL_BINARY

}  // namespace flashlight::device::math

#endif
