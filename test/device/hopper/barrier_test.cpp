// SPDX-License-Identifier: Apache-2.0
// Barriers in shared memory: phases, parities, what passes through them.
#include "flashlight/device/hopper/barrier.h"

#include "../support.h"
#include "kernels.h"

namespace flashlight::test {
namespace {

class BarrierTest : public DeviceTest {};

TEST_F(BarrierTest, PhasesPassValuesThereAndBack) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    emulator::set_options({seed, emulator::Checks::kFull, 64});
    DeviceArray<float> out(registry_, 128);
    constexpr int rounds = 5;
    FL_EXPECT_RUNS(launch(pass_kernel<128>, 1, 128, SharedTile<float, 8, 32>::bytes + 2 * Barrier::bytes,
                          nullptr, {rounds, out.data()}));
    for (std::size_t i = 0; i < 64; ++i) {
      // Each round trip reverses the columns twice and adds 1.
      EXPECT_EQ(out[i], static_cast<float>(i) + rounds);
      EXPECT_EQ(out[64 + i], static_cast<float>(i / 32 * 32 + 31 - i % 32) + rounds);
    }
  }
}

// 0 + 1 + 4 + .. + 81 = 285, ten times.
TEST_F(BarrierTest, NotesReachEveryWarpInOrder) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    emulator::set_options({seed, emulator::Checks::kFull, 64});
    DeviceArray<float> out(registry_, 2 * kWarpgroupSize);
    const auto runs = [&](auto kernel, int bytes, int notes, float wanted) {
      FL_EXPECT_RUNS(launch(kernel, 1, 3 * kWarpgroupSize, bytes, nullptr, {notes, out.data()}));
      for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], wanted) << i;
    };
    runs(note_kernel<4>, NoteRing<4>::bytes, 10, 2850);
    runs(note_kernel<2>, NoteRing<2>::bytes, 10, 2850);
    runs(note_kernel<4>, NoteRing<4>::bytes, 0, 0);
  }
}

TEST_F(BarrierTest, RingIndexTurnsItsParity) {
  RingIndex<3> at;
  for (int i = 0; i < 12; ++i, at.advance()) {
    EXPECT_EQ(at.stage, i % 3);
    EXPECT_EQ(at.parity, i / 3 % 2);
  }
}

}  // namespace
}  // namespace flashlight::test
