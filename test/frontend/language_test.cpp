// SPDX-License-Identifier: Apache-2.0
// The C++ that a function may be written in: each feature gives the Graph of the plain spelling.
#include <gtest/gtest.h>

#include "support.h"

namespace flashlight::frontend::test {
namespace {

const std::string kPlain =
    "Tensor f(const Tensor& q, const Tensor& k) { return matmul(softmax(matmul(q, k.transpose(-2, -1)) * "
    "0.5, -1), k); }";

TEST(Language, RenamingChangesNothing) {
  expect_same(kPlain,
              "Tensor f(const Tensor& a, const Tensor& b) { Tensor rows = matmul(a, b.transpose(-2, -1)); "
              "Tensor p = rows * 0.5;\n"
              "  Tensor w = softmax(p, -1); return matmul(w, b); }");
}

TEST(Language, SpellingOfAContractionChangesNothing) {
  expect_same(
      "Tensor f(const Tensor& q, const Tensor& k) { assume(q.dim() == 4); assume(k.dim() == 4);\n"
      "  return matmul(q, k.transpose(-2, -1)); }",
      "Tensor f(const Tensor& q, const Tensor& k) { return einsum(\"bhid,bhjd->bhij\", {q, k}); }");
}

TEST(Language, MethodsAndFreeFunctionsAreOne) {
  expect_same(kPlain,
              "Tensor f(const Tensor& q, const Tensor& k) { return q.matmul(transpose(k, -1, "
              "-2)).mul(0.5).softmax(-1).matmul(k); }");
}

TEST(Language, Helpers) {
  expect_same(kPlain,
              "namespace lib { struct Ops { static Tensor scores(Tensor q, const Tensor& k) { return "
              "matmul(q, k.mT()); } };\n"
              "template <class T> T half(const T& x) { return x * 0.5; }\n"
              "inline auto attend(const Tensor& s, const Tensor& v) { return matmul(softmax(s, -1), v); } }\n"
              "Tensor f(const Tensor& q, const Tensor& k) { return lib::attend(lib::half(lib::Ops::scores(q, "
              "k)), k); }");
}

TEST(Language, DefaultArguments) {
  expect_same(kPlain,
              "Tensor scaled(const Tensor& x, double c = 1.0 / 2) { return x * c; }\n"
              "Tensor f(const Tensor& q, const Tensor& k) { return matmul(softmax(scaled(matmul(q, k.mT())), "
              "-1), k); }");
}

TEST(Language, Lambdas) {
  expect_same(kPlain,
              "Tensor f(const Tensor& q, const Tensor& k) { double c = 0.25;\n"
              "  auto scores = [&](auto x) { return matmul(x, k.mT()) * c; };\n"
              "  auto attend = [k, two = 1](const Tensor& s) { return matmul(softmax(s, -1), k) * two; };\n"
              "  c *= 2; return attend(scores(q)); }");
}

TEST(Language, LambdaCopiesWhatItCapturesByValue) {
  expect_same("Tensor f(const Tensor& q) { return q * 2; }",
              "Tensor f(const Tensor& q) { int n = 2; auto g = [n](const Tensor& x) { return x * n; }; n = "
              "5; return g(q); }");
}

TEST(Language, LambdaKeepsItsState) {
  expect_same("Tensor f(const Tensor& q) { return q * 1 + q * 2; }",
              "Tensor f(const Tensor& q) { auto next = [n = 0]() mutable { return ++n; };\n"
              "  Tensor a = q * next(); return a + q * next(); }");
}

TEST(Language, LambdasAsArguments) {
  expect_same("Tensor f(const Tensor& q) { return exp(q * 2) + 1; }",
              "template <class F> Tensor with(const Tensor& x, F&& g) { return g(x * 2); }\n"
              "Tensor f(const Tensor& q) { return with(q, [](const Tensor& y) { return exp(y) + 1; }); }");
}

// Masks made of masks, through helpers that take and give lambdas.
TEST(Language, LambdasMadeOfLambdas) {
  const std::string helpers =
      "template <class F, class G> auto both(F f, G g) { return [=](const auto&... at) { return f(at...) & "
      "g(at...); }; }\n"
      "template <class F> auto batchify(F inner, int64_t n) {\n"
      "  return [inner, n](auto i, auto j) { return inner(i % n, j % n) & (floor_divide(i, n) == "
      "floor_divide(j, n)); }; }\n"
      "auto window(int64_t w) { return [w](Tensor i, Tensor j) { return i - j < w; }; }\n";
  expect_same(
      "Tensor f(const Tensor& q, int64_t w) { Tensor i = arange(q.size(-2)).unsqueeze(-1), j = "
      "arange(q.size(-1));\n"
      "  return where((j <= i) & (i - j < w), q, 0.0); }",
      helpers +
          "Tensor f(const Tensor& q, int64_t w) { Tensor i = arange(q.size(-2)).unsqueeze(-1), j = "
          "arange(q.size(-1));\n"
          "  auto causal = [](auto i, auto j) { return j <= i; };\n"
          "  return where(both(causal, window(w))(i, j), q, 0.0); }");
  expect_same(
      "Tensor f(const Tensor& q, int64_t n) { Tensor i = arange(q.size(-2)).unsqueeze(-1), j = "
      "arange(q.size(-1));\n"
      "  return where((j % n <= i % n) & (floor_divide(i, n) == floor_divide(j, n)), q, 0.0); }",
      helpers +
          "Tensor f(const Tensor& q, int64_t n) { Tensor i = arange(q.size(-2)).unsqueeze(-1), j = "
          "arange(q.size(-1));\n"
          "  auto causal = [](auto i, auto j) { return j <= i; };\n"
          "  return where(batchify(causal, n)(i, j), q, 0.0); }");
}

TEST(Language, LambdasOutsideFunctions) {
  expect_same("Tensor f(const Tensor& q) { return exp(q) + 1; }",
              "auto plus_one = [](const auto& x) { return x + 1; };\nconst auto e = [](const Tensor& x) { "
              "return exp(x); };\n"
              "Tensor f(const Tensor& q) { static auto id = [](const Tensor& x) { return x; }; return "
              "id(plus_one(e(q))); }");
}

TEST(Language, FunctionObjects) {
  expect_same("Tensor f(const Tensor& q) { return q * 3 + 1; }",
              "struct Scale { double by; Tensor operator()(const Tensor& x) const { return x * by; } };\n"
              "template <class F> Tensor with(const Tensor& x, F g) { return g(x) + 1; }\n"
              "Tensor f(const Tensor& q) { return with(q, Scale{3}); }");
}

TEST(Language, TheDeviceIsTheKernels) {
  expect_same("Tensor f(const Tensor& q) { return exp(q); }",
              "Tensor f(const Tensor& q) { return q.device() == kCUDA ? exp(q.to(kCUDA)) : tanh(q); }");
}

TEST(Language, FunctionsAsArguments) {
  expect_same("Tensor f(const Tensor& q) { return tanh(q) + exp(q); }",
              "static Tensor plus_exp(const Tensor& x, const Tensor& y) { return x + exp(y); }\n"
              "Tensor with(const Tensor& x, Tensor (*g)(const Tensor&, const Tensor&), Tensor (*h)(const "
              "Tensor&)) { return g(h(x), x); }\n"
              "Tensor f(const Tensor& q) { return with(q, plus_exp, flashlight::tanh); }");
}

TEST(Language, ReferencesNameTheSamePlace) {
  expect_same("Tensor f(const Tensor& q) { return exp(q) + 2; }",
              "Tensor f(const Tensor& q) { Tensor x = q; Tensor& y = x; y = exp(y); int n = 1; int& m = n; "
              "m++; return x + n; }");
}

TEST(Language, ParametersByReferenceOfAHelper) {
  expect_same("Tensor f(const Tensor& q) { return exp(q) * 3; }",
              "void step(Tensor& x, int& n) { x = exp(x); n += 2; }\n"
              "Tensor f(const Tensor& q) { Tensor x = q; int n = 1; step(x, n); return x * n; }");
}

TEST(Language, Reassignment) {
  expect_same(kPlain,
              "Tensor f(const Tensor& q, const Tensor& k) { Tensor s; s = matmul(q, k.mT()); s = s * 0.5; s "
              "= softmax(s, -1);\n"
              "  return matmul(s, k); }");
}

TEST(Language, HostArithmetic) {
  expect_same("Tensor f(const Tensor& q) { assume(q.size(-1) == 64); return q * 0.125; }",
              "Tensor f(const Tensor& q) { assume(q.size(-1) == 64); auto d = q.size(-1); return q * (1 / "
              "std::sqrt(double(d))); }");
  expect_same("Tensor f(const Tensor& q) { return q * 7; }",
              "Tensor f(const Tensor& q) { int a = 17, b = 5; return q * (a / b + a % b + (a > b ? 1 : 0) + "
              "!a + (a & 1)); }");
  expect_same("Tensor f(const Tensor& q) { return q * -3; }",
              "Tensor f(const Tensor& q) { int a = -7; return q * (a / 2); }");  // C++ truncates
}

TEST(Language, FloatConstantsAreRoundedAsWritten) {
  expect_same("Tensor f(const Tensor& q) { return q * 0.10000000149011612; }",
              "Tensor f(const Tensor& q) { return q * 0.1f; }");
  expect_same("Tensor f(const Tensor& q) { return q * 0.3333333432674408; }",
              "Tensor f(const Tensor& q) { return q * (1.0f / 3); }");
}

TEST(Language, SizesAreSymbols) {
  std::string text =
      printed("Tensor f(const Tensor& q, const Tensor& k) { return q / std::sqrt(q.size(-1)); }");
  EXPECT_NE(text.find("^(-0.5)"), std::string::npos) << text;
}

TEST(Language, Mathematics) {
  expect_same("Tensor f(const Tensor& q) { return q * 2; }",
              "#include <algorithm>\nTensor f(const Tensor& q) { return q * (std::pow(2.0, 3) - std::max(3, "
              "6) + std::floor(0.5) + std::abs(-0.0)); }");
  expect_same("Tensor f(const Tensor& q) { return q.masked_fill(q > 0, -INFINITY); }",
              "#include <limits>\nTensor f(const Tensor& q) { return q.masked_fill(q > 0, "
              "-std::numeric_limits<float>::infinity()); }");
  expect_same("Tensor f(const Tensor& q) { return q + 3.14159265358979323846; }",
              "Tensor f(const Tensor& q) { return q + M_PI; }");
}

TEST(Language, Constants) {
  expect_same("Tensor f(const Tensor& q) { return q * 12; }",
              "constexpr int kTwo = 2; static const int table[] = {1, 3, 5}; enum { kOne = 1 }; enum class E "
              "{ A = 1 };\n"
              "struct S { static constexpr int value = 2; };\n"
              "constexpr int square(int x) { return x * x; }\n"
              "Tensor f(const Tensor& q) { static constexpr int local = 0; using T = int; "
              "static_assert(sizeof(T) == 4);\n"
              "  return q * (kTwo * table[1] + square(kOne) + S::value + static_cast<int>(E::A) + local + "
              "int(sizeof(short))); }");
}

TEST(Language, Templates) {
  const char* text =
      "template <bool Causal, int W> Tensor g(const Tensor& s) {\n"
      "  Tensor i = arange(s.size(-2)).unsqueeze(-1), j = arange(s.size(-1));\n"
      "  if constexpr (Causal) return where(j <= i, s, -INFINITY);\n"
      "  else return where(i - j <= W, s, -INFINITY); }\n";
  std::string head =
      "Tensor f(const Tensor& s) { Tensor i = arange(s.size(-2)).unsqueeze(-1), j = arange(s.size(-1)); ";
  expect_same(head + "return where(j <= i, s, -INFINITY); }",
              std::string(text) + "Tensor f(const Tensor& s) { return g<true, 3>(s); }");
  expect_same(head + "return where(i - j <= 3, s, -INFINITY); }",
              std::string(text) + "Tensor f(const Tensor& s) { return g<false, 3>(s); }");
}

TEST(Language, VariadicTemplatesAndFolds) {
  expect_same("Tensor f(const Tensor& q) { return q + exp(q) + tanh(q); }",
              "template <class... T> Tensor total(const T&... x) { return (x + ...); }\n"
              "Tensor f(const Tensor& q) { return total(q + exp(q), tanh(q)); }");
}

TEST(Language, Structs) {
  expect_same(kPlain,
              "struct Base { double scale = 0.5; };\n"
              "struct Attention : Base { Tensor keys; int axis;\n"
              "  Attention(const Tensor& k, int a) : keys(k), axis(a) { axis = -axis; }\n"
              "  Tensor scores(const Tensor& q) const { return matmul(q, keys.mT()) * scale; }\n"
              "  Tensor operator()(const Tensor& q) const { return matmul(softmax(this->scores(q), axis), "
              "keys); } };\n"
              "Tensor f(const Tensor& q, const Tensor& k) { Attention a(k, 1); return a(q); }");
}

TEST(Language, MembersHaveTheirDefaults) {
  expect_same(kPlain,
              "#include <array>\nstruct Options { double scale = 0.5; int axis = -1; };\n"
              "Tensor f(const Tensor& q, const Tensor& k) { std::array<Options, 2> o{};\n"
              "  return matmul(softmax(matmul(q, k.mT()) * o[1].scale, o[0].axis), k); }");
}

TEST(Language, StructsAreCopied) {
  expect_same("Tensor f(const Tensor& q) { return q * 1 + q * 5; }",
              "struct P { int n = 1; Tensor x; };\n"
              "Tensor f(const Tensor& q) { P a{.x = q}; P b = a; b.n = 5; P& c = b; c.x = q; return a.x * "
              "a.n + b.x * b.n; }");
}

TEST(Language, AssumeDimGivesTheRank) {
  std::string text = printed("Tensor f(const Tensor& q) { assume(q.dim() == 2); return q + 1; }");
  Program p = read("Tensor f(const Tensor& q) { if (q.dim() != 2) throw Error(\"rank\"); return q + 1; }");
  ASSERT_EQ(function(p, "f").variants.size(), 1u) << said(p);
  EXPECT_EQ(printed(function(p, "f").variants[0].function), text);
  EXPECT_FALSE(function(p, "f").variants[0].function.tensors[0].pack);
}

}  // namespace
}  // namespace flashlight::frontend::test
