// SPDX-License-Identifier: Apache-2.0
// What a fused function makes of arguments whose types, ranks and contents are unusual: the eager program's
// result, or an error. The emulated device turns a stray read into an error of its own, which no test here
// takes for the right one.
#include "arguments.h"

#include <gtest/gtest.h>

#include <climits>
#include <string>

namespace {

using namespace flashlight;

// q, k and v of one batch element with two heads. Few, small numbers: float16 and bfloat16 hold them.
struct Arguments {
  Tensor q = randint(-2, 3, {2, 20, 40}, 1).to(kFloat16);
  Tensor k = randint(-2, 3, {2, 30, 40}, 2).to(kFloat16);
  Tensor v = randint(-8, 9, {2, 30, 40}, 3).to(kFloat16);
};

Tensor on(const Tensor& x) { return x.to(kCUDA); }

std::string error_of(auto&& run) {
  try {
    run();
  } catch (const Error& error) { return error.what(); }
  return "";
}

void expect_near(const Tensor& fused, const Tensor& eager, double tolerance) {
  ASSERT_EQ(fused.device(), kCUDA);
  EXPECT_EQ(fused.dtype(), eager.dtype());
  EXPECT_LE(max_abs_diff(fused.to(kCPU).to(kFloat64), eager.to(kFloat64)), tolerance);
}

TEST(Arguments, ATableIsReadFromItsEndToo) {
  const Arguments a;
  const Tensor table = arange(5).to(kFloat16);
  const Tensor position = arange(30) % 10 - 5;
  expect_near(biased_by_table(on(a.q), on(a.k), on(a.v), on(table), on(position)),
              biased_by_table(a.q, a.k, a.v, table, position), 0.02);
}

TEST(Arguments, AnIndexOutsideItsTableIsAnErrorAsInTheEagerProgram) {
  const Arguments a;
  const Tensor table = arange(5).to(kFloat16);
  for (const std::int64_t wrong : {5, -6, 1 << 20}) {
    const Tensor position = where(arange(30) == 17, wrong, 0);
    EXPECT_NE(error_of([&] { biased_by_table(a.q, a.k, a.v, table, position); }), "");
    const std::string text =
        error_of([&] { biased_by_table(on(a.q), on(a.k), on(a.v), on(table), on(position)); });
    EXPECT_NE(text.find("index " + std::to_string(wrong) + " is out of range for an axis of 5"),
              std::string::npos)
        << text;
  }
}

TEST(Arguments, ABiasMayLackLeadingAxes) {
  const Arguments a;
  const Tensor whole = randint(-3, 4, {2, 20, 30}, 4).to(kFloat16);
  for (const Tensor& bias : {whole, whole.select(0, 1), whole.select(0, 1).select(0, 3),
                             whole.narrow(1, 3, 1), whole.narrow(2, 3, 1)}) {
    expect_near(biased(on(a.q), on(a.k), on(a.v), on(bias)), biased(a.q, a.k, a.v, bias), 0.02);
  }
}

TEST(Arguments, EachInstantiationHasItsKernel) {
  const Arguments a;
  expect_near(within<2>(on(a.q), on(a.k), on(a.v)), within<2>(a.q, a.k, a.v), 0.02);
  expect_near(within<9>(on(a.q), on(a.k), on(a.v)), within<9>(a.q, a.k, a.v), 0.02);
}

TEST(Arguments, AnObjectIsCalled) {
  const Arguments a;
  const Tensor bias = randint(-3, 4, {20, 30}, 4).to(kFloat16);
  expect_near(Biased{on(bias)}(on(a.q), on(a.k), on(a.v)), Biased{bias}(a.q, a.k, a.v), 0.02);
}

// On the CPU as well: what an empty optional holds must not be looked at.
TEST(Arguments, OptionalsMayBeEmpty) {
  const Arguments a;
  const Tensor scores = randint(-3, 4, {20, 30}, 4).to(kFloat16);
  expect_near(optionally(on(a.q), on(a.k), on(a.v), std::nullopt, {}),
              optionally(a.q, a.k, a.v, std::nullopt, {}), 0.02);
  expect_near(optionally(on(a.q), on(a.k), on(a.v), on(scores), {}), optionally(a.q, a.k, a.v, scores, {}),
              0.02);
  expect_near(optionally(on(a.q), on(a.k), on(a.v), std::nullopt, on(scores)),
              optionally(a.q, a.k, a.v, std::nullopt, scores), 0.02);
}

TEST(Arguments, ABiasOfAnotherTypePromotesTheResult) {
  const Arguments a;
  const Tensor bias = randint(-3, 4, {20, 30}, 4).to(kFloat32);
  const Tensor eager = biased(a.q, a.k, a.v, bias);
  ASSERT_EQ(eager.dtype(), kFloat32);
  expect_near(biased(on(a.q), on(a.k), on(a.v), on(bias)), eager, 0.02);
  EXPECT_NE(error_of([&] { biased(on(a.q), on(a.k), on(a.v), on(bias.to(kFloat64))); }).find("kFloat64"),
            std::string::npos);
}

TEST(Arguments, KeysAndValuesOfAnyTypeAreConverted) {
  const Arguments a;
  for (const DType type : {kFloat16, kBFloat16, kFloat32, kFloat64, kInt8, kInt32, kInt64}) {
    expect_near(converted(on(a.q), on(a.k.to(type)), on(a.v.to(type))),
                converted(a.q, a.k.to(type), a.v.to(type)), 0.02);
  }
}

TEST(Arguments, ConversionToAWiderTypeLosesNothing) {
  const Arguments a;
  expect_near(in_float32(on(a.q), on(a.k), on(a.v)), in_float32(a.q, a.k, a.v), 0.02);
  // Mixed: one of them would be rounded to the other's type, which the program does not say.
  const std::string text = error_of([&] { in_float32(on(a.q), on(a.k.to(kBFloat16)), on(a.v)); });
  EXPECT_NE(text.find("'k' is kBFloat16 where the kernel's products are of kFloat16"), std::string::npos)
      << text;
}

TEST(Arguments, MixedTypesWithoutAConversionAreAnError) {
  const Arguments a;
  EXPECT_NE(error_of([&] { biased(on(a.q), on(a.k.to(kBFloat16)), on(a.v), on(a.q)); }), "");
}

// The head dim is padded: the gate has no columns there.
TEST(Arguments, WhatMeetsTheResultIsReadInsideItsColumns) {
  const Arguments a;
  const Tensor gate = randint(-3, 4, {2, 20, 40}, 4).to(kFloat16);
  expect_near(gated(on(a.q), on(a.k), on(a.v), on(gate)), gated(a.q, a.k, a.v, gate), 0.05);
}

TEST(Arguments, SlicesClamp) {
  const Arguments a;
  for (const std::int64_t start : {-40, -30, -7, 0, 3, 29, 30, 50})
    for (const std::int64_t end : {-40, -7, -1, 0, 3, 30, 1000}) {
      SCOPED_TRACE(std::to_string(start) + ", " + std::to_string(end));
      expect_near(of_part(on(a.q), on(a.k), on(a.v), start, end), of_part(a.q, a.k, a.v, start, end), 0.02);
    }
  for (const std::int64_t keys : {30, 7, 6, 4, 1})
    expect_near(of_inner(on(a.q), on(a.k.narrow(1, 0, keys)), on(a.v.narrow(1, 0, keys))),
                of_inner(a.q, a.k.narrow(1, 0, keys), a.v.narrow(1, 0, keys)), 0.02);
}

TEST(Arguments, BatchAndHeadsMayBeMerged) {
  const Tensor q = randint(-2, 3, {2, 3, 20, 24}, 1).to(kFloat16),
               k = randint(-2, 3, {2, 3, 30, 24}, 2).to(kFloat16);
  const Tensor v = randint(-8, 9, {2, 3, 30, 16}, 3).to(kFloat16);
  expect_near(merged_heads(on(q), on(k), on(v)), merged_heads(q, k, v), 0.02);
  // Not the sizes that the view was read with, though as many elements.
  const Tensor other = k.reshape({3, 2, 30, 24});
  EXPECT_NE(
      error_of([&] { merged_heads(on(q), on(other), on(v)); }).find("argument 'k' has size 3 in axis 0"),
      std::string::npos);
}

TEST(Arguments, HeadsMayBeMergedWithTheBatch) {
  const Tensor q = randint(-2, 3, {20, 2, 48}, 1).to(kFloat16),
               k = randint(-2, 3, {30, 2, 48}, 2).to(kFloat16);
  const Tensor v = randint(-8, 9, {30, 2, 48}, 3).to(kFloat16);
  for (const std::int64_t heads : {1, 2, 3})
    expect_near(split_heads(on(q), on(k), on(v), heads), split_heads(q, k, v, heads), 0.02);
  for (const std::int64_t heads : {5, 0, -1})
    EXPECT_NE(error_of([&] { split_heads(on(q), on(k), on(v), heads); }), "") << heads;
}

// Where the eager program throws, its kernel must not take the numbers for conditions.
TEST(Arguments, ConditionsAreBool) {
  const Arguments a;
  const Tensor keep = randint(0, 2, {20, 30}, 4);
  expect_near(kept(on(a.q), on(a.k), on(a.v), on(keep.to(kBool))), kept(a.q, a.k, a.v, keep.to(kBool)), 0.02);
  for (const DType type : {kFloat16, kFloat32, kUInt8, kInt64}) {
    EXPECT_NE(error_of([&] { kept(a.q, a.k, a.v, keep.to(type)); }), "");
    const std::string text = error_of([&] { kept(on(a.q), on(a.k), on(a.v), on(keep.to(type))); });
    EXPECT_NE(text.find("kept: argument 'keep' is k"), std::string::npos) << text;
    EXPECT_NE(text.find("takes kBool"), std::string::npos) << text;
    expect_near(kept_where_not_zero(on(a.q), on(a.k), on(a.v), on(keep.to(type))),
                kept_where_not_zero(a.q, a.k, a.v, keep.to(type)), 0.02);
  }
}

TEST(Arguments, IntegersAreNotFloats) {
  const Arguments a;
  for (const DType type : {kInt64, kInt32, kUInt8, kInt8})
    expect_near(shorter(on(a.q), on(a.k), on(a.v), on(full({}, 17, type))),
                shorter(a.q, a.k, a.v, full({}, 17, type)), 0.02);
  const std::string text =
      error_of([&] { shorter(on(a.q), on(a.k), on(a.v), on(full({}, 17.5, kFloat32))); });
  EXPECT_NE(text.find("shorter: argument 'length' is kFloat32 where the kernel takes integers"),
            std::string::npos)
      << text;
}

// What wraps around in the eager program must not be computed with wider integers.
TEST(Arguments, IntegersOfFewBitsDoNotWrapAround) {
  const Arguments a;
  const Tensor id = randint(0, 14, {30}, 5);
  for (const DType type : {kInt64, kInt32})
    expect_near(numbered(on(a.q), on(a.k), on(a.v), on(id.to(type) - 12)),
                numbered(a.q, a.k, a.v, id.to(type) - 12), 0.02);
  for (const DType type : {kInt8, kUInt8}) {
    const std::string text = error_of([&] { numbered(on(a.q), on(a.k), on(a.v), on(id.to(type))); });
    EXPECT_NE(text.find("numbered: argument 'id' is k"), std::string::npos) << text;
    EXPECT_NE(text.find("may wrap around"), std::string::npos) << text;
  }
}

TEST(Arguments, DivisionByZeroIsAnErrorAsInTheEagerProgram) {
  const Arguments a;
  const Tensor size = randint(1, 9, {30}, 6);
  expect_near(paged(on(a.q), on(a.k), on(a.v), on(size)), paged(a.q, a.k, a.v, size), 0.02);
  const Tensor wrong = where(arange(30) == 17, 0, size);
  EXPECT_NE(error_of([&] { paged(a.q, a.k, a.v, wrong); }), "");
  const std::string text = error_of([&] { paged(on(a.q), on(a.k), on(a.v), on(wrong)); });
  EXPECT_NE(text.find("an integer is divided by 0"), std::string::npos) << text;
}

// A row that sees no key is NaN in the eager program and 0 in the kernel.
Tensor with_hidden_rows(const Tensor& eager) {
  return where(eager == eager, eager, zeros({1}, eager.dtype()));
}

// The largest integers stand for no limit at all, whatever the kernel's own integers hold.
TEST(Arguments, WindowsMayBeAsWideAsIntegersAre) {
  const Arguments a;
  for (const std::int64_t width : {std::int64_t{3}, std::int64_t{1} << 29, std::int64_t{1} << 30,
                                   std::int64_t{INT_MAX}, std::int64_t{1} << 40, std::int64_t{1} << 62})
    for (const int ahead : {2, -4, 1 << 30, INT_MAX})
      expect_near(near(on(a.q), on(a.k), on(a.v), width, ahead),
                  with_hidden_rows(near(a.q, a.k, a.v, width, ahead)), 0.02);
  const std::string text = error_of([&] { near(on(a.q), on(a.k), on(a.v), LLONG_MAX, 2); });
  EXPECT_NE(text.find("does not fit the kernel's 32-bit indices"), std::string::npos) << text;
  for (const std::int64_t width : {5, 12, -3, 1 << 20})
    expect_near(within_least(on(a.q), on(a.k), on(a.v), width), within_least(a.q, a.k, a.v, width), 0.02);
}

TEST(Arguments, JoinedKeysNeedNoName) {
  const Arguments a;
  const Tensor memory = randint(-2, 3, {5, 40}, 7).to(kFloat16);
  expect_near(with_memory(on(a.q), on(a.k), on(a.v), on(memory)), with_memory(a.q, a.k, a.v, memory), 0.02);
}

}  // namespace
