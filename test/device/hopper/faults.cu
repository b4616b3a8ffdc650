// SPDX-License-Identifier: Apache-2.0
// Kernels that use Hopper's primitives with one fault each, as ../faults.cu.
#include "../faults.h"

#include "flashlight/device/hopper.h"

namespace flashlight::test {

namespace {

using namespace flashlight::device;

struct Params {
  GlobalMatrix<const bfloat16> in;  // 64 x 64
  float* out;                       // 64 x 64
  TensorMap map;                    // of `in`
  TensorMap longer;                 // the same with a row more than there is
  TensorMap narrow;                 // the same for tiles of 32 columns
};

using Tile = SharedTile<bfloat16, 64, 64>;
constexpr int kThreads = 256;

// Two tiles and four barriers.
struct Shared {
  unsigned char* base;
  FL_DEVICE Tile tile() const { return {base}; }
  FL_DEVICE Tile other() const { return {base + Tile::bytes}; }
  FL_DEVICE Barrier barrier(int i = 0) const { return {base + 2 * Tile::bytes + i * Barrier::bytes}; }
};
constexpr int kSharedBytes = 2 * Tile::bytes + 4 * Barrier::bytes;

// Both tiles filled and known to the async proxy, barriers 0 and 1 of one arrival.
FL_DEVICE void prepare(Shared s) {
  fill_tile(s.tile(), kThreads, [](int row, int col) { return static_cast<float>((row + col) % 3); });
  fill_tile(s.other(), kThreads, [](int row, int col) { return static_cast<float>((row - col) % 3); });
  fence_proxy_async();
  if (thread_index() == 0) {
    s.barrier(0).init(1);
    s.barrier(1).init(1);
    fence_barrier_init();
  }
  sync_threads();
}

// The product of the two tiles, started by the first warpgroup.
FL_DEVICE void start(Acc<1, 64>& c, Shared s FL_AND_WHERE) {
  fence_products(c);
  multiply_transposed_async<kSet>(c, s.tile(), s.other(), 0, 0 FL_AND_HERE);
  commit_products();
}

FL_DEVICE bool is_first_warpgroup() { return warpgroup_index() == 0; }

// ---- registers of products

FL_KERNEL(kThreads) reads_an_accumulator_before_its_wait(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  prepare({smem});
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  start(c, {smem});
  const auto copy = [&](const Element& e) FL_INLINE { p.out[0] = c[e]; };
  for_each_element<1, 8>(copy);  // FAULT: pending-register
  wait_products<0>(c);
}

FL_KERNEL(kThreads) writes_an_accumulator_in_flight(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  prepare({smem});
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  start(c, {smem});
  c.fill(0);  // FAULT: pending-register
  wait_products<0>(c);
}

FL_KERNEL(kThreads) overwrites_an_operand_in_flight(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  prepare({smem});
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c, s;
  Operand<bfloat16, 64> weights;
  s.fill(1);
  round_fragment(weights, s);
  fence_products(c, weights);
  multiply_async<kSet>(c, weights, Shared{smem}.tile());
  commit_products();
  round_fragment(weights, s);  // FAULT: pending-register
  wait_products<0>(c, weights);
}

FL_KERNEL(kThreads) forgets_the_register_fence(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  fence_products(c);
  c.fill(0);
  multiply_transposed_async<kAdd>(c, s.tile(), s.other());  // FAULT: missing-fence
  commit_products();
  wait_products<0>(c);
}

FL_KERNEL(kThreads) forgets_the_fence_after_reading(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  start(c, s);
  wait_products<0>(c);
  for_each_element<1, 8>([&](const Element& e) FL_INLINE { p.out[thread_index()] = c[e]; });
  multiply_transposed_async<kSet>(c, s.tile(), s.other());  // FAULT: missing-fence
  commit_products();
  wait_products<0>(c);
}

FL_KERNEL(kThreads) forgets_the_fence_of_an_operand(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  prepare({smem});
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c, s;
  Operand<bfloat16, 64> weights;
  s.fill(1);
  round_fragment(weights, s);
  fence_products(c);
  multiply_async<kSet>(c, weights, Shared{smem}.tile());  // FAULT: missing-fence
  commit_products();
  wait_products<0>(c, weights);
}

FL_KERNEL(kThreads) waits_for_an_older_group_only(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  prepare({smem});
  if (!is_first_warpgroup()) return;
  Acc<1, 64> first, second;
  start(first, {smem});
  start(second, {smem});
  wait_products<1>(first, second);  // FAULT: pending-register
  wait_products<0>(second);
}

FL_KERNEL(kThreads) forgets_to_commit(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  fence_products(c);
  multiply_transposed_async<kSet>(c, s.tile(), s.other());
  wait_products<0>(c);  // FAULT: pending-register
  commit_products();
  wait_products<0>(c);
}

FL_KERNEL(kThreads) lets_an_accumulator_go(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (!is_first_warpgroup()) return;
  {
    Acc<1, 64> c;
    fence_products(c);
    multiply_transposed_async<kSet>(c, s.tile(), s.other());  // FAULT: pending-register
    commit_products();
  }
  wait_products<0>();
}

FL_KERNEL(kThreads) adds_to_nothing(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  fence_products(c);
  multiply_transposed_async<kAdd>(c, s.tile(), s.other());  // FAULT: uninitialised-register
  commit_products();
  wait_products<0>(c);
}

// ---- operands of products

FL_KERNEL(kThreads) overwrites_a_product_s_tile(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  start(c, s);
  store_element(s.tile(), warp_index(), lane_index(), 0.0f);  // FAULT: race
  wait_products<0>(c);
}

// The product may read what the threads have not passed to the async proxy.
FL_KERNEL(kThreads) forgets_the_proxy_fence(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  fill_tile(s.tile(), kThreads, [](int, int) { return 1.0f; });
  sync_threads();
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  fence_products(c);
  multiply_transposed_async<kSet>(c, s.tile(), s.tile());  // FAULT: missing-fence
  commit_products();
  wait_products<0>(c);
}

FL_KERNEL(kThreads) fences_before_it_writes(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  fence_proxy_async();
  fill_tile(s.tile(), kThreads, [](int, int) { return 1.0f; });
  sync_threads();
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  fence_products(c);
  multiply_transposed_async<kSet>(c, s.tile(), s.tile());  // FAULT: missing-fence
  commit_products();
  wait_products<0>(c);
}

FL_KERNEL(kThreads) copies_without_a_proxy_fence(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  load_tile_async(s.tile(), p.in, 0, kThreads);
  commit_group();
  wait_group<0>();
  sync_threads();
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  fence_products(c);
  multiply_transposed_async<kSet>(c, s.tile(), s.tile());  // FAULT: missing-fence
  commit_products();
  wait_products<0>(c);
}

FL_KERNEL(kThreads) forgets_the_barrier_before_a_product(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  if (is_first_warpgroup()) {
    fill_tile(s.tile(), kWarpgroupSize, [](int, int) { return 1.0f; });
    fence_proxy_async();
    Acc<1, 64> c;
    fence_products(c);
    multiply_transposed_async<kSet>(c, s.tile(), s.tile());  // FAULT: race
    commit_products();
    wait_products<0>(c);
  }
}

FL_KERNEL(kThreads) multiplies_an_empty_tile(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  fence_products(c);
  multiply_transposed_async<kSet>(c, s.tile(), s.other());  // FAULT: uninitialised-shared
  commit_products();
  wait_products<0>(c);
}

FL_KERNEL(kThreads) multiplies_a_misaligned_tile(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  prepare({smem});
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  fence_products(c);
  multiply_transposed_async<kSet>(c, Tile{smem + 512}, Tile{smem});  // FAULT: invalid-operand
  commit_products();
  wait_products<0>(c);
}

FL_KERNEL(kThreads) multiplies_rows_that_no_tile_has(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  Acc<1, 64> c;
  fence_products(c);
  multiply_transposed_async<kSet>(c, s.tile(), s.other(), warpgroup_index());  // FAULT: invalid-operand
  commit_products();
  wait_products<0>(c);
}

FL_KERNEL(kThreads) starts_inside_a_block(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (!is_first_warpgroup()) return;
  Acc<1, 32> c;
  fence_products(c);
  multiply_async<kSet>(c, s.tile(), s.other(), 0, 32);  // FAULT: invalid-operand
  commit_products();
  wait_products<0>(c);
}

FL_KERNEL(kThreads) multiplies_a_tile_beyond_the_end(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  prepare({smem});
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  const Tile beyond{smem + 2 * Tile::bytes};
  fence_products(c);
  multiply_transposed_async<kSet>(c, Tile{smem}, beyond);  // FAULT: out-of-bounds-shared or barrier
  commit_products();
  wait_products<0>(c);
}

FL_KERNEL(kThreads) warps_multiply_different_tiles(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (!is_first_warpgroup()) return;
  Acc<1, 64> c;
  const Tile b = warp_index() == 2 ? s.tile() : s.other();
  fence_products(c);
  multiply_transposed_async<kSet>(c, s.tile(), b);  // FAULT: divergence
}

FL_KERNEL(kThreads) leaves_a_warp_out(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (warp_index() >= 3) return;
  Acc<1, 64> c;
  fence_products(c);
  multiply_transposed_async<kSet>(c, s.tile(), s.other());  // FAULT: deadlock
}

// ---- barriers and loads

FL_KERNEL(kThreads) reads_a_load_in_flight(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 0) {
    s.barrier().arrive_expect(Tile::bytes);
    tma_load(s.tile(), p.map, s.barrier(), {0, 0});
  }
  sync_threads();
  const float x = load_element(s.tile(), 3, 5);  // FAULT: pending-copy
  p.out[thread_index()] = x;
  s.barrier().wait(0);
}

FL_KERNEL(kThreads) one_warp_waits_for_all(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 0) {
    s.barrier().arrive_expect(Tile::bytes);
    tma_load(s.tile(), p.map, s.barrier(), {0, 0});
  }
  if (!is_first_warpgroup()) return;
  sync_named(1, kWarpgroupSize);
  if (warp_index() == 0) s.barrier().wait(0);
  Acc<1, 64> c;
  fence_products(c);
  multiply_transposed_async<kSet>(c, s.tile(), s.other());  // FAULT: race or pending-copy
  commit_products();
  wait_products<0>(c);
}

