// SPDX-License-Identifier: Apache-2.0
// The emulated device itself: launches, schedules, options, counters, findings; its clocks and shadow memory
// on their own.
#include <algorithm>
#include <cstdlib>
#include <set>
#include <stdexcept>
#include <thread>

#include "emulator/clocks.h"
#include "emulator/findings.h"
#include "emulator/shadow.h"
#include "support.h"

namespace flashlight::test {
namespace {

using namespace flashlight::device;
using emulator::Finding;
using emulator::FindingKind;

class EmulatorTest : public DeviceTest {};

std::vector<int> trace;  // what the kernels below saw, in the order of execution

struct Nothing {};

FL_KERNEL(64) record_blocks(FL_PARAMS(Nothing)) {
  if (thread_index() == 0) trace.push_back(block_index());
}

std::vector<int> blocks_of(std::uint64_t seed) {
  emulator::set_options({seed, emulator::Checks::kFull, 64});
  trace.clear();
  EXPECT_EQ(launch(record_blocks, 50, 64, 0, nullptr, {}), 0);
  return trace;
}

TEST_F(EmulatorTest, RunsEveryBlockOnceInAnOrderOfTheSeed) {
  const std::vector<int> one = blocks_of(1), again = blocks_of(1), other = blocks_of(2);
  EXPECT_EQ(std::set<int>(one.begin(), one.end()).size(), 50u);
  EXPECT_EQ(one.size(), 50u);
  EXPECT_EQ(one, again);
  EXPECT_NE(one, other);
}

FL_KERNEL(64) record_threads(FL_PARAMS(Nothing)) {
  trace.push_back(thread_index());
  sync_threads();
  trace.push_back(thread_index());
}

TEST_F(EmulatorTest, ThreadsRunInAnOrderOfTheSeedAndBarriersHold) {
  std::set<std::vector<int>> orders;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    emulator::set_options({seed, emulator::Checks::kFull, 64});
    trace.clear();
    FL_EXPECT_RUNS(launch(record_threads, 1, 64, 0, nullptr, {}));
    ASSERT_EQ(trace.size(), 128u);
    EXPECT_EQ(std::set<int>(trace.begin(), trace.begin() + 64).size(), 64u);
    orders.insert(trace);
  }
  EXPECT_EQ(orders.size(), 5u);
}

TEST_F(EmulatorTest, RefusesWhatNoGpuTakes) {
  EXPECT_EQ(launch(record_blocks, 1, 33, 0, nullptr, {}), emulator::kInvalidLaunch);
  EXPECT_NE(std::string(last_error_text()).find("33 threads"), std::string::npos);
  EXPECT_EQ(launch(record_blocks, 1, 2048, 0, nullptr, {}), emulator::kInvalidLaunch);
  EXPECT_EQ(launch(record_blocks, 1, 64, 300000, nullptr, {}), emulator::kInvalidLaunch);
  EXPECT_EQ(launch(record_blocks, -1, 64, 0, nullptr, {}), emulator::kInvalidLaunch);
  EXPECT_EQ(launch(record_blocks, 0, 64, 0, nullptr, {}), 0);  // an empty grid is no error
  EXPECT_STREQ(last_error_text(), "");
}

TEST_F(EmulatorTest, PassesForTheDeviceOfItsOptions) {
  EXPECT_EQ(compute_capability(), 90);
  emulator::Options o = emulator::options();
  EXPECT_EQ(multiprocessors(), o.multiprocessors);
  o.compute_capability = 80;
  o.multiprocessors = 7;
  emulator::set_options(o);
  EXPECT_EQ(compute_capability(), 80);
  EXPECT_EQ(multiprocessors(), 7);
}

FL_KERNEL(64) count_events(FL_PARAMS(Nothing)) {
  for (int i = 0; i <= block_index(); ++i) count("event");
}

TEST_F(EmulatorTest, CountsEventsOncePerBlock) {
  emulator::reset_counters();
  FL_EXPECT_RUNS(launch(count_events, 3, 64, 0, nullptr, {}));
  EXPECT_EQ(emulator::counter("event"), 1 + 2 + 3);
  EXPECT_EQ(emulator::counter("other"), 0);
}

FL_KERNEL(64) throw_in_one_thread(FL_PARAMS(Nothing)) {
  if (thread_index() == 7) throw std::runtime_error("lost");
}

TEST_F(EmulatorTest, ExceptionsBecomeFindings) {
  EXPECT_EQ(launch(throw_in_one_thread, 1, 64, 0, nullptr, {}, "thrower"), emulator::kChecksFailed);
  const std::vector<Finding> findings = emulator::take_findings();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kException);
  EXPECT_EQ(findings[0].thread, 7);
  EXPECT_NE(findings[0].text.find("lost"), std::string::npos);
}

