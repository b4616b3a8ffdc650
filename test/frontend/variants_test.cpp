// SPDX-License-Identifier: Apache-2.0
// Branches on scalar parameters: one reading per path, each with the condition that selects it.
#include <gtest/gtest.h>

#include "graph/evaluate.h"
#include "support.h"

namespace flashlight::frontend::test {
namespace {

// "condition" of every variant of f, with the scalars' access as names.
std::vector<std::string> conditions(const Program& p) {
  std::vector<std::string> out;
  for (const Variant& v : function(p, "f").variants)
    out.push_back(!v.condition ? "" : graph::to_string(*v.condition, [&](const graph::Sym& leaf) {
      return v.function.scalars.at(static_cast<std::size_t>(leaf.symbol_id().param)).access;
    }));
  return out;
}

TEST(Variants, IfOnABool) {
  Program p = read("Tensor f(const Tensor& q, bool causal) { if (causal) return exp(q); return tanh(q); }");
  auto c = conditions(p);
  ASSERT_EQ(c.size(), 2u) << said(p);
  EXPECT_EQ(c[0], "causal");
  EXPECT_NE(printed(function(p, "f").variants[0].function).find("exp"), std::string::npos);
  EXPECT_EQ(printed(function(p, "f").variants[0].function).find("tanh"), std::string::npos);
  EXPECT_NE(printed(function(p, "f").variants[1].function).find("tanh"), std::string::npos);
}

TEST(Variants, SwitchOnAnEnum) {
  Program p = read(
      "enum class Mode { A, B, C };\n"
      "Tensor f(const Tensor& q, Mode m) { switch (m) { case Mode::A: return q * 2; case Mode::B: return q * "
      "3; default: return q * 4; } }");
  ASSERT_EQ(function(p, "f").variants.size(), 3u) << said(p);
  EXPECT_EQ(function(p, "f").variants[0].function.scalars[0].access, "static_cast<long>(m)");
}

TEST(Variants, ComparisonsWithConstants) {
  Program p = read(
      "Tensor f(const Tensor& q, int w) { Tensor x = q; if (w > 0) x = exp(x); if (w > 0) x = x + 1; else x "
      "= x - 1; return x; }");
  EXPECT_EQ(function(p, "f").variants.size(), 2u) << said(p);  // the second question is settled by the first
}

TEST(Variants, NumbersPickedAtLaunchNeedNoVariant) {
  Program p = read("Tensor f(const Tensor& q, bool b, double s) { double c = b ? s : 1.0; return q * c; }");
  EXPECT_EQ(function(p, "f").variants.size(), 1u) << said(p);
}

TEST(Variants, BitsOfFlags) {
  Program p = read(
      "enum Flags : unsigned { kTwice = 1, kBent = 4 };\n"
      "Tensor f(const Tensor& q, unsigned flags) { Tensor x = exp(q); if (flags & kTwice) x = x * 2;\n"
      "  return flags & kBent ? tanh(x) : x; }");
  const FunctionSource& f = function(p, "f");
  ASSERT_EQ(f.variants.size(), 4u) << said(p);
  for (const Variant& v : f.variants) {
    ASSERT_TRUE(v.condition);
    for (int flags = 0; flags < 16; ++flags) {
      double holds = graph::evaluate(*v.condition, [&](graph::SymbolId) { return double(flags); });
      bool twice = to_string(v.function).find("2.0 *") != std::string::npos;
      bool bent = to_string(v.function).find("tanh") != std::string::npos;
      EXPECT_EQ(holds != 0, twice == bool(flags & 1) && bent == bool(flags & 4)) << to_string(*v.condition);
    }
  }
}

TEST(Variants, TruthsJoinedBitwise) {
  Program p = read(
      "Tensor f(const Tensor& q, bool a, bool b) { bool both = a & b, any = a | b; Tensor x = exp(q);\n"
      "  if (both) return x * 2; if (any) return x * 3; return x; }");
  EXPECT_EQ(function(p, "f").variants.size(), 3u) << said(p);
}

TEST(Variants, OptionalTensor) {
  Program p = read(
      "#include <optional>\nTensor f(const Tensor& q, const std::optional<Tensor>& m, std::optional<float> "
      "s) {\n"
      "  Tensor x = q * s.value_or(2.0f); if (m) x = x + *m; return x; }");
  const FunctionSource& f = function(p, "f");
  ASSERT_EQ(f.variants.size(), 4u) << said(p);
  EXPECT_EQ(f.variants[0].function.tensors.size(), 2u);
  EXPECT_EQ(f.variants[0].function.tensors[1].access, "(m.has_value() ? (*m) : flashlight::Tensor())");
  EXPECT_EQ(f.variants[3].function.tensors.size(), 1u);
  EXPECT_EQ(f.variants[0].function.scalars[0].access, "m.has_value()");
}

TEST(Variants, UnusedOptionalAsksNothing) {
  Program p = read("Tensor f(const Tensor& q, Optional<Tensor> unused) { return exp(q); }");
  EXPECT_EQ(function(p, "f").variants.size(), 1u) << said(p);
}

TEST(Variants, ChecksThatThrowAreNoVariants) {
  Program p = read(
      "Tensor f(const Tensor& q, int n) { if (n < 0) throw Error(\"n\"); if (n > 9) throw Error(\"n\"); "
      "return q * n; }");
  const FunctionSource& f = function(p, "f");
  ASSERT_EQ(f.variants.size(), 1u) << said(p);
  EXPECT_TRUE(f.variants[0].condition);
}

TEST(Variants, ChecksOfSizesBecomeLaunchChecks) {
  Program p =
      read("Tensor f(const Tensor& q) { if (q.size(-1) % 8 != 0) throw Error(\"size\"); return q * 2; }");
  const FunctionSource& f = function(p, "f");
  ASSERT_EQ(f.variants.size(), 1u) << said(p);
  EXPECT_EQ(f.variants[0].function.checks.size(), 1u);
}

TEST(Variants, DTypeOfAMaskIsAskedAtLaunch) {
  Program p = read(
      "Tensor f(const Tensor& q, const Tensor& k, const Tensor& m) { return scaled_dot_product_attention(q, "
      "k, k, {.mask = m}); }");
  const FunctionSource& f = function(p, "f");
  ASSERT_EQ(f.variants.size(), 2u) << said(p);
  EXPECT_EQ(conditions(p)[0], "(m).dtype() == flashlight::kBool");
  EXPECT_EQ(f.variants[0].function.tensors[2].type, graph::Type::Bool);
  EXPECT_EQ(f.variants[1].function.tensors[2].type, graph::Type::Float);
  Program known = read(
      "Tensor f(const Tensor& q, const Tensor& k) { return scaled_dot_product_attention(q, k, k, {.mask = "
      "q.matmul(k.mT()) > 0}); }");
  EXPECT_EQ(function(known, "f").variants.size(), 1u) << said(known);
}

TEST(Variants, LimitIsTheCallers) {
  const char* text = "Tensor f(const Tensor& q, bool a) { if (a) return exp(q); return tanh(q); }";
  EXPECT_EQ(function(read(text, {}, 2), "f").variants.size(), 2u);
  ASSERT_TRUE(function(read(text, {}, 1), "f").refusal);
  EXPECT_EQ(function(read(text, {}, 1), "f").refusal->id, "too-many-variants");
}

}  // namespace
}  // namespace flashlight::frontend::test
