// SPDX-License-Identifier: Apache-2.0
// How the warps of a specialised kernel meet and share registers: named barriers, setmaxnreg.
#pragma once

#include <array>
#include <source_location>
#include <string>
#include <vector>

#include "emulator/block.h"

namespace flashlight::emulator {

class NamedBarriers {
 public:
  explicit NamedBarriers(Block& block) : block_(block) {}
  // The calling thread arrives at barrier `id` for `threads` threads, and waits there unless it only arrives.
  void arrive(int id, int threads, bool waits, const std::source_location& where);
  std::string waiting_text() const;

 private:
  struct Named {
    int arrived = 0, threads = 0;
    std::source_location first_at;
    VectorClock seen;
    std::vector<int> waiting;
  };

  Block& block_;
  std::array<Named, 16> barriers_;
};

// The register file: 65536, given to warps at the launch in equal parts.
class RegisterFile {
 public:
  explicit RegisterFile(Block& block);
  // The calling thread's warpgroup takes or gives registers until its threads have `count` each; an increase
  // waits for what others give.
  void set(int count, bool increase, const std::source_location& where);
  std::string waiting_text() const;

 private:
  struct Warpgroup {
    Meeting<128> meeting;
    int registers;
  };
  struct Request;
  void change(void* const* threads);

  Block& block_;
  int free_;  // registers a thread, times warpgroups
  std::vector<Warpgroup> groups_;
  std::vector<int> waiting_;
};

}  // namespace flashlight::emulator
