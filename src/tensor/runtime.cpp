// SPDX-License-Identifier: Apache-2.0
// The registered device and the emulated one that stands in where none is registered.
#include <flashlight/runtime.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <string_view>

namespace flashlight {
namespace {

constexpr std::align_val_t kAlignment{256};  // what cudaMalloc promises

struct Allocations {
  std::mutex mutex;
  std::map<const std::byte*, AllocationInfo> live;
  std::uint64_t serial = 0;
};

// Never destroyed: tensors with static lifetime may be freed after any static of this file.
Allocations& allocations() {
  static Allocations* const all = new Allocations;
  return *all;
}

void* allocate(std::size_t bytes, void*) {
  void* memory = ::operator new(bytes, kAlignment, std::nothrow);
  if (!memory) return nullptr;
  std::memset(memory, 0xff, bytes);
  Allocations& all = allocations();
  const std::lock_guard<std::mutex> lock(all.mutex);
  all.live[static_cast<const std::byte*>(memory)] = {memory, bytes, ++all.serial};
  return memory;
}

void deallocate(void* memory, void*) {
  Allocations& all = allocations();
  {
    const std::lock_guard<std::mutex> lock(all.mutex);
    all.live.erase(static_cast<const std::byte*>(memory));
  }
  ::operator delete(memory, kAlignment);
}

void copy(void* target, const void* source, std::size_t bytes, CopyKind, void*) {
  std::memmove(target, source, bytes);
}

void synchronize(void*) {}

constexpr DeviceTable kEmulated = {"emulated device", allocate, deallocate, copy, synchronize};

std::atomic<const DeviceTable*> registered{nullptr};
std::atomic<LaunchObserver> observer_of_launches{nullptr};
thread_local void* stream_of_thread = nullptr;

}  // namespace

void register_device(const DeviceTable* table) { registered.store(table, std::memory_order_release); }

const DeviceTable& current_device() {
  const DeviceTable* table = registered.load(std::memory_order_acquire);
  return table ? *table : kEmulated;
}

const DeviceTable& emulated_device() { return kEmulated; }

void* current_stream() { return stream_of_thread; }
void set_stream(void* stream) { stream_of_thread = stream; }

void observe_launches(LaunchObserver observer) {
  observer_of_launches.store(observer, std::memory_order_release);
}
LaunchObserver launch_observer() { return observer_of_launches.load(std::memory_order_acquire); }

bool takes_hopper_kernels() {
  const char* const given = std::getenv("FLASHLIGHT_ARCH");
  const std::string_view arch = given ? given : "";
  if (arch.empty() || arch == "sm_90a") return true;
  if (arch == "sm_80") return false;
  throw Error(("FLASHLIGHT_ARCH is '" + std::string(arch) + "'; sm_80 and sm_90a are known").c_str());
}

int key_runs() {
  const char* const given = std::getenv("FLASHLIGHT_KEY_RUNS");
  if (!given || !*given) return -1;
  constexpr long kMost = 1024;
  char* end = nullptr;
  const long runs = std::strtol(given, &end, 10);
  if (*end || runs < 0 || runs > kMost)
    throw Error(
        ("FLASHLIGHT_KEY_RUNS is '" + std::string(given) + "'; a number from 0 to 1024 is expected").c_str());
  return static_cast<int>(runs);
}

bool find_allocation(const void* address, AllocationInfo* info) {
  const std::byte* byte = static_cast<const std::byte*>(address);
  Allocations& all = allocations();
  const std::lock_guard<std::mutex> lock(all.mutex);
  auto next = all.live.upper_bound(byte);
  if (next == all.live.begin()) return false;
  const AllocationInfo& found = (--next)->second;
  if (byte >= next->first + found.bytes) return false;
  if (info) *info = found;
  return true;
}

}  // namespace flashlight
