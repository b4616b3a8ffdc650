// SPDX-License-Identifier: Apache-2.0
// One small kernel a primitive of Hopper, for the emulated device and for nvcc alike. Matrices are row-major
// and contiguous unless said; CTAs are one warpgroup unless said.
#pragma once

#include "../kernels.h"
#include "flashlight/device/hopper.h"

namespace flashlight::test {

// ---- products: 64 x N, each thread's values as they lie in its registers

struct AsyncProductParams {
  const void *a, *b;  // of the kernel's T
  const float* p;     // left operand where it is in registers, 64 x depth
  float* out;         // [thread][N / 2]; overlap_kernel: two of them
};

// What an accumulator holds before a product is added: a small number of the thread and the value's place.
FL_HOST_DEVICE constexpr int initial_value(int thread, int i) { return (5 * thread + 3 * i) % 16 - 8; }

template <int N> FL_DEVICE void set_registers(Acc<1, N>& c) {
  for_each_element<1, N>([&](const Element& e) FL_INLINE {
    c[e] = static_cast<float>(initial_value(thread_index(), e.nj * 4 + e.k));
  });
}
template <int N> FL_DEVICE void store_registers(float* base, const Acc<1, N>& c) {
  for_each_element<1, N>([&](const Element& e)
                             FL_INLINE { base[thread_index() * (N / 2) + e.nj * 4 + e.k] = c[e]; });
}

// Tiles that threads have filled: visible to the async proxy, and to everybody.
FL_DEVICE void publish_tiles() {
  commit_group();
  wait_group<0>();
  fence_proxy_async();
  sync_threads();
}

// Where a product's left operand is.
enum class Left { kShared, kRegisters };

// The shared form sets out = a b, the register form adds a b to the initial values; a: 64 rows of a tile, or
// p.
template <Left LEFT, class T, int DEPTH, int N, class Multiply>
FL_DEVICE void run_product(const AsyncProductParams& p, Multiply multiply) {
  Acc<1, N> c;
  if constexpr (LEFT == Left::kShared) {
    fence_products(c);
    multiply(c);
    commit_products();
    wait_products<0>(c);
  } else {
    Operand<T, DEPTH> left;
    {
      Acc<1, DEPTH> values;
      for_each_element<1, DEPTH>([&](const Element& e) FL_INLINE {
        values[e] = load_element(matrix_of(p.p, 64, DEPTH), row_of<1>(warp_index(), e), col_of(e));
      });
      round_fragment(left, values);
    }
    set_registers(c);
    fence_products(c, left);
    multiply(c, left);
    commit_products();
    wait_products<0>(c, left);
  }
  store_registers(p.out, c);
}

// a (64 x D) b[FIRST..]^T; a is 64 WARPGROUP rows down its tile.
template <Left LEFT, class T, int N, int D, int FIRST = 0, int WARPGROUP = 0>
FL_KERNEL(kWarpgroupSize)
k_major_kernel(FL_PARAMS(AsyncProductParams) p) {
  FL_SHARED_MEMORY(smem);
  constexpr int rows = 64 * (WARPGROUP + 1);
  const SharedTile<T, rows, D> a{smem};
  const SharedTile<T, N + FIRST, D> b{smem + a.bytes};
  load_tile_async(a, matrix_of(static_cast<const T*>(p.a), rows, D), 0, kWarpgroupSize);
  load_tile_async(b, matrix_of(static_cast<const T*>(p.b), N + FIRST, D), 0, kWarpgroupSize);
  publish_tiles();
  run_product<LEFT, T, D, N>(p, [&](Acc<1, N>& c, auto&... left) FL_INLINE {
    if constexpr (LEFT == Left::kShared) {
      multiply_transposed_async<kSet>(c, a, b, WARPGROUP, FIRST);
    } else {
      multiply_transposed_async<kAdd>(c, left..., b, FIRST);
    }
  });
}

// a (64 x K) b[:, FIRST..]; b is K x C.
template <Left LEFT, class T, int N, int K, int C, int FIRST = 0>
FL_KERNEL(kWarpgroupSize)
mn_major_kernel(FL_PARAMS(AsyncProductParams) p) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<T, 64, K> a{smem};
  const SharedTile<T, K, C> b{smem + a.bytes};
  load_tile_async(a, matrix_of(static_cast<const T*>(p.a), 64, K), 0, kWarpgroupSize);
  load_tile_async(b, matrix_of(static_cast<const T*>(p.b), K, C), 0, kWarpgroupSize);
  publish_tiles();
  run_product<LEFT, T, K, N>(p, [&](Acc<1, N>& c, auto&... left) FL_INLINE {
    if constexpr (LEFT == Left::kShared) {
      multiply_async<kSet>(c, a, b, 0, FIRST);
    } else {
      multiply_async<kAdd>(c, left..., b, FIRST);
    }
  });
}

