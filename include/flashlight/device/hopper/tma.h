// SPDX-License-Identifier: Apache-2.0
// Bulk copies of tiles between global and shared memory (TMA), each issued by one thread.
//
//  tma_load(tile, map, full, {col, row, ...}, hint)
//      Starts to fill the tile from the tensor's element (col, row, ...); elements outside the tensor become
//      0. All tile.bytes, those included, arrive at the barrier `full`, whose phase must have been told to
//      expect them.
//  tma_store(map, {col, row, ...}, tile)
//      Starts to write the tile there, as far as it lies inside the tensor. The tile's writers have called
//      fence_proxy_async() and met the caller before.
//  tma_store<ROWS>(map, {col, row, ...}, tile, first_row)
//      The same of ROWS rows of a larger tile, from a multiple of 8 on; the map is one for a tile of ROWS
//      rows and as many columns.
//  commit_stores()
//      Closes a group of the calling thread's stores.
//  wait_stores_read<N>()
//      Returns when all but the last N groups have read their tiles. Every thread that stores waits for 0
//      before it ends.
//  wait_stores<N>()
//      Returns when all but the last N groups have been written.
//  prefetch(map)
//      A hint that the map will be used.
//
// The map is the one that make_tensor_map<Tile> made; tiles start at multiples of 8 rows' bytes (1024 for 64
// columns a block).
#pragma once

#include "flashlight/device/hopper/barrier.h"
#include "flashlight/device/hopper/tensor_map.h"

