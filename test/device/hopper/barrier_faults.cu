// SPDX-License-Identifier: Apache-2.0
// Kernels with one fault each, as ../faults.cu. Barriers in memory.
#include "faults.h"

namespace flashlight::test::hopper {

namespace {

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

}  // namespace

std::vector<Entry> barrier_faults() {
  return {
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
  };
}

}  // namespace flashlight::test::hopper
