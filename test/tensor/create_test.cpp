// SPDX-License-Identifier: Apache-2.0
// Tensors from numbers and from the random generator; printing; comparison.
#include <flashlight/flashlight.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>
#include <vector>

namespace flashlight {
namespace {

// The dots stand for leading dims, as many as there are, which broadcast.
TEST(Einsum, TakesLeadingDimsByDots) {
  Tensor q = randn({2, 3, 4, 5}, 1), k = randn({3, 6, 5}, 2);
  EXPECT_EQ(max_abs_diff(einsum("...id,...jd->...ij", {q, k}), matmul(q, k.mT())), 0);
  EXPECT_EQ(max_abs_diff(einsum("...id,jd", {q, k.select(0, 1)}), matmul(q, k.select(0, 1).mT())), 0);
  EXPECT_EQ(einsum("...d->d...", {q}).sizes(), Sizes({5, 2, 3, 4}));
  EXPECT_THROW(einsum("...ijdx,jd->...ij", {k, k}), Error);
}

TEST(Create, TensorTakesListsAndContainers) {
  EXPECT_EQ(tensor({1, 2, 3}).dtype(), kInt64);
  EXPECT_EQ(tensor({1.0, 2.0}).dtype(), kFloat32);
  EXPECT_EQ(tensor({1, 2.5}).dtype(), kFloat32);
  EXPECT_EQ(tensor({true, false}).dtype(), kBool);
  EXPECT_EQ(tensor({1, 2}, kBFloat16).dtype(), kBFloat16);
  EXPECT_EQ(tensor(7).sizes(), Sizes{});
  EXPECT_EQ(tensor({5}).sizes(), Sizes{1});
  EXPECT_EQ(tensor({{1, 2, 3}, {4, 5, 6}}).sizes(), (Sizes{2, 3}));
  EXPECT_EQ(tensor({{1, 2}}).sizes(), (Sizes{1, 2}));
  EXPECT_EQ(tensor({{{1}, {2}}, {{3}, {4}}}).sizes(), (Sizes{2, 2, 1}));
  EXPECT_EQ(tensor({{1, 2, 3}, {4, 5, 6}}).select(0, 1).select(0, 2).item<int>(), 6);
  EXPECT_EQ(tensor(std::vector<float>{1, 2.5f}).select(0, 1).item<float>(), 2.5f);
  EXPECT_EQ(tensor(std::vector<int>{1, 2}).dtype(), kInt64);
  EXPECT_EQ(tensor({9007199254740993, 1}).select(0, 0).item<std::int64_t>(), 9007199254740993);
}

TEST(Create, RandomValuesAreFixed) {
  // Constants on purpose: a change of the generator would silently change every seeded test.
  const Tensor x = randn({4}, 42), u = rand({3}, 42), i = randint(-5, 5, {6}, 42);
  std::ostringstream text;
  text << x << u << i;
  EXPECT_EQ(text.str(),
            "[-0.833844, -1.15422, 0.300719, 0.0341861]  (float32 [4])"
            "[0.697736, 0.343292, 0.955747]  (float32 [3])[1, -2, 4, -1, -5, 1]  (int64 [6])");
  EXPECT_EQ(max_abs_diff(randn({2, 50}, 9).view(-1), randn({100}, 9)), 0);
  EXPECT_GT(max_abs_diff(randn({100}, 9), randn({100}, 10)), 0.1);
}

TEST(Create, NarrowDrawsAreRoundedWideDraws) {
  for (DType dtype : {kFloat16, kBFloat16, kFloat32}) {
    EXPECT_EQ(max_abs_diff(randn({1000}, 1, dtype), randn({1000}, 1, kFloat64).to(dtype)), 0);
    EXPECT_EQ(max_abs_diff(rand({1000}, 1, dtype), rand({1000}, 1, kFloat64).to(dtype)), 0);
  }
  EXPECT_EQ(max_abs_diff(randn({1000}, 1, kFloat64).to(kFloat32), randn({1000}, 1, kFloat64)), 0);
}

TEST(Create, RandomValuesAreDistributedAsTheySay) {
  const Tensor x = randn({100000}, 5, kFloat64), u = rand({100000}, 6, kFloat64);
  EXPECT_NEAR(x.mean().item<double>(), 0, 0.015);
  EXPECT_NEAR(x.var().item<double>(), 1, 0.02);
  EXPECT_NEAR(x.pow(4).mean().item<double>(), 3, 0.15);
  EXPECT_NEAR((x.slice(0, 1) * x.slice(0, 0, -1)).mean().item<double>(), 0, 0.015);
  EXPECT_NEAR(u.mean().item<double>(), 0.5, 0.005);
  EXPECT_GE(u.amin().item<double>(), 0);
  EXPECT_LT(u.amax().item<double>(), 1);
  const Tensor i = randint(-2, 3, {10000}, 7);
  for (int value = -2; value < 3; ++value) EXPECT_NEAR((i == value).sum().item<int>(), 2000, 200);
}

TEST(Create, PrintsNestedAndShortened) {
  std::ostringstream text;
  text << tensor({{1, 2}, {3, 4}}) << "\n"
       << tensor({0.5, -INFINITY, NAN}) << "\n"
       << tensor(true) << "\n"
       << Tensor();
  EXPECT_EQ(text.str(),
            "[[1, 2],\n [3, 4]]  (int64 [2, 2])\n[0.5, -inf, nan]  (float32 [3])\ntrue  (bool [])\nundefined "
            "tensor");
  text.str("");
  text << arange(2000) << zeros({2}, kInt32, kCUDA);
  EXPECT_EQ(text.str(), "[0, 1, 2, ..., 1997, 1998, 1999]  (int64 [2000])[0, 0]  (int32 [2] cuda)");
}

TEST(Create, ComparesTensors) {
  const Tensor x = tensor({1.0, INFINITY, NAN});
  EXPECT_FALSE(allclose(x, x));
  EXPECT_TRUE(allclose(x, x, 1e-5, 1e-8, true));
  EXPECT_EQ(max_abs_diff(x, x), 0);
  EXPECT_TRUE(std::isnan(max_abs_diff(x, tensor({1.0, INFINITY, 0.0}))));
  EXPECT_EQ(max_abs_diff(tensor({1.0, INFINITY}), tensor({1.0, -INFINITY})), INFINITY);
  EXPECT_TRUE(allclose(tensor({1.0, 2.0}), tensor({1.0, 2.00001})));
  EXPECT_FALSE(allclose(tensor({1.0, 2.0}), tensor({1.0, 2.001})));
  EXPECT_FALSE(allclose(tensor({INFINITY}), tensor({1.0})));
}

TEST(Create, PromotionWithoutInt16) {
  // PyTorch gives int16, which the DSL lacks.
  EXPECT_EQ((ones({2}, kInt8) + ones({2}, kUInt8)).dtype(), kInt32);
}

TEST(Create, MatmulAndEinsumPromoteFloats) {
  const Tensor h = randn({3, 4}, 1, kFloat16), f = randn({4, 5}, 2), b = randn({4, 5}, 3, kBFloat16);
  EXPECT_EQ(matmul(h, f).dtype(), kFloat32);
  EXPECT_EQ(matmul(h, b).dtype(), kFloat32);
  EXPECT_EQ(max_abs_diff(matmul(h, f), matmul(h.to(kFloat32), f)), 0);
  EXPECT_EQ(einsum("ij,jk->ik", {h, f.to(kFloat64)}).dtype(), kFloat64);
}

}  // namespace
}  // namespace flashlight
