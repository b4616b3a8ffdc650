// SPDX-License-Identifier: Apache-2.0
// Values of whole rows: reductions over a row by one lane or by the four of a quad, and vectors with a number
// for each key of a tile.
#pragma once

#include "flashlight/device/fragment.h"
#include "flashlight/device/tile.h"

namespace flashlight::device {

// Reductions of f(0), f(1), .. f(n - 1), by the calling lane alone.
// A score may be a sum over a hundred features, and an exponential shows every error of it: sums of eight are
// added up with what each addition rounds off carried along, as long as they are finite (Kahan 1965).
template <class R, class F> FL_DEVICE R sum_of(int n, F f) {
  constexpr int kTogether = 8;
  R result{}, excess{};
  FL_NO_UNROLL
  for (int first = 0; first < n; first += kTogether) {
    R part{};
    FL_NO_UNROLL
    for (int k = first; k < least(first + kTogether, n); ++k) part += f(k);
    const R term = part - excess, sum = result + term;
    excess = sum - sum == R{} ? (sum - result) - term : R{};
    result = sum;
  }
  return result;
}
template <class R, class F> FL_DEVICE R prod_of(int n, F f) {
  R result{1};
  FL_NO_UNROLL
  for (int k = 0; k < n; ++k) result *= f(k);
  return result;
}
template <class R, class F> FL_DEVICE R max_of(int n, F f) {
  R result = f(0);
  FL_NO_UNROLL
  for (int k = 1; k < n; ++k) result = greatest(result, f(k));
  return result;
}
template <class R, class F> FL_DEVICE R min_of(int n, F f) {
  R result = f(0);
  FL_NO_UNROLL
  for (int k = 1; k < n; ++k) result = least(result, f(k));
  return result;
}
template <class F> FL_DEVICE bool any_of(int n, F f) {
  bool result = false;
  FL_NO_UNROLL
  for (int k = 0; k < n && !result; ++k) result = f(k);
  return result;
}
template <class F> FL_DEVICE bool all_of(int n, F f) {
  return !any_of(n, [&](int k) FL_INLINE { return !f(k); });
}

// The same by the four lanes of a quad, each of which takes every fourth element and receives the result. The
// whole warp calls them together.
template <class F> FL_DEVICE float quad_sum_of(int n, F f) {
  float result = 0;
  FL_UNROLL_4
  for (int k = lane_index() & 3; k < n; k += 4) result += f(k);
  return quad_sum(result);
}
template <class F> FL_DEVICE float quad_prod_of(int n, F f) {
  float result = 1;
  for (int k = lane_index() & 3; k < n; k += 4) result *= f(k);
  return quad_prod(result);
}
template <class F> FL_DEVICE float quad_max_of(int n, F f) {
  float result = -kInfinity;
  for (int k = lane_index() & 3; k < n; k += 4) result = greatest(result, f(k));
  return quad_max(result);
}
template <class F> FL_DEVICE float quad_min_of(int n, F f) {
  float result = kInfinity;
  for (int k = lane_index() & 3; k < n; k += 4) result = least(result, f(k));
  return quad_min(result);
}

// f(row) for every row of a tile of R, each by a quad; whole warps take part or none of their lanes.
// `threads`: the CTA's, or those of a warpgroup that goes through the rows by itself.
template <int R, class F> FL_DEVICE void for_each_tile_row(int threads, F f) {
  static_assert(R % 8 == 0, "a warp's eight quads take eight rows");
  FL_NO_UNROLL
  for (int row = thread_index() % threads / 4; row < R; row += threads / 4) f(row);
}

// tile[row][col] = f(col), by the quad that for_each_tile_row has given the row to.
template <class T, int R, int C, class F>
FL_DEVICE void fill_row(SharedTile<T, R, C> tile, int row, F f) {
  FL_NO_UNROLL
  for (int col = 2 * (lane_index() & 3); col < C; col += 8) {
    const float x = f(col), y = f(col + 1);
    store_pair(tile, row, col, x, y);
  }
}

// A number for each of a tile's N keys, in shared memory.
template <int N> struct KeyVec {
  static constexpr int bytes = N * static_cast<int>(sizeof(float));
  unsigned char* base;

  // By the quad that has the row; visible to others after sync_threads().
  FL_DEVICE void store(int row, float x FL_AND_WHERE) const {
    if ((lane_index() & 3) != 0) return;
#if FL_LANES
    detail::store_shared(detail::shared_address(base) + row * static_cast<int>(sizeof(float)), x);
#else
    emulator::shared_store(thread_index(), base + row * sizeof(float), &x, sizeof x, where);
#endif
  }
  // That of the element's column.
  FL_DEVICE float operator[](const Element& e) const {
    float x{};
#if FL_LANES
    detail::load_shared(detail::shared_address(base) + col_of(e) * static_cast<int>(sizeof(float)), x);
#else
    emulator::shared_load(emulator::current->thread, base + col_of(e) * sizeof(float), &x, sizeof x, e.where);
#endif
    return x;
  }
};

}  // namespace flashlight::device
