// SPDX-License-Identifier: Apache-2.0
// Causal attention written by hand for Hopper: one warpgroup loads by TMA, two multiply by wgmma and run the
// online softmax of one tile while the tensor cores work on the next. nvcc and g++ compile this file as it
// stands.
#include "hopper_attention.h"

#include "flashlight/device/hopper.h"

namespace flashlight::test {

namespace {

using namespace flashlight::device;
static_assert(kPrimitivesVersion == 1);

constexpr int kConsumers = 2, kStages = 2;
constexpr int kM = 64 * kConsumers, kThreads = kWarpgroupSize * (kConsumers + 1);

struct Params {
  TensorMap q, k, v, out;
  float* logsumexp;
  int q_rows, k_rows, row_tiles;
  float scale_log2;  // scale * log2(e): the kernel works in powers of two
};

template <int N, int D> struct Shared {
  using Rows = SharedTile<bfloat16, 64, D>;  // of q, and later of the result: one a consumer
  using Keys = SharedTile<bfloat16, N, D>;
  using Ring = TileRing<Keys, kStages>;

  unsigned char* base;

  FL_DEVICE Rows rows(int consumer) const { return {base + consumer * Rows::bytes}; }
  FL_DEVICE Ring k() const { return {base + kTiles, base + kBarriers}; }
  FL_DEVICE Ring v() const {
    return {base + kTiles + Ring::tile_bytes, base + kBarriers + Ring::barrier_bytes};
  }
  FL_DEVICE Barrier q_full() const { return {base + kBarriers + 2 * Ring::barrier_bytes}; }

  static constexpr int kTiles = kConsumers * Rows::bytes;
  static constexpr int kBarriers = kTiles + 2 * Ring::tile_bytes;
  static constexpr int kBytes = kBarriers + 2 * Ring::barrier_bytes + Barrier::bytes;
};

template <int N, int D> FL_KERNEL(kThreads) hopper_attention(FL_PARAMS(Params) p) {
#if FL_HOPPER
  FL_SHARED_MEMORY(smem);
  const Shared<N, D> shared{smem};
  const auto k_ring = shared.k(), v_ring = shared.v();
  const Barrier q_full = shared.q_full();
  if (thread_index() == 0) {
    k_ring.init(kConsumers);
    v_ring.init(kConsumers);
    q_full.init(1);
    fence_barrier_init();
  }
  sync_threads();

  const int head = block_index() / p.row_tiles, row0 = block_index() % p.row_tiles * kM;
  const int tiles = (least(p.k_rows, row0 + kM) + N - 1) / N;
  const int warpgroup = warpgroup_index();
  RingIndex<kStages> k_at, v_at;

  if (warpgroup == kConsumers) {
    decrease_registers<24>();
    if (warp_index() % 4 == 0 && elect_one()) {
      q_full.arrive_expect(kConsumers * shared.rows(0).bytes);
      for (int i = 0; i < kConsumers; ++i)
        tma_load(shared.rows(i), p.q, q_full, {0, row0 + 64 * i, head}, Keep::kLeast);
      for (int tile = 0; tile < tiles; ++tile, k_at.advance()) {
        k_ring.load(k_at, p.k, {0, tile * N, head}, Keep::kMost);
        v_ring.load(k_at, p.v, {0, tile * N, head}, Keep::kMost);
      }
    }
    return;
  }

  increase_registers<240>();
  const int warp = warp_index();
  const auto q_tile = shared.rows(warpgroup);
  Acc<1, D> acc;
  Acc<1, N> s;
  Operand<bfloat16, N> weights;
  RowVec<1> m, l, correction;  // running maximum (raw scores) and sum
  acc.fill(0);
  m.fill(-kInfinity);
  l.fill(0);

  // s = the weights of the tile's keys, m and l moved on, correction what older weights are multiplied by.
  const auto softmax = [&](int tile) FL_INLINE {
    const int col0 = tile * N;
    count("tile visited");
    if (col0 + N > row0 + 64 * warpgroup || col0 + N > p.k_rows) {
      count("tile masked");
      for_each_element<1, N>([&](const Element& e) FL_INLINE {
        const int i = row0 + row_of<1>(warp, e), j = col0 + col_of(e);
        if (j > i || j >= p.k_rows) s[e] = -kInfinity;
      });
    }
    RowVec<1> m_new;
    for_each_row<1>([&](const Row& r) FL_INLINE { m_new[r] = m[r]; });
    for_each_element<1, N>([&](const Element& e) FL_INLINE { m_new[e] = greatest(m_new[e], s[e]); });
    for_each_row<1>([&](const Row& r) FL_INLINE {
      m_new[r] = quad_max(m_new[r]);
      const float safe = m_new[r] == -kInfinity ? 0.0f : m_new[r];
      correction[r] = exp2_fast((m[r] - safe) * p.scale_log2);
      l[r] *= correction[r];
      m[r] = m_new[r];
      m_new[r] = safe * p.scale_log2;
    });
    for_each_element<1, N>([&](const Element& e) FL_INLINE {
      s[e] = exp2_fast(s[e] * p.scale_log2 - m_new[e]);
      l[e] += s[e];
    });
  };

  // The warpgroups take turns to start their products, so that one's softmax runs beside the other's
  // products.
  const int my_turn = 1 + warpgroup, next_turn = 1 + (warpgroup + 1) % kConsumers;
  if (warpgroup == kConsumers - 1) arrive_named(1, 2 * kWarpgroupSize);

  q_full.wait(0);
  const auto first_keys = k_ring.wait(k_at);
  fence_products(s);
  multiply_transposed_async<kSet>(s, q_tile, first_keys);
  commit_products();
  wait_products<0>(s);
  k_ring.release(k_at);
  k_at.advance();
  softmax(0);
  round_fragment(weights, s);

  for (int tile = 1; tile < tiles; ++tile, k_at.advance(), v_at.advance()) {
    const auto k_tile = k_ring.wait(k_at);
    sync_named(my_turn, 2 * kWarpgroupSize);
    fence_products(s);
    multiply_transposed_async<kSet>(s, q_tile, k_tile);  // of this tile
    commit_products();
    const auto v_tile = v_ring.wait(v_at);
    fence_products(acc, weights);
    multiply_async<kAdd>(acc, weights, v_tile);  // of the tile before
    commit_products();
    arrive_named(next_turn, 2 * kWarpgroupSize);
    wait_products<1>(s);
    k_ring.release(k_at);
    softmax(tile);
    wait_products<0>(acc, weights);
    v_ring.release(v_at);
    for_each_element<1, D>([&](const Element& e) FL_INLINE { acc[e] *= correction[e]; });
    round_fragment(weights, s);
  }
  const auto v_tile = v_ring.wait(v_at);
  fence_products(acc, weights);
  multiply_async<kAdd>(acc, weights, v_tile);
  commit_products();
  wait_products<0>(acc, weights);

  for_each_row<1>([&](const Row& r) FL_INLINE {
    l[r] = quad_sum(l[r]);
    m[r] = m[r] * (p.scale_log2 * 0.69314718f) + log2_fast(l[r]) * 0.69314718f;
    l[r] = l[r] == 0 ? 0.0f : 1 / l[r];
  });
  for_each_element<1, D>([&](const Element& e) FL_INLINE { acc[e] *= l[e]; });
  float* const lse = p.logsumexp + static_cast<long long>(head) * p.q_rows;
  store_rows(GlobalMatrix<float>{lse, 1, 1, p.q_rows, 1, false}, m, row0, warp);

  store_matrices(q_tile, acc, warp % 4);  // q is no longer needed
  fence_proxy_async();
  sync_named(1 + kConsumers + warpgroup, kWarpgroupSize);
  if (warp % 4 == 0 && elect_one()) {
    tma_store(p.out, {0, row0 + 64 * warpgroup, head}, q_tile);
    commit_stores();
    wait_stores_read<0>();
  }
#endif
}

template <int N, int D> int run(const AttentionProblem& a, void* stream) {
  using Tiles = Shared<N, D>;
  Params p{};
  p.logsumexp = a.logsumexp;
  p.q_rows = a.q_rows;
  p.k_rows = a.k_rows;
  p.row_tiles = (a.q_rows + kM - 1) / kM;
  p.scale_log2 = a.scale * 1.44269504f;
  const auto shape = [&](long long rows) { return TensorShape{3, {D, rows, a.heads}, {1, D, rows * D}}; };
  if (make_tensor_map<typename Tiles::Rows>(p.q, a.q, shape(a.q_rows)) ||
      make_tensor_map<typename Tiles::Keys>(p.k, a.k, shape(a.k_rows)) ||
      make_tensor_map<typename Tiles::Keys>(p.v, a.v, shape(a.k_rows)) ||
      make_tensor_map<typename Tiles::Rows>(p.out, a.out, shape(a.q_rows))) {
    return 1;
  }
  return launch(hopper_attention<N, D>, a.heads * p.row_tiles, kThreads, Tiles::kBytes, stream, p);
}

}  // namespace

int hopper_attention(HopperTile tile, const AttentionProblem& problem, void* stream) {
  switch (tile) {
    case HopperTile::kN128D64: return run<128, 64>(problem, stream);
    case HopperTile::kN128D128: return run<128, 128>(problem, stream);
    case HopperTile::kN176D128: return run<176, 128>(problem, stream);
  }
  return 1;
}

}  // namespace flashlight::test
