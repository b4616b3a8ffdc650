// SPDX-License-Identifier: Apache-2.0
// One small kernel a primitive, for the emulated device and for nvcc alike. Matrices are row-major and
// contiguous unless said.
#pragma once

#include "flashlight/device/device.h"

namespace flashlight::test {

using namespace flashlight::device;

template <class T> FL_HOST_DEVICE GlobalMatrix<T> matrix_of(T* base, int rows, int cols,
                                                            bool vectors = true) {
  return {base, cols, 1, rows, cols, vectors};
}

// ---- tiles

template <class T> struct CopyParams {
  GlobalMatrix<const T> in;
  float* out;  // [R][C]
  int row0;
};

// A tile by load_tile_async, read back element by element.
template <class T, int R, int C, int THREADS> FL_KERNEL(THREADS) copy_kernel(FL_PARAMS(CopyParams<T>) p) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<T, R, C> tile{smem};
  load_tile_async(tile, p.in, p.row0, THREADS);
  commit_group();
  wait_group<0>();
  sync_threads();
  for (int i = thread_index(); i < R * C; i += THREADS) {
    matrix_of(p.out, R, C).at(i / C, i % C)[0] = load_element(tile, i / C, i % C);
  }
}

template <class T> struct ScatterParams {
  ScatteredRows<const T> in;
  const int* starts;  // [R], of each row; negative: zeros
  float* out;         // [R][C]
};

// A tile by load_rows_async, read back element by element.
template <class T, int R, int C, int THREADS> FL_KERNEL(THREADS)
scatter_kernel(FL_PARAMS(ScatterParams<T>) p) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<T, R, C> tile{smem};
  load_rows_async(tile, p.in, THREADS, [&](int row) FL_INLINE -> long long {
    return load_int(AuxTensor{p.starts, kAuxInt32}, row);
  });
  commit_group();
  wait_group<0>();
  sync_threads();
  for (int i = thread_index(); i < R * C; i += THREADS) {
    matrix_of(p.out, R, C).at(i / C, i % C)[0] = load_element(tile, i / C, i % C);
  }
}

// fill_tile with row * 1000 + col, read back.
template <class T, int R, int C, int THREADS> FL_KERNEL(THREADS) fill_kernel(FL_PARAMS(CopyParams<T>) p) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<T, R, C> tile{smem};
  fill_tile(tile, THREADS, [&](int row, int col) FL_INLINE { return p.row0 + 8.0f * row + 0.25f * col; });
  sync_threads();
  for (int i = thread_index(); i < R * C; i += THREADS) {
    matrix_of(p.out, R, C).at(i / C, i % C)[0] = load_element(tile, i / C, i % C);
  }
}

// ---- products; two warps, M = 32 MI rows

struct ProductParams {
  const void *a, *b;  // of the kernel's T
  const float* p;     // left operand where it is an accumulator
  float* c;           // read and written
  int b_cols;         // columns of b in memory
  int offset;         // first row or column of b that takes part
};

template <int MI, int N> FL_DEVICE void load_accumulator(Acc<MI, N>& acc, const float* base, int cols) {
  for_each_element<MI, N>([&](const Element& e) FL_INLINE {
    acc[e] = load_element(matrix_of(base, 1 << 20, cols), row_of<MI>(warp_index(), e), col_of(e));
  });
}

// c += a[M][D] b[NB][D]^T, rows offset .. offset + N of b.
template <class T, int MI, int N, int NB, int D> FL_KERNEL(64) transposed_kernel(FL_PARAMS(ProductParams) p) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<T, 32 * MI, D> a{smem};
  const SharedTile<T, NB, D> b{smem + a.bytes};
  load_tile_async(a, matrix_of(static_cast<const T*>(p.a), 32 * MI, D), 0, 64);
  load_tile_async(b, matrix_of(static_cast<const T*>(p.b), NB, D), 0, 64);
  commit_group();
  Acc<MI, N> c;
  load_accumulator(c, p.c, N);
  wait_group<0>();
  sync_threads();
  multiply_transposed(c, a, b, warp_index(), p.offset);
  store_tile(matrix_of(p.c, 32 * MI, N), c, 0, warp_index());
}

// c += round(p[M][N]) b[N][C], columns offset .. offset + DV of b.
template <class T, int MI, int N, int C, int DV> FL_KERNEL(64) register_kernel(FL_PARAMS(ProductParams) p) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<T, N, C> b{smem};
  load_tile_async(b, matrix_of(static_cast<const T*>(p.b), N, C), 0, 64);
  commit_group();
  Acc<MI, N> left;
  Acc<MI, DV> c;
  load_accumulator(left, p.p, N);
  load_accumulator(c, p.c, DV);
  wait_group<0>();
  sync_threads();
  multiply(c, left, b, p.offset);
  store_tile(matrix_of(p.c, 32 * MI, DV), c, 0, warp_index());
}

