// SPDX-License-Identifier: Apache-2.0
// Warps that own the same rows, for accumulators too wide for the registers of one: PARTS of them hold 1 /
// PARTS of the columns each, and share the work of the scores.
#pragma once

#include "flashlight/device/mma.h"

namespace flashlight::device {

namespace detail {

FL_DEVICE void store_four(unsigned char* p, const float (&v)[4] FL_AND_WHERE) {
#if FL_LANES
  store_shared(shared_address(p),
               Quad{{float_bits(v[0]), float_bits(v[1]), float_bits(v[2]), float_bits(v[3])}});
#else
  emulator::shared_store(thread_index(), p, v, sizeof v, where);
#endif
}
FL_DEVICE void load_four(const unsigned char* p, float (&v)[4] FL_AND_WHERE) {
#if FL_LANES
  Quad q;
  load_shared(shared_address(p), q);
  FL_UNROLL
  for (int k = 0; k < 4; ++k) v[k] = bits_float(q.word[k]);
#else
  emulator::shared_load(thread_index(), p, v, sizeof v, where);
#endif
}

}  // namespace detail

// c += a[rows of warp][:] b^T. Each of the PARTS warps with the same `warp` computes N / PARTS columns, those
// of its `part`, and all receive all of them through `exchange`, 4 M N bytes of shared memory at a multiple
// of 16. The whole CTA calls it together; it synchronises the CTA's threads. With one part it is the plain
// product and needs no exchange.
template <int PARTS, class T, int MI, int N, int M, int NB, int D>
FL_DEVICE void multiply_transposed(Acc<MI, N>& c, SharedTile<T, M, D> a, SharedTile<T, NB, D> b, int warp,
                                   int part, unsigned char* exchange FL_AND_WHERE) {
  static_assert(N % (8 * PARTS) == 0, "each part is made of column blocks of eight");
  if constexpr (PARTS == 1) return multiply_transposed(c, a, b, warp, 0 FL_AND_HERE);
  constexpr int blocks = N / 8, mine = blocks / PARTS;
  const int lane = detail::opaque(lane_index());
  unsigned char* const first = exchange + (warp * MI * blocks * kWarpSize + lane) * 16;
  {
    Acc<MI, N / PARTS> columns;
    columns.fill(0);
    multiply_transposed(columns, a, b, warp, part * (N / PARTS) FL_AND_HERE);
    FL_UNROLL
    for (int mi = 0; mi < MI; ++mi) {
      FL_UNROLL
      for (int nj = 0; nj < mine; ++nj) {
        float v[4];
        FL_UNROLL
        for (int k = 0; k < 4; ++k) v[k] = columns[Element{mi, nj, k, lane FL_AND_HERE}];
        detail::store_four(first + (mi * blocks + part * mine + nj) * kWarpSize * 16, v FL_AND_HERE);
      }
    }
  }
  sync_threads(FL_HERE);
  FL_UNROLL
  for (int mi = 0; mi < MI; ++mi) {
    FL_UNROLL
    for (int nj = 0; nj < blocks; ++nj) {
      float v[4];
      detail::load_four(first + (mi * blocks + nj) * kWarpSize * 16, v FL_AND_HERE);
      FL_UNROLL
      for (int k = 0; k < 4; ++k) c[Element{mi, nj, k, lane FL_AND_HERE}] += v[k];
    }
  }
  sync_threads(FL_HERE);  // the next product may write to the exchange
}

// x = f of the PARTS warps' x for the same row, in the order of the parts. `exchange`: 4 M PARTS bytes of
// shared memory that nobody else uses. The whole CTA calls it together; it synchronises the CTA's threads.
template <int M, int PARTS, int MI, class F>
FL_DEVICE void combine_parts(RowVec<MI>& x, int warp, int part, unsigned char* exchange, F f FL_AND_WHERE) {
  const auto at = [&](int p, const Row& r) FL_INLINE { return exchange + (p * M + row_of<MI>(warp, r)) * 4; };
  for_each_row<MI>([&](const Row& r) FL_INLINE {
    if ((lane_index() & 3) != 0) return;
    const float mine = x[r];
#if FL_LANES
    detail::store_shared(detail::shared_address(at(part, r)), mine);
#else
    emulator::shared_store(thread_index(), at(part, r), &mine, sizeof mine, where);
#endif
  });
  sync_threads(FL_HERE);
  for_each_row<MI>([&](const Row& r) FL_INLINE {
    float all = 0;
    FL_UNROLL
    for (int p = 0; p < PARTS; ++p) {
      float theirs = 0;
#if FL_LANES
      detail::load_shared(detail::shared_address(at(p, r)), theirs);
#else
      emulator::shared_load(thread_index(), at(p, r), &theirs, sizeof theirs, where);
#endif
      all = p == 0 ? theirs : f(all, theirs);
    }
    x[r] = all;
  });
  sync_threads(FL_HERE);
}

}  // namespace flashlight::device
