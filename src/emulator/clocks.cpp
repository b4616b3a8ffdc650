// SPDX-License-Identifier: Apache-2.0
// Joins of vector clocks.
#include "emulator/clocks.h"

#include <algorithm>

namespace flashlight::emulator {

namespace {

void join(VectorClock& into, const VectorClock& from) {
  for (std::size_t i = 0; i < into.size(); ++i) into[i] = std::max(into[i], from[i]);
}

}  // namespace

Clocks::Clocks(int threads)
    : threads_(threads),
      warp_(static_cast<std::size_t>(threads / 32), VectorClock(static_cast<std::size_t>(2 * threads), 0)),
      own_(static_cast<std::size_t>(threads), 1),
      waited_(static_cast<std::size_t>(threads), 0),
      extra_(static_cast<std::size_t>(threads)) {}

void Clocks::add_thread(int thread, VectorClock& into) const {
  into[thread] = std::max(into[thread], own_[thread]);
  Clock& copies = into[copy_actor(thread)];
  copies = std::max(copies, waited_[thread]);
  if (extra_[thread]) join(into, *extra_[thread]);
}

void Clocks::join_all() {
  VectorClock all(warp_[0].size(), 0);
  for (const VectorClock& w : warp_) join(all, w);
  for (int t = 0; t < threads_; ++t) add_thread(t, all);
  for (VectorClock& w : warp_) w = all;
  for (int t = 0; t < threads_; ++t) {
    ++own_[t];
    extra_[t].reset();
  }
}

void Clocks::join_warp(int warp) {
  for (int t = 32 * warp; t < 32 * (warp + 1); ++t) {
    add_thread(t, warp_[warp]);
    extra_[t].reset();
    ++own_[t];
  }
}

VectorClock Clocks::release(int thread) {
  VectorClock seen = warp_[thread / 32];
  add_thread(thread, seen);
  ++own_[thread];
  return seen;
}

void Clocks::acquire(int thread, const VectorClock& seen) {
  if (!extra_[thread]) extra_[thread] = std::make_unique<VectorClock>(seen.size(), 0);
  join(*extra_[thread], seen);
}

}  // namespace flashlight::emulator
