// SPDX-License-Identifier: Apache-2.0
// The scheduler and the rendezvous of a CTA.
#include "emulator/block.h"

#include "emulator/hopper.h"

#include <algorithm>
#include <exception>
#include <map>
#include <numeric>
#include <utility>

namespace flashlight::emulator {

thread_local Block* Block::running_ = nullptr;

namespace {

bool same_line(const std::source_location& a, const std::source_location& b) {
  return a.line() == b.line() && a.file_name() == b.file_name();
}

std::string at(const std::source_location& where) {
  return to_string(Sites::Line{where.file_name(), where.line()});
}

// "0-30, 32" from ascending numbers.
std::string ranges(const std::vector<int>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t j = i;
    while (j + 1 < numbers.size() && numbers[j + 1] == numbers[j] + 1) ++j;
    if (!text.empty()) text += ", ";
    text += std::to_string(numbers[i]);
    if (j > i) text += "-" + std::to_string(numbers[j]);
    i = j + 1;
  }
  return text;
}

}  // namespace

Block::Block(LaunchState& launch, int index, std::uint32_t rank)
    : launch_(launch),
      index_(index),
      rank_(rank),
      clocks_(launch.request.threads),
      copies_(*this),
      threads_(static_cast<std::size_t>(launch.request.threads)),
      warps_(static_cast<std::size_t>(launch.request.threads / 32)),
      ready_(static_cast<std::size_t>(launch.request.threads)),
      unfinished_(launch.request.threads) {
  launch_.shared.poison();
  std::iota(ready_.begin(), ready_.end(), 0);
  for (int t = 0; t < threads(); ++t) threads_[t].context = {t, index, launch.request.grid};
  add_agent(copies_);
}

Block::~Block() = default;

Hopper& Block::hopper() {
  if (!hopper_) hopper_ = std::make_unique<Hopper>(*this);
  return *hopper_;
}

int Block::add_actor(const char* name, int thread) {
  async_actors_.push_back({name, thread});
  return clocks_.add_actor();
}

bool Block::run() {
  running_ = this;
  while (unfinished_ > 0 && !cancelled_) {
    if (launch_.random.below(2) == 0) step_agents();
    if (ready_.empty()) {
      if (step_agents()) continue;
      report_deadlock();
      cancel();
      break;
    }
    const std::size_t i = launch_.random.below(ready_.size());
    const int thread = std::exchange(ready_[i], ready_.back());
    ready_.pop_back();
    resume(thread);
  }
  if (hopper_ && !cancelled_) hopper_->finish();
  running_ = nullptr;
  return !cancelled_;
}

void Block::resume(int thread) {
  current = &threads_[thread].context;
  threads_[thread].state = State::kReady;
  launch_.fibers[thread]->resume(&Block::run_thread);
  current = nullptr;
}

// The job of a fiber: one CUDA thread from its first to its last instruction. No exception leaves it.
void Block::run_thread() {
  const int thread = current->thread;
  const LaunchRequest& request = running().launch_.request;
  std::string failure;
  try {
    request.run(request.call);
  } catch (const Cancelled&) {
  } catch (const std::exception& e) { failure = std::string("the kernel threw: ") + e.what(); } catch (...) {
    failure = "the kernel threw";
  }
  Block& block = running();
  if (!failure.empty()) block.report(FindingKind::kException, thread, std::source_location(), failure);
  block.threads_[thread].state = State::kDone;
  --block.unfinished_;
}

bool Block::step_agents() {
  bool progress = false;
  for (AsyncAgent* agent : agents_) progress |= agent->step(launch_.random);
  return progress;
}

void Block::wait(const char* what, const std::source_location& where) {
  if (cancelled_) throw Cancelled{};
  const int thread = current->thread;
  Thread& mine = threads_[thread];
  mine.state = State::kWaiting;
  mine.waits_in = what;
  mine.waits_at = where;
  launch_.fibers[thread]->pause();
  if (cancelled_) throw Cancelled{};
}

