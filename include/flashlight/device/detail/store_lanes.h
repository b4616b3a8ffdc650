// SPDX-License-Identifier: Apache-2.0
// Stores, lane by lane: 16 bytes for 16-bit types, 8 bytes for float, single values where strides are odd.
#pragma once

#include "flashlight/device/detail/instructions.h"
#include "flashlight/device/store.h"

namespace flashlight::device {

namespace detail {

// Transposes a 4 x 4 matrix of registers over the four lanes of a quad: lane t's r[s] becomes lane s's r[t].
FL_DEVICE void quad_transpose(std::uint32_t (&r)[4]) {
  const int t = lane_index() & 3;
  FL_UNROLL
  for (int distance = 1; distance <= 2; distance *= 2) {
    const bool upper = (t & distance) != 0;
    FL_UNROLL
    for (int i = 0; i < 4; ++i) {
      if (i & distance) continue;
      const int j = i + distance;
      const std::uint32_t given = upper ? r[i] : r[j];
      const std::uint32_t taken = shuffle_xor(given, distance);
      if (upper) {
        r[i] = taken;
      } else {
        r[j] = taken;
      }
    }
  }
}

// Four column blocks of one row: after the transposition lane t owns the eight columns of block nj + t.
template <template <class> class Matrix, class T, int MI, int DV>
FL_DEVICE void store_half_blocks(Matrix<T> out, const Acc<MI, DV>& c, int mi, int nj, int half, int row,
                                 int first_col) {
  std::uint32_t r[4];
  FL_UNROLL
  for (int i = 0; i < 4; ++i) {
    const float(&v)[4] = Registers::tile(c, mi, nj + i);
    r[i] = pack<T>(v[2 * half], v[2 * half + 1]);
  }
  quad_transpose(r);
  const int col = first_col + 8 * (nj + (lane_index() & 3));
  if (row >= out.rows || col >= out.cols) return;
  T* const p = out.row(row) + col;
  if (col + 8 <= out.cols) {
    store_global(p, Quad{{r[0], r[1], r[2], r[3]}});
    return;
  }
  FL_UNROLL
  for (int i = 0; i < 8; ++i) {
    if (col + i < out.cols) store_global(p + i, T{static_cast<std::uint16_t>(r[i / 2] >> (16 * (i % 2)))});
  }
}

template <template <class> class Matrix, class T, int MI, int DV>
FL_DEVICE void store_pair_of(Matrix<T> out, const Acc<MI, DV>& c, int mi, int nj, int half, int row,
                             int first_col) {
  const float(&v)[4] = Registers::tile(c, mi, nj);
  const int col = first_col + 8 * nj + 2 * (lane_index() & 3);
  if (row >= out.rows || col >= out.cols) return;
  const float x = v[2 * half], y = v[2 * half + 1];
  T* const p = out.at(row, col);
  if (out.vectors && col + 2 <= out.cols) {
    if constexpr (is_half_width<T>) {
      store_global(p, pack<T>(x, y));
    } else {
      store_global(p, Pair{x, y});
    }
    return;
  }
  store_global(p, from_float<T>(x));
  if (col + 1 < out.cols) store_global(p + out.col_stride, from_float<T>(y));
}

}  // namespace detail

template <template <class> class Matrix, class T, int MI, int DV>
FL_DEVICE void store_tile(Matrix<T> out, const Acc<MI, DV>& c, int row0, int warp, int first_col = 0) {
  constexpr int grouped = is_half_width<T> ? DV / 32 * 4 : 0;  // column blocks stored four at a time
  FL_UNROLL
  for (int mi = 0; mi < MI; ++mi) {
    FL_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int row = row0 + row_of<MI>(warp, Row{mi, half});
      if (grouped > 0 && out.vectors && first_col % 8 == 0) {
        if constexpr (is_half_width<T>) {
          FL_UNROLL
          for (int nj = 0; nj < grouped; nj += 4)
            detail::store_half_blocks(out, c, mi, nj, half, row, first_col);
        }
        FL_UNROLL
        for (int nj = grouped; nj < DV / 8; ++nj) detail::store_pair_of(out, c, mi, nj, half, row, first_col);
      } else {
        FL_UNROLL
        for (int nj = 0; nj < DV / 8; ++nj) detail::store_pair_of(out, c, mi, nj, half, row, first_col);
      }
    }
  }
}

template <template <class> class Matrix, class T, int MI>
FL_DEVICE void store_rows(Matrix<T> out, const RowVec<MI>& r, int row0, int warp) {
  for_each_row<MI>([&](Row i) FL_INLINE {
    const int row = row0 + row_of<MI>(warp, i);
    if ((lane_index() & 3) == 0 && row < out.rows) detail::store_global(out.at(row, 0), from_float<T>(r[i]));
  });
}

}  // namespace flashlight::device