// wait(1) is for the phase before the first, and the second: it returns at once, or never.
FL_KERNEL(kThreads) waits_for_the_wrong_parity(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 0) {
    s.barrier().arrive_expect(Tile::bytes);
    tma_load(s.tile(), p.map, s.barrier(), {0, 0});  // FAULT: race
  }
  if (thread_index() != 77) return;
  s.barrier().wait(1);                           // FAULT: deadlock
  const float x = load_element(s.tile(), 3, 5);  // FAULT: race or pending-copy
  p.out[0] = x;
  s.barrier().wait(0);
}

FL_KERNEL(kThreads) expects_too_few_bytes(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() != 0) return;
  s.barrier().arrive_expect(Tile::bytes);
  tma_load(s.tile(), p.map, s.barrier(), {0, 0});   // FAULT: barrier
  tma_load(s.other(), p.map, s.barrier(), {0, 0});  // FAULT: barrier
  s.barrier().wait(0);
  s.barrier().wait(1);
}

FL_KERNEL(kThreads) expects_too_many_bytes(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 0) {
    s.barrier().arrive_expect(2 * Tile::bytes);
    tma_load(s.tile(), p.map, s.barrier(), {0, 0});
  }
  s.barrier().wait(0);  // FAULT: deadlock
}

FL_KERNEL(kThreads) expects_more_than_a_barrier_counts(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 0) s.barrier().arrive_expect(1 << 20);  // FAULT: barrier
}

