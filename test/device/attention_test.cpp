// SPDX-License-Identifier: Apache-2.0
// The hand-written attention kernel on the emulated device, against a float64 loop.
#include <chrono>

#include "attention_case.h"
#include "flashlight/emulator/emulator.h"

namespace flashlight::test {
namespace {

struct Shape {
  AttentionTile tile;
  AttentionSize size;
};

class AttentionTest : public testing::TestWithParam<Shape> {};

TEST_P(AttentionTest, MatchesFloat64) {
  AttentionCase attention(GetParam().size);
  ASSERT_EQ(flash_attention(GetParam().tile, attention.problem(), nullptr), 0) << emulator::last_error_text();
  attention.expect_close();
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionTest,
                         testing::Values(Shape{AttentionTile::kN64D64, {2, 256, 256, 64}},
                                         Shape{AttentionTile::kN64D64, {1, 1, 1, 64}},
                                         Shape{AttentionTile::kN64D64, {3, 129, 63, 64}},
                                         Shape{AttentionTile::kN128D64, {2, 200, 200, 64}},
                                         Shape{AttentionTile::kN64D128, {2, 131, 131, 128}}),
                         [](const auto& info) {
                           return info.param.size.name() + "T" +
                                  std::to_string(static_cast<int>(info.param.tile));
                         });

TEST(Attention, VisitsOnlyTilesBelowTheDiagonal) {
  AttentionCase attention({2, 256, 256, 64});
  emulator::reset_counters();
  ASSERT_EQ(flash_attention(AttentionTile::kN64D64, attention.problem(), nullptr), 0)
      << emulator::last_error_text();
  EXPECT_EQ(emulator::counter("tile visited"), 2 * (2 + 4));
  EXPECT_EQ(emulator::counter("tile masked"), 2 * (2 + 2));
}

TEST(Attention, SameBitsForEverySeed) {
  const emulator::Options before = emulator::options();
  std::vector<device::bfloat16> first;
  for (std::uint64_t seed : {1, 2, 3, 4, 5}) {
    emulator::set_options({seed, emulator::Checks::kFull, 64});
    AttentionCase attention({1, 140, 140, 64});
    ASSERT_EQ(flash_attention(AttentionTile::kN64D64, attention.problem(), nullptr), 0)
        << emulator::last_error_text();
    if (first.empty()) first = attention.out;
    for (std::size_t i = 0; i < first.size(); ++i)
      ASSERT_EQ(first[i].bits, attention.out[i].bits) << "seed " << seed;
  }
  emulator::set_options(before);
}

TEST(Attention, RunsInReasonableTime) {
  AttentionCase attention({2, 256, 256, 64});
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(flash_attention(AttentionTile::kN64D64, attention.problem(), nullptr), 0);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  RecordProperty("seconds", std::to_string(elapsed.count()));
  EXPECT_LT(elapsed.count(),
            5.0);  // 0.1 s optimised on one core; the bound is for sanitizers and busy machines
}

}  // namespace
}  // namespace flashlight::test
