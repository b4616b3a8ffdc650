// SPDX-License-Identifier: Apache-2.0
// The programs of api_program.cpp do what their mathematics says.
#include "api_program.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace flashlight {
namespace {

// Causal attention by plain loops in double.
Tensor causal_by_loops(const Tensor& q, const Tensor& k, const Tensor& v) {
  const std::int64_t heads = q.size(0) * q.size(1), rows = q.size(2), width = q.size(3);
  const Tensor result = empty(q.sizes(), kFloat64);
  for (std::int64_t h = 0; h < heads; ++h)
    for (std::int64_t i = 0; i < rows; ++i) {
      const auto at = [&](const Tensor& x, std::int64_t row) {
        return x.data<double>() + (h * rows + row) * width;
      };
      std::vector<double> p;
      double total = 0;
      for (std::int64_t j = 0; j <= i; ++j) {
        double s = 0;
        for (std::int64_t d = 0; d < width; ++d) s += at(q, i)[d] * at(k, j)[d];
        p.push_back(std::exp(s / std::sqrt(double(width))));
        total += p.back();
      }
      for (std::int64_t d = 0; d < width; ++d) {
        at(result, i)[d] = 0;
        for (std::int64_t j = 0; j <= i; ++j)
          at(result, i)[d] += p[static_cast<std::size_t>(j)] / total * at(v, j)[d];
      }
    }
  return result;
}

TEST(Api, CausalAttentionInThreeSpellings) {
  for (DType dtype : {kFloat64, kFloat32, kFloat16, kBFloat16}) {
    const Tensor q = randn({2, 3, 7, 8}, 1, dtype), k = randn({2, 3, 7, 8}, 2, dtype),
                 v = randn({2, 3, 7, 8}, 3, dtype);
    const Tensor expected = causal_by_loops(q.to(kFloat64), k.to(kFloat64), v.to(kFloat64));
    const double tolerance = dtype == kFloat64   ? 1e-14
                             : dtype == kFloat32 ? 1e-6
                             : dtype == kFloat16 ? 5e-3
                                                 : 4e-2;
    for (const Tensor& result : {causal_attention(q, k, v), causal_flex(q, k, v), causal_sdpa(q, k, v)}) {
      EXPECT_EQ(result.dtype(), dtype);
      EXPECT_LT(max_abs_diff(result, expected), tolerance) << name_of(dtype);
    }
  }
}

TEST(Api, FullyMaskedRowsAreNaN) {
  const Tensor q = randn({1, 1, 2, 4}, 1);
  const Tensor mask = tensor({{false, false}, {true, false}});
  const Tensor out = scaled_dot_product_attention(q, q, q, {.mask = mask});
  EXPECT_TRUE(all(isnan(out.select(2, 0))).item<bool>());
  EXPECT_EQ(max_abs_diff(out.select(2, 1), q.select(2, 0)), 0);
}

TEST(Api, RotationKeepsLengths) {
  const Tensor x = randn({5, 8}, 1, kFloat64), angle = arange(5).unsqueeze(-1) * 0.3;
  const Tensor turned = rotate(x, angle.to(kFloat64));
  EXPECT_LT(max_abs_diff(turned.square().sum(-1), x.square().sum(-1)), 1e-14);
  EXPECT_LT(max_abs_diff(rotate(turned, -angle.to(kFloat64)), x), 1e-14);
}

TEST(Api, ContainersConvertBothWays) { EXPECT_EQ(containers(ones({2, 6})), "21.0000002.500000empty61"); }

TEST(Api, OptionsAndTemplates) {
  const Tensor p = with_bias(randn({1, 2, 4, 8}, 5));
  EXPECT_EQ(p.sizes(), (Sizes{1, 2, 4, 5}));
  EXPECT_TRUE(((p == 0) | (p > 0.1)).all().item<bool>());
}

}  // namespace
}  // namespace flashlight
