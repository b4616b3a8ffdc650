// SPDX-License-Identifier: Apache-2.0
// In-place ops: followed on fresh storage, refused where another name could see them.
#include <gtest/gtest.h>

#include "support.h"

namespace flashlight::frontend::test {
namespace {

TEST(Mutation, FreshStorage) {
  expect_same("Tensor f(const Tensor& q) { return ((exp(q) + q) * 2 - 1) / 3; }",
              "Tensor f(const Tensor& q) { Tensor x = exp(q); x += q; x *= 2; x -= 1; x /= 3; return x; }");
}

TEST(Mutation, SeenThroughReferences) {
  expect_same("Tensor f(const Tensor& q) { return exp(q) + 1 + 2; }",
              "void add(Tensor& x, int n) { x += n; }\n"
              "Tensor f(const Tensor& q) { Tensor x = exp(q); Tensor& y = x; y += 1; auto g = [&x] { x += 2; "
              "}; g(); return y; }");
}

TEST(Mutation, AfterTheOtherNameIsGone) {
  expect_same("Tensor f(const Tensor& q) { return exp(q) + 1; }",
              "Tensor f(const Tensor& q) { Tensor x = exp(q); { Tensor y = x; } x += 1; return x; }");
  expect_same("Tensor f(const Tensor& q) { return exp(q) + 1; }",
              "Tensor f(const Tensor& q) { Tensor x = exp(q); Tensor y = static_cast<Tensor&&>(x); y += 1; "
              "return y; }");
}

TEST(Mutation, Accumulation) {
  expect_same(
      "Tensor f(const Tensor& q) { return q * 0 + q * 1 + q * 2; }",
      "Tensor f(const Tensor& q) { Tensor x = q * 0; for (int i = 1; i < 3; ++i) x += q * i; return x; }");
}

TEST(Mutation, CloneIsFresh) {
  expect_same("Tensor f(const Tensor& q) { return q + 1; }",
              "Tensor f(const Tensor& q) { Tensor x = q.clone(); x += 1; return x; }");
}

TEST(Mutation, OfAParameter) {
  expect_refused("Tensor f(Tensor q) { q /*!*/+= 1; return q; }", "aliased-mutation");
  expect_refused("Tensor f(const Tensor& q) { Tensor x = q; x /*!*/*= 2; return x; }", "aliased-mutation");
  expect_refused("Tensor f(const Tensor& q) { Tensor x = q.transpose(0, 1); x /*!*/*= 2; return x; }",
                 "aliased-mutation");
  expect_refused("Tensor f(const Tensor& q) { Tensor x = q.contiguous(); x /*!*/-= 2; return x; }",
                 "aliased-mutation");
  expect_refused("Tensor f(const Tensor& q) { Tensor x = q.to(kFloat32); x /*!*/-= 2; return x; }",
                 "aliased-mutation");
}

TEST(Mutation, OfSharedStorage) {
  expect_refused("Tensor f(const Tensor& q) { Tensor x = exp(q), y = x; x /*!*/+= 1; return x + y; }",
                 "aliased-mutation");
  expect_refused("Tensor f(const Tensor& q) { Tensor x = exp(q), y = x.mT(); y /*!*/+= 1; return x; }",
                 "aliased-mutation");
  expect_refused("Tensor f(const Tensor& q) { Tensor x = exp(q); x.select(0, 1) /*!*/+= 1; return x; }",
                 "aliased-mutation");
  expect_refused(
      "Tensor f(const Tensor& q) { Tensor x = exp(q); auto g = [x] { return x; }; x /*!*/+= 1; return g(); }",
      "aliased-mutation");
  expect_refused(
      "struct S { Tensor t; };\nTensor f(const Tensor& q) { Tensor x = exp(q); S s{x}; s.t /*!*/+= 1; return "
      "x; }",
      "aliased-mutation");
  expect_refused(
      "Tensor g(Tensor x) { x /*!*/+= 1; return x; }\nTensor f(const Tensor& q) { Tensor y = exp(q); return "
      "g(y) + y; }",
      "aliased-mutation");
}

TEST(Mutation, TheHintNamesTheVariable) {
  Program p = read("Tensor f(const Tensor& q) { Tensor sum = q; sum *= 2; return sum; }");
  ASSERT_TRUE(function(p, "f").refusal);
  EXPECT_EQ(function(p, "f").refusal->hint, "write `sum = sum * ...`");
}

TEST(Mutation, OfExpandedViews) {
  const std::string head =
      "Tensor f(const Tensor& q) { assume(q.dim() == 2); assume(q.size(0) == 1); Tensor x = exp(q); ";
  expect_refused(head + "x = x.expand({3, -1}); x /*!*/+= 1; return x; }", "aliased-mutation");
  expect_refused(head + "Tensor y = x.expand({3, -1}); x /*!*/+= 1; return y; }", "aliased-mutation");
}

TEST(Mutation, OfTheCallersVariables) {
  expect_refused("Tensor f(const Tensor& q, Tensor& out) { out /*!*/= exp(q); return out; }",
                 "aliased-mutation");
  expect_refused("Tensor f(const Tensor& q, int& n) { n /*!*/= 3; return q * n; }", "aliased-mutation");
  expect_refused("struct S { int n; };\nTensor f(const Tensor& q, S& s) { s.n /*!*/+= 3; return exp(q); }",
                 "aliased-mutation");
}

}  // namespace
}  // namespace flashlight::frontend::test
