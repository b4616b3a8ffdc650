// SPDX-License-Identifier: Apache-2.0
// Which tiles the causal kernels visit and mask, counted by the emulated device against a count done here
// element by element.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <regex>

#include "program.h"

namespace {

struct Tile {
  int m = 0, n = 0;
};

// The tile of the instance for bfloat16 and head dim 64, from the report.
Tile tile_of(const std::string& sample) {
  std::ifstream in(FLASHLIGHT_SAMPLES_DIR "/" + sample + ".json");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  std::smatch found;
  EXPECT_TRUE(std::regex_search(text, found, std::regex("bfloat16 D=64 DV=64: (\\d+)x(\\d+),"))) << sample;
  return found.size() == 3 ? Tile{std::stoi(found[1]), std::stoi(found[2])} : Tile{};
}

struct Count {
  long long visited = 0, masked = 0;
  bool operator==(const Count&) const = default;
};
void PrintTo(const Count& c, std::ostream* out) {
  *out << c.visited << " visited, " << c.masked << " masked";
}

using Sees = std::function<bool(int i, int j)>;

// Tiles with at least one visible pair, and those of them in which some pair, or a column past the end, is
// not visible.
Count needed(const Sees& sees, Tile t, int queries, int keys) {
  Count count;
  for (int i0 = 0; i0 < queries; i0 += t.m) {
    for (int j0 = 0; j0 < keys; j0 += t.n) {
      bool any = false, all = j0 + t.n <= keys;
      for (int i = i0; i < std::min(i0 + t.m, queries); ++i) {
        for (int j = j0; j < std::min(j0 + t.n, keys); ++j) (sees(i, j) ? any : all) = sees(i, j);
      }
      count.visited += any;
      count.masked += any && !all;
    }
  }
  return count;
}

Count counted(const std::string& sample, int queries, int keys) {
  const Printed run = run_program(FLASHLIGHT_SAMPLES_DIR "/fused_" + sample + " --b 1 --h 1 --d 64 --sq " +
                                  std::to_string(queries) + " --sk " + std::to_string(keys));
  EXPECT_EQ(run.status, 0) << run.text;
  std::smatch found;
  EXPECT_TRUE(std::regex_search(run.text, found, std::regex("tiles visited (\\d+) masked (\\d+)")))
      << run.text;
  return found.size() == 3 ? Count{std::stoll(found[1]), std::stoll(found[2])} : Count{};
}

constexpr int kSizes[][2] = {{64, 64}, {128, 512}, {512, 128}, {257, 257}, {200, 300}, {300, 130}};

TEST(Tiles, CausalVisitsNoEmptyTileAndMasksOnlyTheDiagonal) {
  const Sees sees = [](int i, int j) { return j <= i; };
  const Tile tile = tile_of("causal_attention");
  for (auto [sq, sk] : kSizes) {
    EXPECT_EQ(counted("causal_attention", sq, sk), needed(sees, tile, sq, sk))
        << sq << " x " << sk << ", tile " << tile.m << "x" << tile.n;
  }
}

TEST(Tiles, BottomRightAlignedDoesToo) {
  const Tile tile = tile_of("causal_bottom_right");
  for (auto [sq, sk] : kSizes) {
    const Sees sees = [before = sk - sq](int i, int j) { return j <= i + before; };
    EXPECT_EQ(counted("causal_bottom_right", sq, sk), needed(sees, tile, sq, sk)) << sq << " x " << sk;
  }
}

TEST(Tiles, ASlidingWindowIsEnteredAndLeftAtItsEdges) {
  const Sees sees = [](int i, int j) { return i - j >= 0 && i - j <= 50; };
  const Tile tile = tile_of("sliding_window");
  for (auto [sq, sk] : kSizes) {
    EXPECT_EQ(counted("sliding_window", sq, sk), needed(sees, tile, sq, sk)) << sq << " x " << sk;
  }
}

TEST(Tiles, WithoutAMaskOnlyTheLastTileIsMasked) {
  const Tile tile = tile_of("vanilla_attention");
  for (auto [sq, sk] : kSizes) {
    EXPECT_EQ(counted("vanilla_attention", sq, sk), needed([](int, int) { return true; }, tile, sq, sk))
        << sq << " x " << sk;
  }
}

}  // namespace
