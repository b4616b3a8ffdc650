// SPDX-License-Identifier: Apache-2.0
// Computed operands and results on the emulated device, against the program run in float64: sizes that fit no
// tile, a padded head dim.
#include "operands.h"

#include <gtest/gtest.h>

namespace {

using namespace flashlight;

struct Sizes4 {
  std::int64_t sq, sk, d;
};
constexpr Sizes4 kSizes[] = {{1, 1, 64}, {17, 70, 40}, {130, 65, 64}};

struct Inputs {
  Tensor q, k, v, weight, bias, q_points, k_points;
  explicit Inputs(const Sizes4& s)
      : q(randn({1, 2, s.sq, s.d}, 1)),
        k(randn({1, 2, s.sk, s.d}, 2)),
        v(randn({1, 2, s.sk, s.d}, 3)),
        weight(randn({s.d}, 4)),
        bias(randn({s.d}, 5)),
        q_points(randn({1, 2, s.sq, 4, 3}, 6)),
        k_points(randn({1, 2, s.sk, 4, 3}, 7)) {}
};

// `run(f)` calls the program with f of each input.
template <class Run> void agree(const Run& run, double tolerance) {
  for (const Sizes4& s : kSizes) {
    const Inputs inputs(s);
    const Tensor wanted = run(inputs, [](const Tensor& x) { return x.to(kFloat16).to(kFloat64); });
    const Tensor got = run(inputs, [](const Tensor& x) { return x.to(kFloat16).to(kCUDA); });
    ASSERT_EQ(got.device(), kCUDA);
    EXPECT_LE(max_abs_diff(got.to(kCPU).to(kFloat64), wanted), tolerance)
        << s.sq << " x " << s.sk << ", " << s.d;
  }
}

TEST(Operands, LayerNorms) {
  agree([](const Inputs& x, auto f) { return layer_norms(f(x.q), f(x.k), f(x.v), f(x.weight), f(x.bias)); },
        0.02);
}
TEST(Operands, Distances) {
  agree([](const Inputs& x, auto f) { return distances(f(x.q), f(x.k), f(x.v)); }, 0.01);
}
TEST(Operands, CentredValues) {
  agree([](const Inputs& x, auto f) { return centred_values(f(x.q), f(x.k), f(x.v)); }, 0.01);
}
TEST(Operands, AllComputed) {
  agree([](const Inputs& x, auto f) { return all_computed(f(x.q), f(x.k), f(x.v)); }, 0.02);
}
TEST(Operands, SumsOverTwoAxes) {
  agree([](const Inputs& x, auto f) { return points(f(x.q), f(x.k), f(x.v), f(x.q_points), f(x.k_points)); },
        0.02);
}
TEST(Operands, ALayerNormOfTheResult) {
  agree([](const Inputs& x, auto f) { return normalised(f(x.q), f(x.k), f(x.v)); }, 0.05);
}

}  // namespace
