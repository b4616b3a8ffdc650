// SPDX-License-Identifier: Apache-2.0
// Causal attention written by hand against the device primitives: nvcc and g++ compile this file as it
// stands.
#include "flash_attention.h"

#include "flashlight/device/device.h"

namespace flashlight::test {

namespace {

using namespace flashlight::device;
static_assert(kPrimitivesVersion == 1);

constexpr int kThreads = 128;

struct Params {
  GlobalMatrix<const bfloat16> q, k, v;  // of head 0
  GlobalMatrix<bfloat16> out;
  float* logsumexp;
  int row_tiles;
  float scale_log2;  // scale * log2(e): the kernel works in powers of two
};

template <class T> FL_DEVICE GlobalMatrix<T> head_of(GlobalMatrix<T> m, int head) {
  m.base += static_cast<long long>(head) * m.rows * m.row_stride;
  return m;
}

template <int M, int N, int D> constexpr int kSharedBytes =
    SharedTile<bfloat16, M, D>::bytes + 2 * SharedTile<bfloat16, N, D>::bytes;

template <int M, int N, int D> FL_KERNEL(kThreads) causal_attention(FL_PARAMS(Params) p) {
  constexpr int MI = M / 64;
  FL_SHARED_MEMORY(smem);
  const SharedTile<bfloat16, M, D> q_tile{smem};
  const SharedTile<bfloat16, N, D> k_tile{smem + q_tile.bytes}, v_tile{smem + q_tile.bytes + k_tile.bytes};

  const int head = block_index() / p.row_tiles, row0 = block_index() % p.row_tiles * M, warp = warp_index();
  const auto k = head_of(p.k, head), v = head_of(p.v, head);
  load_tile_async(q_tile, head_of(p.q, head), row0, kThreads);
  load_tile_async(k_tile, k, 0, kThreads);
  commit_group();

  Acc<MI, D> acc;
  RowVec<MI> m, l;  // running maximum (raw scores) and sum
  acc.fill(0);
  m.fill(-kInfinity);
  l.fill(0);

  const int tiles = (least(p.k.rows, row0 + M) + N - 1) / N;
  for (int tile = 0; tile < tiles; ++tile) {
    const int col0 = tile * N;
    count("tile visited");
    load_tile_async(v_tile, v, col0, kThreads);
    commit_group();
    wait_group<1>();
    sync_threads();

    Acc<MI, N> s;
    s.fill(0);
    multiply_transposed(s, q_tile, k_tile, warp);
    sync_threads();
    if (tile + 1 < tiles) load_tile_async(k_tile, k, col0 + N, kThreads);
    commit_group();

    if (col0 + N > row0 || col0 + N > p.k.rows) {
      count("tile masked");
      for_each_element<MI, N>([&](const Element& e) FL_INLINE {
        const int i = row0 + row_of<MI>(warp, e), j = col0 + col_of(e);
        if (j > i || j >= p.k.rows) s[e] = -kInfinity;
      });
    }

    RowVec<MI> m_new, correction;
    for_each_row<MI>([&](const Row& r) FL_INLINE { m_new[r] = m[r]; });
    for_each_element<MI, N>([&](const Element& e) FL_INLINE { m_new[e] = greatest(m_new[e], s[e]); });
    bool moved = false;
    for_each_row<MI>([&](const Row& r) FL_INLINE {
      m_new[r] = quad_max(m_new[r]);
      const float safe = m_new[r] == -kInfinity ? 0.0f : m_new[r];
      correction[r] = exp2_fast((m[r] - safe) * p.scale_log2);
      moved |= correction[r] != 1.0f;
      l[r] *= correction[r];
      m[r] = m_new[r];
      m_new[r] = safe * p.scale_log2;
    });
    if (warp_any(moved)) {
      for_each_element<MI, D>([&](const Element& e) FL_INLINE { acc[e] *= correction[e]; });
    }
    for_each_element<MI, N>([&](const Element& e) FL_INLINE {
      s[e] = exp2_fast(s[e] * p.scale_log2 - m_new[e]);
      l[e] += s[e];
    });

    wait_group<1>();
    sync_threads();
    multiply(acc, s, v_tile);
    sync_threads();
  }
  wait_group<0>();

  for_each_row<MI>([&](const Row& r) FL_INLINE {
    l[r] = quad_sum(l[r]);
    m[r] = m[r] * (p.scale_log2 * 0.69314718f) + log2_fast(l[r]) * 0.69314718f;
    l[r] = l[r] == 0 ? 0.0f : 1 / l[r];
  });
  for_each_element<MI, D>([&](const Element& e) FL_INLINE { acc[e] *= l[e]; });
  store_tile(head_of(p.out, head), acc, row0, warp);
  float* const lse = p.logsumexp + static_cast<long long>(head) * p.out.rows;
  store_rows(GlobalMatrix<float>{lse, 1, 1, p.out.rows, 1, false}, m, row0, warp);
}

template <int M, int N, int D> int run(const AttentionProblem& a, void* stream) {
  const auto matrix = [](auto* base, int rows) { return GlobalMatrix{base, D, 1, rows, D, true}; };
  const Params p{matrix(static_cast<const bfloat16*>(a.q), a.q_rows),
                 matrix(static_cast<const bfloat16*>(a.k), a.k_rows),
                 matrix(static_cast<const bfloat16*>(a.v), a.k_rows),
                 matrix(static_cast<bfloat16*>(a.out), a.q_rows),
                 a.logsumexp,
                 (a.q_rows + M - 1) / M,
                 a.scale * 1.44269504f};
  return launch(causal_attention<M, N, D>, a.heads * p.row_tiles, kThreads, kSharedBytes<M, N, D>, stream, p);
}

}  // namespace

int flash_attention(AttentionTile tile, const AttentionProblem& problem, void* stream) {
  switch (tile) {
    case AttentionTile::kN64D64: return run<128, 64, 64>(problem, stream);
    case AttentionTile::kN128D64: return run<128, 128, 64>(problem, stream);
    case AttentionTile::kN64D128: return run<128, 64, 128>(problem, stream);
  }
  return 1;
}

}  // namespace flashlight::test
