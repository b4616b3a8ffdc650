// SPDX-License-Identifier: Apache-2.0
// Views share storage; copies do not; in-place operators write through views.
#include <flashlight/flashlight.h>
#include <gtest/gtest.h>

#include <vector>

namespace flashlight {
namespace {

std::vector<std::int64_t> values(const Tensor& x) {
  std::vector<std::int64_t> all;
  const Tensor flat = x.reshape(-1);
  for (std::int64_t i = 0; i < flat.numel(); ++i) all.push_back(flat.select(0, i).item<std::int64_t>());
  return all;
}

using Values = std::vector<std::int64_t>;

TEST(View, ViewsShareStorageBothWays) {
  const Tensor x = zeros({2, 3, 4}, kInt64);
  std::int64_t* data = x.data<std::int64_t>();
  const Tensor views[] = {x.transpose(0, 2),   x.permute({1, 0, 2}),
                          x.view({6, 4}),      x.reshape({3, 8}),
                          x.unsqueeze(1),      x.narrow(1, 0, 2),
                          x.slice(2, 0, 4, 2), x.select(0, 0),
                          x.flatten(),         x.expand({5, 2, 3, 4}),
                          x.chunk(2, 2)[0],    x.split(1, 0)[0],
                          x.movedim(0, 2),     x.mT(),
                          x.contiguous(),      x.to(kInt64),
                          x.to(kCPU),          x.unflatten(2, {2, 2}),
                          x.squeeze()};
  for (const Tensor& view : views) {
    EXPECT_EQ(view.data<std::int64_t>(), data);
    data[0] += 1;
    EXPECT_EQ(view.reshape(-1).select(0, 0).item<std::int64_t>(), data[0]);
  }
  Tensor corner = x.select(0, 1).narrow(0, 1, 2).slice(1, 1, 3);
  corner += 7;
  EXPECT_EQ(values(x.select(0, 1)), (Values{0, 0, 0, 0, 0, 7, 7, 0, 0, 7, 7, 0}));
}

TEST(View, CopiesDoNotShare) {
  const Tensor x = arange(6).view({2, 3});
  for (const Tensor& copy : {x.clone(), x.mT().contiguous(), x.to(kInt32), x.mT().reshape(-1),
                             x.repeat({1, 1}), x.index({tensor({0, 1})})})
    EXPECT_NE(copy.raw(), x.raw());
}

TEST(View, StorageLivesAsLongAsAView) {
  Tensor row;
  {
    const Tensor x = arange(12).view({3, 4});
    row = x.select(0, 2);
  }
  EXPECT_EQ(values(row), (Values{8, 9, 10, 11}));
}

TEST(View, InPlaceReachesEveryHandle) {
  Tensor x = arange(4);
  const Tensor same = x;
  x += 1;
  x *= x;
  x -= tensor({1, 1, 1, 1});
  EXPECT_EQ(values(same), (Values{0, 3, 8, 15}));
  Tensor y = tensor({1.0, 4.0});
  y /= 2;
  EXPECT_EQ(y.select(0, 1).item<float>(), 2.0f);
}

TEST(View, InPlaceReadsTheOldValuesOfOverlappingViews) {
  Tensor x = arange(9).view({3, 3});
  x += x.mT();
  EXPECT_EQ(values(x), (Values{0, 4, 8, 4, 8, 12, 8, 12, 16}));
  Tensor y = arange(5), tail = y.slice(0, 1);
  tail += y.slice(0, 0, 4);
  EXPECT_EQ(values(y), (Values{0, 1, 3, 5, 7}));
  // Larger than what is read at a time.
  Tensor large = arange(2500).view({50, 50});
  const Tensor expected = large + large.mT();
  large += large.mT();
  EXPECT_EQ(max_abs_diff(large, expected), 0);
}

TEST(View, InPlaceKeepsTheDType) {
  Tensor x = ones({2}, kFloat16);
  x += tensor({0.5, 1.5});
  EXPECT_EQ(x.dtype(), kFloat16);
  EXPECT_EQ(x.select(0, 1).item<float>(), 2.5f);
  Tensor i = ones({2}, kInt32);
  EXPECT_THROW(i += 0.5, Error);
  EXPECT_THROW(i /= 2, Error);
}

TEST(View, StructuredBindings) {
  const Tensor x = arange(12).view({2, 6});
  auto [a, b, c] = x.chunk<3>(-1);
  EXPECT_EQ(values(b), (Values{2, 3, 8, 9}));
  EXPECT_EQ(a.raw(), x.raw());
  auto [d, e] = x.split<2>({1, 5}, 1);
  EXPECT_EQ(values(e.select(0, 0)), (Values{1, 2, 3, 4, 5}));
  const auto [f, g] = x.split<2>(4, 1);
  EXPECT_EQ(g.size(1), 2);
  EXPECT_THROW(x.chunk<5>(1), Error);
  auto [top, at] = tensor({3, 9, 5}).topk(2);
  EXPECT_EQ(values(top), (Values{9, 5}));
  EXPECT_EQ(values(at), (Values{1, 2}));
  EXPECT_EQ(d.numel() + f.numel() + c.numel(), 2 + 8 + 4);
  int pieces = 0;
  for (const Tensor& piece : x.chunk(3, 1)) pieces += static_cast<int>(piece.size(1));
  EXPECT_EQ(pieces, 6);
}

TEST(View, EmptyViewsAreHarmless) {
  const Tensor x = arange(6).view({2, 3});
  const Tensor nothing = x.slice(1, 3);
  EXPECT_EQ(nothing.sizes(), (Sizes{2, 0}));
  EXPECT_EQ(nothing.sum().item<std::int64_t>(), 0);
  EXPECT_EQ((nothing + 1).numel(), 0);
  EXPECT_EQ(cat({x, nothing}, 1).sizes(), (Sizes{2, 3}));
  EXPECT_EQ(matmul(zeros({2, 0}), zeros({0, 3})).sum().item<float>(), 0.0f);
}

}  // namespace
}  // namespace flashlight
