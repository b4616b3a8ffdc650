// SPDX-License-Identifier: Apache-2.0
// Work that goes on beside the threads of a CTA: asynchronous copies now; bulk copies, barriers in memory and
// asynchronous products are agents of the same kind.
#pragma once

#include "emulator/random.h"

namespace flashlight::emulator {

class AsyncAgent {
 public:
  virtual ~AsyncAgent() = default;
  // Advances by one legal, randomly chosen action; returns whether there was one. The scheduler calls it
  // between any two runs of threads, and repeatedly when every thread waits. What it completes may call
  // Block::wake.
  virtual bool step(Random& random) = 0;
};

}  // namespace flashlight::emulator
