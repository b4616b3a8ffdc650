// SPDX-License-Identifier: Apache-2.0
// Tiles in shared memory: their swizzled layout, and the loads that fill them.
#pragma once

#include "flashlight/device/numeric.h"

namespace flashlight::device {

// A ROWS x COLS tile in shared memory. Columns are cut into blocks whose rows are 128 bytes (64 or 32 where
// COLS does not divide), stored [COLS / block][ROWS][block], and the 16-byte chunks of a row are permuted by
// XOR with swizzle(row):
//  - 16-bit types: the eight rows an ldmatrix reads lie in eight different chunks of the 128 bytes of banks;
//  - float: both reads of the float product are free of conflicts, 8 bytes at (lane / 4, 2 (lane % 4)) and
//    4 bytes at (2 (lane % 4) + {0, 1}, lane / 4).
// The base is a multiple of 16 bytes (1024 for a tile that TMA or wgmma will touch).
template <class T, int ROWS, int COLS> struct SharedTile {
  static_assert(sizeof(T) == 2 ? COLS % 16 == 0 : sizeof(T) == 4 && COLS % 32 == 0,
                "columns come in blocks of 16 (16-bit types) or 32 (float)");
  static_assert(ROWS % 8 == 0, "the swizzle repeats every eight rows");

  using element = T;
  static constexpr int rows = ROWS;
  static constexpr int cols = COLS;
  static constexpr int block = sizeof(T) == 4 || COLS % 64 != 0 ? (COLS % 32 == 0 ? 32 : 16) : 64;
  static constexpr int row_bytes = block * static_cast<int>(sizeof(T));
  static constexpr int chunk_elements = 16 / static_cast<int>(sizeof(T));
  static constexpr int chunks_per_row = row_bytes / 16;
  static constexpr int bytes = ROWS * COLS * static_cast<int>(sizeof(T));

  unsigned char* base;

  static FL_HOST_DEVICE constexpr int swizzle(int row) {
    if (sizeof(T) == 4) return (((row >> 1) & 3) << 1) ^ ((row & 1) << 2);
    return block == 64 ? row & 7 : block == 32 ? (row >> 1) & 3 : (row >> 2) & 1;
  }

  // Byte offset of element (row, col) from the base.
  static FL_HOST_DEVICE constexpr int offset(int row, int col) {
    const int inside = (col % block) * static_cast<int>(sizeof(T));
    return (col / block) * (ROWS * row_bytes) + row * row_bytes + (((inside >> 4) ^ swizzle(row)) << 4) +
           (inside & 15);
  }

  // What to add to, and before that to XOR into, the address of element (row, col) to reach (row + rows, col
  // + cols) where `rows` is a multiple of 8 and `cols` of 32 bytes, if col's chunk lies in the first two of a
  // block. With constant arguments an operand needs one register for its address, and one XOR a step.
  static FL_HOST_DEVICE constexpr int advance(int rows_below, int cols_right) {
    return (cols_right / block) * (ROWS * row_bytes) + rows_below * row_bytes;
  }
  static FL_HOST_DEVICE constexpr int turn(int cols_right) {
    return (cols_right % block) * static_cast<int>(sizeof(T));
  }
};

// A matrix in global memory; strides in elements. `vectors`: 16-byte accesses are legal, that is col_stride
// is 1 and the base and every row start are multiples of 16 bytes.
template <class T> struct GlobalMatrix {
  T* base;
  long long row_stride, col_stride;
  int rows, cols;
  bool vectors;

  FL_HOST_DEVICE T* row(int r) const { return base + r * row_stride; }
  FL_HOST_DEVICE T* at(int row, int col) const { return base + row * row_stride + col * col_stride; }
  FL_HOST_DEVICE bool contains(int row, int col) const {
    return row >= 0 && row < rows && col >= 0 && col < cols;
  }
};

// The same where rows are pairs: row r is number r % group of those at r / group.
template <class T> struct GroupedMatrix {
  T* base;
  int group;
  long long row_stride, inner_stride, col_stride;
  int rows, cols;
  bool vectors;

  FL_HOST_DEVICE T* row(int r) const { return base + r / group * row_stride + r % group * inner_stride; }
  FL_HOST_DEVICE T* at(int r, int col) const { return row(r) + col * col_stride; }
  FL_HOST_DEVICE bool contains(int row, int col) const {
    return row >= 0 && row < rows && col >= 0 && col < cols;
  }
};

// A matrix that will only be read.
template <class T> FL_HOST_DEVICE GlobalMatrix<const T> read_only(GlobalMatrix<T> m) {
  return {m.base, m.row_stride, m.col_stride, m.rows, m.cols, m.vectors};
}

// Matrices one below the other: rows of part s start at starts[s].
template <class T, int S> struct SegmentedMatrix {
  GlobalMatrix<T> parts[S];
  int starts[S];
};

// Rows that lie anywhere in a tensor. `vectors`: a row that starts at a multiple of 16 bytes from the base
// may be read 16 bytes at a time.
template <class T> struct ScatteredRows {
  T* base;
  long long col_stride;
  int cols;
  bool vectors;

  // Whether the row that begins at element `start` is copied by vectors.
  FL_HOST_DEVICE bool copies(long long start) const {
    return vectors && start % (16 / static_cast<long long>(sizeof(T))) == 0;
  }
};

}  // namespace flashlight::device

