// SPDX-License-Identifier: Apache-2.0
// Matrix descriptors of our tiles: their bits, and that what they describe is where the tile keeps it.
#include "flashlight/device/hopper/descriptor.h"

#include <gtest/gtest.h>

#include "emulator/descriptor.h"

namespace flashlight::test {
namespace {

using namespace flashlight::device;
using emulator::OperandLayout;

std::uint64_t bits(std::uint64_t descriptor, int low, int high) {
  return descriptor >> low & ((std::uint64_t{1} << (high - low + 1)) - 1);
}

// The figures of the PTX ISA's format for 64-column blocks, written out.
TEST(Descriptor, OfSixtyFourColumnBlocks) {
  using Tile = SharedTile<bfloat16, 192, 128>;
  using K = detail::KMajor<Tile>;
  const std::uint64_t d = K::first(0x5000, 64);
  EXPECT_EQ(bits(d, 0, 13), (0x5000u + 8192) / 16);  // 64 rows further down
  EXPECT_EQ(bits(d, 32, 45), 1024u / 16);
  EXPECT_EQ(bits(d, 46, 61), 0u);
  EXPECT_EQ(bits(d, 62, 63), 1u);  // 128 bytes
  EXPECT_EQ(K::step(1), 2u);
  EXPECT_EQ(K::step(3), 6u);
  EXPECT_EQ(K::step(4), 192u * 128 / 16);  // the next block

  using Mn = detail::MnMajor<Tile>;
  const std::uint64_t v = Mn::first(0x400, 64);
  EXPECT_EQ(bits(v, 0, 13), (0x400u + 192 * 128) / 16);
  EXPECT_EQ(bits(v, 16, 29), 192u * 128 / 16);
  EXPECT_EQ(bits(v, 32, 45), 1024u / 16);
  EXPECT_EQ(bits(v, 62, 63), 1u);
  EXPECT_EQ(Mn::step(1), 128u);
}

TEST(Descriptor, NamesTheSwizzleOfNarrowBlocks) {
  EXPECT_EQ(bits(detail::KMajor<SharedTile<bfloat16, 64, 96>>::first(0, 0), 62, 63), 2u);
  EXPECT_EQ(bits(detail::KMajor<SharedTile<bfloat16, 64, 96>>::first(0, 0), 32, 45), 512u / 16);
  EXPECT_EQ(bits(detail::MnMajor<SharedTile<bfloat16, 64, 80>>::first(0, 0), 62, 63), 3u);
  EXPECT_EQ(bits(detail::MnMajor<SharedTile<bfloat16, 64, 80>>::first(0, 0), 32, 45), 256u / 16);
}

TEST(Descriptor, ReachesAllOfSharedMemory) {
  const std::uint64_t d = detail::matrix_descriptor(226 * 1024, 16, 1024, 128);
  EXPECT_EQ(bits(d, 0, 13), 226u * 1024 / 16);
}

// Every chunk of eight elements that a product reads.
template <class Tile> void expect_reads_the_tile() {
  constexpr int base = 0x4000;
  for (int row0 : {0, 8}) {
    for (int step = 0; step < Tile::cols / 16; ++step) {
      const OperandLayout k(detail::KMajor<Tile>::first(base, row0) + detail::KMajor<Tile>::step(step),
                            false);
      ASSERT_EQ(k.fault(), "");
      for (int row = 0; row + row0 < Tile::rows; ++row) {
        for (int col : {0, 8})
          ASSERT_EQ(k.chunk(row, col),
                    static_cast<std::size_t>(base + Tile::offset(row0 + row, 16 * step + col)));
      }
    }
  }
  for (int col0 = 0; col0 < Tile::cols; col0 += Tile::block) {
    for (int step = 0; step < Tile::rows / 16; ++step) {
      const OperandLayout v(detail::MnMajor<Tile>::first(base, col0) + detail::MnMajor<Tile>::step(step),
                            true);
      ASSERT_EQ(v.fault(), "");
      for (int row = 0; row < 16; ++row) {
        for (int col = 0; col + col0 < Tile::cols; col += 8)
          ASSERT_EQ(v.chunk(col, row),
                    static_cast<std::size_t>(base + Tile::offset(16 * step + row, col0 + col)));
      }
    }
  }
}

TEST(Descriptor, DescribesTheTile) {
  expect_reads_the_tile<SharedTile<bfloat16, 64, 64>>();
  expect_reads_the_tile<SharedTile<bfloat16, 176, 128>>();
  expect_reads_the_tile<SharedTile<float16, 80, 256>>();
  expect_reads_the_tile<SharedTile<bfloat16, 64, 96>>();
  expect_reads_the_tile<SharedTile<bfloat16, 48, 32>>();
  expect_reads_the_tile<SharedTile<bfloat16, 64, 80>>();
  expect_reads_the_tile<SharedTile<bfloat16, 64, 16>>();
}

TEST(Descriptor, AnotherSwizzleReadsOtherPlaces) {
  using Tile = SharedTile<bfloat16, 64, 64>;
  const std::uint64_t right = detail::KMajor<Tile>::first(0, 0);
  const OperandLayout wrong((right & ~(3ull << 62)) | 2ull << 62, false);
  EXPECT_NE(wrong.chunk(1, 0), static_cast<std::size_t>(Tile::offset(1, 0)));
}

TEST(Descriptor, IllFormedOnesAreNamed) {
  using Tile = SharedTile<bfloat16, 64, 64>;
  const std::uint64_t right = detail::KMajor<Tile>::first(0, 0);
  EXPECT_EQ(OperandLayout(right, false).fault(), "");
  EXPECT_NE(OperandLayout(right | 1ull << 52, false).fault(), "");           // a bit that means nothing
  EXPECT_NE(OperandLayout(right | 1ull << 49, false).fault(), "");           // base offset
  EXPECT_NE(OperandLayout(right & ~(3ull << 62), false).fault(), "");        // no swizzle
  EXPECT_NE(OperandLayout(right + (128 >> 4), false).fault(), "");           // starts in the second row
  EXPECT_NE(OperandLayout(right + (16 >> 4), false).fault(), "");            // starts inside a step
  EXPECT_NE(OperandLayout(right - (512ull >> 4 << 32), false).fault(), "");  // half the stride
  EXPECT_NE(OperandLayout(detail::MnMajor<Tile>::first(0, 0) + (32 >> 4), true).fault(), "");
}

}  // namespace
}  // namespace flashlight::test
