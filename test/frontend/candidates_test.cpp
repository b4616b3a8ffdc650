// SPDX-License-Identifier: Apache-2.0
// Which functions are read, their parameters and results, and the places in the text that the emitter needs.
#include <gtest/gtest.h>

#include <algorithm>

#include "support.h"

namespace flashlight::frontend::test {
namespace {

std::vector<std::string> names(const Program& p) {
  std::vector<std::string> out;
  for (const FunctionSource& f : p.functions) out.push_back(f.qualified_name);
  return out;
}

TEST(Candidates, FunctionsThatReturnTensorsAndReachAnOp) {
  Program p = read(
      "namespace a { struct S { static Tensor g(const Tensor& x) { return exp(x); } }; }\n"
      "Tensor h(const Tensor& x) { return a::S::g(x); }\n"
      "Tensor same(const Tensor& x) { return x; }\n"
      "double number(const Tensor& x) { return x.sum().item<double>(); }\n"
      "namespace { Tensor hidden(const Tensor& x) { return x + 1; } }\n"
      "Tensor declared(const Tensor& x);\n"
      "int main() { Tensor t = ones({2}); return h(t + 1).dim(); }");
  EXPECT_EQ(names(p), (std::vector<std::string>{"a::S::g", "h", "(anonymous namespace)::hidden"})) << said(p);
}

TEST(Candidates, Mark) {
  Program p = read(
      "FLASHLIGHT_FUSE Tensor f(const Tensor& q) { return exp(q); }\nTensor g(const Tensor& q) { return "
      "exp(q); }\n"
      "FLASHLIGHT_FUSE Tensor late(const Tensor& q);\nTensor late(const Tensor& q) { return exp(q); }");
  EXPECT_TRUE(function(p, "f").must_fuse);
  EXPECT_FALSE(function(p, "g").must_fuse);
  EXPECT_TRUE(function(p, "late").must_fuse);
}

TEST(Candidates, Only) {
  Program p = read("Tensor f(const Tensor& q) { return exp(q); }");
  EXPECT_EQ(p.functions.size(), 1u);
}

TEST(Candidates, TextPlaces) {
  std::string text =
      "struct Two { Tensor a, b; };\n"
      "std::pair<Tensor, Two> f(const Tensor& q, Tensor k, float scale) /* { */ {\n  return {q + k, {k * "
      "scale, q}}; }";
  Program p = read("#include <utility>\n" + text);
  const FunctionSource& f = function(p, "f");
  EXPECT_EQ(f.location.line, 5u);
  EXPECT_EQ(f.location.column, 24u);
  ASSERT_GT(f.body_offset, 0u);
  EXPECT_EQ(p.text.substr(f.body_offset - 1, 11), "{\n  return ");
  EXPECT_EQ(f.result_type, "std::pair<flashlight::Tensor, Two>");
  ASSERT_EQ(f.parameters.size(), 3u);
  EXPECT_EQ(f.parameters[0].type, "const flashlight::Tensor &");
  EXPECT_EQ(f.parameters[1].type, "flashlight::Tensor");
  EXPECT_EQ(f.parameters[2].name, "scale");
  EXPECT_EQ(f.result_expression, "{$0, {$1, $2}}");
  ASSERT_EQ(f.variants.size(), 1u) << said(p);
  EXPECT_EQ(f.variants[0].function.outputs[1].path, ".second.a");
}

TEST(Candidates, ParametersAreFlattened) {
  Program p = read(
      "#include <array>\nstruct In { Tensor q; struct { double scale; } o; std::array<Tensor, 2> kv; int "
      "window; };\n"
      "Tensor f(const In& in, bool b) { return matmul(in.q * in.o.scale, in.kv[0]) + in.kv[1] * in.window * "
      "b; }");
  const FunctionSource& f = function(p, "f");
  ASSERT_EQ(f.variants.size(), 1u) << said(p);
  const graph::Function& g = f.variants[0].function;
  ASSERT_EQ(g.tensors.size(), 3u);
  EXPECT_EQ(g.tensors[0].access, "in.q");
  EXPECT_EQ(g.tensors[2].access, "in.kv[1]");
  ASSERT_EQ(g.scalars.size(), 3u);
  EXPECT_EQ(g.scalars[0].access, "in.o.scale");
  EXPECT_EQ(g.scalars[1].type, graph::SymType::Integer);
  EXPECT_EQ(g.scalars[2].type, graph::SymType::Boolean);
}

TEST(Candidates, Results) {
  Program p = read(
      "#include <array>\n#include <tuple>\n"
      "std::array<Tensor, 2> two(const Tensor& q) { return {exp(q), q + 1}; }\n"
      "std::tuple<Tensor, Tensor> tuple(const Tensor& q) { return {exp(q), q + 1}; }\n"
      "auto deduced(const Tensor& q) { return std::make_pair(exp(q), q + 1); }\n"
      "Tensors<2> parts(const Tensor& q) { return q.sort(-1); }\n"
      "struct S { Tensor t; int n; }; S mixed(const Tensor& q) { return {exp(q), 3}; }");
  EXPECT_EQ(function(p, "two").result_expression, "{$0, $1}") << said(p);
  EXPECT_EQ(function(p, "tuple").result_expression, "{$0, $1}");
  EXPECT_EQ(function(p, "deduced").result_expression,
            "std::pair<flashlight::Tensor, flashlight::Tensor>{$0, $1}");
  EXPECT_EQ(function(p, "parts").result_expression, "flashlight::Tensors<2>(flashlight::TensorList{$0, $1})");
  EXPECT_EQ(function(p, "mixed").result_expression, "{$0, 3}");
}

// What is marked is spoken of, also where there is nothing to read; so is a function that hands its result to
// a parameter.
TEST(Candidates, MarkedWithoutABody) {
  Program p = read(
      "FLASHLIGHT_FUSE Tensor elsewhere(const Tensor& q);\n"
      "template <class T> FLASHLIGHT_FUSE Tensor never(const Tensor& q) { return exp(q) * T(2); }\n"
      "FLASHLIGHT_FUSE Tensor later(const Tensor& q);\nTensor later(const Tensor& q) { return exp(q); }\n"
      "void into(Tensor& out, const Tensor& q) { out = exp(q); }\nvoid look(const Tensor& q) { exp(q); }\n");
  EXPECT_EQ(names(p), (std::vector<std::string>{"elsewhere", "never", "later", "into"})) << said(p);
  for (const char* name : {"elsewhere", "never"}) {
    ASSERT_TRUE(function(p, name).refusal) << name;
    EXPECT_EQ(function(p, name).refusal->id, "no-body");
    EXPECT_TRUE(function(p, name).must_fuse);
  }
  EXPECT_FALSE(function(p, "later").refusal);
  ASSERT_TRUE(function(p, "into").refusal);
  EXPECT_EQ(function(p, "into").refusal->id, "unsupported-type");
}

// The condition of an instantiation stands in the template's text, which cannot name what is declared behind
// it.
TEST(Candidates, TypesBehindATemplate) {
  Program p = read(
      "#include <utility>\nstruct Before { static constexpr double x = 1; };\n"
      "template <class T> Tensor g(const Tensor& q) { return exp(q) * T::x; }\n"
      "template <class T> Tensor h(const Tensor& q) { return exp(q) * T::first_type::x; }\n"
      "struct Behind { static constexpr double x = 2; };\n"
      "template Tensor g<Before>(const Tensor&);\ntemplate Tensor g<Behind>(const Tensor&);\n"
      "template Tensor h<std::pair<Before, int>>(const Tensor&);\ntemplate Tensor h<std::pair<Behind, "
      "int>>(const Tensor&);\n");
  ASSERT_EQ(p.functions.size(), 4u) << said(p);
  for (const FunctionSource& f : p.functions)
    EXPECT_EQ(f.refusal.has_value(), f.template_tag.empty()) << f.template_tag;
  EXPECT_EQ(std::count_if(p.functions.begin(), p.functions.end(),
                          [](const FunctionSource& f) { return f.template_tag.empty(); }),
            2);
}

TEST(Candidates, TemplatesAsInstantiated) {
  Program p = read(
      "enum class E { A, B };\n"
      "template <bool C, int W, class T, E e> Tensor g(const Tensor& q, T x) { return C ? q * W : q + x; }\n"
      "template Tensor g<true, 4, float, E::B>(const Tensor&, float);\n"
      "int main() { g<false, 2, int, E::A>(ones({2}), 3); }\n"
      "Tensor a(const Tensor& q, auto n) { return q * n; }\nTensor b(const Tensor& q) { return a(q, 3); }\n"
      "template <class T> struct S { static Tensor s(const Tensor& q) { return q * T(2); } };\n"
      "Tensor c(const Tensor& q) { return S<float>::s(q); }\n"
      "template <int N> struct O { template <int M> static Tensor o(const Tensor& q); };\n"
      "template <int A> template <int B> Tensor O<A>::o(const Tensor& q) { return q * (A + B); }\n"
      "Tensor d(const Tensor& q) { return O<2>::o<3>(q); }\n"
      "template <> Tensor g<true, 9, float, E::A>(const Tensor& q, float) { return exp(q); }\n"
      "template <int... N> Tensor h(const Tensor& q) { return q * (N + ...); }\n"
      "Tensor e(const Tensor& q) { return h<1, 2>(q); }\n");
  std::vector<std::string> tags;
  for (const FunctionSource& f : p.functions)
    if (f.name == "g") tags.push_back(f.template_tag);
  ASSERT_EQ(tags.size(), 3u) << said(p);
  std::sort(tags.begin(), tags.end());
  EXPECT_EQ(tags[0], "");  // its body is its own
  EXPECT_EQ(tags[1], "C == false && W == 2 && std::is_same_v<T, int> && e == E::A");
  EXPECT_EQ(tags[2], "C == true && W == 4 && std::is_same_v<T, float> && e == E::B");
  EXPECT_EQ(function(p, "s").template_tag, "std::is_same_v<T, float>");
  EXPECT_EQ(function(p, "o").template_tag, "A == 2 && B == 3");
  ASSERT_TRUE(function(p, "h").refusal);
  EXPECT_EQ(function(p, "h").refusal->id, "unsupported-type");
  EXPECT_EQ(function(p, "a").template_tag,
            "std::is_same_v<decltype(q), const flashlight::Tensor &> && std::is_same_v<decltype(n), int>");
  EXPECT_EQ(function(p, "b").template_tag, "");
}

TEST(Candidates, MemberFunctionsReadTheirObject) {
  Program p = read(
      "class A { double scale_ = 1; Tensor w_; public:\n"
      "  Tensor f(const Tensor& x) const { return matmul(x, w_) * scale_; } };\n");
  const FunctionSource& f = function(p, "f");
  ASSERT_EQ(f.variants.size(), 1u) << said(p);
  EXPECT_EQ(f.variants[0].function.tensors[0].access, "this->w_");
  EXPECT_EQ(f.variants[0].function.scalars[0].access, "this->scale_");
  EXPECT_EQ(f.variants[0].function.tensors[1].access, "x");
}

TEST(Candidates, BodiesOutOfMacrosAreRefused) {
  Program p = read("#define BODY { return exp(q); }\nTensor f(const Tensor& q) BODY\n");
  ASSERT_TRUE(function(p, "f").refusal);
  EXPECT_EQ(function(p, "f").refusal->id, "unsupported-statement");
}

}  // namespace
}  // namespace flashlight::frontend::test
