// SPDX-License-Identifier: Apache-2.0
// The tests' allocation registry.
#include "support.h"

namespace flashlight::test {

namespace {

std::vector<emulator::Allocation> allocations;

bool lookup(const void* address, emulator::Allocation* found) {
  for (const emulator::Allocation& a : allocations) {
    const auto first = reinterpret_cast<std::uintptr_t>(a.base),
               p = reinterpret_cast<std::uintptr_t>(address);
    if (p < first || p >= first + a.bytes) continue;
    *found = a;
    return true;
  }
  return false;
}

}  // namespace

Registry::Registry() {
  allocations.clear();
  emulator::set_allocation_lookup(lookup);
}

Registry::~Registry() {
  emulator::set_allocation_lookup(nullptr);
  allocations.clear();
}

void Registry::add(const void* base, std::size_t bytes) { allocations.push_back({base, bytes}); }

}  // namespace flashlight::test
