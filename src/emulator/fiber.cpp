// SPDX-License-Identifier: Apache-2.0
// Fibers on boost.context, and the report of a stack overflow.
#include "emulator/fiber.h"

#include <boost/context/protected_fixedsize_stack.hpp>
#include <csignal>
#include <cstring>
#include <memory>
#include <unistd.h>
#include <utility>

// AddressSanitizer follows one stack unless it is told about switches.
#if defined(__SANITIZE_ADDRESS__)
#define FL_FIBERS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FL_FIBERS_ASAN 1
#endif
#endif
#if FL_FIBERS_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

namespace flashlight::emulator {

namespace {

// Lowest address of the stack of the fiber that runs now, which is its guard page; 0 outside fibers.
thread_local std::uintptr_t running_stack_low = 0;

// Around a switch: `save` keeps the sanitizer's state of the stack that is left, null where it is left for
// good.
void begin_switch([[maybe_unused]] void** save, [[maybe_unused]] const void* bottom,
                  [[maybe_unused]] std::size_t bytes) {
#if FL_FIBERS_ASAN
  __sanitizer_start_switch_fiber(save, bottom, bytes);
#endif
}
void end_switch([[maybe_unused]] void* saved, [[maybe_unused]] const void** bottom,
                [[maybe_unused]] std::size_t* bytes) {
#if FL_FIBERS_ASAN
  __sanitizer_finish_switch_fiber(saved, bottom, bytes);
#endif
}

}  // namespace

struct Fiber::Stacks {
  Stack* stack;
  boost::context::stack_context allocate() {
    const boost::context::stack_context allocated =
        boost::context::protected_fixedsize_stack(kStackBytes).allocate();
    const auto top = reinterpret_cast<std::uintptr_t>(allocated.sp);
    *stack = {top - allocated.size, reinterpret_cast<const void*>(top - allocated.size), allocated.size};
    return allocated;
  }
  void deallocate(boost::context::stack_context& allocated) {
    boost::context::protected_fixedsize_stack(kStackBytes).deallocate(allocated);
  }
};

Fiber::Fiber() {
  inside_ =
      boost::context::fiber(std::allocator_arg, Stacks{&stack_}, [this](boost::context::fiber&& outside) {
        outside_ = std::move(outside);
        end_switch(nullptr, &outside_stack_.bottom, &outside_stack_.bytes);
        while (job_) {
          job_();
          job_ = nullptr;
          leave();
        }
        begin_switch(nullptr, outside_stack_.bottom, outside_stack_.bytes);
        return std::move(outside_);
      });
}

// The idle fiber finds that there is no job, and returns.
Fiber::~Fiber() { enter(); }

void Fiber::resume(void (*job)()) {
  if (!job_) job_ = job;
  enter();
}

void Fiber::pause() { leave(); }

void Fiber::enter() {
  const std::uintptr_t previous = std::exchange(running_stack_low, stack_.low);
  void* saved = nullptr;
  begin_switch(&saved, stack_.bottom, stack_.bytes);
  inside_ = std::move(inside_).resume();
  end_switch(saved, nullptr, nullptr);
  running_stack_low = previous;
}

void Fiber::leave() {
  void* saved = nullptr;
  begin_switch(&saved, outside_stack_.bottom, outside_stack_.bytes);
  outside_ = std::move(outside_).resume();
  end_switch(saved, &outside_stack_.bottom, &outside_stack_.bytes);
}

namespace {

struct sigaction previous_action;
stack_t previous_stack;
std::unique_ptr<char[]> signal_stack;
const std::string* running_kernel = nullptr;

void print(const char* text) {
  if (write(STDERR_FILENO, text, std::strlen(text)) < 0) return;
}

void on_fault(int, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  if (running_stack_low != 0 && address - running_stack_low < page) {
    print("flashlight emulator: stack overflow of a thread of kernel ");
    print(running_kernel->c_str());
    print("\n");
  }
  sigaction(SIGSEGV, &previous_action,
            nullptr);  // the access faults again, and is handled as if we had not been here
}

}  // namespace

OverflowReport::OverflowReport(const std::string& kernel) {
  running_kernel = &kernel;
  constexpr std::size_t bytes = 64 * 1024;
  if (!signal_stack) signal_stack = std::make_unique<char[]>(bytes);
  const stack_t stack{signal_stack.get(), 0, bytes};
  sigaltstack(&stack, &previous_stack);
  struct sigaction action{};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &previous_action);
}

OverflowReport::~OverflowReport() {
  sigaction(SIGSEGV, &previous_action, nullptr);
  sigaltstack(&previous_stack, nullptr);
}

}  // namespace flashlight::emulator
