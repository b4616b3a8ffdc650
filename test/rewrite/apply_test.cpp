// SPDX-License-Identifier: Apache-2.0
// Where the built-in rules apply, where they must not, and that what they leave computes the same.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "frontend/support.h"
#include "graph/evaluate.h"
#include "rewrite/builtin.h"
#include "rewrite/measure.h"
#include "rewrite/rewrite.h"

namespace flashlight::rewrite {
namespace {

using graph::Array;

graph::Function function_of(const std::string& body) {
  const std::string text = "Tensor f(Tensor q, Tensor k, Tensor v, Tensor b, double c) {\n" + body + "\n}\n";
  frontend::Program p = frontend::test::read(text);
  const frontend::FunctionSource& f = frontend::test::function(p, "f");
  if (f.variants.size() != 1) ADD_FAILURE() << frontend::test::said(p);
  return f.variants.empty() ? graph::Function() : f.variants[0].function;
}

std::vector<std::string> names(const Rewritten& r) {
  std::vector<std::string> out;
  for (const Application& a : r.trace) out.push_back(a.rule->name);
  return out;
}

// A tensor [2, rows, columns] of small values.
Array random_array(std::int64_t rows, std::int64_t columns, unsigned seed) {
  std::mt19937 random(seed);
  Array a;
  a.shape = {2, rows, columns};
  for (std::int64_t k = 0; k < 2 * rows * columns; ++k)
    a.data.push_back(std::normal_distribution<double>()(random));
  return a;
}

// 5 queries, 7 keys, depth 3; b is a bias.
std::vector<double> values(const graph::Function& f) {
  std::vector<Array> tensors;
  for (const graph::TensorParam& t : f.tensors) {
    if (t.name == "q") tensors.push_back(random_array(5, 3, 1));
    if (t.name == "k") tensors.push_back(random_array(7, 3, 2));
    if (t.name == "v") tensors.push_back(random_array(7, 3, 3));
    if (t.name == "b") tensors.push_back(random_array(5, 7, 4));
  }
  return graph::evaluate(f, tensors, std::vector<double>(f.scalars.size(), 0.7))[0].data;
}

Rewritten checked(const std::string& body) {
  const graph::Function before = function_of(body);
  Rewritten after = rewrite(before, builtin_rules());
  graph::verify(after.function);
  const std::vector<double> a = values(before), b = values(after.function);
  EXPECT_EQ(a.size(), b.size());
  for (std::size_t k = 0; k < std::min(a.size(), b.size()); ++k) EXPECT_NEAR(a[k], b[k], 1e-12) << body;
  return after;
}

using Names = std::vector<std::string>;

TEST(Apply, ExponentialsGetTheirMaximum) {
  const auto r = checked("Tensor e = exp(matmul(q, k.mT())); return matmul(e / e.sum(-1, true), v);");
  EXPECT_EQ(names(r), (Names{"stable_softmax", "row_factor"}));
  EXPECT_EQ(measure(Phase::Stabilise, r.function), 0);
}

TEST(Apply, EverySoftmaxEndsAsOneGraph) {
  auto text = [](const std::string& body) { return frontend::test::printed(checked(body).function); };
  const std::string naive = text("Tensor e = exp(matmul(q, k.mT())); return matmul(e / e.sum(-1, true), v);");
  EXPECT_EQ(naive, text("return matmul(softmax(matmul(q, k.mT()), -1), v);"));
  EXPECT_EQ(naive, text("Tensor e = exp(matmul(q, k.mT())); return matmul(e, v) / e.sum(-1, true);"));
  EXPECT_EQ(naive, text("Tensor s = matmul(q, k.mT()), e = exp(s - s.amax(-1, true)); return matmul(e, v) / "
                        "e.sum(-1, true);"));
}

TEST(Apply, MaskedExponentialsToo) {
  const auto r = checked(
      "Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));"
      "Tensor e = exp(where(j <= i + 2, matmul(q, k.mT()), -INFINITY)); return matmul(e / e.sum(-1, true), "
      "v);");
  EXPECT_EQ(names(r), (Names{"stable_softmax", "row_factor"}));
}

TEST(Apply, LogsumexpIsStable) {
  EXPECT_EQ(names(checked("return log(exp(matmul(q, k.mT())).sum(-1)).unsqueeze(-1) + 0 * q;")),
            Names{"stable_logsumexp"});
  EXPECT_EQ(names(checked("return logsumexp(matmul(q, k.mT()), -1, true) + 0 * q;")),
            Names{"stable_logsumexp"});
}

TEST(Apply, ADifferenceOfMapsBecomesTwoProducts) {
  const auto r =
      checked("Tensor a = softmax(matmul(q, k.mT()), -1), d = softmax(b, -1); return matmul(a - c * d, v);");
  EXPECT_EQ(names(r)[0], "normalised_weights");
  EXPECT_EQ(measure(Phase::Distribute, r.function), 0);
  EXPECT_EQ(measure(Phase::Hoist, r.function), 0);
}

// Distributing q + bias would make two products of one.
TEST(Apply, OtherSumsStayWhole) {
  EXPECT_EQ(names(checked("return matmul(softmax(matmul(q + q.amax(-1, true), k.mT()), -1), v);")),
            Names{"row_factor"});
}

TEST(Apply, DistancesBecomeProducts) {
  const auto r = checked(
      "Tensor d = square(q.unsqueeze(-2) - k.unsqueeze(-3)).sum(-1); return matmul(softmax(-d, -1), v);");
  const Names n = names(r);
  EXPECT_EQ(n[0], "squared_distance");
  // |q|^2 is constant along the row and finite.
  EXPECT_NE(std::find(n.begin(), n.end(), "row_shift"), n.end());
  EXPECT_EQ(measure(Phase::Distribute, r.function), 0);
}

// The product form rounds as |q|^2 does: where d is small a root, a logarithm or a quotient would show it.
TEST(Apply, DistancesStayWhereSmallOnesCount) {
  const auto fires = [](const std::string& weights) {
    const Names n =
        names(checked("Tensor d = square(q.unsqueeze(-2) - k.unsqueeze(-3)).sum(-1); Tensor w = " + weights +
                      "; return matmul(w, v);"));
    return std::find(n.begin(), n.end(), "squared_distance") != n.end();
  };
  EXPECT_TRUE(fires("softmax(-2 * d + b, -1)"));
  EXPECT_TRUE(fires("1 / (d + 1)"));
  EXPECT_TRUE(fires("exp(-tanh(d))"));
  EXPECT_TRUE(fires("where(d < 2, exp(-d), 0.0)"));
  EXPECT_FALSE(fires("softmax(-sqrt(d), -1)"));
  EXPECT_FALSE(fires("softmax(-sqrt(d * 0.5 + 1e-8), -1)"));
  EXPECT_FALSE(fires("softmax(log(d), -1)"));
  EXPECT_FALSE(fires("1 / (d + 1e-8)"));
  EXPECT_FALSE(fires("where(d > 0, exp(-d), 0.0)"));
}

// A row that a bias masks as a whole must stay masked.
TEST(Apply, ARowBiasThatMayMaskStays) {
  const auto shifted = checked("return matmul(softmax(matmul(q, k.mT()) + q.sum(-1, true) * 0.5, -1), v);");
  EXPECT_EQ(names(shifted), (Names{"row_factor"})) << "a sum of an input may hold its infinities";
  const auto squared = checked("return matmul(softmax(matmul(q, k.mT()) + square(q).sum(-1, true), -1), v);");
  EXPECT_EQ(names(squared), (Names{"row_factor", "row_shift"}));
}

TEST(Apply, RowFactorsLeaveTheSum) {
  const auto r = checked("return matmul(matmul(q, k.mT()) * q.amax(-1, true) * c, v);");
  EXPECT_EQ(measure(Phase::Hoist, r.function), 0);
}

// A rule's leading axes are any axes, in any place.
TEST(Apply, RulesDoNotSeeRanks) {
  const graph::Function f = function_of(
      "assume(q.dim() == 5 && k.dim() == 5);"
      "Tensor e = exp(einsum(\"ibhjd,ibhkd->hbijk\", {q, k})); return e / e.sum(-1, true);");
  EXPECT_EQ(names(rewrite(f, builtin_rules())), Names{"stable_softmax"});
}

// The reduced axis need not be the last one.
TEST(Apply, AxesAreFoundWhereTheyAre) {
  const auto r = checked("Tensor e = exp(matmul(k, q.mT())); return matmul((e / e.sum(-2, true)).mT(), v);");
  EXPECT_EQ(names(r), (Names{"stable_softmax", "row_factor"}));
}

TEST(Apply, IsDeterministicAndRepeats) {
  const graph::Function f =
      function_of("Tensor e = exp(matmul(q, k.mT())); return matmul(e / e.sum(-1, true), v);");
  const Rewritten once = rewrite(f, builtin_rules()), twice = rewrite(once.function, builtin_rules());
  EXPECT_TRUE(twice.trace.empty());
  EXPECT_EQ(graph::to_string(once.function), graph::to_string(twice.function));
}

}  // namespace
}  // namespace flashlight::rewrite
