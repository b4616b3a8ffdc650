// SPDX-License-Identifier: Apache-2.0
// Kernels with one fault each, as ../faults.cu. Tiles that asynchronous products read.
#include "faults.h"

namespace flashlight::test::hopper {

namespace {

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

}  // namespace

std::vector<Entry> operand_faults() {
  return {
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
  };
}

}  // namespace flashlight::test::hopper
