// SPDX-License-Identifier: Apache-2.0
// <cmath> for the translator, which parses it on every run: 15 ms instead of 130 with libstdc++ and glibc.
//
// Left out are the special functions, which bring the algorithms with them, the _FloatN forms of every
// function, and <stdlib.h>, which only std::abs asks for. Whatever a program includes before or after sees
// the usual declarations.
#pragma once

#if !__has_include(<bits/c++config.h>)
#include <cmath>
#else
#include <bits/c++config.h>
#undef _GLIBCXX_USE_STD_SPEC_FUNCS

#if defined(_GLIBCXX_CMATH) || defined(_MATH_H) || defined(_GLIBCXX_BITS_STD_ABS_H) || !defined(__USE_GNU)
#include <cmath>
#else
// What <bits/std_abs.h> holds.
#define _GLIBCXX_BITS_STD_ABS_H
extern "C" int abs(int) noexcept;
namespace std {
using ::abs;
inline long abs(long x) { return __builtin_labs(x); }
inline long long abs(long long x) { return __builtin_llabs(x); }
inline constexpr double abs(double x) { return __builtin_fabs(x); }
inline constexpr float abs(float x) { return __builtin_fabsf(x); }
inline constexpr long double abs(long double x) { return __builtin_fabsl(x); }
}  // namespace std
#undef __USE_GNU
#include <cmath>
#define __USE_GNU 1
// What glibc adds to C and people use.
extern "C" {
void sincos(double, double*, double*) noexcept;
void sincosf(float, float*, float*) noexcept;
double exp10(double) noexcept;
float exp10f(float) noexcept;
}
#endif
#endif
