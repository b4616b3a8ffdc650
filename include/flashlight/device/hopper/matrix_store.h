// SPDX-License-Identifier: Apache-2.0
// Accumulators into shared tiles by stmatrix: how results are staged for a TMA store.
//
//  store_matrices(tile, c, warp)
//      tile[16 warp + (0..15)][:] = round_T(c), four 8 x 8 matrices an instruction; warps of the warpgroup
//      pass their own numbers. Before TMA may read the tile: fence_proxy_async(), then a barrier.
#pragma once

#include "flashlight/device/fragment.h"
#include "flashlight/device/tile.h"

#if defined(__CUDACC__)
#include "flashlight/device/detail/mma_lanes.h"
#else
#include "flashlight/device/detail/mma_host.h"
#endif

namespace flashlight::device {

#if defined(__CUDACC__)

namespace detail {
FL_DEVICE void store_matrix_x4(std::uint32_t address, const std::uint32_t (&r)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(r[0]),
               "r"(r[1]), "r"(r[2]), "r"(r[3])
               : "memory");
}
}  // namespace detail

template <class T, int N, int M>
FL_DEVICE void store_matrices(SharedTile<T, M, N> tile, const Acc<1, N>& c, int warp) {
  using Tile = SharedTile<T, M, N>;
  const std::uint32_t lane = detail::Left<T>::lane_address(tile, 16 * warp);
  FL_UNROLL
  for (int step = 0; step < N / 16; ++step) {
    detail::Left<T> left;
    left.take(c, 0, step);
    detail::store_matrix_x4(detail::step_to<Tile>(lane, 0, 16 * step), left.r);
  }
}

#else

template <class T, int N, int M>
void store_matrices(SharedTile<T, M, N> tile, const Acc<1, N>& c, int warp FL_AND_WHERE) {
  struct Lane {
    const Acc<1, N>* c;
    unsigned char* base;
    int warp, first_thread;
    std::source_location where;
  } lane{&c, tile.base, warp, thread_index() - lane_index(), where};
  emulator::warp_collective(
      "store_matrices", lane,
      [](Lane* const(&lanes)[kWarpSize]) {
        const Lane& l = *lanes[0];
        for (const Lane* other : lanes) {
          if (other->base != l.base || other->warp != l.warp)
            return emulator::divergent_operands("store_matrices", l.where);
        }
        if (!detail::rows_are_inside<SharedTile<T, M, N> >("store_matrices", 16 * l.warp, 16, l.where))
          return;
        const SharedTile<T, M, N> target{l.base};
        float* const values = emulator::scratch(16 * N);
        detail::gather<1, N>(
            values, [&](int i) -> const Acc<1, N>& { return *lanes[i]->c; }, l.first_thread, l.where);
        for (int row = 0; row < 16; ++row) {
          for (int col = 0; col < N; col += 8) {
            T chunk[8];
            for (int e = 0; e < 8; ++e) chunk[e] = from_float<T>(values[row * N + col + e]);
            emulator::shared_store(l.first_thread + row + 16 * (col / 8 % 2),
                                   target.base + target.offset(16 * l.warp + row, col), chunk, sizeof chunk,
                                   l.where);
          }
        }
      },
      where);
}

#endif

}  // namespace flashlight::device
