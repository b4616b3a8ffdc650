// SPDX-License-Identifier: Apache-2.0
// Warp products against plain loops: exact on small integers for every shape, and within float32's error on
// random values.
#include <cmath>

#include "kernels.h"
#include "support.h"

namespace flashlight::test {
namespace {

template <class T> class ProductTest : public DeviceTest {
 protected:
  struct Operands {
    Operands(Registry& registry, int m, int k, int b_rows, int b_cols, int n)
        : a(registry, static_cast<std::size_t>(m * k)),
          b(registry, static_cast<std::size_t>(b_rows * b_cols)),
          p(registry, static_cast<std::size_t>(m * k)),
          c(registry, static_cast<std::size_t>(m * n)) {
      fill_integers(a, 1);
      fill_integers(b, 2);
      fill_integers(c, 3);
      for (std::size_t i = 0; i < a.size(); ++i) p[i] = to_float(a[i]);
    }
    ProductParams params(int offset) { return {a.data(), b.data(), p.data(), c.data(), 0, offset}; }
    DeviceArray<T> a, b;
    DeviceArray<float> p, c;
  };

  // c[m][n] must have become c + a[m][k] right(k, n).
  template <class Right> static void expect_product(Operands& o, const std::vector<float>& before, int m,
                                                    int n, int k, Right right) {
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < n; ++j) {
        double sum = before[static_cast<std::size_t>(i * n + j)];
        for (int x = 0; x < k; ++x)
          sum += static_cast<double>(to_float(o.a[static_cast<std::size_t>(i * k + x)])) * right(x, j);
        ASSERT_EQ(static_cast<double>(o.c[static_cast<std::size_t>(i * n + j)]), sum)
            << "at " << i << ", " << j;
      }
    }
  }
  static std::vector<float> copy(DeviceArray<float>& c) { return {c.data(), c.data() + c.size()}; }

  template <int MI, int N, int NB, int D> void transposed(int offset) {
    SCOPED_TRACE("transposed MI " + std::to_string(MI) + " N " + std::to_string(N) + " D " +
                 std::to_string(D));
    Operands o(registry_, 32 * MI, D, NB, D, N);
    const std::vector<float> before = copy(o.c);
    constexpr int bytes = SharedTile<T, 32 * MI, D>::bytes + SharedTile<T, NB, D>::bytes;
    FL_EXPECT_RUNS((launch(transposed_kernel<T, MI, N, NB, D>, 1, 64, bytes, nullptr, o.params(offset))));
    expect_product(o, before, 32 * MI, N, D, [&](int x, int j) {
      return to_float(o.b[static_cast<std::size_t>((offset + j) * D + x)]);
    });
  }

  template <int MI, int N, int C, int DV> void registers(int offset) {
    SCOPED_TRACE("registers MI " + std::to_string(MI) + " N " + std::to_string(N) + " DV " +
                 std::to_string(DV));
    Operands o(registry_, 32 * MI, N, N, C, DV);
    const std::vector<float> before = copy(o.c);
    FL_EXPECT_RUNS((launch(register_kernel<T, MI, N, C, DV>, 1, 64, SharedTile<T, N, C>::bytes, nullptr,
                           o.params(offset))));
    expect_product(o, before, 32 * MI, DV, N,
                   [&](int x, int j) { return to_float(o.b[static_cast<std::size_t>(x * C + offset + j)]); });
  }

  template <int MI, int K, int C, int DV> void tiles(int offset) {
    SCOPED_TRACE("tiles MI " + std::to_string(MI) + " K " + std::to_string(K) + " DV " + std::to_string(DV));
    Operands o(registry_, 32 * MI, K, K, C, DV);
    const std::vector<float> before = copy(o.c);
    constexpr int bytes = SharedTile<T, 32 * MI, K>::bytes + SharedTile<T, K, C>::bytes;
    FL_EXPECT_RUNS((launch(tiles_kernel<T, MI, K, C, DV>, 1, 64, bytes, nullptr, o.params(offset))));
    expect_product(o, before, 32 * MI, DV, K,
                   [&](int x, int j) { return to_float(o.b[static_cast<std::size_t>(x * C + offset + j)]); });
  }

