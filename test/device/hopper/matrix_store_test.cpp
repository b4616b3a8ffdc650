// SPDX-License-Identifier: Apache-2.0
// stmatrix: accumulators in tiles.
#include "flashlight/device/hopper/matrix_store.h"

#include "../support.h"
#include "kernels.h"

namespace flashlight::test {
namespace {

template <class T> class MatrixStoreTest : public DeviceTest {
 protected:
  template <int N> void check() {
    DeviceArray<float> out(registry_, 64 * N);
    FL_EXPECT_RUNS((launch(matrices_kernel<T, N>, 1, kWarpgroupSize, SharedTile<T, 64, N>::bytes, nullptr,
                           {{}, out.data(), 0}, "matrices")));
    for (int row = 0; row < 64; ++row) {
      for (int col = 0; col < N; ++col)
        ASSERT_EQ(out[static_cast<std::size_t>(row * N + col)],
                  to_float(from_float<T>(4.0f * row + 0.25f * col)));
    }
  }
};

using Types = testing::Types<bfloat16, float16>;
TYPED_TEST_SUITE(MatrixStoreTest, Types);

TYPED_TEST(MatrixStoreTest, EveryValueHasItsPlace) {
  this->template check<16>();
  this->template check<48>();
  this->template check<96>();
  this->template check<64>();
  this->template check<256>();
}

}  // namespace
}  // namespace flashlight::test