// c += a[M][K] b[K][C], columns offset .. offset + DV of b. a is stored by store_fragment from p[M][K].
template <class T, int MI, int K, int C, int DV> FL_KERNEL(64) tiles_kernel(FL_PARAMS(ProductParams) p) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<T, 32 * MI, K> a{smem};
  const SharedTile<T, K, C> b{smem + a.bytes};
  load_tile_async(b, matrix_of(static_cast<const T*>(p.b), K, C), 0, 64);
  commit_group();
  {
    Acc<MI, K> left;
    load_accumulator(left, p.p, K);
    store_fragment(a, left, warp_index());
  }
  Acc<MI, DV> c;
  load_accumulator(c, p.c, DV);
  wait_group<0>();
  sync_threads();
  multiply(c, a, b, warp_index(), p.offset);
  store_tile(matrix_of(p.c, 32 * MI, DV), c, 0, warp_index());
}

// ---- fragments

struct FragmentParams {
  float* out;
  int *rows, *cols;
};

// out[thread][element]: the element's row and column, written by its owner.
template <int MI, int N> FL_KERNEL(64) layout_kernel(FL_PARAMS(FragmentParams) p) {
  for_each_element<MI, N>([&](const Element& e) FL_INLINE {
    const int i = thread_index() * (MI * N / 2) + (e.mi * (N / 8) + e.nj) * 4 + e.k;
    p.rows[i] = row_of<MI>(warp_index(), e);
    p.cols[i] = col_of(e);
  });
}

// out[row][column] = 1000 row + column^2, its parts from a row vector, an accumulator and a loop.
template <int MI, int N> FL_KERNEL(64) in_turn_kernel(FL_PARAMS(FragmentParams) p) {
  RowVec<MI> rows;
  for_each_row<MI>([&](const Row& r) FL_INLINE { rows[r] = 1000.0f * row_of<MI>(warp_index(), r); });
  Acc<MI, N> columns, sums;
  for_each_element<MI, N>([&](const Element& e) FL_INLINE { columns[e] = static_cast<float>(col_of(e)); });
  fill_in_turn(sums, [&](const ElementInTurn& e) FL_INLINE {
    return rows[e] + columns[e] + sum_of<float>(col_of(e), [&](int k) FL_INLINE { return 2.0f * k + 1.0f; });
  });
  for_each_element<MI, N>([&](const Element& e) FL_INLINE {
    p.out[row_of<MI>(warp_index(), e) * N + col_of(e)] = sums[e] - columns[e];
  });
}

// out[reduction][thread] of the thread's own number + 1, on 64 threads.
template <int THREADS> FL_KERNEL(THREADS) quad_kernel(FL_PARAMS(FragmentParams) p) {
  const int t = thread_index();
  const float x = static_cast<float>(t + 1);
  p.out[t] = quad_max(x);
  p.out[64 + t] = quad_min(x);
  p.out[128 + t] = quad_sum(x);
  p.out[192 + t] = quad_prod(x);
  p.out[256 + t] = quad_or(t % 16 == 5) ? 1.0f : 0.0f;
  p.out[320 + t] = warp_any(t == 40) ? 1.0f : 0.0f;
  p.out[384 + t] = warp_all(t != 40) ? 1.0f : 0.0f;
}

// ---- stores

template <class T> struct StoreParams {
  GlobalMatrix<T> out, row_out;
  int row0, first_col;
};

// out[i][j] = 100 i + j, row_out[i] = i, of the CTA's 32 MI rows.
template <class T, int MI, int N> FL_KERNEL(64) store_kernel(FL_PARAMS(StoreParams<T>) p) {
  const int warp = warp_index();
  Acc<MI, N> c;
  RowVec<MI> r;
  for_each_element<MI, N>([&](const Element& e) FL_INLINE {
    c[e] = 4.0f * static_cast<float>(p.row0 + row_of<MI>(warp, e)) +
           0.25f * static_cast<float>(p.first_col + col_of(e));
  });
  for_each_row<MI>([&](const Row& i) FL_INLINE { r[i] = static_cast<float>(p.row0 + row_of<MI>(warp, i)); });
  store_tile(p.out, c, p.row0, warp, p.first_col);
  store_rows(p.row_out, r, p.row0, warp);
}

// ---- auxiliary loads

struct AuxParams {
  AuxTensor tensor;
  long long count;
  float* floats;
  long long* integers;
  bool* booleans;
};

template <int THREADS> FL_KERNEL(THREADS) aux_kernel(FL_PARAMS(AuxParams) p) {
  for (long long i = thread_index(); i < p.count; i += THREADS) {
    p.floats[i] = load_float(p.tensor, i);
    p.integers[i] = load_int(p.tensor, i);
    p.booleans[i] = load_bool(p.tensor, i);
  }
}

}  // namespace flashlight::test
