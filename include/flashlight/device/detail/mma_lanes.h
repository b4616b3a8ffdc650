// SPDX-License-Identifier: Apache-2.0
// Warp products, lane by lane: ldmatrix and mma.sync, for 16-bit operands and for float by four TF32
// products.
#pragma once

#include "flashlight/device/detail/instructions.h"
#include "flashlight/device/mma.h"

namespace flashlight::device {

struct Registers {
  template <int MI, int N> static FL_DEVICE float (&tile(Acc<MI, N>& c, int mi, int nj))[4] {
    return c.v_[mi][nj];
  }
  template <int MI, int N> static FL_DEVICE const float (&tile(const Acc<MI, N>& c, int mi, int nj))[4] {
    return c.v_[mi][nj];
  }
  // A row block's registers, by column blocks.
  template <int MI, int N> static FL_DEVICE float (&block(Acc<MI, N>& c, int mi))[N / 8][4] {
    return c.v_[mi];
  }
};

namespace detail {

// Address of a tile's element at a constant distance from the lane's own element.
template <class Tile> FL_DEVICE std::uint32_t step_to(std::uint32_t lane_address, int rows_below,
                                                      int cols_right) {
  return (lane_address ^ Tile::turn(cols_right)) + Tile::advance(rows_below, cols_right);
}

// x = hi + lo, both representable in TF32. An infinite x keeps lo = 0 (inf - inf would be NaN).
FL_DEVICE void split_tf32(float x, std::uint32_t& hi, std::uint32_t& lo) {
  hi = to_tf32(x);
  const float rest = x - bits_float(hi);
  lo = to_tf32(x == kInfinity || x == -kInfinity ? 0.0f : rest);
}

// The left operand of one step: 16 rows x 16 columns of 16-bit values, or 16 x 8 floats split in two. The
// float product uses the columns in the order 0 2 4 6 1 3 5 7, in which an accumulator's own values are
// already in place; both operands are permuted alike.
template <class T> struct Left {
  static constexpr int depth = 16;
  std::uint32_t r[4];

  template <class Tile> static FL_DEVICE std::uint32_t lane_address(Tile a, int row0) {
    return opaque(shared_address(a.base) + a.offset(row0 + (lane_index() & 15), 8 * (lane_index() >> 4)));
  }
  template <class Tile> FL_DEVICE void load(std::uint32_t lane, int row, int col) {
    load_matrix_x4(r, step_to<Tile>(lane, row, col));
  }
  template <int MI, int N> FL_DEVICE void take(const Acc<MI, N>& p, int mi, int step) {
    FL_UNROLL
    for (int i = 0; i < 2; ++i) {
      const float(&v)[4] = Registers::tile(p, mi, 2 * step + i);
      r[2 * i] = pack<T>(v[0], v[1]);
      r[2 * i + 1] = pack<T>(v[2], v[3]);
    }
  }
};

template <> struct Left<float> {
  static constexpr int depth = 8;
  std::uint32_t hi[4], lo[4];

  template <class Tile> static FL_DEVICE std::uint32_t lane_address(Tile a, int row0) {
    return opaque(shared_address(a.base) + a.offset(row0 + lane_index() / 4, 2 * (lane_index() & 3)));
  }
  template <class Tile> FL_DEVICE void load(std::uint32_t lane, int row, int col) {
    FL_UNROLL
    for (int half = 0; half < 2; ++half) {
      Pair x;
      load_shared(step_to<Tile>(lane, row + 8 * half, col), x);
      split_tf32(x.x, hi[half], lo[half]);
      split_tf32(x.y, hi[2 + half], lo[2 + half]);
    }
  }
  template <int MI, int N> FL_DEVICE void take(const Acc<MI, N>& p, int mi, int step) {
    const float(&v)[4] = Registers::tile(p, mi, step);
    split_tf32(v[0], hi[0], lo[0]);
    split_tf32(v[2], hi[1], lo[1]);
    split_tf32(v[1], hi[2], lo[2]);
    split_tf32(v[3], hi[3], lo[3]);
  }
};

// The right operand of one step for `BLOCKS` (1 or 2) column blocks of 8; ROWS: operand column n is row n of
// the tile, as for a b^T, otherwise column n.
template <class T, class Tile, int BLOCKS, bool ROWS> struct Right {
  std::uint32_t r[4];

  static FL_DEVICE std::uint32_t lane_address(Tile b, int row0, int col0) {
    const int lane = lane_index();
    const int row = ROWS ? (lane & 7) + (BLOCKS == 2 ? 8 * (lane >> 4) : 0) : lane & 15;
    const int col = ROWS ? 8 * ((lane >> 3) & 1) : (BLOCKS == 2 ? 8 * (lane >> 4) : 0);
    return opaque(shared_address(b.base) + b.offset(row0 + row, col0 + col));
  }
  // Step `k` and operand column `n` are constants.
  FL_DEVICE void load(std::uint32_t lane, int k, int n) {
    const std::uint32_t address = ROWS ? step_to<Tile>(lane, n, k) : step_to<Tile>(lane, k, n);
    if constexpr (ROWS) {
      if constexpr (BLOCKS == 2) load_matrix_x4(r, address);
      if constexpr (BLOCKS == 1) load_matrix_x2(r, address);
    } else {
      if constexpr (BLOCKS == 2) load_matrix_x4_transposed(r, address);
      if constexpr (BLOCKS == 1) load_matrix_x2_transposed(r, address);
    }
  }
  FL_DEVICE void accumulate(float (&c)[4], const Left<T>& a, int block) const {
    mma_k16<T>(c, a.r, r[2 * block], r[2 * block + 1]);
  }
};

template <class Tile, int BLOCKS, bool ROWS> struct Right<float, Tile, BLOCKS, ROWS> {
  std::uint32_t hi[BLOCKS][2], lo[BLOCKS][2];

  static FL_DEVICE std::uint32_t lane_address(Tile b, int row0, int col0) {
    const int lane = lane_index();
    const int row = ROWS ? lane / 4 : 2 * (lane & 3), col = ROWS ? 2 * (lane & 3) : lane / 4;
    return opaque(shared_address(b.base) + b.offset(row0 + row, col0 + col));
  }
  FL_DEVICE void load(std::uint32_t lane, int k, int n) {
    FL_UNROLL
    for (int i = 0; i < BLOCKS; ++i) {
      Pair x;
      if constexpr (ROWS) {
        load_shared(step_to<Tile>(lane, n + 8 * i, k), x);
      } else {  // the odd row's chunks are turned by a further four
        load_shared(step_to<Tile>(lane, k, n + 8 * i), x.x);
        load_shared(step_to<Tile>(lane ^ 64, k, n + 8 * i) + Tile::row_bytes, x.y);
      }
      split_tf32(x.x, hi[i][0], lo[i][0]);
      split_tf32(x.y, hi[i][1], lo[i][1]);
    }
  }
  // The tensor core truncates its sums: over many steps that would be a bias, so each step's sum is added by
  // an addition that rounds to nearest.
  FL_DEVICE void accumulate(float (&c)[4], const Left<float>& a, int block) const {
    float part[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    mma_k8_tf32(part, a.lo, lo[block][0], lo[block][1]);  // 2^-22 of the product: as much as float32 rounds
    mma_k8_tf32(part, a.hi, lo[block][0], lo[block][1]);
    mma_k8_tf32(part, a.lo, hi[block][0], hi[block][1]);
    mma_k8_tf32(part, a.hi, hi[block][0], hi[block][1]);
    FL_UNROLL
    for (int i = 0; i < 4; ++i) c[i] += part[i];
  }
};

// A tile as right operand: one address register for pairs of column blocks, one for an odd last block.
template <class T, class Tile, int N, bool ROWS> struct RightTile {
  using Two = Right<T, Tile, 2, ROWS>;
  using One = Right<T, Tile, 1, ROWS>;
  std::uint32_t two, one;

  FL_DEVICE RightTile(Tile b, int row0, int col0) : two(Two::lane_address(b, row0, col0)) {
    if constexpr (N % 16 != 0) one = One::lane_address(b, row0, col0);
  }

  // c += left * this, for one step of depth: each part is loaded once and used for every row block.
  template <int MI> FL_DEVICE void accumulate(Acc<MI, N>& c, const Left<T> (&left)[MI], int k) const {
    FL_UNROLL
    for (int nj = 0; nj + 1 < N / 8; nj += 2) {
      Two b;
      b.load(two, k, 8 * nj);
      FL_UNROLL
      for (int mi = 0; mi < MI; ++mi) {
        b.accumulate(Registers::tile(c, mi, nj), left[mi], 0);
        b.accumulate(Registers::tile(c, mi, nj + 1), left[mi], 1);
      }
    }
    if constexpr (N % 16 != 0) {
      One b;
      b.load(one, k, N - 8);
      FL_UNROLL
      for (int mi = 0; mi < MI; ++mi) b.accumulate(Registers::tile(c, mi, N / 8 - 1), left[mi], 0);
    }
  }
};

// A branch that is always taken, which ptxas does not know of the shared address of an operand. It schedules
// within basic blocks only: without a border between the steps of a float product, the sums and split
// operands of many steps would be alive at once and spill.
template <class T> FL_DEVICE bool enter_step(std::uint32_t lane_address) {
  return sizeof(T) == 2 || static_cast<int>(lane_address) >= 0;
}

template <class T, int MI, int N, class A, class B>
FL_DEVICE void multiply_tiles(Acc<MI, N>& c, A a, const B& right, int warp) {
  const std::uint32_t lane = Left<T>::lane_address(a, warp * MI * 16);
  FL_UNROLL
  for (int k = 0; k < A::cols; k += Left<T>::depth) {
    Left<T> left[MI];
    FL_UNROLL
    for (int mi = 0; mi < MI; ++mi) left[mi].template load<A>(lane, 16 * mi, k);
    if (enter_step<T>(lane)) right.accumulate(c, left, k);
  }
}

}  // namespace detail

template <class T, int MI, int N, int M, int NB, int D>
FL_DEVICE void multiply_transposed(Acc<MI, N>& c, SharedTile<T, M, D> a, SharedTile<T, NB, D> b, int warp,
                                   int first_row = 0) {
  const detail::RightTile<T, SharedTile<T, NB, D>, N, true> right(b, first_row, 0);
  detail::multiply_tiles<T>(c, a, right, warp);
}

template <class T, int MI, int DV, int M, int K, int C>
FL_DEVICE void multiply(Acc<MI, DV>& c, SharedTile<T, M, K> a, SharedTile<T, K, C> b, int warp,
                        int first_col = 0) {
  const detail::RightTile<T, SharedTile<T, K, C>, DV, false> right(b, 0, first_col);
  detail::multiply_tiles<T>(c, a, right, warp);
}

template <class T, int MI, int DV, int N, int C>
FL_DEVICE void multiply(Acc<MI, DV>& c, const Acc<MI, N>& p, SharedTile<T, N, C> b, int first_col = 0) {
  constexpr int depth = detail::Left<T>::depth;
  static_assert(N % depth == 0, "p's columns come in steps of the product's depth");
  const detail::RightTile<T, SharedTile<T, N, C>, DV, false> right(b, 0, first_col);
  FL_UNROLL
  for (int step = 0; step < N / depth; ++step) {
    detail::Left<T> left[MI];
    FL_UNROLL
    for (int mi = 0; mi < MI; ++mi) left[mi].take(p, mi, step);
    if (detail::enter_step<T>(right.two)) right.accumulate(c, left, step * depth);
  }
}

template <class T, int MI, int N, int M>
FL_DEVICE void store_fragment(SharedTile<T, M, N> tile, const Acc<MI, N>& p, int warp) {
  FL_UNROLL
  for (int mi = 0; mi < MI; ++mi) {
    FL_UNROLL
    for (int nj = 0; nj < N / 8; ++nj) {
      const float(&v)[4] = Registers::tile(p, mi, nj);
      const int row = row_of<MI>(warp, Row{mi, 0}), col = col_of(Element{mi, nj, 0});
      store_pair(tile, row, col, v[0], v[1]);
      store_pair(tile, row + 8, col, v[2], v[3]);
    }
  }
}

template <class T, int MI, int N, int M>
FL_DEVICE void load_fragment(Acc<MI, N>& c, SharedTile<T, M, N> tile, int warp) {
  for_each_element<MI, N>([&](const Element& e) FL_INLINE {
    const int row = row_of<MI>(warp, e), col = col_of(e);
    c[e] = load_element(tile, row, col);
  });
}

}  // namespace flashlight::device
