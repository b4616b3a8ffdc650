// SPDX-License-Identifier: Apache-2.0
// Control flow that is decided while translating.
#include <gtest/gtest.h>

#include "support.h"

namespace flashlight::frontend::test {
namespace {

void expect_scaled(int n, const std::string& body) {
  SCOPED_TRACE(body);
  expect_same("Tensor f(const Tensor& q) { return q * " + std::to_string(n) + "; }",
              "Tensor f(const Tensor& q) { " + body + " }");
}

TEST(Control, If) {
  expect_scaled(2, "if (3 > 2) return q * 2; else return q;");
  expect_scaled(3, "if (int n = 3; n < 2) return q; else if (n == 3) return q * n; return q;");
  expect_scaled(4, "const bool causal = true; Tensor x = q; if (causal && !false) { x = x * 4; } return x;");
}

TEST(Control, EarlyReturnEndsTheFunctionOnly) {
  expect_same("Tensor f(const Tensor& q) { return exp(q) + 1; }",
              "Tensor g(const Tensor& x, bool e) { if (e) return exp(x); return x; }\nTensor f(const Tensor& "
              "q) { return g(q, true) + 1; }");
}

TEST(Control, For) {
  expect_scaled(10, "int n = 0; for (int i = 0; i < 5; ++i) n += i; return q * n;");
  expect_scaled(4,
                "int n = 0; for (int i = 0; i < 10; i++) { if (i % 2) continue; if (i > 6) break; n++; } "
                "return q * n;");
  expect_scaled(6, "int n = 0; for (int i = 0; i < 2; ++i) for (int j = 0; j < 3; ++j) n++; return q * n;");
  expect_scaled(3, "int n = 0; for (;;) { if (++n == 3) break; } return q * n;");
  expect_scaled(7, "for (int i = 7;; --i) return q * i;");
}

TEST(Control, While) {
  expect_scaled(8, "int n = 1; while (n < 8) n *= 2; return q * n;");
  expect_scaled(1, "int n = 0; do { n++; } while (n < 1); return q * n;");
}

TEST(Control, TripCountFromAnAssumedSize) {
  const std::string head = "Tensor f(const Tensor& q) { assume(q.size(-1) == 4); ";
  expect_same(head + "return q * 4; }",
              head + "int n = 0; for (int i = 0; i < q.size(-1); ++i) n++; return q * n; }");
}

TEST(Control, Switch) {
  const std::string cases =
      "int n = 0; switch (k) { case 0: n = 5; break; case 1: case 2: n = 6; [[fallthrough]]; case 3: n += 1; "
      "break; default: n = 9; } return q * n;";
  expect_scaled(5, "int k = 0; " + cases);
  expect_scaled(7, "int k = 1; " + cases);
  expect_scaled(7, "int k = 2; " + cases);
  expect_scaled(1, "int k = 3; " + cases);
  expect_scaled(9, "int k = 4; " + cases);
}

TEST(Control, Conditional) {
  expect_scaled(2, "bool b = false; return b ? q : q * 2;");
  expect_scaled(2, "bool b = false; int n = b || 1 < 2 ? 2 : 3; return q * n;");
}

TEST(Control, LoopsUnrollOverTensors) {
  expect_same(
      "Tensor f(const Tensor& q) { return tanh(tanh(tanh(q))); }",
      "Tensor f(const Tensor& q) { Tensor x = q; for (int i = 0; i < 3; ++i) x = tanh(x); return x; }");
}

TEST(Control, RecursionThatEnds) {
  expect_same("Tensor f(const Tensor& q) { return tanh(tanh(tanh(q))); }",
              "Tensor g(const Tensor& x, int n) { return n == 0 ? x : tanh(g(x, n - 1)); }\nTensor f(const "
              "Tensor& q) { return g(q, 3); }");
}

}  // namespace
}  // namespace flashlight::frontend::test
