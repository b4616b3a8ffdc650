// SPDX-License-Identifier: Apache-2.0
// Tile loads on a GPU: cp.async with zero fill, element-wise loads where 16-byte accesses are not legal.
#pragma once

#include "flashlight/device/tile.h"

namespace flashlight::device {

namespace detail {

FL_DEVICE std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

// Copies `bytes` (0..16) and zero-fills the rest of the 16; the source is not touched when bytes is 0.
FL_DEVICE void copy_async_16(std::uint32_t destination, const void* source, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(destination), "l"(source), "r"(bytes)
               : "memory");
}

// Through the read-only path: nothing writes *p while the kernel runs.
template <class T> FL_DEVICE T load_constant(const T* p) {
  if constexpr (is_half_width<T>) {
    return T{__ldg(reinterpret_cast<const unsigned short*>(p))};
  } else {
    return __ldg(p);
  }
}

}  // namespace detail

FL_DEVICE void commit_group() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> FL_DEVICE void wait_group() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }

template <class T, int R, int C> FL_DEVICE float load_element(SharedTile<T, R, C> tile, int row, int col) {
  return to_float(*reinterpret_cast<const T*>(tile.base + tile.offset(row, col)));
}

template <class T, int R, int C>
FL_DEVICE void store_element(SharedTile<T, R, C> tile, int row, int col, float x) {
  *reinterpret_cast<T*>(tile.base + tile.offset(row, col)) = from_float<T>(x);
}

// Column `col` is even.
template <class T, int R, int C>
FL_DEVICE void store_pair(SharedTile<T, R, C> tile, int row, int col, float x, float y) {
  unsigned char* const p = tile.base + tile.offset(row, col);
  if constexpr (is_half_width<T>) {
    *reinterpret_cast<std::uint32_t*>(p) = pack<T>(x, y);
  } else {
    *reinterpret_cast<float2*>(p) = make_float2(x, y);
  }
}

template <class T> FL_DEVICE float load_element(GlobalMatrix<const T> matrix, int row, int col) {
  return matrix.contains(row, col) ? to_float(detail::load_constant(matrix.at(row, col))) : 0.0f;
}

template <class T, int R, int C, class F> FL_DEVICE void fill_tile(SharedTile<T, R, C> tile, int threads, F f) {
  FL_NO_UNROLL
  for (int i = thread_index(); i < R * C / 2; i += threads) {
    const int row = i / (C / 2), col = 2 * (i % (C / 2));
    const float x = f(row, col), y = f(row, col + 1);
    store_pair(tile, row, col, x, y);
  }
}

namespace detail {

// 16 bytes at a time. A thread keeps its chunk column and walks down the rows, so that its address advances by a constant.
template <class T, int R, int C>
FL_DEVICE void copy_chunks(SharedTile<T, R, C> tile, GlobalMatrix<const T> matrix, int row0, int threads, int thread) {
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
      const int bytes = inside ? max(0, min(16, left)) : 0;
      copy_async_16(destination + Tile::offset(row, col), source + c, bytes);
    }
  }
}

// One value at a time, in few registers: a kernel's accumulators are alive around it.
template <class T, int R, int C>
FL_DEVICE void copy_values(SharedTile<T, R, C> tile, GlobalMatrix<const T> matrix, int row0, int threads, int thread) {
  const std::uint32_t destination = shared_address(tile.base);
  FL_NO_UNROLL
  for (int i = thread; i < R * C; i += threads) {
    const int row = i / C, col = i % C;
    T x{};
    if (matrix.contains(row0 + row, col)) x = load_constant(matrix.at(row0 + row, col));
    if constexpr (is_half_width<T>) {
      asm volatile("st.shared.b16 [%0], %1;" ::"r"(destination + tile.offset(row, col)), "h"(x.bits) : "memory");
    } else {
      asm volatile("st.shared.f32 [%0], %1;" ::"r"(destination + tile.offset(row, col)), "f"(x) : "memory");
    }
  }
}

}  // namespace detail

template <class T, int R, int C>
FL_DEVICE void load_tile_async(SharedTile<T, R, C> tile, GlobalMatrix<const detail::same_t<T>> matrix, int row0,
                               int threads) {
  // Opaque, so that the addresses of the copies are not kept in registers between the calls of a loop.
  const int thread = detail::opaque(thread_index());
  if (matrix.vectors) {
    detail::copy_chunks(tile, matrix, row0, threads, thread);
  } else {
    detail::copy_values(tile, matrix, row0, threads, thread);
  }
}

}  // namespace flashlight::device
