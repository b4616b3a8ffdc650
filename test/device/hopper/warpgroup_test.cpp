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

}  // namespace
}  // namespace flashlight::test
