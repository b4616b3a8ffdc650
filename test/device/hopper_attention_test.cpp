// SPDX-License-Identifier: Apache-2.0
// The hand-written kernel for Hopper on the emulated device, against a float64 loop.
#include <chrono>

#include "attention_case.h"
#include "flashlight/emulator/emulator.h"
#include "hopper_attention.h"

namespace flashlight::test {
namespace {

struct Shape {
  HopperTile tile;
  AttentionSize size;
};

int run(HopperTile tile, AttentionCase& attention) {
  return hopper_attention(tile, attention.problem(), nullptr);
}

class HopperAttentionTest : public testing::TestWithParam<Shape> {};

TEST_P(HopperAttentionTest, MatchesFloat64) {
  AttentionCase attention(GetParam().size);
  ASSERT_EQ(run(GetParam().tile, attention), 0) << emulator::last_error_text();
  attention.expect_close();
}

INSTANTIATE_TEST_SUITE_P(Shapes, HopperAttentionTest,
                         testing::Values(Shape{HopperTile::kN128D64, {2, 256, 256, 64}},
                                         Shape{HopperTile::kN128D64, {1, 1, 1, 64}},
                                         Shape{HopperTile::kN128D64, {1, 300, 517, 64}},
                                         Shape{HopperTile::kN128D64, {3, 129, 63, 64}},
                                         Shape{HopperTile::kN128D64, {1, 517, 300, 64}},
                                         Shape{HopperTile::kN128D128, {2, 131, 131, 128}},
                                         Shape{HopperTile::kN128D128, {1, 77, 300, 128}},
                                         Shape{HopperTile::kN176D128, {1, 384, 401, 128}}),
                         [](const auto& info) {
                           return info.param.size.name() + "T" +
                                  std::to_string(static_cast<int>(info.param.tile));
                         });

TEST(HopperAttention, SameBitsForEverySeed) {
  const emulator::Options before = emulator::options();
  std::vector<device::bfloat16> first;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    emulator::set_options({seed, emulator::Checks::kFull, 64});
    AttentionCase attention({1, 200, 300, 64});
    ASSERT_EQ(run(HopperTile::kN128D64, attention), 0) << emulator::last_error_text();
    if (first.empty()) first = attention.out;
    for (std::size_t i = 0; i < first.size(); ++i)
      ASSERT_EQ(first[i].bits, attention.out[i].bits) << "seed " << seed;
  }
  emulator::set_options(before);
}

TEST(HopperAttention, RefusesWhatTmaCannotTake) {
  AttentionCase attention({1, 64, 64, 64});
  AttentionProblem problem = attention.problem();
  problem.q = static_cast<const unsigned char*>(problem.q) + 2;
  EXPECT_EQ(hopper_attention(HopperTile::kN128D64, problem, nullptr), 1);
}

TEST(HopperAttention, RunsInReasonableTime) {
  AttentionCase attention({2, 256, 256, 64});
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(run(HopperTile::kN128D64, attention), 0);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  RecordProperty("seconds", std::to_string(elapsed.count()));
  EXPECT_LT(elapsed.count(), 5.0);  // as its elder's
}

}  // namespace
}  // namespace flashlight::test
