// SPDX-License-Identifier: Apache-2.0
// Kernels with one fault each, as ../faults.cu. Registers and named barriers of warpgroups.
#include "faults.h"

namespace flashlight::test::hopper {

namespace {

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

}  // namespace

std::vector<Entry> warpgroup_faults() {
  return {
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
}

}  // namespace flashlight::test::hopper
