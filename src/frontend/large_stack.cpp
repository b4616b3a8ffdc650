// SPDX-License-Identifier: Apache-2.0
// A thread with a stack of its own.
#include "frontend/large_stack.h"

#include <pthread.h>

namespace flashlight::frontend {

namespace {

constexpr std::size_t kStack = std::size_t{256} << 20;  // reserved, not used: deep expressions recurse

void* run(void* work) {
  (*static_cast<const std::function<void()>*>(work))();
  return nullptr;
}

}  // namespace

void on_large_stack(const std::function<void()>& work) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  void* argument = const_cast<std::function<void()>*>(&work);
  const bool started = pthread_attr_setstacksize(&attributes, kStack) == 0 &&
                       pthread_create(&thread, &attributes, run, argument) == 0;
  pthread_attr_destroy(&attributes);
  if (started) pthread_join(thread, nullptr);
  else work();
}

}  // namespace flashlight::frontend
