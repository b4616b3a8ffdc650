// SPDX-License-Identifier: Apache-2.0
// The standard library's containers and the DSL's own, known by name.
#include <gtest/gtest.h>

#include "support.h"

namespace flashlight::frontend::test {
namespace {

const std::string kStd =
    "#include <array>\n#include <functional>\n#include <optional>\n#include <tuple>\n#include "
    "<utility>\n#include <vector>\n";

TEST(Containers, StructuredBindings) {
  std::string plain =
      "Tensor f(const Tensor& q) { Tensor a = q.narrow(-1, 0, 4), b = q.narrow(-1, 4, 4); return a * b; }";
  std::string size = "Tensor f(const Tensor& q) { assume(q.size(-1) == 8); ";
  plain.insert(plain.find("Tensor a"), "assume(q.size(-1) == 8); ");
  expect_same(plain, size + "auto [a, b] = q.chunk<2>(-1); return a * b; }");
  expect_same(plain, size + "TensorList parts = q.split(4, -1); return parts[0] * parts[1]; }");
  expect_same(plain, kStd + size +
                         "auto [a, b] = std::pair(q.narrow(-1, 0, 4), q.slice(-1, 4)); auto&& [c, d] = "
                         "std::tie(a, b); return c * d; }");
  expect_same(plain,
              "struct P { Tensor a, b; };\n" + size +
                  "P p{q.narrow(-1, 0, 4), q.narrow(-1, 4, 4)}; const auto& [a, b] = p; return a * b; }");
  expect_same(
      plain,
      size + "Tensor both[] = {q.narrow(-1, 0, 4), q.narrow(-1, 4, 4)}; auto [a, b] = both; return a * b; }");
}

TEST(Containers, Tuples) {
  expect_same("Tensor f(const Tensor& q) { return exp(q) * 3 + q; }",
              kStd +
                  "std::tuple<Tensor, int> g(const Tensor& x) { return {exp(x), 3}; }\n"
                  "Tensor f(const Tensor& q) { Tensor a; int n; std::tie(a, n) = g(q); auto t = "
                  "std::make_tuple(a, n);\n"
                  "  return std::get<0>(t) * std::get<int>(t) + std::get<0>(std::forward_as_tuple(q, 1)); }");
}

TEST(Containers, PairsConvertTheirElements) {
  expect_same("Tensor f(const Tensor& q) { return q * 3; }",
              kStd +
                  "Tensor f(const Tensor& q) { std::pair<int, Tensor> p = std::make_pair(3.75, q); return "
                  "p.second * p.first; }");
}

TEST(Containers, Arrays) {
  expect_same("Tensor f(const Tensor& q) { return (q * 2 + q * 3 + exp(q)) * 2; }",
              kStd +
                  "Tensor f(const Tensor& q) { std::array<Tensor, 3> xs = {q * 2, q * 3}; xs[2] = exp(q); "
                  "int c[2] = {1};\n"
                  "  Tensor t = xs.front(); for (std::size_t i = 1; i < xs.size(); ++i) t = t + xs[i]; "
                  "return t * (c[0] + c[1] + 1); }");
}

TEST(Containers, Vectors) {
  expect_same("Tensor f(const Tensor& q) { return cat({q * 0, q * 1, q * 2, q}, -1); }",
              kStd +
                  "Tensor f(const Tensor& q) { std::vector<Tensor> parts; parts.reserve(4);\n"
                  "  for (int i = 0; i < 3; i++) parts.push_back(q * i); parts.emplace_back(q); return "
                  "cat(parts, -1); }");
}

TEST(Containers, Iterators) {
  expect_same(
      "Tensor f(const Tensor& q) { return exp(q) + 1 + 2; }",
      "#include <vector>\nTensor f(const Tensor& q) { std::vector<double> steps{1, 2}; Tensor x = exp(q);\n"
      "  for (auto it = steps.begin(); it != steps.end(); ++it) x = x + *it;\n  return x; }");
}

TEST(Containers, Optionals) {
  std::string plain = "Tensor f(const Tensor& q) { return q * 2 + 3; }";
  expect_same(plain, kStd +
                         "Tensor g(const Tensor& x, std::optional<double> a = {}, std::optional<Tensor> b = "
                         "std::nullopt) {\n"
                         "  Tensor y = a ? x * *a : x; if (b.has_value()) y = y + b->size(0); return y + "
                         "a.value_or(7) + 1; }\n"
                         "Tensor f(const Tensor& q) { return g(q, 2); }");
  expect_same(plain, kStd +
                         "Tensor f(const Tensor& q) { std::optional<int> n; if (!n) n = 2; if (n == "
                         "std::nullopt) return q;\n"
                         "  std::optional<Tensor> t; t = q; return *t * n.value() + 3; }");
}

TEST(Containers, DesignatedOptions) {
  expect_same(
      "Tensor f(const Tensor& q, const Tensor& k) { return matmul(softmax(matmul(q, k.mT()) * 0.5, -1), k); "
      "}",
      "Tensor f(const Tensor& q, const Tensor& k) { return scaled_dot_product_attention(q, k, k, {.scale = "
      "0.5}); }");
}

TEST(Containers, SizesAreLists) {
  expect_same(
      "Tensor f(const Tensor& q) { assume(q.dim() == 3); return q.reshape({q.size(0), q.size(1) * "
      "q.size(2)}); }",
      "Tensor f(const Tensor& q) { assume(q.dim() == 3); Sizes s = q.sizes(); Sizes t; t.push_back(s[0]); "
      "t.push_back(s[1] * s.back());\n"
      "  return q.reshape(t); }");
}

TEST(Containers, StdFunction) {
  expect_same(
      "Tensor f(const Tensor& q) { return exp(q) * 2; }",
      kStd +
          "Tensor apply(std::function<Tensor(const Tensor&)> g, const Tensor& x) { return g(x) * 2; }\n"
          "Tensor f(const Tensor& q) { return apply([](const Tensor& x) { return exp(x); }, q); }");
}

TEST(Containers, MoveSwapExchange) {
  expect_same(
      "Tensor f(const Tensor& q) { return exp(q) - q; }",
      kStd +
          "Tensor f(const Tensor& q) { Tensor a = q, b = exp(q); std::swap(a, b); Tensor c = std::move(a);\n"
          "  Tensor d = std::exchange(c, b); return d - c; }");
}

TEST(Containers, RangeFor) {
  expect_same(
      "Tensor f(const Tensor& q) { return ((q * 1 + 0.5) * 2 + 0.5) * 3 + 0.5; }",
      kStd +
          "Tensor f(const Tensor& q) { Tensor x = q; for (int n : {1, 2, 3}) x = x * n + 0.5; return x; }");
  expect_same("Tensor f(const Tensor& q) { return exp(q) + tanh(q); }",
              kStd +
                  "Tensor f(const Tensor& q) { Tensor x; for (const Tensor& t : {exp(q), tanh(q)}) x = "
                  "x.defined() ? x + t : t; return x; }");
  expect_same("Tensor f(const Tensor& q) { return q * 2 + exp(q) * 3; }",
              kStd +
                  "Tensor f(const Tensor& q) { std::array<std::pair<Tensor, int>, 2> xs{{{q, 2}, {exp(q), "
                  "3}}}; Tensor t = q * 0;\n"
                  "  t = xs[0].first * xs[0].second; bool first = true;\n"
                  "  for (auto& [x, n] : xs) { if (!first) t = t + x * n; first = false; } return t; }");
}

}  // namespace
}  // namespace flashlight::frontend::test
