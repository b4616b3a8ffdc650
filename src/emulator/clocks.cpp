// SPDX-License-Identifier: Apache-2.0
// Joins of vector clocks.
#include "emulator/clocks.h"

#include <algorithm>

namespace flashlight::emulator {

namespace {

void join(VectorClock& into, const VectorClock& from) {
  if (into.size() < from.size()) into.resize(from.size(), 0);
  for (std::size_t i = 0; i < from.size(); ++i) into[i] = std::max(into[i], from[i]);
}

void raise(VectorClock& v, std::size_t i, Clock clock) {
  if (i >= v.size()) v.resize(i + 1, 0);
  v[i] = std::max(v[i], clock);
}

}  // namespace

Clocks::Clocks(int threads)
    : threads_(threads),
      actors_(2 * threads),
      warp_(static_cast<std::size_t>(threads / 32), VectorClock(static_cast<std::size_t>(2 * threads), 0)),
      own_(static_cast<std::size_t>(threads), 1),
      waited_(static_cast<std::size_t>(threads), 0),
      extra_(static_cast<std::size_t>(threads)) {}

int Clocks::add_actor() { return actors_++; }

bool Clocks::knows_async(int thread, int actor, Clock clock) const {
  const std::size_t i = index(actor);
  if (clock <= at(warp_[thread / 32], i) || (extra_[thread] && clock <= at(*extra_[thread], i))) return true;
  if (learned_.empty()) return false;
  for (const auto& [known, until] : learned_[thread]) {
    if (known == actor) return clock <= until;
  }
  return false;
}

void Clocks::learn(int thread, int actor, Clock clock) {
  if (learned_.empty()) learned_.resize(static_cast<std::size_t>(threads_));
  for (auto& [known, until] : learned_[thread]) {
    if (known == actor) {
      until = std::max(until, clock);
      return;
    }
  }
  learned_[thread].push_back({actor, clock});
}

bool Clocks::knows_fenced(int thread, int actor, Clock clock) const {
  if (is_async(actor)) return knows(thread, actor, clock);
  if (!fences_) return false;
  if (actor == thread) return clock <= fenced_[thread];
  if (actor == copy_actor(thread)) return clock <= fenced_copies_[thread];
  const std::size_t i = static_cast<std::size_t>(actor + 2 * threads_);
  return clock <= at(warp_[thread / 32], i) || (extra_[thread] && clock <= at(*extra_[thread], i));
}

void Clocks::fence_proxy(int thread) {
  if (!fences_) {
    fences_ = true;
    fenced_.resize(static_cast<std::size_t>(threads_), 0);
    fenced_copies_.resize(static_cast<std::size_t>(threads_), 0);
  }
  fenced_[thread] = own_[thread]++;
  fenced_copies_[thread] = waited_[thread];
}

void Clocks::add_own(int thread, VectorClock& into) const {
  into[thread] = std::max(into[thread], own_[thread]);
  Clock& copies = into[copy_actor(thread)];
  copies = std::max(copies, waited_[thread]);
  if (fences_) {
    raise(into, static_cast<std::size_t>(2 * threads_ + thread), fenced_[thread]);
    raise(into, static_cast<std::size_t>(3 * threads_ + thread), fenced_copies_[thread]);
  }
  if (!learned_.empty()) {
    for (const auto& [actor, clock] : learned_[thread]) raise(into, index(actor), clock);
  }
}

// `joined`: the vector that was joined last, which neighbouring threads often share.
void Clocks::add_thread(int thread, VectorClock& into, const VectorClock*& joined) const {
  add_own(thread, into);
  const VectorClock* const extra = extra_[thread].get();
  if (extra && extra != joined) join(into, *extra);
  if (extra) joined = extra;
}

void Clocks::join_all() {
  VectorClock all(warp_[0].size(), 0);
  for (const VectorClock& w : warp_) join(all, w);
  const VectorClock* joined = nullptr;
  for (int t = 0; t < threads_; ++t) add_thread(t, all, joined);
  for (VectorClock& w : warp_) w = all;
  for (int t = 0; t < threads_; ++t) {
    ++own_[t];
    extra_[t].reset();
  }
}

void Clocks::join_warp(int warp) {
  const VectorClock* joined = nullptr;
  for (int t = 32 * warp; t < 32 * (warp + 1); ++t) add_thread(t, warp_[warp], joined);
  for (int t = 32 * warp; t < 32 * (warp + 1); ++t) {
    extra_[t].reset();
    ++own_[t];
  }
}

void Clocks::release(int thread, VectorClock& into) {
  join(into, warp_[thread / 32]);
  const VectorClock* joined = nullptr;
  add_thread(thread, into, joined);
  ++own_[thread];
}

void Clocks::acquire(int thread, const SharedClock& seen) {
  if (!seen || extra_[thread] == seen) return;
  extra_[thread] = extra_[thread] ? joined(extra_[thread], seen) : seen;
}

// Threads of a warpgroup acquire the same in turn: the result is computed once.
SharedClock Clocks::joined(const SharedClock& a, const SharedClock& b) {
  for (const Join& recent : recent_joins_) {
    if (recent.a == a && recent.b == b) return recent.result;
  }
  auto result = std::make_shared<VectorClock>(*a);
  join(*result, *b);
  recent_joins_[oldest_join_++ % recent_joins_.size()] = {a, b, result};
  return result;
}

}  // namespace flashlight::emulator