void Block::yield(const char* what, const std::source_location& where) {
  ready_.push_back(current->thread);
  wait(what, where);
}

void Block::wake(int thread) {
  threads_[thread].state = State::kReady;
  ready_.push_back(thread);
}

void Block::cancel() {
  cancelled_ = true;
  for (int t = 0; t < threads(); ++t) {
    while (threads_[t].state != State::kDone) resume(t);
  }
}

void Block::sync_threads(const std::source_location& where) {
  if (at_barrier_ == 0) {
    barrier_at_ = where;
  } else if (!same_line(barrier_at_, where)) {
    report(FindingKind::kDivergence, current->thread, where,
           "threads of the CTA meet at different barriers: here and at " + at(barrier_at_));
  }
  if (++at_barrier_ < threads()) return wait("sync_threads", where);
  at_barrier_ = 0;
  clocks_.join_all();
  for (int t = 0; t < threads(); ++t) {
    if (t != current->thread) wake(t);
  }
}

// The result stands until all threads have been at another barrier, and thus have read it.
bool Block::sync_threads_or(bool vote, const std::source_location& where) {
  any_at_barrier_ = any_at_barrier_ || vote;
  if (at_barrier_ + 1 == threads()) {
    any_ = any_at_barrier_;
    any_at_barrier_ = false;
  }
  sync_threads(where);
  return any_;
}

template <int THREADS>
inline void Block::meet(Meeting<THREADS>& meeting, const char* name, void* argument, CollectiveAction action,
                        bool orders_warp, const std::source_location& where) {
  const int thread = current->thread, first = thread / THREADS * THREADS;
  if (meeting.arrived == 0) {
    meeting.action = action;
    meeting.first_at = where;
  } else if (meeting.action != action || !same_line(meeting.first_at, where)) {
    report(FindingKind::kDivergence, thread, where,
           std::string(THREADS == 32 ? "lanes of a warp" : "threads of a warpgroup") +
               " meet in different places: here in " + name + " and at " + at(meeting.first_at));
    if (meeting.action != action) return wait(name, where);  // nothing sensible can run: ends as a deadlock
  }
  meeting.arguments[thread - first] = argument;
  if (++meeting.arrived < THREADS) return wait(name, where);
  meeting.arrived = 0;
  if (orders_warp) clocks_.join_warp(thread / 32);
  if (action) action(meeting.arguments);
  for (int t = first; t < first + THREADS; ++t) {
    if (t != thread) wake(t);
  }
}

void Block::meet_warp(const char* name, void* argument, CollectiveAction action, bool orders_memory,
                      const std::source_location& where) {
  meet(warps_[current->thread / 32], name, argument, action, orders_memory, where);
}

void Block::meet_warpgroup(Meeting<128>& meeting, const char* name, void* argument, CollectiveAction action,
                           const std::source_location& where) {
  meet(meeting, name, argument, action, false, where);
}

std::string Block::waiting_text() const {
  std::map<std::string, std::vector<int>> groups;
  for (int t = 0; t < static_cast<int>(threads_.size()); ++t) {
    const Thread& thread = threads_[t];
    groups[thread.state == State::kDone ? "ended"
                                        : std::string("in ") + thread.waits_in + " at " + at(thread.waits_at)]
        .push_back(t);
  }
  std::string text;
  for (const auto& [place, numbers] : groups) {
    text += (text.empty() ? "" : "; ") + std::string("threads ") + ranges(numbers) + " " +
            (place == "ended" ? "have ended" : "wait " + place);
  }
  return hopper_ ? text + hopper_->waiting_text() : text;
}

void Block::report_deadlock() {
  const auto waiting = std::find_if(threads_.begin(), threads_.end(),
                                    [](const Thread& t) { return t.state == State::kWaiting; });
  report(FindingKind::kDeadlock, waiting->context.thread, waiting->waits_at,
         "no thread can go on: " + waiting_text());
}

void Block::report(FindingKind kind, int thread, const std::source_location& where, std::string text) {
  launch_.report(kind, index_, thread, where, std::move(text));
}

}  // namespace flashlight::emulator
