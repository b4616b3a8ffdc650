// SPDX-License-Identifier: Apache-2.0
// Launches, options and results of the emulated device.
#include "flashlight/emulator/emulator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <numeric>
#include <utility>

#include "emulator/block.h"

namespace flashlight::emulator {

namespace {

constexpr int kMaxThreads = 1024, kMaxSharedBytes = 227 * 1024, kWarp = 32;

Options from_environment() {
  Options o;
  if (const char* seed = std::getenv("FLASHLIGHT_EMULATOR_SEED")) o.seed = std::strtoull(seed, nullptr, 0);
  if (const char* checks = std::getenv("FLASHLIGHT_EMULATOR_CHECKS")) {
    if (std::strcmp(checks, "off") == 0) o.checks = Checks::kOff;
    if (std::strcmp(checks, "fast") == 0) o.checks = Checks::kFast;
  }
  if (const char* arch = std::getenv("FLASHLIGHT_EMULATOR_ARCH")) o.compute_capability = std::atoi(arch);
  if (const char* count = std::getenv("FLASHLIGHT_EMULATOR_SMS"))
    o.multiprocessors = std::max(1, std::atoi(count));
  return o;
}

// Everything that outlives a launch.
struct Device {
  std::mutex launching;  // one launch at a time
  std::mutex guard;      // of what follows
  Options options = from_environment();
  FindingLog findings;
  std::map<std::string, long long, std::less<>> counters;
  AllocationLookup lookup = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers;  // held by whoever holds `launching`
};

Device& device() {
  static Device d;
  return d;
}

thread_local std::string last_error;

std::string configuration_error(const LaunchRequest& r) {
  if (r.grid < 0) return "a grid of " + std::to_string(r.grid) + " CTAs";
  if (r.threads < kWarp || r.threads > kMaxThreads || r.threads % kWarp != 0) {
    return std::to_string(r.threads) + " threads, not a multiple of 32 up to 1024";
  }
  if (r.shared_bytes < 0 || r.shared_bytes > kMaxSharedBytes) {
    return std::to_string(r.shared_bytes) + " bytes of shared memory, more than 232448";
  }
  return "";
}

// The CTAs in the order in which they run.
std::vector<int> block_order(int grid, Random& random) {
  std::vector<int> order(static_cast<std::size_t>(grid));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

}  // namespace

SharedMemory::SharedMemory(int bytes)
    : storage(static_cast<std::size_t>(bytes) + 1024), state(static_cast<std::size_t>(bytes)) {
  const auto address = reinterpret_cast<std::uintptr_t>(storage.data());
  base = storage.data() + (1024 - address % 1024) % 1024;
}

void SharedMemory::poison() {
  std::memset(base, kPoison, state.size());
  std::fill(state.begin(), state.end(), ByteState::kUninitialised);
  shadow.clear();
}

void LaunchState::report(FindingKind kind, int block, int thread, const std::source_location& where,
                         std::string text) {
  Finding finding{kind,
                  kernel.empty() ? "(unnamed)" : kernel,
                  block,
                  thread,
                  where.file_name(),
                  where.line(),
                  std::move(text),
                  1};
  if (first_finding.empty()) first_finding = to_string(finding);
  const std::lock_guard lock(device().guard);
  device().findings.add(std::move(finding), options.max_findings);
}

bool LaunchState::allocated(const void* address, std::size_t bytes) {
  const auto inside = [&](const Allocation& a) {
    const auto first = reinterpret_cast<std::uintptr_t>(a.base),
               p = reinterpret_cast<std::uintptr_t>(address);
    return a.base && p >= first && p - first <= a.bytes && bytes <= a.bytes - (p - first);
  };
  for (const Allocation& a : recent) {
    if (inside(a)) return true;
  }
  AllocationLookup lookup;
  {
    const std::lock_guard lock(device().guard);
    lookup = device().lookup;
  }
  if (!lookup) return true;
  Allocation found{};
  if (!lookup(address, &found) || !inside(found)) return false;
  recent[oldest++ % std::size(recent)] = found;
  return true;
}

void LaunchState::count(const char* event) {
  const std::lock_guard lock(device().guard);
  ++device().counters[event];
}

int launch(const LaunchRequest& request) {
  last_error.clear();
  if (const std::string error = configuration_error(request); !error.empty()) {
    last_error = "invalid launch: " + error;
    return kInvalidLaunch;
  }
  if (current) {
    last_error = "invalid launch: from inside a kernel";
    return kInvalidLaunch;
  }
  Device& d = device();
  const std::lock_guard running(d.launching);
  while (d.fibers.size() < static_cast<std::size_t>(request.threads))
    d.fibers.push_back(std::make_unique<Fiber>());
  const Options o = options();
  LaunchState state{request,
                    o,
                    Random(o.seed),
                    {},
                    SharedMemory(request.shared_bytes),
                    {},
                    d.fibers,
                    request.name ? request.name : "",
                    "",
                    {},
                    0};
  const OverflowReport overflow(state.kernel);
  std::uint32_t rank = 0;
  for (int block : block_order(request.grid, state.random)) {
    if (!Block(state, block, ++rank).run()) break;
  }
  last_error = state.first_finding;
  return last_error.empty() ? 0 : kChecksFailed;
}

const char* last_error_text() { return last_error.c_str(); }

int compute_capability() { return options().compute_capability; }
int multiprocessors() { return options().multiprocessors; }

Options options() {
  const std::lock_guard lock(device().guard);
  return device().options;
}

void set_options(const Options& options) {
  const std::lock_guard lock(device().guard);
  device().options = options;
}

std::vector<Finding> take_findings() {
  const std::lock_guard lock(device().guard);
  return device().findings.take();
}

long long counter(std::string_view event) {
  const std::lock_guard lock(device().guard);
  const auto found = device().counters.find(event);
  return found == device().counters.end() ? 0 : found->second;
}

void reset_counters() {
  const std::lock_guard lock(device().guard);
  device().counters.clear();
}

void set_allocation_lookup(AllocationLookup lookup) {
  const std::lock_guard lock(device().guard);
  device().lookup = lookup;
}

}  // namespace flashlight::emulator
