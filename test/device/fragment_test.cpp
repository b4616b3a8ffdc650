// SPDX-License-Identifier: Apache-2.0
// Where accumulator values live, reductions over quads and warps, stores, and auxiliary loads.
#include <cmath>
#include <set>

#include "kernels.h"
#include "support.h"

namespace flashlight::test {
namespace {

class FragmentTest : public DeviceTest {
 protected:
  template <int MI, int N> void check_layout() {
    const std::size_t count = 64 * MI * N / 2;
    DeviceArray<int> rows(registry_, count), cols(registry_, count);
    FL_EXPECT_RUNS((launch(layout_kernel<MI, N>, 1, 64, 0, nullptr, {nullptr, rows.data(), cols.data()})));
    std::set<std::pair<int, int>> seen;
    for (int t = 0; t < 64; ++t) {
      for (int i = 0; i < MI * N / 2; ++i) {
        const int mi = i / (N / 2), nj = i / 4 % (N / 8), k = i % 4, lane = t % 32;
        const std::size_t at = static_cast<std::size_t>(t * (MI * N / 2) + i);
        ASSERT_EQ(rows[at], (t / 32 * MI + mi) * 16 + lane / 4 + 8 * (k >> 1));
        ASSERT_EQ(cols[at], nj * 8 + 2 * (lane % 4) + (k & 1));
        seen.insert({rows[at], cols[at]});
      }
    }
    EXPECT_EQ(seen.size(), count);  // every element of the 32 MI x N matrix has one owner
  }
};

// The kernel writes plain memory: that is no checked access, only the layout is of interest.
TEST_F(FragmentTest, EveryElementHasItsOwner) {
  check_layout<1, 8>();
  check_layout<2, 64>();
  check_layout<3, 24>();
}

template <int MI, int N> void check_in_turn(DeviceArray<float>& out) {
  FL_EXPECT_RUNS((launch(in_turn_kernel<MI, N>, 1, 64, 0, nullptr, {out.data(), nullptr, nullptr})));
  for (int i = 0; i < 32 * MI; ++i) {
    for (int j = 0; j < N; ++j)
      ASSERT_EQ(out[static_cast<std::size_t>(i * N + j)], static_cast<float>(1000 * i + j * j));
  }
}

TEST_F(FragmentTest, ValuesInTurnSeeTheirRowAndTheirElement) {
  DeviceArray<float> out(registry_, 96 * 64);
  check_in_turn<1, 8>(out);
  check_in_turn<2, 64>(out);
  check_in_turn<3, 24>(out);
}

TEST_F(FragmentTest, Reductions) {
  DeviceArray<float> out(registry_, 7 * 64);
  FL_EXPECT_RUNS(launch(quad_kernel<64>, 1, 64, 0, nullptr, {out.data(), nullptr, nullptr}));
  for (int t = 0; t < 64; ++t) {
    const float first = static_cast<float>(t / 4 * 4 + 1);
    const auto result = [&](int reduction) { return out[static_cast<std::size_t>(64 * reduction + t)]; };
    EXPECT_EQ(result(0), first + 3);
    EXPECT_EQ(result(1), first);
    EXPECT_EQ(result(2), 4 * first + 6);
    EXPECT_EQ(result(3), first * (first + 1) * (first + 2) * (first + 3));
    EXPECT_EQ(result(4), t / 4 % 4 == 1 ? 1.0f : 0.0f);
    EXPECT_EQ(result(5), t >= 32 ? 1.0f : 0.0f);
    EXPECT_EQ(result(6), t < 32 ? 1.0f : 0.0f);
  }
}

// ---- stores

struct Target {
  int rows, cols;
  long long row_stride, col_stride;
  bool vectors;
  int row0, first_col;
};

template <class T> class StoreTest : public DeviceTest {
 protected:
  template <int MI, int N> void check(const Target& t) {
    DeviceArray<T> out(registry_, 16384), rows(registry_, 256);
    const GlobalMatrix<T> matrix{out.data(), t.row_stride, t.col_stride, t.rows, t.cols, t.vectors};
    FL_EXPECT_RUNS((launch(store_kernel<T, MI, N>, 1, 64, 0, nullptr,
                           {matrix, {rows.data(), 2, 1, t.rows, 1, false}, t.row0, t.first_col})));
    std::vector<T> expected(out.size()), expected_rows(rows.size());
    std::memset(expected.data(), 0xff, expected.size() * sizeof(T));
    std::memset(expected_rows.data(), 0xff, expected_rows.size() * sizeof(T));
    for (int i = t.row0; i < std::min(t.rows, t.row0 + 32 * MI); ++i) {
      expected_rows[static_cast<std::size_t>(2 * i)] = from_float<T>(static_cast<float>(i));
      for (int j = t.first_col; j < std::min(t.cols, t.first_col + N); ++j) {
        expected[static_cast<std::size_t>(i * t.row_stride + j * t.col_stride)] =
            from_float<T>(4.0f * static_cast<float>(i) + 0.25f * static_cast<float>(j));
      }
    }
    EXPECT_EQ(std::memcmp(out.data(), expected.data(), expected.size() * sizeof(T)), 0);
    EXPECT_EQ(std::memcmp(rows.data(), expected_rows.data(), expected_rows.size() * sizeof(T)), 0);
  }
};
using Types = testing::Types<bfloat16, float16, float>;
TYPED_TEST_SUITE(StoreTest, Types);

TYPED_TEST(StoreTest, WritesWhatLiesInsideAndNothingElse) {
  this->template check<2, 64>({64, 64, 64, 1, true, 0, 0});
  this->template check<2, 64>({50, 64, 128, 1, true, 0, 64});
  this->template check<2, 64>({50, 55, 64, 1, true, 0, 0});  // one column short of a whole 16 bytes
  this->template check<1, 40>({100, 37, 40, 1, true, 80, 0});
  this->template check<1, 32>({40, 29, 31, 1, false, 32, 0});
  this->template check<1, 32>({40, 32, 1, 97, false, 0, 0});
  this->template check<1, 32>({0, 32, 32, 1, true, 0, 0});
}

// ---- auxiliary loads

template <class T> AuxType aux_type();
template <> AuxType aux_type<float>() { return kAuxFloat32; }
template <> AuxType aux_type<double>() { return kAuxFloat64; }
template <> AuxType aux_type<signed char>() { return kAuxInt8; }
template <> AuxType aux_type<unsigned char>() { return kAuxUInt8; }
template <> AuxType aux_type<int>() { return kAuxInt32; }
template <> AuxType aux_type<long long>() { return kAuxInt64; }
template <> AuxType aux_type<bool>() { return kAuxBool; }

class AuxTest : public DeviceTest {
 protected:
  // `values[i]` is stored as `stored[i]`, whose type is dtype.
  void check(const void* stored, AuxType dtype, const std::vector<double>& values) {
    DeviceArray<float> floats(registry_, values.size());
    DeviceArray<long long> integers(registry_, values.size());
    DeviceArray<bool> booleans(registry_, values.size());
    const long long count = static_cast<long long>(values.size());
    FL_EXPECT_RUNS(launch(aux_kernel<32>, 1, 32, 0, nullptr,
                          {{stored, dtype}, count, floats.data(), integers.data(), booleans.data()}));
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(floats[i], static_cast<float>(values[i]));
      EXPECT_EQ(integers[i], static_cast<long long>(values[i]));
      EXPECT_EQ(booleans[i], values[i] != 0);
    }
  }
  template <class T> void check_plain(const std::vector<double>& values) {
    DeviceArray<T> stored(registry_, values.size());
    for (std::size_t i = 0; i < values.size(); ++i) stored[i] = static_cast<T>(values[i]);
    check(stored.data(), aux_type<T>(), values);
  }
  template <class T> void check_half(AuxType dtype) {
    const std::vector<double> values{0, 1, -2.5, 100};
    DeviceArray<T> stored(registry_, values.size());
    for (std::size_t i = 0; i < values.size(); ++i) stored[i] = from_float<T>(static_cast<float>(values[i]));
    check(stored.data(), dtype, values);
  }
};

TEST_F(AuxTest, EveryType) {
  check_half<float16>(kAuxFloat16);
  check_half<bfloat16>(kAuxBFloat16);
  check_plain<float>({0, 1, -2.5, 1e6});
  check_plain<double>({0, 1, -2.5, 1e12});
  check_plain<signed char>({0, 1, -128, 127});
  check_plain<unsigned char>({0, 1, 128, 255});
  check_plain<int>({0, 1, -2000000000, 2000000000});
  check_plain<long long>({0, 1, -4e12, 4e12});
  check_plain<bool>({0, 1, 1, 0});
}

}  // namespace
}  // namespace flashlight::test
