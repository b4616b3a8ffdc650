// SPDX-License-Identifier: Apache-2.0
// The order of work in one tile: steps, and the score values that become register fragments between them.
#pragma once
#include "kernel/program.h"

namespace flashlight::emit {

struct Item {
  enum Kind { Contract, Mask, Weigh, Scan, Step } kind = Step;
  int index = -1;         // contraction, masked value or step
  kernel::Expr node;      // Contract, Mask, Weigh, Scan: the score value that gets a fragment
  int slot = -1;          // its fragment
  bool in_place = false;  // the slot's former value is read by this very item
};

struct Schedule {
  std::vector<Item> items;
  int slots = 0;
  std::map<kernel::Expr, int> slot_of;  // last assignment
};

// Fragments are shared: a value takes over the slot of one that is last read when it is computed.
Schedule schedule_tile(const kernel::Program& program, const kernel::Sweep& sweep);

}  // namespace flashlight::emit
