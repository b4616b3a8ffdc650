// SPDX-License-Identifier: Apache-2.0
// One CTA: its threads as fibers, their scheduler, their rendezvous, and the checks of their memory accesses.
#pragma once

#include <memory>
#include <source_location>
#include <string>
#include <vector>

#include "emulator/async_copy.h"
#include "emulator/clocks.h"
#include "emulator/launch_state.h"
#include "flashlight/emulator/context.h"

namespace flashlight::emulator {

// Who acts: `actor` of the vector clocks at `clock`, for which `thread` is answerable.
struct Actor {
  int thread, actor;
  Clock clock;
};

class Hopper;

// A rendezvous of consecutive threads: how many have come, and what they passed.
template <int THREADS> struct Meeting {
  void* arguments[THREADS];
  int arrived = 0;
  CollectiveAction action = nullptr;
  std::source_location first_at;
};

class Block {
 public:
  // `rank`: the CTA's place in the order of execution, from 1.
  Block(LaunchState& launch, int index, std::uint32_t rank);
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block();

  // Runs all threads to their end; false if they had to be abandoned.
  bool run();

  // The CTA that runs on this thread of execution.
  static Block& running() { return *running_; }

  int threads() const { return launch_.request.threads; }
  LaunchState& launch() { return launch_; }
  Clocks& clocks() { return clocks_; }
  CopyQueue& copies() { return copies_; }
  // What only Hopper has, made when a kernel first asks for it.
  Hopper& hopper();
  bool cancelled() const { return cancelled_; }

  // Rendezvous of the calling fiber's thread.
  void sync_threads(const std::source_location& where);
  bool sync_threads_or(bool vote, const std::source_location& where);
  void meet_warp(const char* name, void* argument, CollectiveAction action, bool orders_memory,
                 const std::source_location& where);
  void meet_warpgroup(Meeting<128>& meeting, const char* name, void* argument, CollectiveAction action,
                      const std::source_location& where);

  // Pauses the calling thread until wake(thread): the way to wait for any other object.
  void wait(const char* what, const std::source_location& where);
  // Lets others run.
  void yield(const char* what, const std::source_location& where);
  void wake(int thread);
  // An agent takes part in the scheduling from now on; it outlives the CTA.
  void add_agent(AsyncAgent& agent) { agents_.push_back(&agent); }
  // An actor of the async proxy: findings say `name`, and the thread where it is one's (-1: none).
  int add_actor(const char* name, int thread);

  // Checks: each reports what it finds; false means that the access must not be performed.
  Actor actor(int thread) const { return {thread, thread, clocks_.now(thread)}; }
  bool check_shared_read(const Actor& actor, const void* address, std::size_t bytes,
                         const std::source_location& where);
  bool check_shared_write(const Actor& actor, const void* address, std::size_t bytes, ByteState becomes,
                          const std::source_location& where);
  bool check_global(const Actor& actor, const void* address, std::size_t bytes, bool write,
                    const std::source_location& where);
  bool check_alignment(int thread, const void* address, std::size_t bytes, const std::source_location& where);
  // The same for bulk accesses, without their alignment.
  bool check_shared_range(const Actor& actor, const void* address, std::size_t bytes,
                          const std::source_location& where);
  bool check_shared_fill(const Actor& actor, const void* address, std::size_t bytes, ByteState becomes,
                         const std::source_location& where);
  void mark_initialised(const void* address, std::size_t bytes);
  void report(FindingKind kind, int thread, const std::source_location& where, std::string text);

 private:
  enum class State : unsigned char { kReady, kWaiting, kDone };
  struct Thread {
    ThreadContext context;
    State state = State::kReady;
    const char* waits_in = "";
    std::source_location waits_at;
  };
  struct AsyncActor {
    const char* name;
    int thread;
  };
  struct Cancelled {};

  template <int THREADS>
  void meet(Meeting<THREADS>& meeting, const char* name, void* argument, CollectiveAction action,
            bool orders_warp, const std::source_location& where);
  static void run_thread();
  void resume(int thread);
  bool step_agents();
  void cancel();
  void report_deadlock();
  std::string waiting_text() const;
  bool checks_races(const Actor& actor) const;
  bool report_outside(const char* access, const Actor& actor, std::size_t bytes,
                      const std::source_location& where);
  bool record_read(const Actor& actor, const void* address, std::size_t bytes,
                   const std::source_location& where);
  bool record_write(const Actor& actor, const void* address, std::size_t bytes, ByteState becomes,
                    const std::source_location& where);
  void report_race(const Actor& actor, bool write, const void* address, std::size_t bytes,
                   const Conflict& conflict, const char* space, const std::source_location& where);
  Access access(const Actor& actor, const std::source_location& where);
  std::string actor_text(int actor) const;

  static thread_local Block* running_;

  LaunchState& launch_;
  int index_;
  std::uint32_t rank_;
  Clocks clocks_;
  CopyQueue copies_;
  std::vector<AsyncAgent*> agents_;
  std::vector<Thread> threads_;
  std::vector<Meeting<32>> warps_;
  std::vector<int> ready_;
  int unfinished_;
  int at_barrier_ = 0;
  bool any_at_barrier_ = false, any_ = false;  // votes so far; of the last barrier that counted them
  std::source_location barrier_at_;
  std::unique_ptr<Hopper> hopper_;
  std::vector<AsyncActor> async_actors_;
  bool cancelled_ = false;
};

}  // namespace flashlight::emulator
