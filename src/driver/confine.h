// SPDX-License-Identifier: Apache-2.0
// Runs work on untrusted input in a child process under limits, so that no input can hang or crash the
// program.
#pragma once
#include <cstddef>
#include <functional>
#include <string>

namespace flashlight::driver {

struct Limits {
  double seconds = 60;
  std::size_t memory_bytes = std::size_t{4} << 30;  // address space beyond stacks
  std::size_t stack_bytes = std::size_t{256} << 20;
};

struct Outcome {
  enum Kind { Done, TimedOut, OutOfMemory, StackExhausted, Threw, Crashed } kind = Crashed;
  std::string bytes;           // Done: what the work returned; Threw: what the exception says
  std::string standard_error;  // the end of what the child printed
  int signal = 0;              // that ended the work, if one did
};

// Forks; the child can write no file and dies with its parent. Throws std::system_error when no child can be
// made.
Outcome run_confined(const std::function<std::string()>& work, const Limits&);

}  // namespace flashlight::driver