FL_KERNEL(kThreads) forgets_to_initialise_a_barrier(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  prepare({smem});
  Shared{smem}.barrier(2).arrive();  // FAULT: barrier
}

FL_KERNEL(kThreads) initialises_a_barrier_for_nobody_else(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  if (thread_index() == 0) s.barrier().init(kThreads);  // no barrier of the CTA follows
  s.barrier().arrive();                                 // FAULT: race or barrier
}

FL_KERNEL(kThreads) forgets_the_fence_after_initialising(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  if (thread_index() == 0) s.barrier().init(1);
  sync_threads();
  if (thread_index() == 0) {
    s.barrier().arrive_expect(Tile::bytes);
    tma_load(s.tile(), p.map, s.barrier(), {0, 0});  // FAULT: missing-fence
  }
  s.barrier().wait(0);
}

FL_KERNEL(kThreads) initialises_a_barrier_twice(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  prepare({smem});
  if (thread_index() == 0) Shared{smem}.barrier().init(1);  // FAULT: barrier
}

FL_KERNEL(kThreads) arrives_too_often(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 0) {
    s.barrier().arrive_expect(16);
    s.barrier().arrive();  // FAULT: barrier
  }
}

FL_KERNEL(kThreads) overwrites_a_barrier(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  const SharedTile<float, 8, 32> over{s.barrier().base};
  if (thread_index() == 9) store_element(over, 0, 0, 1.0f);  // FAULT: barrier
}

