// SPDX-License-Identifier: Apache-2.0
// Kernels with one fault each, which the emulated device must name. A comment FAULT: kind marks the line that
// must be reported.
#include "faults.h"

#include "flashlight/device/device.h"

namespace flashlight::test {

namespace {

using namespace flashlight::device;

struct Params {
  GlobalMatrix<const bfloat16> in;  // 64 x 64
  GlobalMatrix<float> out;          // 64 x 64
};

using Tile = SharedTile<bfloat16, 64, 64>;
constexpr int kThreads = 128;

FL_KERNEL(kThreads) reads_past_the_allocation(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Tile tile{smem};
  GlobalMatrix<const bfloat16> longer = p.in;
  longer.rows = 65;
  load_tile_async(tile, longer, 1, kThreads);  // FAULT: out-of-bounds-global
  commit_group();
  wait_group<0>();
}

FL_KERNEL(kThreads) writes_past_the_allocation(FL_PARAMS(Params) p) {
  Acc<1, 64> acc;
  acc.fill(0);
  GlobalMatrix<float> longer = p.out;
  longer.rows = 65;
  store_tile(longer, acc, 1, warp_index());  // FAULT: out-of-bounds-global
}

FL_KERNEL(kThreads) names_columns_that_an_accumulator_has_not(FL_PARAMS(Params) p) {
  Acc<1, 32> acc;
  for_each_element<1, 64>([&](const Element& e) FL_INLINE { acc[e] = 0.0f; });  // FAULT: index-out-of-range
  static_cast<void>(p);
}

FL_KERNEL(kThreads) reads_past_an_auxiliary_tensor(FL_PARAMS(Params) p) {
  const AuxTensor tensor{p.in.base, kAuxBFloat16};
  if (thread_index() == 77) p.out.at(0, 0)[0] = load_float(tensor, 64 * 64);  // FAULT: out-of-bounds-global
}

FL_KERNEL(kThreads) leaves_shared_memory(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Tile tile{smem + 1024};
  fill_tile(tile, kThreads, [](int, int) { return 0.0f; });  // FAULT: out-of-bounds-shared
  static_cast<void>(p);
}

FL_KERNEL(kThreads) reads_a_tile_nobody_filled(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Tile tile{smem};
  const float x = load_element(tile, 3, 5);  // FAULT: uninitialised-shared
  if (thread_index() == 0) p.out.at(0, 0)[0] = x;
}

FL_KERNEL(kThreads) forgets_to_wait(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Tile tile{smem};
  load_tile_async(tile, p.in, 0, kThreads);
  commit_group();
  sync_threads();
  Acc<1, 64> acc;
  acc.fill(0);
  multiply_transposed(acc, tile, tile, warp_index());  // FAULT: pending-copy
}

// The last group may still be in flight.
FL_KERNEL(kThreads) waits_for_too_few(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Tile first{smem}, second{smem + Tile::bytes};
  load_tile_async(first, p.in, 0, kThreads);
  commit_group();
  load_tile_async(second, p.in, 0, kThreads);
  commit_group();
  wait_group<1>();
  sync_threads();
  Acc<1, 64> acc;
  acc.fill(0);
  multiply_transposed(acc, first, second, warp_index());  // FAULT: pending-copy
}

FL_KERNEL(kThreads) forgets_the_barrier_after_filling(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Tile tile{smem};
  fill_tile(tile, kThreads, [](int, int) { return 1.0f; });
  Acc<1, 64> acc;
  acc.fill(0);
  multiply_transposed(acc, tile, tile, warp_index());  // FAULT: race or uninitialised-shared
}

FL_KERNEL(kThreads) forgets_the_barrier_after_waiting(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Tile tile{smem};
  load_tile_async(tile, p.in, 0, kThreads);
  commit_group();
  wait_group<0>();
  Acc<1, 64> acc;
  acc.fill(0);
  multiply_transposed(acc, tile, tile, warp_index());  // FAULT: race or pending-copy or uninitialised-shared
}

// The next tile's copies overwrite what slower warps still read.
FL_KERNEL(kThreads) overwrites_a_tile_in_use(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Tile tile{smem};
  load_tile_async(tile, p.in, 0, kThreads);  // a barrier follows
  commit_group();
  wait_group<0>();
  sync_threads();
  Acc<1, 64> acc;
  acc.fill(0);
  multiply_transposed(acc, tile, tile, warp_index());  // FAULT: race or pending-copy
  load_tile_async(tile, p.in, 0, kThreads);            // FAULT: race or pending-copy
  commit_group();
  wait_group<0>();
}

FL_KERNEL(kThreads) forgets_to_sync_the_warp(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<bfloat16, 64, 64> tile{smem};
  const int warp = warp_index(), lane = lane_index();
  store_element(tile, warp, lane, 1.0f);
  static_cast<void>(quad_max(0.0f));                   // lanes meet, but a shuffle orders no memory
  const float x = load_element(tile, warp, lane ^ 1);  // FAULT: race
  p.out.at(warp, lane)[0] = x;
}

FL_KERNEL(kThreads) lets_half_skip_the_barrier(FL_PARAMS(Params)) {
  if (thread_index() < 64) sync_threads();  // FAULT: deadlock
}

FL_KERNEL(kThreads) meets_at_two_barriers(FL_PARAMS(Params)) {
  if (thread_index() < 64) {
    sync_threads();  // FAULT: divergence
  } else {
    sync_threads();  // FAULT: divergence
  }
}

FL_KERNEL(kThreads) misses_a_lane(FL_PARAMS(Params) p) {
  if (lane_index() == 31) return;
  p.out.at(0, thread_index() % 32)[0] = quad_sum(1.0f);  // FAULT: deadlock
}

FL_KERNEL(kThreads) multiplies_different_tiles(FL_PARAMS(Params)) {
  FL_SHARED_MEMORY(smem);
  const Tile tile{smem}, other{smem + Tile::bytes};
  fill_tile(tile, kThreads, [](int, int) { return 1.0f; });
  fill_tile(other, kThreads, [](int, int) { return 1.0f; });
  sync_threads();
  Acc<1, 64> acc;
  acc.fill(0);
  multiply_transposed(acc, tile, lane_index() == 9 ? other : tile, warp_index());  // FAULT: divergence
}

FL_KERNEL(kThreads) multiplies_more_rows_than_there_are(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Tile tile{smem};
  load_tile_async(tile, p.in, 0, kThreads);
  commit_group();
  wait_group<0>();
  sync_threads();
  Acc<2, 64> acc;
  acc.fill(0);
  multiply_transposed(acc, tile, tile, warp_index());  // FAULT: invalid-operand
}

FL_KERNEL(kThreads) splits_inside_a_column_block(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Tile tile{smem};
  load_tile_async(tile, p.in, 0, kThreads);
  commit_group();
  wait_group<0>();
  sync_threads();
  Acc<1, 40> acc;
  acc.fill(0);
  multiply(acc, tile, tile, warp_index(), 8);  // FAULT: invalid-operand
}

FL_KERNEL(kThreads) reads_an_unwritten_accumulator(FL_PARAMS(Params)) {
  Acc<1, 8> acc;
  RowVec<1> sum;
  sum.fill(0);
  const auto add = [&](const Element& e) FL_INLINE { sum[e] += acc[e]; };
  for_each_element<1, 8>(add);  // FAULT: uninitialised-register
}

FL_KERNEL(kThreads) accumulates_into_nothing(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Tile tile{smem};
  load_tile_async(tile, p.in, 0, kThreads);
  commit_group();
  wait_group<0>();
  sync_threads();
  Acc<1, 64> acc;
  multiply_transposed(acc, tile, tile, warp_index());  // FAULT: uninitialised-register
}

FL_KERNEL(kThreads) threads_write_one_place(FL_PARAMS(Params) p) {
  Acc<1, 8> acc;
  acc.fill(1);
  GlobalMatrix<float> row = p.out;
  row.row_stride = 0;
  store_tile(row, acc, 0, warp_index());  // FAULT: race
}

// Two CTAs, nothing orders them.
FL_KERNEL(kThreads) blocks_write_one_place(FL_PARAMS(Params) p) {
  Acc<1, 64> acc;
  acc.fill(1);
  store_tile(p.out, acc, 0, warp_index());  // FAULT: race
}

FL_KERNEL(kThreads) copies_from_a_misaligned_row(FL_PARAMS(Params) p) {
  FL_SHARED_MEMORY(smem);
  const Tile tile{smem};
  GlobalMatrix<const bfloat16> shifted = p.in;
  shifted.base += 1;
  shifted.rows = 32;
  load_tile_async(tile, shifted, 0, kThreads);  // FAULT: misaligned
  commit_group();
  wait_group<0>();
}

using Entry = FaultEntry<Params>;
#define FL_ENTRY(name, grid) {#name, name, grid}
const Entry kKernels[] = {
    FL_ENTRY(reads_past_the_allocation, 1),
    FL_ENTRY(writes_past_the_allocation, 1),
    FL_ENTRY(names_columns_that_an_accumulator_has_not, 1),
    FL_ENTRY(reads_past_an_auxiliary_tensor, 1),
    FL_ENTRY(leaves_shared_memory, 1),
    FL_ENTRY(reads_a_tile_nobody_filled, 1),
    FL_ENTRY(forgets_to_wait, 1),
    FL_ENTRY(waits_for_too_few, 1),
    FL_ENTRY(forgets_the_barrier_after_filling, 1),
    FL_ENTRY(forgets_the_barrier_after_waiting, 1),
    FL_ENTRY(overwrites_a_tile_in_use, 1),
    FL_ENTRY(forgets_to_sync_the_warp, 1),
    FL_ENTRY(lets_half_skip_the_barrier, 1),
    FL_ENTRY(meets_at_two_barriers, 1),
    FL_ENTRY(misses_a_lane, 1),
    FL_ENTRY(multiplies_different_tiles, 1),
    FL_ENTRY(reads_an_unwritten_accumulator, 1),
    FL_ENTRY(accumulates_into_nothing, 1),
    FL_ENTRY(threads_write_one_place, 1),
    FL_ENTRY(multiplies_more_rows_than_there_are, 1),
    FL_ENTRY(splits_inside_a_column_block, 1),
    FL_ENTRY(blocks_write_one_place, 2),
    FL_ENTRY(copies_from_a_misaligned_row, 1),
};

}  // namespace

std::vector<std::string> fault_names() { return names_of(kKernels); }

int run_fault(const std::string& name, const void* in, float* out) {
  const Params p{{static_cast<const bfloat16*>(in), 64, 1, 64, 64, true}, {out, 64, 1, 64, 64, true}};
  for (const Entry& e : kKernels) {
    const int bytes = name == "leaves_shared_memory" ? Tile::bytes : 2 * Tile::bytes;
    if (name == e.name) return launch(e.kernel, e.grid, kThreads, bytes, nullptr, p, e.name);
  }
  return -1;
}

}  // namespace flashlight::test