struct Depth {
  int frames;
};
int recurse(int frames) {
  volatile char frame[4096];
  frame[0] = static_cast<char>(frames);
  return frames == 0 ? 0 : recurse(frames - 1) + frame[0];
}
FL_KERNEL(32) overflow(FL_PARAMS(Depth) p) { static_cast<void>(recurse(p.frames)); }

TEST_F(EmulatorTest, StackOverflowNamesTheKernel) {
  FL_EXPECT_RUNS(launch(overflow, 1, 32, 0, nullptr, {8}, "shallow"));
  EXPECT_DEATH(launch(overflow, 1, 32, 0, nullptr, {1 << 20}, "deep"),
               "stack overflow of a thread of kernel deep");
}

TEST_F(EmulatorTest, OptionsComeFromTheEnvironment) {
  const char* const seed = std::getenv("FLASHLIGHT_EMULATOR_SEED");
  const char* const checks = std::getenv("FLASHLIGHT_EMULATOR_CHECKS");
  EXPECT_EQ(emulator::options().seed, seed ? std::stoull(seed) : 1u);
  EXPECT_EQ(emulator::options().checks, !checks                         ? emulator::Checks::kFull
                                        : std::string(checks) == "off"  ? emulator::Checks::kOff
                                        : std::string(checks) == "fast" ? emulator::Checks::kFast
                                                                        : emulator::Checks::kFull);
}

struct Destructions {
  int* count;
};
FL_KERNEL(64) deadlock_with_objects(FL_PARAMS(Destructions) p) {
  struct Guard {
    int* count;
    ~Guard() { ++*count; }
  } guard{p.count};
  if (thread_index() != 0) sync_threads();
}

TEST_F(EmulatorTest, AbandonedThreadsAreUnwoundAndTheDeviceGoesOn) {
  int destroyed = 0;
  EXPECT_EQ(launch(deadlock_with_objects, 5, 64, 0, nullptr, {&destroyed}), emulator::kChecksFailed);
  EXPECT_EQ(destroyed, 64);  // the launch ends with its first deadlocked CTA
  FL_EXPECT_RUNS(launch(record_blocks, 3, 64, 0, nullptr, {}));
}

FL_KERNEL(32) one_finding_a_line(FL_PARAMS(Nothing)) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<float, 8, 32> tile{smem};
  static_cast<void>(load_element(tile, 0, 0));
  static_cast<void>(load_element(tile, 0, 0));
  static_cast<void>(load_element(tile, 0, 0));
}

TEST_F(EmulatorTest, FindingsAreCountedPerLineAndCapped) {
  EXPECT_NE(launch(one_finding_a_line, 2, 32, 1024, nullptr, {}), 0);
  const std::vector<Finding> findings = emulator::take_findings();
  ASSERT_EQ(findings.size(), 3u);
  for (const Finding& f : findings) EXPECT_EQ(f.count, 64);
  EXPECT_EQ(findings[0].kernel, "one_finding_a_line");  // named after the function
  EXPECT_TRUE(emulator::take_findings().empty());

  emulator::set_options({1, emulator::Checks::kFull, 2});
  EXPECT_NE(launch(one_finding_a_line, 1, 32, 1024, nullptr, {}), 0);
  EXPECT_EQ(emulator::take_findings().size(), 2u);
}