// Two accumulators whose products overlap: out[0] = a b^T, out[1] = b a^T + a b^T (64 x 64 each).
template <class T> FL_KERNEL(kWarpgroupSize) overlap_kernel(FL_PARAMS(AsyncProductParams) p) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<T, 64, 64> a{smem}, b{smem + a.bytes};
  load_tile_async(a, matrix_of(static_cast<const T*>(p.a), 64, 64), 0, kWarpgroupSize);
  load_tile_async(b, matrix_of(static_cast<const T*>(p.b), 64, 64), 0, kWarpgroupSize);
  publish_tiles();
  Acc<1, 64> first, second;
  fence_products(first, second);
  multiply_transposed_async<kSet>(first, a, b);
  commit_products();
  multiply_transposed_async<kSet>(second, b, a);
  multiply_transposed_async<kAdd>(second, a, b);
  commit_products();
  wait_products<1>(first);
  store_registers(p.out, first);
  wait_products<0>(second);
  store_registers(p.out + kWarpgroupSize * 32, second);
}

// ---- tiles by TMA

template <int RANK> struct BoxParams {
  TensorMap map;
  int at[RANK];
  float* out;  // of a load, [R][C]
};

// A tile by tma_load, read back element by element.
template <class T, int R, int C, int RANK> FL_KERNEL(kWarpgroupSize)
box_load_kernel(FL_PARAMS(BoxParams<RANK>) p) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<T, R, C> tile{smem};
  const Barrier full{smem + tile.bytes};
  if (thread_index() == 0) {
    prefetch(p.map);
    full.init(1);
    fence_barrier_init();
  }
  sync_threads();
  if (thread_index() == 5) {
    full.arrive_expect(tile.bytes);
    tma_load(tile, p.map, full, p.at, Keep::kMost);
  }
  full.wait(0);
  for (int i = thread_index(); i < R * C; i += kWarpgroupSize)
    matrix_of(p.out, R, C).at(i / C, i % C)[0] = load_element(tile, i / C, i % C);
}

// tma_store of a tile with 8 row + 0.25 col.
template <class T, int R, int C, int RANK>
FL_KERNEL(kWarpgroupSize)
box_store_kernel(FL_PARAMS(BoxParams<RANK>) p) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<T, R, C> tile{smem};
  fill_tile(tile, kWarpgroupSize, [&](int row, int col) FL_INLINE { return 8.0f * row + 0.25f * col; });
  fence_proxy_async();
  sync_threads();
  if (thread_index() == 3) {
    tma_store(p.map, p.at, tile);
    commit_stores();
    wait_stores<0>();
  }
}

// The same of R rows of a tile of ALL, from row FIRST on.
template <class T, int R, int C, int RANK, int ALL, int FIRST>
FL_KERNEL(kWarpgroupSize)
part_store_kernel(FL_PARAMS(BoxParams<RANK>) p) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<T, ALL, C> tile{smem};
  fill_tile(tile, kWarpgroupSize,
            [&](int row, int col) FL_INLINE { return 8.0f * (row - FIRST) + 0.25f * col; });
  fence_proxy_async();
  sync_threads();
  if (thread_index() == 3) {
    tma_store<R>(p.map, p.at, tile, FIRST);
    commit_stores();
    wait_stores<0>();
  }
}

// ---- pipelines

struct RingParams {
  TensorMap map;  // [rows][32]
  int tiles;      // of 16 rows
  float* out;     // [thread of the consuming warpgroup]: sums of what it has read
};

// One warpgroup loads tiles in a ring, one adds up column thread % 32 of each.
template <int STAGES> FL_KERNEL(2 * kWarpgroupSize) ring_kernel(FL_PARAMS(RingParams) p) {
  FL_SHARED_MEMORY(smem);
  using Tile = SharedTile<bfloat16, 16, 32>;
  const TileRing<Tile, STAGES> ring{smem, smem + STAGES * Tile::bytes};
  if (thread_index() == 0) {
    ring.init(1);
    fence_barrier_init();
  }
  sync_threads();
  RingIndex<STAGES> at;
  if (warpgroup_index() == 1) {
    if (warp_index() % 4 == 0 && elect_one()) {
      for (int i = 0; i < p.tiles; ++i, at.advance()) ring.load(at, p.map, {0, 16 * i}, Keep::kNormal);
    }
    return;
  }
  float sum = 0;
  for (int i = 0; i < p.tiles; ++i, at.advance()) {
    const Tile tile = ring.wait(at);
    for (int row = 0; row < 16; ++row) sum += load_element(tile, row, thread_index() % 32);
    sync_named(1, kWarpgroupSize);
    ring.release(at);
  }
  p.out[thread_index()] = sum;
}

// One thread of the last warpgroup writes the squares of 0, 1, .. and an end, the others read them;
// out[thread]: sums of what each has read, times how many it has read.
struct NoteParams {
  int notes;
  float* out;
};
template <int STAGES> FL_KERNEL(3 * kWarpgroupSize) note_kernel(FL_PARAMS(NoteParams) p) {
  FL_SHARED_MEMORY(smem);
  const NoteRing<STAGES> notes{smem};
  if (thread_index() == 0) {
    notes.init(2 * kWarpgroupSize / kWarpSize);
    fence_barrier_init();
  }
  sync_threads();
  RingIndex<STAGES> at;
  if (warpgroup_index() == 2) {
    if (warp_index() % 4 != 0 || !elect_one()) return;
    for (int i = 0; i < p.notes; ++i, at.advance()) notes.put(at, i * i);
    return notes.put(at, kNoMoreTiles);
  }
  int sum = 0, count = 0;
  for (int note = notes.take(at); note != kNoMoreTiles; note = notes.take(at), ++count) sum += note;
  p.out[thread_index()] = static_cast<float>(sum * count);
}

