// SPDX-License-Identifier: Apache-2.0
// Fibers on boost.context, and the report of a stack overflow.
#include "emulator/fiber.h"

#include <boost/context/protected_fixedsize_stack.hpp>
#include <csignal>
#include <cstring>
#include <memory>
#include <unistd.h>
#include <utility>

namespace flashlight::emulator {

namespace {

// The stack of the fiber that runs now: [low, low + page) is its guard page.
thread_local std::uintptr_t running_stack_low = 0;

struct Stacks {
  std::size_t bytes;
  std::uintptr_t* low;
  boost::context::stack_context allocate() {
    boost::context::protected_fixedsize_stack stacks(bytes);
    boost::context::stack_context stack = stacks.allocate();
    *low = reinterpret_cast<std::uintptr_t>(stack.sp) - stack.size;
    return stack;
  }
  void deallocate(boost::context::stack_context& stack) {
    boost::context::protected_fixedsize_stack(bytes).deallocate(stack);
  }
};

}  // namespace

Fiber::Fiber() {
  inside_ = boost::context::fiber(std::allocator_arg, Stacks{kStackBytes, &stack_low_}, [this](boost::context::fiber&& outside) {
    outside_ = std::move(outside);
    for (;;) {
      job_();
      job_ = nullptr;
      outside_ = std::move(outside_).resume();
    }
    return std::move(outside_);
  });
}

void Fiber::resume(void (*job)()) {
  if (!job_) job_ = job;
  const std::uintptr_t previous = std::exchange(running_stack_low, stack_low_);
  inside_ = std::move(inside_).resume();
  running_stack_low = previous;
}

void Fiber::pause() { outside_ = std::move(outside_).resume(); }

namespace {

struct sigaction previous_action;
stack_t previous_stack;
std::unique_ptr<char[]> signal_stack;
const char* running_kernel = "";

void print(const char* text) {
  if (write(STDERR_FILENO, text, std::strlen(text)) < 0) return;
}

void on_fault(int, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  if (running_stack_low != 0 && address - running_stack_low < page) {
    print("flashlight emulator: stack overflow of a thread of kernel ");
    print(running_kernel);
    print("\n");
  }
  sigaction(SIGSEGV, &previous_action, nullptr);  // the access faults again, and is handled as if we had not been here
}

}  // namespace

OverflowReport::OverflowReport(const char* kernel) {
  running_kernel = kernel;
  constexpr std::size_t bytes = 64 * 1024;
  if (!signal_stack) signal_stack = std::make_unique<char[]>(bytes);
  const stack_t stack{signal_stack.get(), 0, bytes};
  sigaltstack(&stack, &previous_stack);
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &previous_action);
}

OverflowReport::~OverflowReport() {
  sigaction(SIGSEGV, &previous_action, nullptr);
  sigaltstack(&previous_stack, nullptr);
}

}  // namespace flashlight::emulator