FL_KERNEL(kThreads) loads_over_a_tile_in_use(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (is_first_warpgroup()) {
    Acc<1, 64> c;
    start(c, s);  // FAULT: race or pending-copy
    wait_products<0>(c);
  } else if (thread_index() == 200) {
    s.barrier().arrive_expect(Tile::bytes);
    tma_load(s.tile(), p.map, s.barrier(), {0, 0});  // FAULT: race
    s.barrier().wait(0);
  }
}

FL_KERNEL(kThreads) loads_over_what_threads_wrote(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 77) store_element(s.tile(), 3, 5, 1.0f);
  sync_threads();
  if (thread_index() == 0) {
    s.barrier().arrive_expect(Tile::bytes);
    tma_load(s.tile(), p.map, s.barrier(), {0, 0});  // FAULT: missing-fence
    s.barrier().wait(0);
  }
}

FL_KERNEL(kThreads) loads_beyond_the_end(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 0) {
    s.barrier().arrive_expect(Tile::bytes);
    tma_load(Tile{smem + 2 * Tile::bytes}, p.map, s.barrier(), {0, 0});  // FAULT: out-of-bounds-shared
  }
}

FL_KERNEL(kThreads) loads_to_a_misaligned_tile(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 0) {
    s.barrier().arrive_expect(Tile::bytes);
    tma_load(Tile{smem + 128}, p.map, s.barrier(), {0, 0});  // FAULT: misaligned
  }
}

FL_KERNEL(kThreads) loads_past_the_allocation(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 0) {
    s.barrier().arrive_expect(Tile::bytes);
    tma_load(s.tile(), p.longer, s.barrier(), {0, 1});  // FAULT: out-of-bounds-global
    s.barrier().wait(0);
  }
}

FL_KERNEL(kThreads) loads_with_another_tile_s_map(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 0) {
    s.barrier().arrive_expect(Tile::bytes / 2);
    tma_load(s.tile(), p.narrow, s.barrier(), {0, 0});  // FAULT: invalid-operand
    s.barrier().wait(0);
  }
}

FL_KERNEL(kThreads) loads_with_too_many_coordinates(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 0) {
    s.barrier().arrive_expect(Tile::bytes);
    tma_load(s.tile(), p.map, s.barrier(), {0, 0, 0});  // FAULT: invalid-operand
  }
}

FL_KERNEL(kThreads) waits_for_no_load(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 0) {
    s.barrier().arrive_expect(Tile::bytes);
    tma_load(s.tile(), p.map, s.barrier(), {0, 0});  // FAULT: pending-copy
  }
}

// ---- stores

