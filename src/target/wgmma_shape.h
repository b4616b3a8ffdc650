// SPDX-License-Identifier: Apache-2.0
// Tile shapes for warp-specialised kernels of sm_90a, chosen by a model of registers and shared memory.
#pragma once
#include "target/tile_shape.h"

namespace flashlight::target {

// Where results stand before TMA stores them: generated::Staging has the same.
enum class Staging { kRegisters, kRows, kApart };

// One warpgroup loads; `consumers` warpgroups own 64 rows each and walk over N keys at a time, of which
// `stages` tiles are under way.
struct WgmmaShape {
  int consumers = 0, n = 0, stages = 0;
  Staging staging = Staging::kRegisters;
  int m() const { return 64 * consumers; }
  int threads() const { return 128 * (consumers + 1); }
};

// A shape, or why wgmma does not fit.
struct WgmmaChoice {
  std::optional<WgmmaShape> shape;
  std::string reason;
};

// `demand` counts row vectors and fragments of one warp's 16 rows, as for any target. Of the sizes asked for,
// the first that fits comes before all others.
WgmmaChoice choose_wgmma(const Demand& demand, const std::vector<TileSize>& asked = {});
int shared_bytes(const Demand& demand, const WgmmaShape& shape);
// Registers a consumer thread's values occupy: accumulators, score fragments, rounded weights, row vectors.
int value_registers(const Demand& demand, const WgmmaShape& shape);
// What a thread of such a warpgroup owns (setmaxnreg): device::loader_registers and consumer_registers have
// the same.
int loader_registers(int consumers, Finding);
int consumer_registers(int consumers, Finding);

}  // namespace flashlight::target
