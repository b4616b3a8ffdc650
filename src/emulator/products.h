// SPDX-License-Identifier: Apache-2.0
// Products of the warpgroups (wgmma): queued in order, done at a seeded moment before the wait that covers
// them; until then their registers are poison.
#pragma once

#include <deque>
#include <memory>
#include <source_location>
#include <vector>

#include "emulator/async_agent.h"
#include "emulator/block.h"
#include "emulator/descriptor.h"
#include "flashlight/emulator/hopper.h"

namespace flashlight::emulator {

class Products : public AsyncAgent {
 public:
  explicit Products(Block& block);

  // The calling thread's part of a product; it starts when the warpgroup's last thread has come.
  void start(const WarpgroupProduct& product, const std::source_location& where);
  void commit(int thread);
  void wait(int thread, int pending, CheckedRegisters* const* registers, int count,
            const std::source_location& where);
  // The registers cease to exist.
  void abandon(CheckedRegisters& registers);

  bool step(Random& random) override;

 private:
  static constexpr int kThreads = 128;

  // The registers of a warpgroup that products own: an accumulator with its values so far, or a left operand.
  struct InFlight {
    CheckedRegisters* of[kThreads];
    int remaining = kThreads;    // that have not been handed back
    int columns = 0;             // 0: an operand
    std::vector<float> values;   // [64][columns]
    Clock group = 0;             // of the last product that uses them
    std::source_location where;  // of that product
  };
  struct Job {
    std::shared_ptr<InFlight> c;
    bool add, sound;  // not sound: an operand that cannot be read, the result is poison
    int columns, depth;
    std::vector<float> left;          // [64][depth], of a register operand
    std::vector<OperandLayout> a, b;  // of each step; a of a shared operand
    float (*widen)(std::uint16_t);
    Clock group;
  };
  struct Warpgroup {
    Meeting<kThreads> meeting;
    int actor = 0;
    std::vector<Clock> open = std::vector<Clock>(kThreads, 1);
    std::deque<Job> jobs;
    std::vector<std::shared_ptr<InFlight>> in_flight;
    int delay = 0;
  };
  struct Call;

  void issue(void* const* threads);
  std::shared_ptr<InFlight> take(Warpgroup& group, const std::vector<const Call*>& calls, bool operand,
                                 bool reads);
  bool check_operand(Job& job, bool left, const Call& call, Warpgroup& group);
  void read_operand(const Job& job, bool left, float* out) const;
  void perform(const Job& job);
  void hand_back(Warpgroup& group, int thread, CheckedRegisters& registers, Clock covered,
                 const std::source_location& where);

  Block& block_;
  std::vector<Warpgroup> groups_;
};

}  // namespace flashlight::emulator
