// SPDX-License-Identifier: Apache-2.0
// Matrix products of a warp: float accumulators, operands from shared tiles or from another accumulator.
//
// Every lane of the warp calls them together with the same tiles. `warp` picks the operand rows [warp * 16
// MI, +16 MI); `first_row`, a multiple of 8, the rows of b; `first_col` the columns of b, so that wide
// outputs can be split over warps: a multiple of SharedTile::block, or of DV where DV divides the block.
//
//  multiply_transposed(Acc<MI, N>& c, SharedTile<T, M, D> a, SharedTile<T, NB, D> b, int warp,
//                      int first_row = 0)
//      c += a[rows of warp][:] b[first_row + (0..N)][:]^T
//  multiply(Acc<MI, DV>& c, const Acc<MI, N>& p, SharedTile<T, N, C> b, int first_col = 0)
//      c += round_T(p) b[:][first_col + (0..DV)]; p's registers are the left operand as they stand
//  multiply(Acc<MI, DV>& c, SharedTile<T, M, K> a, SharedTile<T, K, C> b, int warp, int first_col = 0)
//      c += a[rows of warp][:] b[:][first_col + (0..DV)]
//  store_fragment(SharedTile<T, M, N> tile, const Acc<MI, N>& p, int warp)
//      tile[rows of warp][:] = round_T(p), synchronously: sync_warp or sync_threads before other lanes
//      read it
//  load_fragment(Acc<MI, N>& c, SharedTile<T, M, N> tile, int warp)
//      c = tile[rows of warp][:]
//
// bfloat16 and float16 use mma.m16n8k16. float uses four TF32 products: x = hi + lo with hi and lo in TF32,
// and the sum of hi hi, hi lo, lo hi and lo lo has float32's error (lo lo is up to 2^-22 of the product, as
// much as float32 rounds). Steps of depth 8 are summed apart.
#pragma once

#include "flashlight/device/fragment.h"
#include "flashlight/device/tile.h"

#if FL_LANES
#include "flashlight/device/detail/mma_lanes.h"
#else
#include "flashlight/device/detail/mma_host.h"
#endif
