// SPDX-License-Identifier: Apache-2.0
// What the CTAs of one launch share.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "emulator/fiber.h"
#include "emulator/findings.h"
#include "emulator/random.h"
#include "emulator/shadow.h"

namespace flashlight::emulator {

inline constexpr int kPoison = 0xff;  // a NaN in every floating type

enum class ByteState : unsigned char { kUninitialised, kInitialised, kPending, kBarrier };

// Shared memory of the CTA that runs, with its shadow.
struct SharedMemory {
  std::vector<unsigned char> storage;
  unsigned char* base = nullptr;  // 1024-byte aligned, inside storage
  std::vector<ByteState> state;   // a byte each
  Shadow shadow;

  explicit SharedMemory(int bytes);
  void poison();
  bool contains(const void* address, std::size_t bytes) const {
    const auto first = reinterpret_cast<std::uintptr_t>(base), p = reinterpret_cast<std::uintptr_t>(address);
    return p >= first && p - first <= state.size() && bytes <= state.size() - (p - first);
  }
  std::size_t offset(const void* address) const {
    return static_cast<std::size_t>(static_cast<const unsigned char*>(address) - base);
  }
};

struct LaunchState {
  LaunchRequest request;
  Options options;
  Random random;
  Sites sites;
  SharedMemory shared;
  Shadow global;
  std::vector<std::unique_ptr<Fiber>>& fibers;
  std::string kernel;  // known from the first shared_memory() where the request has no name
  std::string first_finding;
  Allocation recent[4] = {};  // allocations that were hit last
  unsigned oldest = 0;

  void report(FindingKind kind, int block, int thread, const std::source_location& where, std::string text);
  // Is [address, address + bytes) inside a known allocation, or is nothing known about allocations?
  bool allocated(const void* address, std::size_t bytes);
  void count(const char* event);
};

}  // namespace flashlight::emulator