FL_KERNEL(kThreads) stores_without_a_proxy_fence(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  fill_tile(s.tile(), kThreads, [](int, int) { return 1.0f; });
  sync_threads();
  if (thread_index() == 0) {
    tma_store(p.map, {0, 0}, s.tile());  // FAULT: missing-fence
    commit_stores();
    wait_stores_read<0>();
  }
}

FL_KERNEL(kThreads) stores_and_leaves(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 0) {
    tma_store(p.map, {0, 0}, s.tile());  // FAULT: pending-copy
    commit_stores();
  }
}

FL_KERNEL(kThreads) overwrites_a_tile_being_stored(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 0) {
    tma_store(p.map, {0, 0}, s.tile());
    commit_stores();
    store_element(s.tile(), 1, 1, 0.0f);  // FAULT: race
    wait_stores_read<0>();
  }
}

FL_KERNEL(kThreads) reads_what_is_being_stored(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  prepare(s);
  if (thread_index() == 0) {
    tma_store(p.map, {0, 0}, s.tile());
    commit_stores();
    wait_stores_read<0>();
    p.out[0] = load_element(p.in, 1, 1);  // FAULT: race
  }
}

// ---- warpgroups

FL_KERNEL(kThreads) asks_for_too_many_registers(FL_PARAMS(Params)) {
  increase_registers<264>();  // FAULT: register-count
}

FL_KERNEL(kThreads) asks_for_more_than_an_sm_has(FL_PARAMS(Params)) {
  if (is_first_warpgroup()) {
    decrease_registers<96>();
    increase_registers<256>();
  } else {
    sync_named(1, kWarpgroupSize);
    decrease_registers<232>();
    increase_registers<248>();
    increase_registers<240>();  // FAULT: register-count
  }
}

FL_KERNEL(kThreads) lets_a_warp_keep_its_registers(FL_PARAMS(Params)) {
  if (warp_index() != 6) decrease_registers<24>();  // FAULT: deadlock
}

FL_KERNEL(kThreads) warps_ask_for_different_registers(FL_PARAMS(Params)) {
  if (warp_index() % 4 == 3) {
    decrease_registers<32>();  // FAULT: divergence
  } else {
    decrease_registers<24>();  // FAULT: divergence
  }
}

FL_KERNEL(kThreads) too_few_come_to_a_named_barrier(FL_PARAMS(Params)) {
  if (warp_index() < 3) sync_named(4, kWarpgroupSize);  // FAULT: deadlock
}

FL_KERNEL(kThreads) named_barriers_of_two_sizes(FL_PARAMS(Params)) {
  if (warp_index() < 4) {
    sync_named(2, kThreads);  // FAULT: divergence
  } else {
    sync_named(2, kWarpgroupSize);  // FAULT: divergence
  }
}

FL_KERNEL(kThreads) uses_the_barrier_of_the_cta(FL_PARAMS(Params)) {
  sync_named(0, kThreads);  // FAULT: divergence
}

FL_KERNEL(kThreads) elects_without_all_lanes(FL_PARAMS(Params)) {
  if (lane_index() == 3) return;
  static_cast<void>(elect_one());  // FAULT: deadlock
}

// bar.arrive does not wait: what others wrote is not seen.
FL_KERNEL(kThreads) arrives_and_reads(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Shared s{smem};
  if (is_first_warpgroup()) {
    fill_tile(s.tile(), kWarpgroupSize, [](int, int) { return 1.0f; });
    sync_named(1, kThreads);
  } else {
    arrive_named(1, kThreads);
    p.out[thread_index()] = load_element(s.tile(), 3, 5);  // FAULT: race or uninitialised-shared
  }
}

