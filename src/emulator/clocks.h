// SPDX-License-Identifier: Apache-2.0
// Vector clocks of a CTA: who has seen which of whose actions.
//
// Actors 0..T-1 are the threads, T..2T-1 their asynchronous copies: actor T + t acts for thread t in groups,
// and its clock is the number of the group. These act by the generic proxy. Actors from 2T on act by the
// async proxy and exist where a kernel has them (add_actor): the products of a warpgroup, the bulk stores of
// a thread, the bytes that arrive at a barrier.
//
// Since most joins are of a whole warp or the whole CTA, a vector is kept per warp; per thread only its own
// clock, the groups it has waited for, and a vector of what it has acquired by itself, shared by those who
// acquired the same.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace flashlight::emulator {

using Clock = std::uint32_t;
// At least 2T entries; what is missing behind them is 0. By actor, except that behind the first 2T come 2T
// entries for the same actors' writes as the async proxy may know them.
using VectorClock = std::vector<Clock>;
using SharedClock = std::shared_ptr<const VectorClock>;

class Clocks {
 public:
  explicit Clocks(int threads);

  int copy_actor(int thread) const { return threads_ + thread; }
  bool is_async(int actor) const { return actor >= 2 * threads_; }
  int add_actor();

  // The clock of the thread's next actions.
  Clock now(int thread) const { return own_[thread]; }

  // Has everything that `actor` did up to `clock` happened before what the thread does next?
  bool knows(int thread, int actor, Clock clock) const {
    if (actor == thread) return true;
    if (actor == copy_actor(thread)) return clock <= waited_[thread];
    if (is_async(actor)) return knows_async(thread, actor, clock);
    return clock <= warp_[thread / 32][actor] || (extra_[thread] && clock <= (*extra_[thread])[actor]);
  }
  // And has it been passed to the async proxy by a fence of the actor's thread that happened before too? Of
  // the async actors themselves nothing more is asked.
  bool knows_fenced(int thread, int actor, Clock clock) const;

  // The thread has waited for its copy groups up to `group`.
  void wait_copies(int thread, Clock group) { waited_[thread] = group; }
  // The thread has waited for what the async actor did up to `clock`.
  void learn(int thread, int actor, Clock clock);
  // fence.proxy.async.
  void fence_proxy(int thread);
  // All have met.
  void join_all();
  void join_warp(int warp);

  // For synchronisation by objects of their own (barriers in memory, named barriers): adds what the thread
  // has seen and done to `into`; the thread now sees what others have added.
  void release(int thread, VectorClock& into);
  void acquire(int thread, const SharedClock& seen);

  // The place of an actor's clock in a vector.
  std::size_t index(int actor) const {
    return static_cast<std::size_t>(is_async(actor) ? actor + 2 * threads_ : actor);
  }

 private:
  static Clock at(const VectorClock& v, std::size_t i) { return i < v.size() ? v[i] : 0; }
  bool knows_async(int thread, int actor, Clock clock) const;
  void add_own(int thread, VectorClock& into) const;
  void add_thread(int thread, VectorClock& into, const VectorClock*& joined) const;
  SharedClock joined(const SharedClock& a, const SharedClock& b);

  int threads_, actors_;
  bool fences_ = false;  // some thread has called fence_proxy
  std::vector<VectorClock> warp_;
  std::vector<Clock> own_, waited_, fenced_, fenced_copies_;
  std::vector<SharedClock> extra_;
  std::vector<std::vector<std::pair<int, Clock>>> learned_;
  struct Join {
    SharedClock a, b, result;
  };
  std::array<Join, 8> recent_joins_;
  std::size_t oldest_join_ = 0;
};

}  // namespace flashlight::emulator
