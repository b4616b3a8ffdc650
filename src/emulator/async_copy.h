// SPDX-License-Identifier: Apache-2.0
// cp.async of a CTA: copies queued in groups, performed at a seeded moment before the wait that covers them.
#pragma once

#include <source_location>
#include <vector>

#include "emulator/async_agent.h"
#include "emulator/clocks.h"

namespace flashlight::emulator {

class Block;

class CopyQueue : public AsyncAgent {
 public:
  explicit CopyQueue(Block& block);

  void issue(int thread, unsigned char* destination, const void* source, int bytes,
             const std::source_location& where);
  void commit(int thread) { ++threads_[thread].open; }
  void wait(int thread, int pending);

  bool step(Random& random) override;

 private:
  static constexpr int kChunk = 16;
  struct Copy {
    unsigned char* destination;
    const void* source;
    int bytes;
    Clock group;
    bool performed;
  };
  struct PerThread {
    Clock open = 1;  // the group that takes the next copy
    std::vector<Copy> copies;
  };

  static void perform(Copy& copy);

  Block& block_;
  std::vector<PerThread> threads_;
};

}  // namespace flashlight::emulator
