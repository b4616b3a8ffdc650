// SPDX-License-Identifier: Apache-2.0
// Kernels with one fault each, as ../faults.cu. Asynchronous loads.
#include "faults.h"

namespace flashlight::test::hopper {

namespace {

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

// wait(1) is for the phase before the first, and the second: it returns at once, or never.
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

}  // namespace

std::vector<Entry> load_faults() {
  return {
      FL_ENTRY(reads_a_load_in_flight),
      FL_ENTRY(loads_over_a_tile_in_use),
      FL_ENTRY(loads_over_what_threads_wrote),
      FL_ENTRY(loads_beyond_the_end),
      FL_ENTRY(loads_to_a_misaligned_tile),
      FL_ENTRY(loads_past_the_allocation),
      FL_ENTRY(loads_with_another_tile_s_map),
      FL_ENTRY(loads_with_too_many_coordinates),
      FL_ENTRY(waits_for_no_load),
  };
}

}  // namespace flashlight::test::hopper
