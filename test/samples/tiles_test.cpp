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

const char* const kArchs[] = {"sm_80", "sm_90a"};

// The tile of the instance for bfloat16 and head dim 64, from the report.
Tile tile_of(const std::string& sample, const std::string& arch) {
  std::ifstream in(FLASHLIGHT_SAMPLES_DIR "/" + sample + ".json");
  std::string text{std::istreambuf_iterator<char>(in), {}};
  text.erase(0, text.find("\"arch\": \"" + arch));
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

Count counted(const std::string& sample, const std::string& arch, int queries, int keys) {
  const Printed run =
      run_program(FLASHLIGHT_SAMPLES_DIR "/fused_" + sample + " --b 1 --h 1 --d 64 --sq " +
                  std::to_string(queries) + " --sk " + std::to_string(keys) + " --arch " + arch);
  EXPECT_EQ(run.status, 0) << run.text;
  std::smatch found;
  EXPECT_TRUE(std::regex_search(run.text, found, std::regex("tiles visited (\\d+) masked (\\d+)")))
      << run.text;
  return found.size() == 3 ? Count{std::stoll(found[1]), std::stoll(found[2])} : Count{};
}

constexpr int kSizes[][2] = {{64, 64}, {128, 512}, {512, 128}, {257, 257}, {200, 300}, {300, 190}};

// `sees` of a problem's numbers of queries and keys.
void expect_needed(const std::string& sample, const std::function<Sees(int sq, int sk)>& sees) {
  for (const char* const arch : kArchs) {
    const Tile tile = tile_of(sample, arch);
    for (auto [sq, sk] : kSizes) {
      EXPECT_EQ(counted(sample, arch, sq, sk), needed(sees(sq, sk), tile, sq, sk))
          << sq << " x " << sk << ", tile " << tile.m << "x" << tile.n << " of " << arch;
    }
  }
}

TEST(Tiles, CausalVisitsNoEmptyTileAndMasksOnlyTheDiagonal) {
  expect_needed("causal_attention", [](int, int) { return [](int i, int j) { return j <= i; }; });
}

TEST(Tiles, BottomRightAlignedDoesToo) {
  expect_needed("causal_bottom_right",
                [](int sq, int sk) { return [before = sk - sq](int i, int j) { return j <= i + before; }; });
}

TEST(Tiles, ASlidingWindowIsEnteredAndLeftAtItsEdges) {
  expect_needed("sliding_window",
                [](int, int) { return [](int i, int j) { return i - j >= 0 && i - j <= 50; }; });
}

// The first function of the sample; kernels for sm_90a visit all tiles.
TEST(Tiles, ALargeFillIsLeftOut) {
  const Tile tile = tile_of("finite_fill", "sm_80");
  const Sees causal = [](int i, int j) { return j <= i; };
  for (auto [sq, sk] : kSizes)
    EXPECT_EQ(counted("finite_fill", "sm_80", sq, sk), needed(causal, tile, sq, sk)) << sq << " x " << sk;
}

TEST(Tiles, WithoutAMaskOnlyTheLastTileIsMasked) {
  expect_needed("vanilla_attention", [](int, int) { return [](int, int) { return true; }; });
}

}  // namespace
