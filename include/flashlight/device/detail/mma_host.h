// SPDX-License-Identifier: Apache-2.0
// Warp products on the emulated device: a rendezvous of the 32 lanes, then one plain product for all of them.
//
// Each 16-byte chunk of an operand is read on behalf of the lane that would pass its address to ldmatrix.
#pragma once

#include "flashlight/device/mma.h"

namespace flashlight::device {

// The product and store primitives' way to an accumulator's values.
struct Registers {
  template <int MI, int N> static auto& floats(Acc<MI, N>& c) { return c.v_; }
  template <int MI, int N> static const auto& floats(const Acc<MI, N>& c) { return c.v_; }
};

namespace detail {

// Calls f(lane, index into the lane's values, row, column) for every value of a warp's accumulator.
template <int MI, int N, class F> void for_each_value(F f) {
  for (int lane = 0; lane < kWarpSize; ++lane) {
    int i = 0;
    for (int mi = 0; mi < MI; ++mi) {
      for (int nj = 0; nj < N / 8; ++nj) {
        for (int k = 0; k < 4; ++k, ++i)
          f(lane, i, 16 * mi + lane / 4 + 8 * (k >> 1), 8 * nj + 2 * (lane & 3) + (k & 1));
      }
    }
  }
}

// The [16 MI][N] matrix that 32 lanes hold.
template <int MI, int N, class GetAcc> void gather(float* out, GetAcc acc, int first_thread,
                                                   const std::source_location& where) {
  const float* values[kWarpSize];
  for (int l = 0; l < kWarpSize; ++l) {
    const auto& floats = Registers::floats(acc(l));
    if (floats.in_flight()) {
      emulator::pending_register("read", where);
    } else if (!floats.readable()) {
      emulator::uninitialised_register("accumulator operand", first_thread + l, where);
    }
    values[l] = floats.values();
  }
  for_each_value<MI, N>([&](int lane, int i, int row, int col) { out[row * N + col] = values[lane][i]; });
}

template <int MI, int N, class GetAcc> void scatter(const float* in, GetAcc acc) {
  float* values[kWarpSize];
  for (int l = 0; l < kWarpSize; ++l) {
    Registers::floats(acc(l)).mark(emulator::RegisterState::kAccessed);
    values[l] = Registers::floats(acc(l)).values();
  }
  for_each_value<MI, N>([&](int lane, int i, int row, int col) { values[lane][i] = in[row * N + col]; });
}

// Reads `rows` x `cols` of a tile from (row0, col0), 16 bytes at a time; put(row, col, value) receives each.
// Rows repeat over the lanes as ldmatrix addresses repeat: `first_thread` is lane 0 of the warp.
template <class T, int R, int C, class Put>
void read_tile(SharedTile<T, R, C> tile, int row0, int col0, int rows, int cols, int first_thread, Put put,
               const std::source_location& where) {
  constexpr int E = SharedTile<T, R, C>::chunk_elements;
  for (int row = 0; row < rows; ++row) {
    for (int col = 0; col < cols; col += E) {
      T chunk[E] = {};
      const int lane = (row & 15) + 16 * ((col / E) & 1);
      emulator::shared_load(first_thread + lane, tile.base + tile.offset(row0 + row, col0 + col), chunk,
                            sizeof chunk, where);
      for (int e = 0; e < E && col + e < cols; ++e) put(row, col + e, to_float(chunk[e]));
    }
  }
}

// What the lane-level bodies take for granted about the parts of the operands that a warp uses.
template <class Tile> bool rows_are_inside(const char* name, int row0, int rows,
                                           const std::source_location& where) {
  const bool ok = row0 >= 0 && row0 % 8 == 0 && row0 + rows <= Tile::rows;
  if (!ok) emulator::invalid_operand(name, "the warp's rows are not inside the tile", where);
  return ok;
}
template <class Tile> bool columns_are_inside(const char* name, int col0, int cols,
                                              const std::source_location& where) {
  const bool aligned = col0 % Tile::block == 0 || (Tile::block % cols == 0 && col0 % cols == 0);
  const bool ok = col0 >= 0 && aligned && col0 + cols <= Tile::cols;
  if (!ok)
    emulator::invalid_operand(name, "the columns are not inside the tile or do not start a block", where);
  return ok;
}

template <class T> void warp_product(float* c, const float* a, const float* b, int m, int n, int k) {
  if constexpr (is_half_width<T>) {
    emulator::product(c, a, b, m, n, k);
  } else {
    emulator::product_tf32(c, a, b, m, n, k);
  }
}

}  // namespace detail

template <class T, int MI, int N, int M, int NB, int D>
void multiply_transposed(Acc<MI, N>& c, SharedTile<T, M, D> a, SharedTile<T, NB, D> b, int warp,
                         int first_row = 0 FL_AND_WHERE) {
  struct Lane {
    Acc<MI, N>* c;
    SharedTile<T, M, D> a;
    SharedTile<T, NB, D> b;
    int warp, first_row, first_thread;
    std::source_location where;
  } lane{&c, a, b, warp, first_row, thread_index() - lane_index(), where};
  emulator::warp_collective(
      "multiply_transposed", lane,
      [](Lane* const(&lanes)[kWarpSize]) {
        const Lane& l = *lanes[0];
        for (const Lane* other : lanes) {
          if (other->a.base != l.a.base || other->b.base != l.b.base || other->warp != l.warp ||
              other->first_row != l.first_row) {
            return emulator::divergent_operands("multiply_transposed", l.where);
          }
        }
        constexpr int rows = 16 * MI;
        if (!detail::rows_are_inside<SharedTile<T, M, D>>("multiply_transposed", l.warp * rows, rows,
                                                          l.where) ||
            !detail::rows_are_inside<SharedTile<T, NB, D>>("multiply_transposed", l.first_row, N, l.where)) {
          return;
        }
        float* const sum = emulator::scratch(rows * N + rows * D + D * N);
        float *const left = sum + rows * N, *const right = left + rows * D;
        const auto acc = [&](int i) -> Acc<MI, N>& { return *lanes[i]->c; };
        detail::gather<MI, N>(sum, acc, l.first_thread, l.where);
        detail::read_tile(
            l.a, l.warp * rows, 0, rows, D, l.first_thread,
            [&](int row, int col, float x) { left[row * D + col] = x; }, l.where);
        detail::read_tile(
            l.b, l.first_row, 0, N, D, l.first_thread,
            [&](int row, int col, float x) { right[col * N + row] = x; }, l.where);
        detail::warp_product<T>(sum, left, right, rows, N, D);
        detail::scatter<MI, N>(sum, acc);
      },
      where);
}

template <class T, int MI, int DV, int N, int C>
void multiply(Acc<MI, DV>& c, const Acc<MI, N>& p, SharedTile<T, N, C> b, int first_col = 0 FL_AND_WHERE) {
  static_assert(N % (is_half_width<T> ? 16 : 8) == 0, "p's columns come in steps of the product's depth");
  struct Lane {
    Acc<MI, DV>* c;
    const Acc<MI, N>* p;
    SharedTile<T, N, C> b;
    int first_col, first_thread;
    std::source_location where;
  } lane{&c, &p, b, first_col, thread_index() - lane_index(), where};
  emulator::warp_collective(
      "multiply", lane,
      [](Lane* const(&lanes)[kWarpSize]) {
        const Lane& l = *lanes[0];
        for (const Lane* other : lanes) {
          if (other->b.base != l.b.base || other->first_col != l.first_col) {
            return emulator::divergent_operands("multiply", l.where);
          }
        }
        constexpr int rows = 16 * MI;
        if (!detail::columns_are_inside<SharedTile<T, N, C>>("multiply", l.first_col, DV, l.where)) return;
        float* const sum = emulator::scratch(rows * DV + rows * N + N * DV);
        float *const left = sum + rows * DV, *const right = left + rows * N;
        const auto acc = [&](int i) -> Acc<MI, DV>& { return *lanes[i]->c; };
        detail::gather<MI, DV>(sum, acc, l.first_thread, l.where);
        detail::gather<MI, N>(
            left, [&](int i) -> const Acc<MI, N>& { return *lanes[i]->p; }, l.first_thread, l.where);
        for (int i = 0; i < rows * N; ++i) left[i] = to_float(from_float<T>(left[i]));
        detail::read_tile(
            l.b, 0, l.first_col, N, DV, l.first_thread,
            [&](int row, int col, float x) { right[row * DV + col] = x; }, l.where);
        detail::warp_product<T>(sum, left, right, rows, DV, N);
        detail::scatter<MI, DV>(sum, acc);
      },
      where);
}

template <class T, int MI, int DV, int M, int K, int C>
void multiply(Acc<MI, DV>& c, SharedTile<T, M, K> a, SharedTile<T, K, C> b, int warp,
              int first_col = 0 FL_AND_WHERE) {
  struct Lane {
    Acc<MI, DV>* c;
    SharedTile<T, M, K> a;
    SharedTile<T, K, C> b;
    int warp, first_col, first_thread;
    std::source_location where;
  } lane{&c, a, b, warp, first_col, thread_index() - lane_index(), where};
  emulator::warp_collective(
      "multiply", lane,
      [](Lane* const(&lanes)[kWarpSize]) {
        const Lane& l = *lanes[0];
        for (const Lane* other : lanes) {
          if (other->a.base != l.a.base || other->b.base != l.b.base || other->warp != l.warp ||
              other->first_col != l.first_col) {
            return emulator::divergent_operands("multiply", l.where);
          }
        }
        constexpr int rows = 16 * MI;
        if (!detail::rows_are_inside<SharedTile<T, M, K>>("multiply", l.warp * rows, rows, l.where) ||
            !detail::columns_are_inside<SharedTile<T, K, C>>("multiply", l.first_col, DV, l.where)) {
          return;
        }
        float* const sum = emulator::scratch(rows * DV + rows * K + K * DV);
        float *const left = sum + rows * DV, *const right = left + rows * K;
        const auto acc = [&](int i) -> Acc<MI, DV>& { return *lanes[i]->c; };
        detail::gather<MI, DV>(sum, acc, l.first_thread, l.where);
        detail::read_tile(
            l.a, l.warp * rows, 0, rows, K, l.first_thread,
            [&](int row, int col, float x) { left[row * K + col] = x; }, l.where);
        detail::read_tile(
            l.b, 0, l.first_col, K, DV, l.first_thread,
            [&](int row, int col, float x) { right[row * DV + col] = x; }, l.where);
        detail::warp_product<T>(sum, left, right, rows, DV, K);
        detail::scatter<MI, DV>(sum, acc);
      },
      where);
}

template <class T, int MI, int N, int M>
void store_fragment(SharedTile<T, M, N> tile, const Acc<MI, N>& p, int warp FL_AND_WHERE) {
  for (int mi = 0; mi < MI; ++mi) {
    for (int nj = 0; nj < N / 8; ++nj) {
      for (int k = 0; k < 4; k += 2) {
        const Element e{mi, nj, k, lane_index(), where}, next{mi, nj, k + 1, lane_index(), where};
        store_pair(tile, row_of<MI>(warp, e), col_of(e), p[e], p[next], where);
      }
    }
  }
}

template <class T, int MI, int N, int M>
void load_fragment(Acc<MI, N>& c, SharedTile<T, M, N> tile, int warp FL_AND_WHERE) {
  for_each_element<MI, N>(
      [&](const Element& e) { c[e] = load_element(tile, row_of<MI>(warp, e), col_of(e), where); }, where);
}

}  // namespace flashlight::device
