// SPDX-License-Identifier: Apache-2.0
// Tiles by TMA against plain loops: two to five axes, boxes that hang over every side, strided tensors; and
// rings of tiles.
#include "flashlight/device/hopper/tma.h"

#include "../support.h"
#include "kernels.h"

namespace flashlight::test {
namespace {

// A strided tensor in memory and the box to move.
struct Case {
  TensorShape shape;
  int at[5];
};

template <class T> class TmaTest : public DeviceTest {
 protected:
  static constexpr std::size_t kElements = 60000;

  // The element's place in memory, or -1 outside the tensor.
  static long long place(const Case& c, int row, int col) {
    long long offset = 0;
    for (int i = 0; i < c.shape.rank; ++i) {
      const long long at = c.at[i] + (i == 0 ? col : i == 1 ? row : 0);
      if (at < 0 || at >= c.shape.sizes[i]) return -1;
      offset += at * c.shape.strides[i];
    }
    return offset;
  }

  template <int R, int C, int RANK> BoxParams<RANK> params(const Case& c, const void* base, float* out) {
    BoxParams<RANK> p{};
    EXPECT_EQ((make_tensor_map<SharedTile<T, R, C>>(p.map, base, c.shape)), nullptr);
    std::copy_n(c.at, RANK, p.at);
    p.out = out;
    return p;
  }

  template <int R, int C, int RANK> void load(const Case& c) {
    ASSERT_EQ(c.shape.rank, RANK);
    DeviceArray<T> memory(registry_, kElements);
    fill_integers(memory, 7, 100);
    DeviceArray<float> out(registry_, R * C);
    FL_EXPECT_RUNS((launch(box_load_kernel<T, R, C, RANK>, 1, kWarpgroupSize,
                           SharedTile<T, R, C>::bytes + Barrier::bytes, nullptr,
                           params<R, C, RANK>(c, memory.data(), out.data()), "box_load")));
    for (int row = 0; row < R; ++row) {
      for (int col = 0; col < C; ++col) {
        const long long from = place(c, row, col);
        ASSERT_EQ(out[static_cast<std::size_t>(row * C + col)],
                  from < 0 ? 0.0f : to_float(memory[static_cast<std::size_t>(from)]))
            << row << ", " << col;
      }
    }
  }

  // Of a tile of R rows, or from row FIRST on of one of ALL.
  template <int R, int C, int RANK, int ALL = R, int FIRST = 0> void store(const Case& c) {
    ASSERT_EQ(c.shape.rank, RANK);
    DeviceArray<T> memory(registry_, kElements);
    for (std::size_t i = 0; i < kElements; ++i) memory[i] = from_float<T>(-1);
    const auto kernel =
        ALL == R ? box_store_kernel<T, R, C, RANK> : part_store_kernel<T, R, C, RANK, ALL, FIRST>;
    FL_EXPECT_RUNS((launch(kernel, 1, kWarpgroupSize, SharedTile<T, ALL, C>::bytes, nullptr,
                           params<R, C, RANK>(c, memory.data(), nullptr), "box_store")));
    std::vector<float> expected(kElements, -1.0f);
    for (int row = 0; row < R; ++row) {
      for (int col = 0; col < C; ++col) {
        if (const long long to = place(c, row, col); to >= 0)
          expected[static_cast<std::size_t>(to)] = to_float(from_float<T>(8.0f * row + 0.25f * col));
      }
    }
    for (std::size_t i = 0; i < kElements; ++i) ASSERT_EQ(to_float(memory[i]), expected[i]) << i;
  }
};

using Types = testing::Types<bfloat16, float16>;
TYPED_TEST_SUITE(TmaTest, Types);

const Case kPlanes[] = {
    {{2, {128, 100}, {1, 128}}, {0, 0}},    {{2, {128, 100}, {1, 128}}, {0, 64}},
    {{2, {128, 100}, {1, 128}}, {64, 96}},  {{2, {100, 33}, {1, 104}}, {0, 0}},
    {{2, {128, 100}, {1, 136}}, {-24, -5}}, {{2, {128, 100}, {1, 136}}, {101, 7}},
    {{2, {128, 100}, {1, 128}}, {128, 0}},  {{2, {1, 1}, {1, 0}}, {0, 0}},
};

TYPED_TEST(TmaTest, LoadsOfPlanesAreZeroOutside) {
  for (const Case& c : kPlanes) {
    this->template load<64, 64, 2>(c);
    this->template load<64, 128, 2>(c);
    this->template load<16, 96, 2>(c);
    this->template load<8, 80, 2>(c);
    this->template load<256, 64, 2>(c);
  }
}

TYPED_TEST(TmaTest, StoresOfPlanesStayInside) {
  for (const Case& c : kPlanes) {
    this->template store<64, 64, 2>(c);
    this->template store<64, 128, 2>(c);
    this->template store<16, 96, 2>(c);
    this->template store<8, 80, 2>(c);
  }
}

TYPED_TEST(TmaTest, StoresPartsOfTiles) {
  for (const Case& c : kPlanes) {
    this->template store<64, 64, 2, 192, 64>(c);
    this->template store<64, 96, 2, 192, 128>(c);
    this->template store<8, 80, 2, 24, 16>(c);
  }
}

// Axes beyond the second pick a matrix; outside them there is nothing.
TYPED_TEST(TmaTest, EveryRank) {
  const Case three{{3, {64, 40, 5}, {1, 5 * 64, 64}}, {0, 8, 3}};  // heads inside rows
  const Case beyond{{3, {64, 40, 5}, {1, 5 * 64, 64}}, {0, 8, 5}};
  const Case four{{4, {64, 20, 3, 4}, {1, 64, 20 * 64, 3 * 20 * 64}}, {0, 0, 2, 3}};
  const Case five{{5, {64, 10, 2, 3, 4}, {1, 64, 640, 1280, 3840}}, {0, 3, 1, 2, 3}};
  const Case negative{{5, {64, 10, 2, 3, 4}, {1, 64, 640, 1280, 3840}}, {0, 3, 1, -1, 3}};
  this->template load<64, 64, 3>(three);
  this->template load<64, 64, 3>(beyond);
  this->template load<16, 64, 4>(four);
  this->template load<16, 64, 5>(five);
  this->template load<16, 64, 5>(negative);
  this->template store<64, 64, 3>(three);
  this->template store<64, 64, 3>(beyond);
  this->template store<16, 64, 4>(four);
  this->template store<16, 64, 5>(five);
}

class RingTest : public DeviceTest {};

TEST_F(RingTest, EveryTileArrivesOnceAndInOrder) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    emulator::set_options({seed, emulator::Checks::kFull, 64});
    for (int rows : {0, 1, 16, 150}) {
      const int tiles = (rows + 15) / 16;
      DeviceArray<bfloat16> memory(registry_, static_cast<std::size_t>(32 * std::max(rows, 1)));
      fill_integers(memory, 3);
      DeviceArray<float> out(registry_, kWarpgroupSize);
      RingParams p{{}, tiles, out.data()};
      if (rows > 0) {
        ASSERT_EQ(
            (make_tensor_map<SharedTile<bfloat16, 16, 32>>(p.map, memory.data(), {2, {32, rows}, {1, 32}})),
            nullptr);
      }
      constexpr int stages = 3;
      FL_EXPECT_RUNS(
          (launch(ring_kernel<stages>, 1, 2 * kWarpgroupSize,
                  TileRing<SharedTile<bfloat16, 16, 32>, stages>::tile_bytes + 2 * stages * Barrier::bytes,
                  nullptr, p)));
      for (std::size_t t = 0; t < kWarpgroupSize; ++t) {
        float sum = 0;
        for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row)
          sum += to_float(memory[row * 32 + t % 32]);
        ASSERT_EQ(out[t], sum) << rows << " rows, thread " << t;
      }
    }
  }
}

}  // namespace
}  // namespace flashlight::test