FL_KERNEL(32) race_and_uninitialised(FL_PARAMS(Nothing)) {
  FL_SHARED_MEMORY(smem);
  const SharedTile<float, 8, 32> tile{smem};
  store_element(tile, 0, 0, 1.0f);
  static_cast<void>(load_element(tile, 1, 0));
}

TEST_F(EmulatorTest, ChecksCanBeChosen) {
  const auto kinds = [](emulator::Checks checks) {
    emulator::set_options({1, checks, 64});
    launch(race_and_uninitialised, 1, 32, 1024, nullptr, {});
    std::set<FindingKind> found;
    for (const Finding& f : emulator::take_findings()) found.insert(f.kind);
    return found;
  };
  EXPECT_EQ(kinds(emulator::Checks::kFull),
            (std::set{FindingKind::kRace, FindingKind::kUninitialisedShared}));
  EXPECT_EQ(kinds(emulator::Checks::kFast), (std::set{FindingKind::kUninitialisedShared}));
  EXPECT_TRUE(kinds(emulator::Checks::kOff).empty());
}

TEST_F(EmulatorTest, SharedMemoryIsPoisonedForEveryBlock) {
  // Both CTAs report: the second does not see what the first wrote.
  EXPECT_NE(launch(race_and_uninitialised, 2, 32, 1024, nullptr, {}), 0);
  for (const Finding& f : emulator::take_findings()) {
    EXPECT_TRUE(f.kind != FindingKind::kUninitialisedShared || f.count == 64) << to_string(f);
  }
}

TEST_F(EmulatorTest, LaunchesOfSeveralThreadsTakeTurns) {
  emulator::reset_counters();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([] { EXPECT_EQ(launch(count_events, 3, 64, 0, nullptr, {}), 0); });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(emulator::counter("event"), 4 * 6);
}

TEST_F(EmulatorTest, NamesKernelsAfterFunctions) {
  EXPECT_EQ(emulator::function_name("void ns::kernel(const ns::Params&)"), "kernel");
  EXPECT_EQ(emulator::function_name("void ns::{anonymous}::kernel(const Params&) [with T = int (*)(int)]"),
            "kernel");
  EXPECT_EQ(emulator::function_name("void ns::(anonymous namespace)::kernel(const Params &)"), "kernel");
  EXPECT_EQ(emulator::function_name("void kernel<ns::T<(int)3>, 4>(const P &)"), "kernel<ns::T<(int)3>, 4>");
}

// ---- clocks

TEST(Clocks, BarriersOrderThreads) {
  emulator::Clocks clocks(64);
  const emulator::Clock before = clocks.now(40);
  EXPECT_FALSE(clocks.knows(3, 40, before));
  EXPECT_TRUE(clocks.knows(40, 40, before));
  clocks.join_all();
  EXPECT_TRUE(clocks.knows(3, 40, before));
  EXPECT_FALSE(clocks.knows(3, 40, clocks.now(40)));
}

TEST(Clocks, WarpJoinsOrderTheWarpOnly) {
  emulator::Clocks clocks(64);
  const emulator::Clock before = clocks.now(5);
  clocks.join_warp(0);
  EXPECT_TRUE(clocks.knows(9, 5, before));
  EXPECT_FALSE(clocks.knows(40, 5, before));
}

TEST(Clocks, CopiesAreKnownAfterTheirWaitAndToOthersAfterABarrier) {
  emulator::Clocks clocks(64);
  const int copies = clocks.copy_actor(7);
  EXPECT_FALSE(clocks.knows(7, copies, 1));
  clocks.wait_copies(7, 1);
  EXPECT_TRUE(clocks.knows(7, copies, 1));
  EXPECT_FALSE(clocks.knows(7, copies, 2));
  EXPECT_FALSE(clocks.knows(8, copies, 1));
  clocks.join_all();
  EXPECT_TRUE(clocks.knows(8, copies, 1));
}

