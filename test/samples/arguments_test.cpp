// SPDX-License-Identifier: Apache-2.0
// What a fused function makes of arguments whose types, ranks and contents are unusual: the eager program's
// result, or an error. The emulated device turns a stray read into an error of its own, which no test here
// takes for the right one.
#include "arguments.h"

#include <gtest/gtest.h>

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
  expect_near(optionally(on(a.q), on(a.k), on(a.v), std::nullopt, {}), optionally(a.q, a.k, a.v, std::nullopt, {}),
              0.02);
  expect_near(optionally(on(a.q), on(a.k), on(a.v), on(scores), {}), optionally(a.q, a.k, a.v, scores, {}), 0.02);
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

}  // namespace
