// SPDX-License-Identifier: Apache-2.0
// What the kernels of hopper/*_faults.cu share: their parameters, two tiles and four barriers, and how they
// are listed.
#pragma once

#include "../faults.h"
#include "flashlight/device/hopper.h"

namespace flashlight::test::hopper {

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

// A file's kernels.
using Entry = FaultEntry<Params>;
#define FL_ENTRY(name) {#name, name}
std::vector<Entry> register_faults();
std::vector<Entry> operand_faults();
std::vector<Entry> barrier_faults();
std::vector<Entry> load_faults();
std::vector<Entry> store_faults();
std::vector<Entry> warpgroup_faults();

}  // namespace flashlight::test::hopper
