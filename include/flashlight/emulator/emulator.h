// SPDX-License-Identifier: Apache-2.0
// The emulated device as tests see it: options, findings, counters, and the registry of device allocations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flashlight/emulator/launch.h"

namespace flashlight::emulator {

enum class FindingKind {
  kOutOfBoundsGlobal,
  kOutOfBoundsShared,
  kMisaligned,
  kUninitialisedShared,
  kUninitialisedRegister,
  kPendingCopy,  // memory of an asynchronous copy that its thread has not waited for
  kRace,
  kDivergence,       // threads meet at different barriers or collectives, or disagree about operands
  kInvalidOperand,   // a product's rows or columns are not inside its tile, or cross a column block; an
                     // ill-formed descriptor; a tensor map for another tile
  kPendingRegister,  // a register of an asynchronous product that its thread has not waited for
  kMissingFence,     // between registers or memory that threads touched and what acts asynchronously on them
  kBarrier,          // misuse of a barrier in memory: not initialised, overwritten, wrong counts of bytes
  kRegisterCount,    // registers asked for that the SM has not, or that no warpgroup can have
  kIndexOutOfRange,  // an integer tensor names an element that its table does not have, a loop one beyond its
                     // accumulator
  kDeadlock,
  kException,
};

// Stable identifier, for instance "race".
const char* kind_name(FindingKind kind);

struct Finding {
  FindingKind kind;
  std::string kernel;
  int block, thread;
  std::string file;  // as the compiler spelled it
  unsigned line;
  std::string text;
  long long count;  // equal kind, kernel and line: recorded once and counted
};

// One line: "race in kernel k, block 0, thread 5, f.cu:12: ...".
std::string to_string(const Finding& finding);

enum class Checks {
  kOff,   // no checks of memory; deadlocks are still found
  kFast,  // all but data races
  kFull,
};

struct Options {
  std::uint64_t seed = 1;  // order of CTAs and threads, completion of asynchronous copies
  Checks checks = Checks::kFull;
  std::size_t max_findings = 64;
  int compute_capability = 90;  // what a launcher that has kernels for several architectures sees
  int multiprocessors = 3;      // and one that shares work among those: few, so that each has several parts
};

// The initial options come from the environment: FLASHLIGHT_EMULATOR_SEED, FLASHLIGHT_EMULATOR_CHECKS (off,
// fast or full), FLASHLIGHT_EMULATOR_ARCH (80, 90, ...), FLASHLIGHT_EMULATOR_SMS (1, 2, ...).
Options options();
void set_options(const Options& options);

// Findings since the last call.
std::vector<Finding> take_findings();

// How often count(event) was called, once per CTA, since reset_counters().
long long counter(std::string_view event);
void reset_counters();

// The device's allocations. With a lookup installed, a global access outside every allocation is out of
// bounds; without, global addresses are not checked. Null removes the lookup.
struct Allocation {
  const void* base;
  std::size_t bytes;
};
using AllocationLookup = bool (*)(const void* address, Allocation* allocation);
void set_allocation_lookup(AllocationLookup lookup);

}  // namespace flashlight::emulator