// Threads 0..63 pass a number to threads 64..127 and back, by memory barriers of 64 arrivals; out[thread]:
// what was read. The second half polls.
struct PassParams {
  int rounds;
  float* out;
};
template <int THREADS> FL_KERNEL(THREADS) pass_kernel(FL_PARAMS(PassParams) p) {
  static_assert(THREADS == 128);
  FL_SHARED_MEMORY(smem);
  const SharedTile<float, 8, 32> values{smem};
  const Barrier there{smem + values.bytes}, back{smem + values.bytes + Barrier::bytes};
  if (thread_index() == 0) {
    there.init(64);
    back.init(64);
  }
  sync_threads();
  const int i = thread_index() % 64, row = i / 32, col = i % 32;
  float x = static_cast<float>(i);
  for (int round = 0; round < p.rounds; ++round) {
    const int parity = round & 1;
    if (thread_index() < 64) {
      store_element(values, row, col, x);
      there.arrive();
      back.wait(parity);
      x = load_element(values, 2 + row, 31 - col);
    } else {
      while (!there.test(parity)) {}
      x = load_element(values, row, 31 - col) + 1;
      store_element(values, 2 + row, col, x);
      back.arrive();
    }
  }
  p.out[thread_index()] = x;
}

// ---- warpgroups

struct WarpgroupParams {
  int* out;
};

// out[thread] = warpgroup + 10 (elected) + 100 cluster_rank + 1000 cluster_size, on three warpgroups.
template <int THREADS> FL_KERNEL(THREADS) warpgroup_kernel(FL_PARAMS(WarpgroupParams) p) {
  const bool elected = elect_one();
  p.out[thread_index()] =
      warpgroup_index() + (elected ? 10 : 0) + 100 * cluster_rank() + 1000 * cluster_size();
  sync_cluster();
}

// Two warpgroups take turns, by named barriers, to append to a list: out[turn] = the warpgroup whose it is.
struct TurnsParams {
  int turns;  // of each
  int* out;
};
template <int THREADS> FL_KERNEL(THREADS) turns_kernel(FL_PARAMS(TurnsParams) p) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<float, 8, 32> length{smem};
  const int me = warpgroup_index(), other = 1 - me;
  if (thread_index() == 0) store_element(length, 0, 0, 0);
  if (me == 1) arrive_named(1, THREADS);  // the first turn is warpgroup 0's
  for (int turn = 0; turn < p.turns; ++turn) {
    sync_named(1 + me, THREADS);
    if (thread_index() % kWarpgroupSize == 77) {
      const int at = static_cast<int>(load_element(length, 0, 0));
      p.out[at] = me;
      store_element(length, 0, 0, static_cast<float>(at + 1));
    }
    if (me == 0 || turn + 1 < p.turns) arrive_named(1 + other, THREADS);
  }
}

// Registers move from one warpgroup to two, and back.
template <int THREADS> FL_KERNEL(THREADS) registers_kernel(FL_PARAMS(WarpgroupParams) p) {
  if (warpgroup_index() == 2) {
    decrease_registers<24>();
  } else {
    increase_registers<240>();
    p.out[thread_index()] = 240;
    if (warpgroup_index() == 0) decrease_registers<152>();
  }
  if (warpgroup_index() == 2) {
    increase_registers<112>();
    p.out[thread_index()] = 112;
  }
}

// The last warpgroup keeps KEPT registers a thread, each other takes TAKEN.
template <int THREADS, int KEPT, int TAKEN> FL_KERNEL(THREADS) division_kernel(FL_PARAMS(WarpgroupParams) p) {
  if (warpgroup_index() == THREADS / kWarpgroupSize - 1) {
    decrease_registers<KEPT>();
  } else {
    increase_registers<TAKEN>();
    p.out[thread_index()] = TAKEN;
  }
}

// ---- stmatrix

// out = the tile 64 x N that store_matrices made of 4 row + 0.25 col.
template <class T, int N> FL_KERNEL(kWarpgroupSize) matrices_kernel(FL_PARAMS(CopyParams<T>) p) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<T, 64, N> tile{smem};
  Acc<1, N> c;
  for_each_element<1, N>([&](const Element& e) FL_INLINE {
    c[e] = 4.0f * static_cast<float>(row_of<1>(warp_index(), e)) + 0.25f * static_cast<float>(col_of(e));
  });
  store_matrices(tile, c, warp_index());
  sync_threads();
  for (int i = thread_index(); i < 64 * N; i += kWarpgroupSize)
    matrix_of(p.out, 64, N).at(i / N, i % N)[0] = load_element(tile, i / N, i % N);
}

}  // namespace flashlight::test
