// SPDX-License-Identifier: Apache-2.0
// Numbers that one thread hands to consuming warps, in order: which tile comes next, where finding it takes
// more registers than those who multiply have left.
#pragma once

#include "flashlight/device/hopper/barrier.h"

namespace flashlight::device {

// What follows the last tile of a sweep.
inline constexpr int kNoMoreTiles = 0x7fffffff;

// A ring of STAGES numbers: for each stage the number, the barrier `full` (the writer's arrival) and the
// barrier `empty` (an arrival a consuming warp).
template <int STAGES> struct NoteRing {
  using Index = RingIndex<STAGES>;
  static constexpr int stage_bytes = 2 * Barrier::bytes + 8;
  static constexpr int bytes = STAGES * stage_bytes;

  unsigned char* base;  // bytes, aligned to 8

  FL_DEVICE Barrier full(Index at) const { return {base + at.stage * stage_bytes}; }
  FL_DEVICE Barrier empty(Index at) const { return {base + at.stage * stage_bytes + Barrier::bytes}; }
  FL_DEVICE unsigned char* note(Index at) const { return base + at.stage * stage_bytes + 2 * Barrier::bytes; }

  // One thread, before fence_barrier_init() and a barrier of the CTA.
  FL_DEVICE void init(int warps FL_AND_WHERE) const {
    FL_UNROLL
    for (int stage = 0; stage < STAGES; ++stage) {
      full({stage, 0}).init(1 FL_AND_HERE);
      empty({stage, 0}).init(warps FL_AND_HERE);
    }
  }

  // The writing thread: waits until the stage's previous number has been taken.
  FL_DEVICE void put(Index at, int number FL_AND_WHERE) const {
    empty(at).wait(at.parity ^ 1 FL_AND_HERE);
#if defined(__CUDACC__)
    *reinterpret_cast<volatile int*>(note(at)) = number;
#else
    emulator::shared_store(thread_index(), note(at), &number, sizeof number, where);
#endif
    full(at).arrive(FL_HERE);
  }

  // A consuming warp, all lanes: the next number.
  FL_DEVICE int take(Index& at FL_AND_WHERE) const {
    full(at).wait(at.parity FL_AND_HERE);
#if defined(__CUDACC__)
    const int number = *reinterpret_cast<volatile int*>(note(at));
#else
    int number;
    emulator::shared_load(thread_index(), note(at), &number, sizeof number, where);
#endif
    sync_warp(FL_HERE);
    if (lane_index() == 0) empty(at).arrive(FL_HERE);
    at.advance();
    return number;
  }
};

}  // namespace flashlight::device
