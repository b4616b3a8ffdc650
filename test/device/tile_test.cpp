// SPDX-License-Identifier: Apache-2.0
// The layout of shared tiles, and the loads that fill them, against plain loops.
#include <map>
#include <set>

#include "kernels.h"
#include "support.h"

namespace flashlight::test {
namespace {

class TileTest : public DeviceTest {};

// Calls f with a tile type of each storage type and width.
template <template <class> class F> void for_each_tile() {
  F<SharedTile<bfloat16, 64, 16>>::run();
  F<SharedTile<bfloat16, 64, 32>>::run();
  F<SharedTile<bfloat16, 64, 48>>::run();
  F<SharedTile<bfloat16, 64, 64>>::run();
  F<SharedTile<float16, 32, 96>>::run();
  F<SharedTile<float16, 32, 128>>::run();
  F<SharedTile<float16, 32, 192>>::run();
  F<SharedTile<bfloat16, 32, 256>>::run();
  F<SharedTile<float, 64, 32>>::run();
  F<SharedTile<float, 32, 96>>::run();
  F<SharedTile<float, 32, 128>>::run();
}

template <class Tile> struct IsBijection {
  static void run() {
    constexpr int size = Tile::bytes / (Tile::rows * Tile::cols);
    std::set<int> seen;
    for (int row = 0; row < Tile::rows; ++row) {
      for (int col = 0; col < Tile::cols; ++col) {
        const int offset = Tile::offset(row, col);
        EXPECT_TRUE(offset >= 0 && offset < Tile::bytes && offset % size == 0);
        EXPECT_TRUE(seen.insert(offset).second) << row << ", " << col;
      }
    }
  }
};

TEST_F(TileTest, LayoutIsABijection) { for_each_tile<IsBijection>(); }

// Lanes that read `bytes` at the given offsets in one pass of the shared memory: no two in one bank at
// different words.
void expect_conflict_free(const std::vector<int>& offsets, int bytes, const char* what) {
  std::map<int, int> word_of_bank;
  for (int offset : offsets) {
    for (int word = offset / 4; word < (offset + bytes) / 4; ++word) {
      const auto [bank, fresh] = word_of_bank.insert({word % 32, word});
      EXPECT_TRUE(fresh || bank->second == word) << what << ": bank " << word % 32;
    }
  }
}

template <class Tile> struct IsConflictFree {
  static void run() {
    constexpr bool is_float = Tile::chunk_elements == 4;
    for (int row0 = 0; row0 < Tile::rows; row0 += 8) {
      for (int col = 0; col < Tile::cols; col += 8) {
        std::vector<int> offsets;
        if (!is_float) {  // ldmatrix: eight rows of 16 bytes a pass
          for (int r = 0; r < 8; ++r) offsets.push_back(Tile::offset(row0 + r, col));
          expect_conflict_free(offsets, 16, "ldmatrix");
          continue;
        }
        for (int half = 0; half < 2; ++half) {  // 8-byte loads: half a warp a pass
          offsets.clear();
          for (int lane = 16 * half; lane < 16 * half + 16; ++lane)
            offsets.push_back(Tile::offset(row0 + lane / 4, col + 2 * (lane & 3)));
          expect_conflict_free(offsets, 8, "left operand");
        }
        for (int odd = 0; odd < 2; ++odd) {  // 4-byte loads
          offsets.clear();
          for (int lane = 0; lane < 32; ++lane)
            offsets.push_back(Tile::offset(row0 + 2 * (lane & 3) + odd, col + lane / 4));
          expect_conflict_free(offsets, 4, "right operand");
        }
      }
    }
  }
};

TEST_F(TileTest, ProductReadsAreFreeOfBankConflicts) { for_each_tile<IsConflictFree>(); }

template <class Tile> struct StepsReachElements {
  static void run() {
    constexpr int size = 16 / Tile::chunk_elements;
    const int step_cols = 32 / size;
    for (int row = 0; row < 8; ++row) {
      for (int col = 0; col < step_cols; col += 2) {
        const int start = Tile::offset(row, col);
        for (int below = 0; below + row < Tile::rows; below += 8) {
          for (int right = 0; right + col < Tile::cols; right += step_cols) {
            ASSERT_EQ((start ^ Tile::turn(right)) + Tile::advance(below, right),
                      Tile::offset(row + below, col + right))
                << row << ", " << col << " + " << below << ", " << right;
          }
        }
      }
    }
  }
};

TEST_F(TileTest, StepsReachTheElementsTheyShould) { for_each_tile<StepsReachElements>(); }

// ---- loads

struct View {
  const char* name;
  int rows, cols;  // logical
  long long row_stride, col_stride, first;
  bool vectors;
};

const View kViews[] = {
    {"whole", 100, 64, 64, 1, 0, true},           {"few columns", 100, 40, 64, 1, 0, true},
    {"odd columns", 77, 61, 64, 1, 64, true},     {"one value", 1, 1, 64, 1, 0, true},
    {"no rows", 0, 64, 64, 1, 0, true},           {"odd stride", 90, 50, 61, 1, 3, false},
    {"transposed", 70, 50, 1, 83, 0, false},      {"broadcast row", 70, 64, 0, 1, 0, true},
    {"broadcast column", 70, 64, 1, 0, 0, false},
};

template <class T> class LoadTest : public DeviceTest {
 protected:
  template <int R, int C, int THREADS> void check(const View& view, int row0) {
    DeviceArray<T> memory(registry_, 8192);
    fill_integers(memory, 7, 100);
    DeviceArray<float> out(registry_, R * C);
    const GlobalMatrix<const T> in{
        memory.data() + view.first, view.row_stride, view.col_stride, view.rows, view.cols, view.vectors};
    FL_EXPECT_RUNS((launch(copy_kernel<T, R, C, THREADS>, 1, THREADS, SharedTile<T, R, C>::bytes, nullptr,
                           {in, out.data(), row0})));
    for (int i = 0; i < R; ++i) {
      for (int j = 0; j < C; ++j) {
        const bool inside = row0 + i >= 0 && row0 + i < view.rows && j < view.cols;
        const float expected = inside ? to_float(memory[static_cast<std::size_t>(
                                            view.first + (row0 + i) * view.row_stride + j * view.col_stride)])
                                      : 0.0f;
        ASSERT_EQ(out[static_cast<std::size_t>(i * C + j)], expected)
            << view.name << " at " << i << ", " << j << " from row " << row0;
      }
    }
  }
};
using Types = testing::Types<bfloat16, float16, float>;
TYPED_TEST_SUITE(LoadTest, Types);

TYPED_TEST(LoadTest, EveryViewLoadsWithZeroesOutside) {
  for (const View& view : kViews) {
    for (int row0 : {0, 32, 64, 96, -8}) this->template check<64, 64, 128>(view, row0);
  }
}

TYPED_TEST(LoadTest, EveryWidth) {
  const View view{"whole", 40, 32, 96, 1, 0, true};
  this->template check<32, 32, 32>(view, 8);
  this->template check<32, 96, 128>(view, 8);
  this->template check<16, 128, 64>(view, 24);
  this->template check<8, 192, 128>(view, 0);
  this->template check<8, 256, 256>(view, 0);
  this->template check<24, 64, 128>(view, 8);  // rows that the threads do not divide
}

// Rows at multiples of 16 bytes, between them, twice the same, and none; whole and with columns that end
// inside a vector.
TYPED_TEST(LoadTest, RowsAreFoundWhereverTheyLie) {
  using T = TypeParam;
  constexpr int R = 24, C = 64;
  DeviceArray<T> memory(this->registry_, 8192);
  fill_integers(memory, 7, 100);
  DeviceArray<int> starts(this->registry_, R);
  DeviceArray<float> out(this->registry_, R * C);
  for (int i = 0; i < R; ++i)
    starts[static_cast<std::size_t>(i)] = i % 5 == 4 ? -1 : i % 3 == 0 ? 64 * (i % 7) : 61 * i;
  for (int cols : {64, 61, 3}) {
    for (long long stride : {1, 2}) {
      const ScatteredRows<const T> in{memory.data(), stride, cols, stride == 1};
      FL_EXPECT_RUNS((launch(scatter_kernel<T, R, C, 96>, 1, 96, SharedTile<T, R, C>::bytes, nullptr,
                             {in, starts.data(), out.data()})));
      for (int i = 0; i < R; ++i) {
        const int start = starts[static_cast<std::size_t>(i)];
        for (int j = 0; j < C; ++j) {
          const float expected =
              start >= 0 && j < cols ? to_float(memory[static_cast<std::size_t>(start + j * stride)]) : 0.0f;
          ASSERT_EQ(out[static_cast<std::size_t>(i * C + j)], expected) << i << ", " << j << " of " << cols;
        }
      }
    }
  }
}

TYPED_TEST(LoadTest, FillComputesEveryElement) {
  using T = TypeParam;
  DeviceArray<float> out(this->registry_, 64 * 32);
  FL_EXPECT_RUNS((
      launch(fill_kernel<T, 64, 32, 96>, 1, 96, SharedTile<T, 64, 32>::bytes, nullptr, {{}, out.data(), 5})));
  for (int i = 0; i < 64; ++i) {
    for (int j = 0; j < 32; ++j)
      ASSERT_EQ(out[static_cast<std::size_t>(i * 32 + j)], to_float(from_float<T>(5 + 8.0f * i + 0.25f * j)));
  }
}

}  // namespace
}  // namespace flashlight::test
