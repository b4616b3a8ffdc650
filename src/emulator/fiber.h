// SPDX-License-Identifier: Apache-2.0
// Fibers of the CUDA threads, kept and reused from CTA to CTA.
#pragma once

#include <boost/context/fiber.hpp>
#include <cstddef>
#include <cstdint>
#include <string>

namespace flashlight::emulator {

// Runs jobs on a stack of its own, with a guard page below it.
class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Lets the fiber run until it pauses or its job ends. The first call after an ended job starts `job`, which
  // must not throw.
  void resume(void (*job)());
  // From inside the job: back to whoever resumed the fiber.
  void pause();

 private:
  static constexpr std::size_t kStackBytes = 1024 * 1024;

  struct Stack {
    std::uintptr_t low = 0;  // of the guard page
    const void* bottom = nullptr;
    std::size_t bytes = 0;
  };
  struct Stacks;

  void enter();
  void leave();

  void (*job_)() = nullptr;  // none: the fiber shall end
  Stack stack_, outside_stack_;
  boost::context::fiber inside_, outside_;
};

// While alive, running over the guard page of a fiber's stack prints the kernel's name to standard error
// before the process dies of it. The name is read then.
class OverflowReport {
 public:
  explicit OverflowReport(const std::string& kernel);
  ~OverflowReport();
  OverflowReport(const OverflowReport&) = delete;
  OverflowReport& operator=(const OverflowReport&) = delete;
};

}  // namespace flashlight::emulator
