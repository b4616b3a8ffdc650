// SPDX-License-Identifier: Apache-2.0
// The hand-written attention kernel for Hopper: its launcher.
#pragma once

#include "flash_attention.h"

namespace flashlight::test {

// Tile shapes the kernel is instantiated for, M = 128 query rows on two consuming warpgroups.
enum class HopperTile { kN128D64, kN128D128, kN176D128 };

// Returns 0, 1 for a tensor that TMA cannot take, or the launch's error code.
int hopper_attention(HopperTile tile, const AttentionProblem& problem, void* stream);

}  // namespace flashlight::test
