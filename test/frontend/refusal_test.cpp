// SPDX-License-Identifier: Apache-2.0
// What cannot be followed: one remark with a stable id at the exact line and column, and the function stays
// as it was.
#include <gtest/gtest.h>

#include "support.h"

namespace flashlight::frontend::test {
namespace {

TEST(Refusal, UnsupportedStatement) {
  expect_refused("Tensor f(const Tensor& q) {\n  /*!*/goto end;\nend:\n  return q + 1;\n}",
                 "unsupported-statement");
  expect_refused("Tensor f(const Tensor& q) {\n  /*!*/try { return q + 1; } catch (...) { return q; }\n}",
                 "unsupported-statement");
  expect_refused("Tensor f(const Tensor& q) {\n  static int /*!*/calls = 0;\n  return q + ++calls;\n}",
                 "unsupported-statement");
}

TEST(Refusal, UnsupportedCall) {
  const std::string guard =
      "struct Guard { double& x; ~Guard() { x *= 2; } };\nstruct Holder { Guard g; };\n";
  expect_refused(
      guard + "Tensor f(const Tensor& q) { double x = 1; { Guard g/*!*/{x}; } return exp(q) * x; }",
      "unsupported-type");
  expect_refused(
      guard + "Tensor f(const Tensor& q) { double x = 1; { Holder h/*!*/{{x}}; } return exp(q) * x; }",
      "unsupported-type");
  expect_refused("#include <string>\nTensor f(const Tensor& q) { return q + int(/*!*/std::stoi(\"3\")); }",
                 "unsupported-call");
  expect_refused("Tensor f(const Tensor& q) { return exp(q) * q./*!*/item<float>(); }", "unsupported-call");
  expect_refused(
      "struct B { virtual Tensor g(const Tensor& x) const { return x + 1; } };\n"
      "Tensor f(const Tensor& q) { B b; return b./*!*/g(q); }",
      "unsupported-call");
}

TEST(Refusal, Output) {
  expect_refused(
      "#include <cstdio>\nTensor f(const Tensor& q) { /*!*/std::printf(\"%d\", 3); return exp(q); }",
      "unsupported-call");
  expect_refused(
      "#include <iostream>\nTensor f(const Tensor& q) { /*!*/std::cout << \"here\"; return exp(q); }",
      "unsupported-call");
  Program p = read("#include <iostream>\nTensor f(const Tensor& q) { std::cout << 1; return exp(q); }");
  ASSERT_TRUE(function(p, "f").refusal);
  EXPECT_EQ(function(p, "f").refusal->hint, "print before or after the function");
}

TEST(Refusal, UnsupportedOp) {
  expect_refused("Tensor f(const Tensor& q) { return q + /*!*/randn({4}, 7); }", "unsupported-op");
}

TEST(Refusal, UnsupportedType) {
  expect_refused("#include <vector>\nTensor f(const std::vector<Tensor>& xs) { return cat(/*!*/xs, 0); }",
                 "unsupported-type");
  expect_refused(
      "#include <complex>\nTensor f(const Tensor& q) { std::complex<float> /*!*/c(1, 2); return exp(q); }",
      "unsupported-type");
  expect_refused("Tensor f(const Tensor& q, const char* s) { return exp(q) + (/*!*/s ? 1 : 2); }",
                 "unsupported-type");
  expect_refused("struct R { Tensor a; int n; };\nR /*!*/f(const Tensor& q, int n) { return {exp(q), n}; }",
                 "unsupported-type");
}

TEST(Refusal, FieldsWithoutAPlaceInAKernelMatterWhereUsed) {
  const std::string in = "struct In { Tensor q; const char* name; DType type; };\n";
  EXPECT_FALSE(
      function(read(in + "Tensor f(const In& in) { In copy = in; return exp(copy.q); }"), "f").refusal);
  expect_refused(in + "Tensor f(const In& in) { In copy = in; return exp(copy.q).to(copy./*!*/type); }",
                 "unsupported-type");
}

TEST(Refusal, UnsupportedExpression) {
  expect_refused("int counter = 0;\nTensor f(const Tensor& q) { return exp(q) * /*!*/counter; }",
                 "unsupported-expression");
  expect_refused("Tensor f(const Tensor& q) { int n; return exp(q) * /*!*/n; }", "unsupported-expression");
  expect_refused("Tensor f(const Tensor& q) { Tensor x; return exp(q) /*!*/* x; }", "unsupported-expression");
  expect_refused("Tensor f(const Tensor& q) { int z = 0; return exp(q) * (1 /*!*// z); }",
                 "unsupported-expression");
  expect_refused("Tensor f(const Tensor& q) { int a[2] = {1, 2}; int i = 2; return exp(q) * /*!*/a[i]; }",
                 "unsupported-expression");
}

TEST(Refusal, DynamicCondition) {
  expect_refused(
      "Tensor f(const Tensor& q) {\n  if (q.size(-1) /*!*/> 64)\n    return q * 2;\n  return q * 3;\n}",
      "dynamic-condition");
  expect_refused(
      "Tensor f(const Tensor& q) { if (q.sum()./*!*/item<float>() > 0) return q * 2; return q * 3; }",
      "dynamic-condition");
  expect_refused("Tensor f(const Tensor& q) { return q.size(-1) /*!*/== 3 ? q * 2 : q * 3; }",
                 "dynamic-condition");
}

TEST(Refusal, LoopNotStatic) {
  expect_refused(
      "Tensor f(const Tensor& q) { Tensor x = q; for (int i = 0; i /*!*/< q.size(-1); ++i) x = x * 2; return "
      "x; }",
      "loop-not-static");
  expect_refused(
      "Tensor f(const Tensor& q, int n) { Tensor x = q; for (int i = 0; i /*!*/< n; ++i) x = x * 2; return "
      "x; }",
      "loop-not-static");
  expect_refused(
      "Tensor f(const Tensor& q) { Tensor x = q; int n = 0; while (n /*!*/>= 0) n++; return x * 2; }",
      "loop-not-static");
  expect_refused("Tensor f(const Tensor& q) { Tensor x = q; /*!*/for (;;) x = q; return x * 2; }",
                 "loop-not-static");
  Program p = read(
      "Tensor f(const Tensor& q) { Tensor x = exp(q); for (int i = 0; i < q.size(-1); ++i) x = x + q; return "
      "x; }");
  ASSERT_TRUE(function(p, "f").refusal);
  EXPECT_NE(function(p, "f").refusal->hint.find("`assume(q.size(-1) == 4)`"), std::string::npos)
      << function(p, "f").refusal->hint;
}

TEST(Refusal, Recursion) {
  expect_refused("Tensor f(const Tensor& q) { return /*!*/f(exp(q)); }", "recursion");
}

TEST(Refusal, NoBody) {
  expect_refused(
      "Tensor helper(const Tensor&);\nTensor f(const Tensor& q) {\n  return exp(\n      /*!*/helper(q));\n}",
      "no-body");
}

TEST(Refusal, TooLarge) {
  Program p = read(
      "Tensor f(const Tensor& q) { int n = 0; for (int i = 0; i < 4000; ++i) for (int j = 0; j < 4000; ++j) "
      "n = n + j;\n"
      "return q * n; }");
  ASSERT_TRUE(function(p, "f").refusal);
  EXPECT_EQ(function(p, "f").refusal->id, "too-large");
  EXPECT_EQ(function(p, "f").refusal->where.line, 3u);
}

TEST(Refusal, TooManyVariants) {
  std::string text = "Tensor f(const Tensor& q, bool a, bool b, bool c, bool d) { Tensor x = q;\n";
  for (char c : {'a', 'b', 'c'}) text += std::string("  if (") + c + ") x = exp(x) + 1;\n";
  text += "  if (/*!*/d) x = x + 2;\n  return x * 2; }";
  expect_refused(text, "too-many-variants");
}

TEST(Refusal, UnknownRank) {
  // Without keepdim the maximum lines up with other axes, and ever more of them would be needed.
  expect_refused("Tensor f(const Tensor& q) { return q /*!*/- q.amax(-1); }", "unknown-rank");
}

TEST(Refusal, AssumptionViolated) {
  expect_refused("Tensor f(const Tensor& q) { int n = 3; assume(n /*!*/== 4); return exp(q); }",
                 "assumption-violated");
}

TEST(Refusal, LoweringErrorsPassThrough) {
  expect_refused("Tensor f(const Tensor& q) { assume(q.dim() == 2); return exp(q)./*!*/transpose(0, 3); }",
                 "dim-out-of-range");
  expect_refused("Tensor f(const Tensor& q) { assume(q.size(-1) == 3); return exp(q) /*!*/+ arange(4); }",
                 "shape-mismatch");
}

TEST(Refusal, InAHelperTheHelpersLineIsNamed) {
  expect_refused(
      "static Tensor g(const Tensor& x) {\n  int z;\n  return x * /*!*/z;\n}\nTensor f(const Tensor& q) { "
      "return g(exp(q)); }",
      "unsupported-expression");
}

TEST(Refusal, InADslHeaderTheCallIsNamed) {
  expect_refused(
      "Tensor f(const Tensor& q, const Tensor& k) { assume(q.dim() == 4); assume(k.dim() == 2);\n"
      "  return /*!*/flex_attention(q, k, k, [](auto s, auto, auto, auto, auto) { return s; }); }",
      "dim-out-of-range");
}

TEST(Refusal, InAMacroTheUseIsNamed) {
  expect_refused("#define GO goto end\nTensor f(const Tensor& q) { /*!*/GO; end: return q + 1; }",
                 "unsupported-statement");
}

TEST(Refusal, OthersAreReadAllTheSame) {
  Program p = read(
      "int n;\nTensor bad(const Tensor& q) { return q * n; }\nTensor good(const Tensor& q) { return q * 2; "
      "}");
  EXPECT_TRUE(function(p, "bad").refusal);
  EXPECT_FALSE(function(p, "good").refusal);
  EXPECT_EQ(function(p, "good").variants.size(), 1u);
  EXPECT_EQ(p.diagnostics.size(), 1u) << said(p);
  EXPECT_TRUE(p.parsed);
}

TEST(Refusal, IntegersThatWrapAround) {
  const std::string in =
      "Tensor f(const Tensor& q, const Tensor& id, int n) {\n  assume(q.dim() == 2); Tensor j = "
      "arange(q.size(-1));\n";
  const auto cast = [&](const std::string& value) {
    return in + "  return where(" + value + " > 0, exp(q), 0.0);\n}";
  };
  for (const char* wraps : {"j./*!*/to(kUInt8)", "(j * 20)./*!*/to(kInt8)", "(j % 256)./*!*/to(kInt8)",
                            "((j % 100).to(kInt8) /*!*/* 2)", "(id % 3 /*!*/* 2147483647)",
                            "(arange(200).to(kUInt8).sum() * 0 + /*!*/-(j % 200).to(kUInt8))",
                            "(j.to(kInt32) /*!*/* j.to(kInt32))", "(q * 300)./*!*/to(kUInt8)"})
    expect_refused(cast(wraps), "narrow-integer");
  for (const char* fits : {"(j % 256).to(kUInt8)", "(j > 3).to(kInt8) * 100", "j.to(kInt32) * 500 + n",
                           "id - j.to(kInt32)", "clamp(j, 0, 100).to(kInt8) - 20", "(q * 300).to(kInt32)",
                           "j * j * j * n", "(j.to(kInt64) * 20).clamp(0, 255).to(kUInt8)"})
    EXPECT_FALSE(function(read(cast(fits)), "f").refusal) << fits;
}

}  // namespace
}  // namespace flashlight::frontend::test