TEST(Clocks, AcquireTakesWhatReleaseGave) {
  emulator::Clocks clocks(64);
  const emulator::Clock before = clocks.now(1);
  const auto seen = std::make_shared<emulator::VectorClock>();
  clocks.release(1, *seen);
  EXPECT_FALSE(clocks.knows(50, 1, before));
  clocks.acquire(50, seen);
  EXPECT_TRUE(clocks.knows(50, 1, before));
  EXPECT_FALSE(clocks.knows(50, 1, clocks.now(1)));
  EXPECT_FALSE(clocks.knows(51, 1, before));
  clocks.join_warp(1);  // and passes on
  EXPECT_TRUE(clocks.knows(51, 1, before));
}

// ---- shadow memory

class ShadowTest : public testing::Test {
 protected:
  bool read(std::uintptr_t address, std::size_t bytes, int thread, std::uint32_t block = 1) {
    return shadow_.read(address, bytes, access(thread, block), clocks_, &conflict_);
  }
  bool write(std::uintptr_t address, std::size_t bytes, int thread, std::uint32_t block = 1) {
    return shadow_.write(address, bytes, access(thread, block), clocks_, &conflict_);
  }
  emulator::Access access(int thread, std::uint32_t block) {
    return {emulator::Epoch(block, thread, clocks_.now(thread)), 0, thread};
  }
  emulator::Clocks clocks_{64};
  emulator::Shadow shadow_;
  emulator::Conflict conflict_{};
};

TEST_F(ShadowTest, ReadsDoNotConflictWithReads) {
  for (int t = 0; t < 64; ++t) EXPECT_FALSE(read(0x1000, 16, t));
}

TEST_F(ShadowTest, AWriteConflictsWithAnyOfManyReads) {
  for (int t = 0; t < 64; ++t) read(0x1000, 16, t);
  clocks_.join_warp(0);  // orders the reads of warp 0 only
  EXPECT_TRUE(write(0x1000, 16, 3));
  EXPECT_FALSE(conflict_.was_write);
  EXPECT_GE(conflict_.earlier.epoch.actor(), 32);
  EXPECT_TRUE(read(0x1008, 2, 4));
  EXPECT_TRUE(conflict_.was_write);
}

TEST_F(ShadowTest, BarriersEndConflicts) {
  EXPECT_FALSE(write(0x1000, 16, 3));
  clocks_.join_all();
  EXPECT_FALSE(read(0x1000, 16, 4));
  EXPECT_FALSE(read(0x1000, 16, 5));
  clocks_.join_all();
  EXPECT_FALSE(write(0x1000, 16, 6));
}

TEST_F(ShadowTest, NeighboursDoNotConflict) {
  for (int t = 0; t < 32; ++t) EXPECT_FALSE(write(0x1000 + static_cast<std::uintptr_t>(t), 1, t));
  EXPECT_FALSE(write(0x13fe, 2, 1));  // at the end of a page
  EXPECT_FALSE(write(0x1400, 2, 2));
  EXPECT_TRUE(write(0x13ff, 2, 3));  // across both
}

TEST_F(ShadowTest, RefiningKeepsWhatIsKnown) {
  write(0x1000, 16, 3);
  EXPECT_TRUE(read(0x1002, 2, 4));
  EXPECT_TRUE(write(0x100e, 2, 5));
  EXPECT_FALSE(write(0x1010, 2, 5));
}

TEST_F(ShadowTest, BlocksAreNeverOrdered) {
  write(0x1000, 16, 3, 1);
  EXPECT_TRUE(read(0x1000, 16, 3, 2));
  for (std::uint32_t block = 1; block < 6; ++block) EXPECT_FALSE(read(0x2000, 16, 3, block));
  EXPECT_TRUE(write(0x2000, 16, 3, 5));  // against the reads of blocks 1 to 4
}

}  // namespace
}  // namespace flashlight::test