using Entry = FaultEntry<Params>;
#define FL_ENTRY(name) {#name, name}
const Entry kKernels[] = {
    FL_ENTRY(reads_an_accumulator_before_its_wait),
    FL_ENTRY(writes_an_accumulator_in_flight),
    FL_ENTRY(overwrites_an_operand_in_flight),
    FL_ENTRY(forgets_the_register_fence),
    FL_ENTRY(forgets_the_fence_after_reading),
    FL_ENTRY(forgets_the_fence_of_an_operand),
    FL_ENTRY(waits_for_an_older_group_only),
    FL_ENTRY(forgets_to_commit),
    FL_ENTRY(lets_an_accumulator_go),
    FL_ENTRY(adds_to_nothing),
    FL_ENTRY(overwrites_a_product_s_tile),
    FL_ENTRY(forgets_the_proxy_fence),
    FL_ENTRY(fences_before_it_writes),
    FL_ENTRY(copies_without_a_proxy_fence),
    FL_ENTRY(forgets_the_barrier_before_a_product),
    FL_ENTRY(multiplies_an_empty_tile),
    FL_ENTRY(multiplies_a_misaligned_tile),
    FL_ENTRY(multiplies_rows_that_no_tile_has),
    FL_ENTRY(starts_inside_a_block),
    FL_ENTRY(multiplies_a_tile_beyond_the_end),
    FL_ENTRY(warps_multiply_different_tiles),
    FL_ENTRY(leaves_a_warp_out),
    FL_ENTRY(reads_a_load_in_flight),
    FL_ENTRY(one_warp_waits_for_all),
    FL_ENTRY(waits_for_the_wrong_parity),
    FL_ENTRY(expects_too_few_bytes),
    FL_ENTRY(expects_too_many_bytes),
    FL_ENTRY(expects_more_than_a_barrier_counts),
    FL_ENTRY(forgets_to_initialise_a_barrier),
    FL_ENTRY(initialises_a_barrier_for_nobody_else),
    FL_ENTRY(forgets_the_fence_after_initialising),
    FL_ENTRY(initialises_a_barrier_twice),
    FL_ENTRY(arrives_too_often),
    FL_ENTRY(overwrites_a_barrier),
    FL_ENTRY(loads_over_a_tile_in_use),
    FL_ENTRY(loads_over_what_threads_wrote),
    FL_ENTRY(loads_beyond_the_end),
    FL_ENTRY(loads_to_a_misaligned_tile),
    FL_ENTRY(loads_past_the_allocation),
    FL_ENTRY(loads_with_another_tile_s_map),
    FL_ENTRY(loads_with_too_many_coordinates),
    FL_ENTRY(waits_for_no_load),
    FL_ENTRY(stores_without_a_proxy_fence),
    FL_ENTRY(stores_and_leaves),
    FL_ENTRY(overwrites_a_tile_being_stored),
    FL_ENTRY(reads_what_is_being_stored),
    FL_ENTRY(asks_for_too_many_registers),
    FL_ENTRY(asks_for_more_than_an_sm_has),
    FL_ENTRY(lets_a_warp_keep_its_registers),
    FL_ENTRY(warps_ask_for_different_registers),
    FL_ENTRY(too_few_come_to_a_named_barrier),
    FL_ENTRY(named_barriers_of_two_sizes),
    FL_ENTRY(uses_the_barrier_of_the_cta),
    FL_ENTRY(elects_without_all_lanes),
    FL_ENTRY(arrives_and_reads),
};

}  // namespace

std::vector<std::string> hopper_fault_names() { return names_of(kKernels); }

int run_hopper_fault(const std::string& name, const void* in, float* out) {
  Params p{};
  p.in = {static_cast<const bfloat16*>(in), 64, 1, 64, 64, true};
  p.out = out;
  const TensorShape shape{2, {64, 64}, {1, 64}}, longer{2, {64, 65}, {1, 64}};
  if (make_tensor_map<Tile>(p.map, in, shape) || make_tensor_map<Tile>(p.longer, in, longer) ||
      make_tensor_map<SharedTile<bfloat16, 64, 32>>(p.narrow, in, shape)) {
    return -1;
  }
  for (const Entry& e : kKernels) {
    if (name == e.name) return launch(e.kernel, e.grid, kThreads, kSharedBytes, nullptr, p, e.name);
  }
  return -1;
}

}  // namespace flashlight::test
