// SPDX-License-Identifier: Apache-2.0
// Tile loads, lane by lane: cp.async with zero fill, element-wise loads where 16-byte accesses are not legal.
#pragma once

#include "flashlight/device/detail/instructions.h"
#include "flashlight/device/tile.h"

namespace flashlight::device {

FL_DEVICE void commit_group() { detail::commit_copies(); }
template <int N> FL_DEVICE void wait_group() { detail::wait_copies<N>(); }

template <class T, int R, int C> FL_DEVICE float load_element(SharedTile<T, R, C> tile, int row, int col) {
  T x;
  detail::load_shared(detail::shared_address(tile.base) + tile.offset(row, col), x);
  return to_float(x);
}

template <class T, int R, int C>
FL_DEVICE void store_element(SharedTile<T, R, C> tile, int row, int col, float x) {
  detail::store_shared(detail::shared_address(tile.base) + tile.offset(row, col), from_float<T>(x));
}

// Column `col` is even.
template <class T, int R, int C>
FL_DEVICE void store_pair(SharedTile<T, R, C> tile, int row, int col, float x, float y) {
  const std::uint32_t address = detail::shared_address(tile.base) + tile.offset(row, col);
  if constexpr (is_half_width<T>) {
    detail::store_shared(address, pack<T>(x, y));
  } else {
    detail::store_shared(address, detail::Pair{x, y});
  }
}

template <class T> FL_DEVICE float load_element(GlobalMatrix<const T> matrix, int row, int col) {
  return matrix.contains(row, col) ? to_float(detail::load_constant(matrix.at(row, col))) : 0.0f;
}

template <class T, int R, int C, class F> FL_DEVICE void fill_tile(SharedTile<T, R, C> tile, int threads,
                                                                   F f) {
  FL_NO_UNROLL
  for (int i = thread_index(); i < R * C / 2; i += threads) {
    const int row = i / (C / 2), col = 2 * (i % (C / 2));
    const float x = f(row, col), y = f(row, col + 1);
    store_pair(tile, row, col, x, y);
  }
}

namespace detail {

// 16 bytes at a time. A thread keeps its chunk column and walks down the rows, so that its address advances
// by a constant.
template <class T, int R, int C>
FL_DEVICE void copy_chunks(SharedTile<T, R, C> tile, GlobalMatrix<const T> matrix, int row0, int threads,
                           int thread) {
  using Tile = SharedTile<T, R, C>;
  const int step = threads / Tile::chunks_per_row;
  const int chunk = thread % Tile::chunks_per_row, first = thread / Tile::chunks_per_row;
  const std::uint32_t destination = shared_address(tile.base);
  const T* source = matrix.base + (row0 + first) * matrix.row_stride + chunk * Tile::chunk_elements;
  const long long advance = step * matrix.row_stride;
  FL_UNROLL
  for (int r = 0; r < R; r += step, source += advance) {
    const int row = first + r;
    if (R % step != 0 && row >= R) break;
    const bool inside = static_cast<unsigned>(row0 + row) < static_cast<unsigned>(matrix.rows);
    FL_UNROLL
    for (int c = 0; c < C; c += Tile::block) {
      const int col = c + chunk * Tile::chunk_elements;
      const int left = (matrix.cols - col) * static_cast<int>(sizeof(T));
      const int bytes = inside ? greatest(0, least(16, left)) : 0;
      copy_async_16(destination + Tile::offset(row, col), source + c, bytes);
    }
  }
}

// One value at a time, in few registers: a kernel's accumulators are alive around it.
template <class T, int R, int C>
FL_DEVICE void copy_values(SharedTile<T, R, C> tile, GlobalMatrix<const T> matrix, int row0, int threads,
                           int thread) {
  const std::uint32_t destination = shared_address(tile.base);
  FL_NO_UNROLL
  for (int i = thread; i < R * C; i += threads) {
    const int row = i / C, col = i % C;
    T x{};
    if (matrix.contains(row0 + row, col)) x = load_constant(matrix.at(row0 + row, col));
    store_shared(destination + tile.offset(row, col), x);
  }
}

}  // namespace detail

template <class T, int R, int C>
FL_DEVICE void load_tile_async(SharedTile<T, R, C> tile, GlobalMatrix<const detail::same_t<T>> matrix,
                               int row0, int threads) {
  // Opaque, so that the addresses of the copies are not kept in registers between the calls of a loop.
  const int thread = detail::opaque(thread_index());
  if (matrix.vectors) {
    detail::copy_chunks(tile, matrix, row0, threads, thread);
  } else {
    detail::copy_values(tile, matrix, row0, threads, thread);
  }
}

namespace detail {

// A chunk of a row that no vector may read.
template <class T, int R, int C>
FL_DEVICE void copy_chunk_values(SharedTile<T, R, C> tile, const ScatteredRows<const T>& rows,
                                 long long start, int row, int col) {
  FL_NO_UNROLL
  for (int k = 0; k < tile.chunk_elements; ++k) {
    T x{};
    if (start >= 0 && col + k < rows.cols) x = load_constant(rows.base + start + (col + k) * rows.col_stride);
    store_shared(shared_address(tile.base) + tile.offset(row, col + k), x);
  }
}

}  // namespace detail

template <class T, int R, int C, class F>
FL_DEVICE void load_rows_async(SharedTile<T, R, C> tile, ScatteredRows<const detail::same_t<T>> rows,
                               int threads, F start) {
  using Tile = SharedTile<T, R, C>;
  const int thread = detail::opaque(thread_index());
  const int step = threads / Tile::chunks_per_row, chunk = thread % Tile::chunks_per_row;
  const std::uint32_t destination = detail::shared_address(tile.base);
  FL_UNROLL_4
  for (int row = thread / Tile::chunks_per_row; row < R; row += step) {
    const long long at = start(row);
    FL_UNROLL
    for (int c = 0; c < C; c += Tile::block) {
      const int col = c + chunk * Tile::chunk_elements;
      if (at >= 0 && !rows.copies(at)) {
        detail::copy_chunk_values(tile, rows, at, row, col);
        continue;
      }
      const int left = (rows.cols - col) * static_cast<int>(sizeof(T));
      detail::copy_async_16(destination + Tile::offset(row, col), rows.base + (at >= 0 ? at + col : 0),
                            at >= 0 ? greatest(0, least(16, left)) : 0);
    }
  }
}

}  // namespace flashlight::device
