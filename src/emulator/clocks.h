// SPDX-License-Identifier: Apache-2.0
// Vector clocks of a CTA: who has seen which of whose actions.
//
// Actors 0..T-1 are the threads, T..2T-1 their asynchronous copies: actor T + t acts for thread t in groups,
// and its clock is the number of the group. Since most joins are of a whole warp or the whole CTA, a vector
// is kept per warp, and per thread only its own clock, the group it has waited for, and a vector of its own
// where it alone has acquired something.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace flashlight::emulator {

using Clock = std::uint32_t;
using VectorClock = std::vector<Clock>;

class Clocks {
 public:
  explicit Clocks(int threads);

  int copy_actor(int thread) const { return threads_ + thread; }
  int actors() const { return 2 * threads_; }

  // The clock of the thread's next actions.
  Clock now(int thread) const { return own_[thread]; }

  // Has everything that `actor` did up to `clock` happened before what the thread does next?
  bool knows(int thread, int actor, Clock clock) const {
    if (actor == thread) return true;
    if (actor == copy_actor(thread)) return clock <= waited_[thread];
    return clock <= warp_[thread / 32][actor] || (extra_[thread] && clock <= (*extra_[thread])[actor]);
  }

  // The thread has waited for its copy groups up to `group`.
  void wait_copies(int thread, Clock group) { waited_[thread] = group; }
  // All have met.
  void join_all();
  void join_warp(int warp);

  // For synchronisation by objects of their own (mbarriers): what the thread has seen, and that it now sees
  // what another has.
  VectorClock release(int thread);
  void acquire(int thread, const VectorClock& seen);

 private:
  void add_thread(int thread, VectorClock& into) const;

  int threads_;
  std::vector<VectorClock> warp_;
  std::vector<Clock> own_, waited_;
  std::vector<std::unique_ptr<VectorClock>> extra_;
};

}  // namespace flashlight::emulator
