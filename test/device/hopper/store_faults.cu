// SPDX-License-Identifier: Apache-2.0
// Kernels with one fault each, as ../faults.cu. Asynchronous stores.
#include "faults.h"

namespace flashlight::test::hopper {

namespace {

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

}  // namespace

std::vector<Entry> store_faults() {
  return {
      FL_ENTRY(stores_without_a_proxy_fence),
      FL_ENTRY(stores_and_leaves),
      FL_ENTRY(overwrites_a_tile_being_stored),
      FL_ENTRY(reads_what_is_being_stored),
  };
}

}  // namespace flashlight::test::hopper
