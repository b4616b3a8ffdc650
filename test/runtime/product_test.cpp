// SPDX-License-Identifier: Apache-2.0
// How products of strided tensors come down to a library's calls: which axes become one, what is packed, what
// is looped over; and that the calls compute the product.
#include "flashlight/generated/product.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>

namespace flashlight::generated {
namespace {

using Floats = std::vector<float>;

Floats random_floats(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> number(-4, 4);  // sums of which are exact
  Floats x(count);
  for (float& value : x) value = static_cast<float>(number(random));
  return x;
}

struct Memory {
  std::vector<std::unique_ptr<char[]>> pieces;
  std::size_t bytes = 0;
};

void* reserve(void* context, std::size_t bytes) {
  auto& memory = *static_cast<Memory*>(context);
  memory.bytes += bytes;
  memory.pieces.push_back(std::make_unique<char[]>(bytes + 1));
  return memory.pieces.back().get();
}

void copy(const Packing& p) {
  for (long long at = 0; at < p.elements; ++at) {
    long long rest = at, from = 0, to = 0;
    for (int k = p.axes; k-- > 0;) {
      from += rest % p.size[k] * p.source_stride[k];
      to += rest % p.size[k] * p.target_stride[k];
      rest /= p.size[k];
    }
    static_cast<float*>(p.target)[to] = static_cast<const float*>(p.source)[from];
  }
}

struct Made {
  Product product;
  std::size_t reserved;
};

// Runs the product on random numbers and compares with its definition.
Made make(const std::vector<ProductAxis>& axes) {
  const auto extent = [&](long long ProductAxis::* step) {
    long long last = 0;
    for (const ProductAxis& axis : axes) last += (axis.size - 1) * axis.*step;
    return static_cast<std::size_t>(last + 1);
  };
  Floats a = random_floats(extent(&ProductAxis::a), 1), b = random_floats(extent(&ProductAxis::b), 2);
  Floats c(extent(&ProductAxis::c), 99.0f), wanted = c;
  std::vector<long long> at(axes.size(), 0);
  std::vector<bool> started(c.size(), false);
  for (bool more = true; more;) {
    long long ia = 0, ib = 0, ic = 0;
    for (std::size_t k = 0; k < axes.size(); ++k)
      ia += at[k] * axes[k].a, ib += at[k] * axes[k].b, ic += at[k] * axes[k].c;
    const auto to = static_cast<std::size_t>(ic);
    if (!started[to]) wanted[to] = 0;
    started[to] = true;
    wanted[to] += a[static_cast<std::size_t>(ia)] * b[static_cast<std::size_t>(ib)];
    more = false;
    for (std::size_t k = axes.size(); k-- > 0 && !more;) {
      more = ++at[k] < axes[k].size;
      if (!more) at[k] = 0;
    }
  }
  Memory memory;
  const Product product = plan_product(axes, {c.data(), DType::kFloat32}, {a.data(), DType::kFloat32},
                                       {b.data(), DType::kFloat32}, DType::kFloat32, reserve, &memory);
  for (const Packing& packing : product.packings) copy(packing);
  for (const Gemm& gemm : product.calls) multiply_on_host(gemm);
  for (const Packing& packing : product.unpackings) copy(packing);
  EXPECT_EQ(c, wanted);
  return {product, memory.bytes};
}

TEST(PlanProduct, RowsOfABatchAgainstOneWeightAreOneCall) {  // [B, S, E] x [E, N]
  const Made made = make({{2, 35, 15, 0}, {5, 7, 3, 0}, {7, 1, 0, 1}, {3, 0, 1, 7}});
  ASSERT_EQ(made.product.calls.size(), 1u);
  EXPECT_EQ(made.product.calls[0].m, 10);
  EXPECT_EQ(made.product.calls[0].batch, 1);
  EXPECT_EQ(made.reserved, 0u);
}

TEST(PlanProduct, WeightsOfABatchAreABatch) {
  const Made made = make({{2, 35, 15, 21}, {5, 7, 3, 0}, {7, 1, 0, 1}, {3, 0, 1, 7}});
  ASSERT_EQ(made.product.calls.size(), 1u);
  EXPECT_EQ(made.product.calls[0].batch, 2);
}

TEST(PlanProduct, HeadsAndTheirColumnsAreOneSummedAxis) {  // [S, H, D] x [H D, N]
  const Made made = make({{5, 4, 6, 0}, {4, 1, 0, 1}, {2, 0, 3, 12}, {3, 0, 1, 4}});
  ASSERT_EQ(made.product.calls.size(), 1u);
  EXPECT_EQ(made.product.calls[0].k, 6);
  EXPECT_EQ(made.reserved, 0u);
}

TEST(PlanProduct, TransposedOperandsAreAddressedAsTheyLie) {  // [E, S] x [N, E] -> [N, S]
  const Made made = make({{5, 1, 1, 0}, {7, 5, 0, 3}, {3, 0, 5, 1}});
  EXPECT_EQ(made.product.calls.size(), 1u);
  EXPECT_EQ(made.reserved, 0u);
}

TEST(PlanProduct, WhatHasNoUnitStrideIsPacked) {
  const Made made = make({{5, 7, 8, 0}, {7, 1, 0, 2}, {3, 0, 2, 14}});
  EXPECT_EQ(made.product.packings.size(), 2u);
  EXPECT_EQ(made.product.calls.size(), 1u);
  EXPECT_EQ(made.reserved, (5 * 3 + 7 * 3) * sizeof(float));
}

TEST(PlanProduct, HeadsThatDoNotLieAsOneArePacked) {  // [H, S, D]: h and d are apart
  const Made made = make({{5, 4, 3, 0}, {4, 1, 0, 1}, {2, 0, 15, 12}, {3, 0, 1, 4}});
  EXPECT_EQ(made.product.calls.size(), 1u);
  EXPECT_EQ(made.product.packings.size(), 1u);
}

TEST(PlanProduct, AResultWithoutUnitStrideIsCopied) {
  const Made made = make({{5, 14, 3, 0}, {7, 2, 0, 1}, {3, 0, 1, 7}});
  EXPECT_EQ(made.product.unpackings.size(), 1u);
}

TEST(PlanProduct, RowsThatDoNotLieAsOneAreLoopedOver) {  // [B, S] with a gap behind each batch element
  const Made made = make({{2, 35, 20, 0}, {5, 7, 3, 0}, {7, 1, 0, 1}, {3, 0, 1, 7}});
  EXPECT_EQ(made.product.calls.size(), 2u);
}

TEST(PlanProduct, TwoBatchAxesThatDoNotLieAsOne) {  // [B, H, S, D] x [H, D, N]
  make({{2, 84, 60, 0}, {2, 28, 30, 21}, {4, 7, 3, 0}, {7, 1, 0, 1}, {3, 0, 1, 7}});
}

TEST(PlanProduct, BroadcastAlongWhatIsSummed) { make({{5, 7, 1, 0}, {7, 1, 0, 1}, {3, 0, 0, 7}}); }

TEST(PlanProduct, SizesOfOne) {
  make({{1, 1, 1, 0}, {1, 1, 0, 1}, {3, 0, 1, 1}});
  make({{5, 1, 3, 0}, {1, 1, 0, 1}, {3, 0, 1, 1}});
  make({{1, 7, 3, 0}, {7, 1, 0, 1}, {1, 0, 1, 7}});
  make({{1, 7, 9, 0}, {7, 2, 0, 3}, {1, 0, 2, 5}});
}

TEST(PlanProduct, EmptySumsAreZero) {
  Floats a(1), b(1), c(6, 99.0f);
  Memory memory;
  const Product product = plan_product({{2, 3, 1, 0}, {3, 1, 0, 1}, {0, 0, 1, 3}},
                                       {c.data(), DType::kFloat32}, {a.data(), DType::kFloat32},
                                       {b.data(), DType::kFloat32}, DType::kFloat32, reserve, &memory);
  for (const Gemm& gemm : product.calls) multiply_on_host(gemm);
  EXPECT_EQ(c, Floats(6, 0.0f));
}

TEST(PlanProduct, NothingIsMadeOfNoRows) {
  Memory memory;
  EXPECT_TRUE(
      plan_product({{0, 3, 1, 0}, {3, 1, 0, 1}, {4, 0, 1, 3}}, {}, {}, {}, DType::kFloat16, reserve, &memory)
          .calls.empty());
}

TEST(PlanProduct, OperandsOfAnotherTypeAreConverted) {
  Floats a(15), c(35);
  std::vector<std::uint16_t> b(21);
  Memory memory;
  const Product product = plan_product({{5, 7, 3, 0}, {7, 1, 0, 1}, {3, 0, 1, 7}},
                                       {c.data(), DType::kFloat32}, {a.data(), DType::kFloat32},
                                       {b.data(), DType::kBFloat16}, DType::kFloat32, reserve, &memory);
  ASSERT_EQ(product.packings.size(), 1u);
  EXPECT_EQ(product.packings[0].from, DType::kBFloat16);
  EXPECT_EQ(product.packings[0].elements, 21);
}

}  // namespace
}  // namespace flashlight::generated
