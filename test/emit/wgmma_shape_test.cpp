// SPDX-License-Identifier: Apache-2.0
// Which tile shapes of sm_90a are chosen, and why none is.
#include "target/wgmma_shape.h"

#include <gtest/gtest.h>

#include "flashlight/device/hopper/warpgroup.h"

namespace flashlight::target {
namespace {

// One query, key and value operand, one accumulator, the row vectors of an online softmax.
Demand attention(int d, int dv) {
  Demand demand;
  demand.row_operands = {d};
  demand.key_operands = {d, dv};
  demand.accumulators = {dv};
  demand.row_vectors = 7;
  return demand;
}

void expect_shape(const Demand& demand, int m, int n) {
  const WgmmaChoice choice = choose_wgmma(demand);
  ASSERT_TRUE(choice.shape) << choice.reason;
  EXPECT_EQ(choice.shape->m(), m);
  EXPECT_EQ(choice.shape->n, n);
  EXPECT_TRUE(choice.reason.empty());
}

TEST(WgmmaShape, FollowsTheHeadDim) {
  expect_shape(attention(64, 64), 192, 128);
  expect_shape(attention(128, 128), 128, 176);
  expect_shape(attention(256, 256), 128, 80);
}

TEST(WgmmaShape, IsNarrowerWhereAMaskEmptiesTiles) {
  Demand demand = attention(128, 128);
  demand.skips_tiles = true;
  expect_shape(demand, 128, 128);
}

TEST(WgmmaShape, IsTheFirstOfThoseAskedForThatFits) {
  const auto chosen = [](int d, const std::vector<TileSize>& asked) {
    const WgmmaChoice choice = choose_wgmma(attention(d, d), asked);
    EXPECT_TRUE(choice.shape) << choice.reason;
    return std::pair(choice.shape->m(), choice.shape->n);
  };
  EXPECT_EQ(chosen(64, {{64, 160}}), std::pair(64, 160));
  EXPECT_EQ(chosen(128, {{192, 256}, {128, 64}, {128, 32}}), std::pair(128, 64));
  EXPECT_EQ(chosen(128, {{16, 16}, {256, 64}}),
            std::pair(128, 176));  // no warpgroup has 16 rows, no four fit
}

TEST(TileShape, IsTheFirstOfThoseAskedForThatFits) {
  const auto chosen = [](const std::vector<TileSize>& asked) {
    const auto shape = choose_tile(attention(64, 64), asked);
    return shape ? std::tuple(shape->m, shape->n, shape->warps) : std::tuple(0, 0, 0);
  };
  EXPECT_EQ(chosen({}), std::tuple(128, 64, 4));
  EXPECT_EQ(chosen({{64, 128}}), std::tuple(64, 128, 4));
  EXPECT_EQ(chosen({{128, 128}}),
            std::tuple(128, 128, 8));  // two row blocks a warp would not fit its registers
  EXPECT_EQ(chosen({{256, 256}, {48, 64}}), std::tuple(48, 64, 3));
  EXPECT_EQ(chosen({{256, 256}}), std::tuple(128, 64, 4));
}

TEST(WgmmaShape, LeavesRegistersToWhatScoresMeet) {
  Demand demand = attention(64, 64);
  demand.reads_elements = true;
  expect_shape(demand, 128, 176);
  demand.uses_positions = true;
  expect_shape(demand, 128, 128);
  demand.long_elements = true;
  const WgmmaChoice choice = choose_wgmma(demand);
  ASSERT_TRUE(choice.shape);
  EXPECT_LT(choice.shape->n, 128);
}

TEST(WgmmaShape, StagesResultsWhereThereIsRoom) {
  const auto staging = [](Demand demand, int result) {
    if (result) demand.results = {result};
    const WgmmaChoice choice = choose_wgmma(demand);
    EXPECT_TRUE(choice.shape) << choice.reason;
    EXPECT_LE(shared_bytes(demand, *choice.shape), 227 * 1024);
    return choice.shape->staging;
  };
  EXPECT_EQ(staging(attention(64, 64), 64), Staging::kApart);
  EXPECT_EQ(staging(attention(128, 128), 128), Staging::kRows);
  Demand narrower = attention(128, 128);
  narrower.skips_tiles = true;
  EXPECT_EQ(staging(narrower, 128), Staging::kApart);
  EXPECT_EQ(staging(attention(256, 192), 192), Staging::kRows);
  EXPECT_EQ(staging(attention(192, 256), 256), Staging::kRegisters);  // wider than the rows
  EXPECT_EQ(staging(attention(256, 96), 96), Staging::kRegisters);    // in other blocks
  EXPECT_EQ(staging(attention(64, 64), 0), Staging::kRegisters);
}

TEST(WgmmaShape, GivesTheReasonWhereThereIsNone) {
  Demand wide = attention(64, 64), columns = attention(512, 512), accumulators = attention(64, 256),
         operands = attention(64, 64);
  wide.element_bytes = 4;
  EXPECT_EQ(choose_wgmma(wide).reason, "wgmma multiplies 16-bit types, these are of 32 bits");
  EXPECT_EQ(choose_wgmma(columns).reason, "an accumulator has more columns than a wgmma makes");
  accumulators.accumulators = {256, 256};
  EXPECT_EQ(choose_wgmma(accumulators).reason, "its accumulators do not fit the registers of a warpgroup");
  operands.row_operands.assign(8, 256);
  EXPECT_EQ(choose_wgmma(operands).reason, "no two stages of its tiles fit the shared memory of a block");
}

TEST(WgmmaShape, IsInsideOfWhatABlockHas) {
  for (int d : {32, 64, 96, 128, 192, 256}) {
    for (int dv : {32, 64, 96, 128, 192, 256}) {
      const Demand demand = attention(d, dv);
      const WgmmaChoice choice = choose_wgmma(demand);
      ASSERT_TRUE(choice.shape) << d << ", " << dv << ": " << choice.reason;
      EXPECT_LE(shared_bytes(demand, *choice.shape), 227 * 1024) << d << ", " << dv;
      EXPECT_LT(value_registers(demand, *choice.shape),
                consumer_registers(choice.shape->consumers, Finding::kCounts))
          << d << ", " << dv;
      EXPECT_GE(choice.shape->stages, 2);
    }
  }
}

// A CTA has as many as it was launched with, whole eights a thread: with 384 threads fewer than its SM.
TEST(WgmmaShape, DividesTheRegistersAsTheDeviceDoes) {
  for (const Finding finding : {Finding::kCounts, Finding::kTests, Finding::kSearches}) {
    const auto same = static_cast<device::Finding>(finding);
    for (int consumers = 1; consumers <= 3; ++consumers) {
      const int launched = 65536 / ((consumers + 1) * 128) / 8 * 8;
      EXPECT_LE(loader_registers(consumers, finding) + consumers * consumer_registers(consumers, finding),
                (consumers + 1) * launched);
      EXPECT_EQ(loader_registers(consumers, finding), device::loader_registers(consumers, same));
      EXPECT_EQ(consumer_registers(consumers, finding), device::consumer_registers(consumers, same));
    }
  }
}

}  // namespace
}  // namespace flashlight::target