namespace flashlight::device {

// What L2 does with the lines of a load.
enum class Keep : unsigned long long {
  kNormal = 0x1000000000000000ull,
  kLeast = 0x12F0000000000000ull,  // read once
  kMost = 0x14F0000000000000ull,   // read by many CTAs
};

#if defined(__CUDACC__)

namespace detail {

template <int RANK>
FL_DEVICE void load_box(std::uint32_t tile, const TensorMap& map, std::uint32_t barrier,
                        const int (&at)[RANK], int col, Keep keep) {
  const auto hint = static_cast<unsigned long long>(keep);
#define FL_TMA_LOAD(RANK_TEXT, COORDINATES, ...)                                                     \
  asm volatile(                                                                                      \
      "cp.async.bulk.tensor." RANK_TEXT                                                              \
      ".shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1, {" COORDINATES \
      "}], "                                                                                         \
      "[%2], %3;" ::"r"(tile),                                                                       \
      "l"(&map), "r"(barrier), "l"(hint), "r"(col), __VA_ARGS__                                      \
      : "memory")
  if constexpr (RANK == 2) FL_TMA_LOAD("2d", "%4, %5", "r"(at[1]));
  if constexpr (RANK == 3) FL_TMA_LOAD("3d", "%4, %5, %6", "r"(at[1]), "r"(at[2]));
  if constexpr (RANK == 4) FL_TMA_LOAD("4d", "%4, %5, %6, %7", "r"(at[1]), "r"(at[2]), "r"(at[3]));
  if constexpr (RANK == 5)
    FL_TMA_LOAD("5d", "%4, %5, %6, %7, %8", "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4]));
#undef FL_TMA_LOAD
}

template <int RANK>
FL_DEVICE void store_box(const TensorMap& map, const int (&at)[RANK], int col, std::uint32_t tile) {
#define FL_TMA_STORE(RANK_TEXT, COORDINATES, ...)                                                    \
  asm volatile("cp.async.bulk.tensor." RANK_TEXT ".global.shared::cta.bulk_group [%0, {" COORDINATES \
               "}], [%1];" ::"l"(&map),                                                              \
               "r"(tile), "r"(col), __VA_ARGS__                                                      \
               : "memory")
  if constexpr (RANK == 2) FL_TMA_STORE("2d", "%2, %3", "r"(at[1]));
  if constexpr (RANK == 3) FL_TMA_STORE("3d", "%2, %3, %4", "r"(at[1]), "r"(at[2]));
  if constexpr (RANK == 4) FL_TMA_STORE("4d", "%2, %3, %4, %5", "r"(at[1]), "r"(at[2]), "r"(at[3]));
  if constexpr (RANK == 5)
    FL_TMA_STORE("5d", "%2, %3, %4, %5, %6", "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4]));
#undef FL_TMA_STORE
}

}  // namespace detail

template <class T, int R, int C, int RANK>
FL_DEVICE void tma_load(SharedTile<T, R, C> tile, const TensorMap& map, Barrier full, const int (&at)[RANK],
                        Keep keep = Keep::kNormal) {
  static_assert(RANK >= 2 && RANK <= 5, "tensor maps have two to five axes");
  const std::uint32_t target = detail::shared_address(tile.base), barrier = full.address();
  FL_UNROLL
  for (int col = 0; col < C; col += tile.block)
    detail::load_box(target + tile.offset(0, col), map, barrier, at, at[0] + col, keep);
}

template <class T, int R, int C, int RANK>
FL_DEVICE void tma_store(const TensorMap& map, const int (&at)[RANK], SharedTile<T, R, C> tile) {
  static_assert(RANK >= 2 && RANK <= 5, "tensor maps have two to five axes");
  const std::uint32_t source = detail::shared_address(tile.base);
  FL_UNROLL
  for (int col = 0; col < C; col += tile.block)
    detail::store_box(map, at, at[0] + col, source + tile.offset(0, col));
}

template <int ROWS, class T, int R, int C, int RANK>
FL_DEVICE void tma_store(const TensorMap& map, const int (&at)[RANK], SharedTile<T, R, C> tile,
                         int first_row) {
  static_assert(RANK >= 2 && RANK <= 5, "tensor maps have two to five axes");
  static_assert(ROWS % 8 == 0 && ROWS <= R, "the swizzle repeats every eight rows");
  const std::uint32_t source = detail::shared_address(tile.base);
  FL_UNROLL
  for (int col = 0; col < C; col += tile.block)
    detail::store_box(map, at, at[0] + col, source + tile.advance(first_row, col));
}

FL_DEVICE void commit_stores() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
template <int N> FL_DEVICE void wait_stores_read() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(N) : "memory");
}
template <int N> FL_DEVICE void wait_stores() {
  asm volatile("cp.async.bulk.wait_group %0;" ::"n"(N) : "memory");
}
FL_DEVICE void prefetch(const TensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

#else

template <class T, int R, int C, int RANK>
void tma_load(SharedTile<T, R, C> tile, const TensorMap& map, Barrier full, const int (&at)[RANK],
              Keep = Keep::kNormal FL_AND_WHERE) {
  static_assert(RANK >= 2 && RANK <= 5, "tensor maps have two to five axes");
  for (int col = 0; col < C; col += tile.block) {
    int box[RANK];
    for (int i = 0; i < RANK; ++i) box[i] = at[i] + (i == 0 ? col : 0);
    emulator::tensor_load(tile.base + tile.offset(0, col), {R, tile.row_bytes}, map.words, full.base, box,
                          RANK, where);
  }
}

template <class T, int R, int C, int RANK>
void tma_store(const TensorMap& map, const int (&at)[RANK], SharedTile<T, R, C> tile FL_AND_WHERE) {
  static_assert(RANK >= 2 && RANK <= 5, "tensor maps have two to five axes");
  for (int col = 0; col < C; col += tile.block) {
    int box[RANK];
    for (int i = 0; i < RANK; ++i) box[i] = at[i] + (i == 0 ? col : 0);
    emulator::tensor_store(map.words, box, RANK, tile.base + tile.offset(0, col), {R, tile.row_bytes}, where);
  }
}

template <int ROWS, class T, int R, int C, int RANK>
void tma_store(const TensorMap& map, const int (&at)[RANK], SharedTile<T, R, C> tile,
               int first_row FL_AND_WHERE) {
  static_assert(RANK >= 2 && RANK <= 5, "tensor maps have two to five axes");
  static_assert(ROWS % 8 == 0 && ROWS <= R, "the swizzle repeats every eight rows");
  for (int col = 0; col < C; col += tile.block) {
    int box[RANK];
    for (int i = 0; i < RANK; ++i) box[i] = at[i] + (i == 0 ? col : 0);
    emulator::tensor_store(map.words, box, RANK, tile.base + tile.advance(first_row, col),
                           {ROWS, tile.row_bytes}, where);
  }
}

FL_DEVICE void commit_stores(FL_WHERE) { emulator::commit_stores(where); }
template <int N> FL_DEVICE void wait_stores_read(FL_WHERE) { emulator::wait_stores(N, false, where); }
template <int N> FL_DEVICE void wait_stores(FL_WHERE) { emulator::wait_stores(N, true, where); }
FL_DEVICE void prefetch(const TensorMap&) {}

#endif

// A ring of tiles between one loading thread and consuming warpgroups: for each stage a tile, the barrier
// `full` (the loader's arrival and the tile's bytes) and the barrier `empty` (an arrival a warpgroup).
template <class Tile, int STAGES> struct TileRing {
  using Index = RingIndex<STAGES>;
  static constexpr int tile_bytes = STAGES * Tile::bytes;
  static constexpr int barrier_bytes = 2 * STAGES * Barrier::bytes;

  unsigned char* tiles;     // tile_bytes, aligned to 1024
  unsigned char* barriers;  // barrier_bytes, aligned to 8

  FL_DEVICE Tile tile(Index at) const { return Tile{tiles + at.stage * Tile::bytes}; }
  FL_DEVICE Barrier full(Index at) const { return {barriers + 2 * at.stage * Barrier::bytes}; }
  FL_DEVICE Barrier empty(Index at) const { return {barriers + (2 * at.stage + 1) * Barrier::bytes}; }

  // One thread, before fence_barrier_init() and a barrier of the CTA.
  FL_DEVICE void init(int warpgroups FL_AND_WHERE) const {
    FL_UNROLL
    for (int stage = 0; stage < STAGES; ++stage) {
      full({stage, 0}).init(1 FL_AND_HERE);
      empty({stage, 0}).init(warpgroups FL_AND_HERE);
    }
  }

  // The loader: waits until the stage's previous tile has been released, then starts to load the next.
  template <int RANK>
  FL_DEVICE void load(Index at, const TensorMap& map, const int (&from)[RANK], Keep keep FL_AND_WHERE) const {
    empty(at).wait(at.parity ^ 1 FL_AND_HERE);
    full(at).arrive_expect(Tile::bytes FL_AND_HERE);
    tma_load(tile(at), map, full(at), from, keep FL_AND_HERE);
  }

  // A consuming thread: waits for the stage's tile.
  FL_DEVICE Tile wait(Index at FL_AND_WHERE) const {
    full(at).wait(at.parity FL_AND_HERE);
    return tile(at);
  }
  // A consuming warpgroup, all threads: its products on the stage's tile have been waited for. Where threads
  // have read the tile themselves, the warpgroup meets before.
  FL_DEVICE void release(Index at FL_AND_WHERE) const {
    if (thread_index() % 128 == 0) empty(at).arrive(FL_HERE);
  }
};

}  // namespace flashlight::device
