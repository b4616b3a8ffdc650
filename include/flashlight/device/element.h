// SPDX-License-Identifier: Apache-2.0
// Values made element by element: reductions by the lanes of a warp together, and results of a type known at
// run time.
#pragma once

#include "flashlight/device/aux.h"
#include "flashlight/device/rows.h"

namespace flashlight::device {

namespace detail {
#if FL_LANES
template <float (*COMBINE)(float, float)> FL_DEVICE float over_warp(const char*, float x FL_AND_WHERE) {
  FL_UNROLL
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2)
    x = COMBINE(x, shuffle_xor(x, distance FL_AND_HERE));
  return x;
}
template <class T> FL_DEVICE void store_value(T* p, T x FL_AND_WHERE) { store_global(p, x FL_AND_HERE); }
#else
// The same butterfly, so that sums round as on a GPU.
template <float (*COMBINE)(float, float)> float over_warp(const char* name, float x,
                                                          const std::source_location& where) {
  emulator::warp_collective<float>(
      name, x,
      [](float* const(&lane)[kWarpSize]) {
        for (int distance = kWarpSize / 2; distance > 0; distance /= 2) {
          float previous[kWarpSize];
          for (int l = 0; l < kWarpSize; ++l) previous[l] = *lane[l];
          for (int l = 0; l < kWarpSize; ++l) *lane[l] = COMBINE(previous[l], previous[l ^ distance]);
        }
      },
      where);
  return x;
}
template <class T> void store_value(T* p, T x, const std::source_location& where) {
  emulator::global_store(p, &x, sizeof x, where);
}
#endif
FL_DEVICE float sum_of_two(float x, float y) { return x + y; }
FL_DEVICE float product_of_two(float x, float y) { return x * y; }
FL_DEVICE float greatest_of_two(float x, float y) { return greatest(x, y); }
FL_DEVICE float least_of_two(float x, float y) { return least(x, y); }
}  // namespace detail

// Reductions of f(0), f(1), .. f(n - 1) by a whole warp, each lane of which takes every 32nd element and
// receives the result. The order of additions depends on n alone.
template <class F> FL_DEVICE float warp_sum_of(int n, F f FL_AND_WHERE) {
  float result = 0;
  FL_UNROLL_4
  for (int k = lane_index(); k < n; k += kWarpSize) result += f(k);
  return detail::over_warp<detail::sum_of_two>("warp_sum", result FL_AND_HERE);
}
template <class F> FL_DEVICE float warp_prod_of(int n, F f FL_AND_WHERE) {
  float result = 1;
  for (int k = lane_index(); k < n; k += kWarpSize) result *= f(k);
  return detail::over_warp<detail::product_of_two>("warp_prod", result FL_AND_HERE);
}
template <class F> FL_DEVICE float warp_max_of(int n, F f FL_AND_WHERE) {
  float result = -kInfinity;
  for (int k = lane_index(); k < n; k += kWarpSize) result = greatest(result, f(k));
  return detail::over_warp<detail::greatest_of_two>("warp_max", result FL_AND_HERE);
}
template <class F> FL_DEVICE float warp_min_of(int n, F f FL_AND_WHERE) {
  float result = kInfinity;
  for (int k = lane_index(); k < n; k += kWarpSize) result = least(result, f(k));
  return detail::over_warp<detail::least_of_two>("warp_min", result FL_AND_HERE);
}

// Element `offset` of a tensor of one of the types that results may have, rounded to it.
FL_DEVICE void store_float(void* base, int dtype, long long offset, float x FL_AND_WHERE) {
  with_result(dtype, [&](auto type) FL_INLINE {
    using S = decltype(type);
    detail::store_value(static_cast<S*>(base) + offset, from_float<S>(x) FL_AND_HERE);
  });
}

// The same for integers and conditions, exactly.
FL_DEVICE void store_int(void* base, int dtype, long long offset, long long x FL_AND_WHERE) {
  with_storage(dtype, [&](auto type) FL_INLINE {
    using S = decltype(type);
    if constexpr (!is_half_width<S>)
      detail::store_value(static_cast<S*>(base) + offset, static_cast<S>(x) FL_AND_HERE);
  });
}

// Element `offset` = element `at` of another tensor: exactly, where the type holds all that the other one's
// does.
FL_DEVICE void copy_element(void* base, int dtype, long long offset, AuxTensor from,
                            long long at FL_AND_WHERE) {
  with_storage(dtype, [&](auto type) FL_INLINE {
    using S = decltype(type);
    S x{};
    if constexpr (is_half_width<S>) x = from_float<S>(load_float(from, at FL_AND_HERE));
    else x = detail::with_aux<S>(from, at, [](auto value) { return static_cast<S>(value); } FL_AND_HERE);
    detail::store_value(static_cast<S*>(base) + offset, x FL_AND_HERE);
  });
}

}  // namespace flashlight::device
