// SPDX-License-Identifier: Apache-2.0
// Tile loads on the emulated device: the same accesses as on a GPU, each checked.
#pragma once

#include <algorithm>

#include "flashlight/device/tile.h"

namespace flashlight::device {

FL_DEVICE void commit_group(FL_WHERE) { emulator::commit_group(where); }
template <int N> FL_DEVICE void wait_group(FL_WHERE) { emulator::wait_group(N, where); }

template <class T, int R, int C>
FL_DEVICE float load_element(SharedTile<T, R, C> tile, int row, int col FL_AND_WHERE) {
  T x{};
  emulator::shared_load(emulator::current->thread, tile.base + tile.offset(row, col), &x, sizeof x, where);
  return to_float(x);
}

template <class T, int R, int C>
FL_DEVICE void store_element(SharedTile<T, R, C> tile, int row, int col, float x FL_AND_WHERE) {
  const T value = from_float<T>(x);
  emulator::shared_store(thread_index(), tile.base + tile.offset(row, col), &value, sizeof value, where);
}

// Column `col` is even.
template <class T, int R, int C>
FL_DEVICE void store_pair(SharedTile<T, R, C> tile, int row, int col, float x, float y FL_AND_WHERE) {
  const T pair[2] = {from_float<T>(x), from_float<T>(y)};
  emulator::shared_store(thread_index(), tile.base + tile.offset(row, col), pair, sizeof pair, where);
}

template <class T> FL_DEVICE float load_element(GlobalMatrix<const T> matrix, int row, int col FL_AND_WHERE) {
  if (!matrix.contains(row, col)) return 0.0f;
  T x{};
  emulator::global_load(matrix.at(row, col), &x, sizeof x, where);
  return to_float(x);
}

template <class T, int R, int C, class F>
FL_DEVICE void fill_tile(SharedTile<T, R, C> tile, int threads, F f FL_AND_WHERE) {
  for (int i = thread_index(); i < R * C / 2; i += threads) {
    const int row = i / (C / 2), col = 2 * (i % (C / 2));
    const float x = f(row, col), y = f(row, col + 1);
    store_pair(tile, row, col, x, y, where);
  }
}

template <class T, int R, int C>
FL_DEVICE void load_tile_async(SharedTile<T, R, C> tile, GlobalMatrix<const detail::same_t<T>> matrix,
                               int row0, int threads FL_AND_WHERE) {
  using Tile = SharedTile<T, R, C>;
  if (!matrix.vectors) {
    fill_tile(
        tile, threads, [&](int row, int col) { return load_element(matrix, row0 + row, col, where); }, where);
    return;
  }
  const int step = threads / Tile::chunks_per_row;
  const int chunk = thread_index() % Tile::chunks_per_row, first = thread_index() / Tile::chunks_per_row;
  for (int row = first; row < R; row += step) {
    const bool inside = row0 + row >= 0 && row0 + row < matrix.rows;
    for (int c = 0; c < C; c += Tile::block) {
      const int col = c + chunk * Tile::chunk_elements;
      const int left = (matrix.cols - col) * static_cast<int>(sizeof(T));
      const int bytes = inside ? std::clamp(left, 0, 16) : 0;
      const T* const source = bytes > 0 ? matrix.base + (row0 + row) * matrix.row_stride + col : nullptr;
      emulator::async_copy(tile.base + Tile::offset(row, col), source, bytes, where);
    }
  }
}

template <class T, int R, int C, class F>
FL_DEVICE void load_rows_async(SharedTile<T, R, C> tile, ScatteredRows<const detail::same_t<T>> rows,
                               int threads, F start FL_AND_WHERE) {
  using Tile = SharedTile<T, R, C>;
  const int step = threads / Tile::chunks_per_row, chunk = thread_index() % Tile::chunks_per_row;
  for (int row = thread_index() / Tile::chunks_per_row; row < R; row += step) {
    const long long at = start(row);
    for (int c = 0; c < C; c += Tile::block) {
      const int col = c + chunk * Tile::chunk_elements,
                left = (rows.cols - col) * static_cast<int>(sizeof(T));
      if (at < 0 || rows.copies(at)) {
        const int bytes = at >= 0 ? std::clamp(left, 0, 16) : 0;
        emulator::async_copy(tile.base + Tile::offset(row, col), bytes > 0 ? rows.base + at + col : nullptr,
                             bytes, where);
        continue;
      }
      for (int k = 0; k < Tile::chunk_elements; ++k) {
        T x{};
        if (col + k < rows.cols)
          emulator::global_load(rows.base + at + (col + k) * rows.col_stride, &x, sizeof x, where);
        emulator::shared_store(thread_index(), tile.base + Tile::offset(row, col + k), &x, sizeof x, where);
      }
    }
  }
}

}  // namespace flashlight::device