  template <int D> void all_of_width() {
    transposed<1, 64, 64, D>(0);
    transposed<2, 32, 32, D>(0);
    registers<1, 32, D, D>(0);
    registers<2, 64, D, D>(0);
    tiles<1, 64, D, D>(0);
    tiles<2, 32, D, D>(0);
  }
};
using Types = testing::Types<bfloat16, float16, float>;
TYPED_TEST_SUITE(ProductTest, Types);

TYPED_TEST(ProductTest, Width32) { this->template all_of_width<32>(); }
TYPED_TEST(ProductTest, Width64) { this->template all_of_width<64>(); }
TYPED_TEST(ProductTest, Width96) { this->template all_of_width<96>(); }
TYPED_TEST(ProductTest, Width128) { this->template all_of_width<128>(); }
TYPED_TEST(ProductTest, Width192) { this->template all_of_width<192>(); }
TYPED_TEST(ProductTest, Width256) { this->template all_of_width<256>(); }

TYPED_TEST(ProductTest, PartsAndOddBlocks) {
  this->template transposed<2, 24, 64, 64>(16);
  this->template transposed<1, 8, 16, 32>(8);
  this->template registers<1, 32, 128, 64>(64);
  this->template registers<2, 16, 64, 40>(0);
  this->template tiles<1, 32, 128, 64>(64);
  this->template tiles<2, 32, 64, 8>(0);
}

// P is rounded to the storage type, once, to nearest even.
TYPED_TEST(ProductTest, RoundsTheRegisterOperand) {
  using T = TypeParam;
  typename ProductTest<T>::Operands o(this->registry_, 32, 32, 32, 32, 32);
  fill_normal(o.p, 5);
  for (std::size_t i = 0; i < o.p.size(); ++i) o.a[i] = from_float<T>(o.p[i]);
  for (std::size_t i = 0; i < o.b.size(); ++i) o.b[i] = from_float<T>(i % 33 == 0 ? 1.0f : 0.0f);  // identity
  for (std::size_t i = 0; i < o.c.size(); ++i) o.c[i] = 0;
  FL_EXPECT_RUNS(
      (launch(register_kernel<T, 1, 32, 32, 32>, 1, 64, SharedTile<T, 32, 32>::bytes, nullptr, o.params(0))));
  for (std::size_t i = 0; i < o.c.size(); ++i) {
    if (is_half_width<T>) {
      ASSERT_EQ(o.c[i], to_float(o.a[i]));
    } else {
      ASSERT_NEAR(o.c[i], o.p[i], std::fabs(o.p[i]) * 0x1p-21);
    }
  }
}

using FloatProductTest = ProductTest<float>;

TEST_F(FloatProductTest, ThreeTf32IsAsGoodAsFloat32) {
  constexpr int m = 32, n = 64, d = 128;
  Operands o(registry_, m, d, n, d, n);
  fill_normal(o.a, 11);
  fill_normal(o.b, 12);
  for (std::size_t i = 0; i < o.c.size(); ++i) o.c[i] = 0;
  constexpr int bytes = SharedTile<float, m, d>::bytes + SharedTile<float, n, d>::bytes;
  FL_EXPECT_RUNS((launch(transposed_kernel<float, 1, n, n, d>, 1, 64, bytes, nullptr, o.params(0))));
  double worst = 0;
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      double sum = 0, size = 0;
      for (int x = 0; x < d; ++x) {
        const double term = static_cast<double>(o.a[static_cast<std::size_t>(i * d + x)]) *
                            o.b[static_cast<std::size_t>(j * d + x)];
        sum += term;
        size += std::fabs(term);
      }
      worst = std::max(worst, std::fabs(sum - o.c[static_cast<std::size_t>(i * n + j)]) / size);
    }
  }
  EXPECT_LT(worst, 0x1p-21);  // plain TF32 is at 2^-12
}

}  // namespace
}  // namespace flashlight::test