// Loads and element access. The bodies are in the two headers below; both declare:
//
//  float load_element(SharedTile<T, R, C>, int row, int col)
//  void store_element(SharedTile<T, R, C>, int row, int col, float)
//  float load_element(GlobalMatrix<const T>, int row, int col)
//      0 outside the matrix.
//  void load_tile_async(SharedTile<T, R, C>, GlobalMatrix<const T>, int row0, int threads)
//      The CTA's `threads` threads copy rows [row0, row0 + R); rows and columns outside the matrix become 0.
//  void load_tile_async(SharedTile<T, R, C>, SegmentedMatrix<const T, S>, int row0, int threads)
//      The same; a tile that lies in one part is copied, one that two parts share is filled.
//  void load_rows_async(SharedTile<T, R, C>, ScatteredRows<const T>, int threads, start)
//      The same for rows that are looked up: start(row) is the element at which the tile's row begins,
//      negative for one of zeros. Every thread that copies a part of the row asks for it. Complete for a
//      thread after commit_group() and wait_group<N>(), for the CTA after sync_threads() then.
//  void fill_tile(SharedTile<T, R, C>, int threads, f)
//      tile[row][col] = f(row, col), synchronously; visible to others after sync_threads().
//  void commit_group()
//  void wait_group<N>()
//      Returns when all but the last N groups of this thread are complete.
#if FL_LANES
#include "flashlight/device/detail/tile_lanes.h"
#else
#include "flashlight/device/detail/tile_host.h"
#endif

namespace flashlight::device {

template <class T, int R, int C, int S>
FL_DEVICE void load_tile_async(SharedTile<T, R, C> tile, const SegmentedMatrix<const T, S>& matrix, int row0,
                               int threads FL_AND_WHERE) {
  FL_UNROLL
  for (int s = 0; s < S; ++s) {
    const int row = row0 - matrix.starts[s];
    const bool last = s + 1 == S || row + R <= matrix.parts[s].rows;
    if (row >= 0 && (s + 1 == S || row < matrix.parts[s].rows) && last) {
      load_tile_async(tile, matrix.parts[s], row, threads FL_AND_HERE);
      return;
    }
  }
  fill_tile(tile, threads, [&](int row, int col) FL_INLINE {
    float x = 0;  // at most one part has the row; the others give 0
    FL_UNROLL
    for (int s = 0; s < S; ++s)
      x += load_element(matrix.parts[s], row0 + row - matrix.starts[s], col FL_AND_HERE);
    return x;
  } FL_AND_HERE);
}

}  // namespace flashlight::device
