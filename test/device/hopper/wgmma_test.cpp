// SPDX-License-Identifier: Apache-2.0
// Products of a warpgroup against plain loops, value by value in each thread's registers: all widths, both
// layouts of the right operand, the left in shared memory and in registers, both types.
#include "flashlight/device/hopper/wgmma.h"

#include <utility>

#include "../support.h"
#include "kernels.h"

namespace flashlight::test {
namespace {

template <class T> class WgmmaTest : public DeviceTest {
 protected:
  // Row and column of value v of thread t, as the PTX ISA lays the accumulator out.
  static int row_of_value(int t, int v) { return 16 * (t / 32) + t % 32 / 4 + 8 * ((v >> 1) & 1); }
  static int col_of_value(int t, int v) { return 8 * (v >> 2) + 2 * (t & 3) + (v & 1); }

  // a: rows x depth. b: by `b(k, n)` from its matrix.
  struct Operands {
    Operands(Registry& registry, int rows, int depth, int b_size, int columns)
        : a(registry, static_cast<std::size_t>(rows * depth)),
          b(registry, static_cast<std::size_t>(b_size)),
          p(registry, static_cast<std::size_t>(64 * depth)),
          out(registry, static_cast<std::size_t>(2 * 64 * columns)) {
      fill_integers(a, 1);
      fill_integers(b, 2);
      fill_integers(p, 3);
    }
    DeviceArray<T> a, b;
    DeviceArray<float> p, out;
    AsyncProductParams params() { return {a.data(), b.data(), p.data(), out.data()}; }
  };

  template <class B>
  void expect_product(Operands& o, Left left, int row0, int depth, int columns, B b) {
    for (int t = 0; t < kWarpgroupSize; ++t) {
      for (int v = 0; v < columns / 2; ++v) {
        const int row = row_of_value(t, v), col = col_of_value(t, v);
        float sum = left == Left::kShared ? 0.0f : static_cast<float>(initial_value(t, v));
        for (int k = 0; k < depth; ++k) {
          const float x = left == Left::kShared
                              ? to_float(o.a[static_cast<std::size_t>((row0 + row) * depth + k)])
                              : o.p[static_cast<std::size_t>(row * depth + k)];
          sum += x * to_float(b(k, col));
        }
        ASSERT_EQ(o.out[static_cast<std::size_t>(t * (columns / 2) + v)], sum)
            << "value " << v << " of thread " << t << ", N = " << columns;
      }
    }
  }

  template <Left LEFT, int N, int D, int FIRST = 0, int WARPGROUP = 0> void k_major() {
    constexpr int rows = 64 * (WARPGROUP + 1);
    Operands o(registry_, rows, D, (N + FIRST) * D, N);
    constexpr int bytes = SharedTile<T, rows, D>::bytes + SharedTile<T, N + FIRST, D>::bytes;
    FL_EXPECT_RUNS((launch(k_major_kernel<LEFT, T, N, D, FIRST, WARPGROUP>, 1, kWarpgroupSize, bytes, nullptr,
                           o.params(), "k_major")));
    expect_product(o, LEFT, 64 * WARPGROUP, D, N,
                   [&](int k, int n) { return o.b[static_cast<std::size_t>((FIRST + n) * D + k)]; });
  }

  template <Left LEFT, int N, int K, int C, int FIRST = 0> void mn_major() {
    Operands o(registry_, 64, K, K * C, N);
    constexpr int bytes = SharedTile<T, 64, K>::bytes + SharedTile<T, K, C>::bytes;
    FL_EXPECT_RUNS((launch(mn_major_kernel<LEFT, T, N, K, C, FIRST>, 1, kWarpgroupSize, bytes, nullptr,
                           o.params(), "mn_major")));
    expect_product(o, LEFT, 0, K, N,
                   [&](int k, int n) { return o.b[static_cast<std::size_t>(k * C + FIRST + n)]; });
  }

  template <int N> void width() {
    k_major<Left::kShared, N, 32>();
    k_major<Left::kRegisters, N, 32>();
    mn_major<Left::kShared, N, 32, (N + 63) / 64 * 64>();
    mn_major<Left::kRegisters, N, 32, (N + 63) / 64 * 64>();
  }
  template <int... I> void widths(std::integer_sequence<int, I...>) { (width<8 * (I + 1)>(), ...); }
};

using Types = testing::Types<bfloat16, float16>;
TYPED_TEST_SUITE(WgmmaTest, Types);

TYPED_TEST(WgmmaTest, EveryWidth) {
  if constexpr (is_bfloat16<TypeParam>) {
    this->widths(std::make_integer_sequence<int, 32>());
  } else {
    this->template width<8>();
    this->template width<104>();
    this->template width<256>();
  }
}

// 128, 64 and 32 bytes a row, one block and several; rows, columns and warpgroups in the middle.
TYPED_TEST(WgmmaTest, EverySwizzle) {
  this->template k_major<Left::kShared, 64, 128>();
  this->template k_major<Left::kShared, 40, 96>();
  this->template k_major<Left::kShared, 40, 80>();
  this->template k_major<Left::kRegisters, 40, 48>();
  this->template mn_major<Left::kShared, 128, 64, 128>();
  this->template mn_major<Left::kRegisters, 96, 48, 96>();
  this->template mn_major<Left::kRegisters, 80, 48, 80>();
  this->template mn_major<Left::kShared, 24, 16, 48>();
}

TYPED_TEST(WgmmaTest, PartsOfTiles) {
  this->template k_major<Left::kShared, 64, 128, 16, 1>();
  this->template k_major<Left::kRegisters, 8, 64, 24>();
  this->template mn_major<Left::kShared, 64, 64, 128, 64>();
  this->template mn_major<Left::kRegisters, 16, 32, 96, 32>();
}

TYPED_TEST(WgmmaTest, GroupsCompleteInOrder) {
  using T = TypeParam;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    emulator::set_options({seed, emulator::Checks::kFull, 64});
    typename WgmmaTest<T>::Operands o(this->registry_, 64, 64, 64 * 64, 64);
    FL_EXPECT_RUNS((
        launch(overlap_kernel<T>, 1, kWarpgroupSize, 2 * SharedTile<T, 64, 64>::bytes, nullptr, o.params())));
    for (int t = 0; t < kWarpgroupSize; ++t) {
      for (int v = 0; v < 32; ++v) {
        const int row = this->row_of_value(t, v), col = this->col_of_value(t, v);
        float first = 0, other = 0;
        for (std::size_t k = 0; k < 64; ++k) {
          first += to_float(o.a[static_cast<std::size_t>(row * 64) + k]) *
                   to_float(o.b[static_cast<std::size_t>(col * 64) + k]);
          other += to_float(o.b[static_cast<std::size_t>(row * 64) + k]) *
                   to_float(o.a[static_cast<std::size_t>(col * 64) + k]);
        }
        ASSERT_EQ(o.out[static_cast<std::size_t>(t * 32 + v)], first);
        ASSERT_EQ(o.out[static_cast<std::size_t>(kWarpgroupSize * 32 + t * 32 + v)], first + other);
      }
    }
  }
}

}  // namespace
}  // namespace flashlight::test
