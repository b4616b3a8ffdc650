// SPDX-License-Identifier: Apache-2.0
// Warpgroups: indices, election, named barriers, registers.
#include "flashlight/device/hopper/warpgroup.h"

#include <set>

#include "../support.h"
#include "kernels.h"

namespace flashlight::test {
namespace {

class WarpgroupTest : public DeviceTest {};

TEST_F(WarpgroupTest, OneLaneOfEachWarpIsElected) {
  std::set<int> elected_lanes;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    emulator::set_options({seed, emulator::Checks::kFull, 64});
    DeviceArray<int> out(registry_, 384);
    FL_EXPECT_RUNS(launch(warpgroup_kernel<384>, 1, 384, 0, nullptr, {out.data()}));
    for (int warp = 0; warp < 12; ++warp) {
      int elected = 0;
      for (int lane = 0; lane < 32; ++lane) {
        const int x = out[static_cast<std::size_t>(32 * warp + lane)];
        EXPECT_EQ(x % 10, warp / 4);
        EXPECT_EQ(x / 100, 10);  // rank 0 of 1
        elected += x / 10 % 10;
        if (x / 10 % 10) elected_lanes.insert(lane);
      }
      EXPECT_EQ(elected, 1);
    }
  }
  EXPECT_GT(elected_lanes.size(), 1u);  // nobody can rely on lane 0
}

TEST_F(WarpgroupTest, NamedBarriersGiveTurns) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    emulator::set_options({seed, emulator::Checks::kFull, 64});
    DeviceArray<int> out(registry_, 12);
    FL_EXPECT_RUNS(
        launch(turns_kernel<256>, 1, 256, SharedTile<float, 8, 32>::bytes, nullptr, {6, out.data()}));
    for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(out[i], static_cast<int>(i % 2));
  }
}

TEST_F(WarpgroupTest, RegistersWaitForEachOther) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    emulator::set_options({seed, emulator::Checks::kFull, 64});
    DeviceArray<int> out(registry_, 384);
    FL_EXPECT_RUNS(launch(registers_kernel<384>, 1, 384, 0, nullptr, {out.data()}));
    for (std::size_t t = 0; t < 384; ++t) EXPECT_EQ(out[t], t < 256 ? 240 : 112);
  }
}

template <int CONSUMERS, Finding FINDING> int divide(int* out) {
  constexpr int kThreads = (CONSUMERS + 1) * kWarpgroupSize;
  return launch(
      division_kernel<kThreads, loader_registers(CONSUMERS, FINDING), consumer_registers(CONSUMERS, FINDING)>,
      1, kThreads, 0, nullptr, {out});
}

template <Finding FINDING> void expect_divisions(Registry& registry) {
  DeviceArray<int> out(registry, 512);
  FL_EXPECT_RUNS((divide<1, FINDING>(out.data())));
  FL_EXPECT_RUNS((divide<2, FINDING>(out.data())));
  FL_EXPECT_RUNS((divide<3, FINDING>(out.data())));
}

TEST_F(WarpgroupTest, EveryDivisionIsOfWhatTheCtaWasLaunchedWith) {
  expect_divisions<Finding::kCounts>(registry_);
  expect_divisions<Finding::kTests>(registry_);
  expect_divisions<Finding::kSearches>(registry_);
}

// 384 threads are launched with 168 registers each: what 65536 leave over is nobody's.
TEST_F(WarpgroupTest, RegistersThatTheLaunchRoundsAwayAreNotThere) {
  DeviceArray<int> out(registry_, 384);
  EXPECT_EQ((launch(division_kernel<384, 88, 208>, 1, 384, 0, nullptr, {out.data()})), 0);
  EXPECT_NE((launch(division_kernel<384, 96, 208>, 1, 384, 0, nullptr, {out.data()})), 0);
  EXPECT_NE(std::string(device::last_error_text()).find("increase_registers"), std::string::npos)
      << device::last_error_text();
}

}  // namespace
}  // namespace flashlight::test
