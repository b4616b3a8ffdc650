// SPDX-License-Identifier: Apache-2.0
// Ranks that a program does not state: found where only one makes sense, asked for where several do.
#include <gtest/gtest.h>

#include "support.h"

namespace flashlight::frontend::test {
namespace {

// "q 4, mask 2": the parameters' ranks; a pack counts as `*`.
std::string ranks(const std::string& text) {
  Program p = read(text);
  const FunctionSource& f = function(p, "f");
  if (f.variants.empty()) return said(p);
  std::string out;
  for (const graph::TensorParam& t : f.variants[0].function.tensors)
    out += (out.empty() ? "" : ", ") + t.name + " " + (t.pack ? "*+" : "") +
           std::to_string(t.shape.size() - t.pack);
  return out;
}

const std::string kAttend = "return matmul(softmax(s, -1), v); }";

TEST(Ranks, OperandsOfProductsAreTheUsualFour) {
  EXPECT_EQ(ranks("Tensor f(const Tensor& q, const Tensor& k, const Tensor& v) {\n"
                  "  Tensor s = matmul(q, k.transpose(2, 3)) / double(q.size(3)); " +
                  kAttend),
            "q 4, k 4, v 4");
  EXPECT_EQ(ranks("Tensor f(const Tensor& q, const Tensor& k, const Tensor& v) {\n"
                  "  int64_t group = q.size(1) / k.size(1);\n"
                  "  Tensor s = matmul(q, k.repeat_interleave(group, 1).mT());\n"
                  "  return matmul(softmax(s, -1), v.repeat_interleave(group, 1)); }"),
            "q 4, k 4, v 4");
  EXPECT_EQ(ranks("Tensor f(const Tensor& q, const Tensor& k, const Tensor& v) {\n"
                  "  Tensor s = matmul(q.transpose(1, 2), k.transpose(1, 2).transpose(-2, -1));\n"
                  "  return matmul(softmax(s, -1), v.transpose(1, 2)).transpose(1, 2); }"),
            "q 4, k 4, v 4");
}

// With four dims size(1) would be the heads, and rows be numbered by them.
TEST(Ranks, PositionsTellThreeFromFour) {
  EXPECT_EQ(ranks("Tensor f(const Tensor& q, const Tensor& k, const Tensor& v) {\n"
                  "  Tensor i = arange(q.size(1)).unsqueeze(-1), j = arange(k.size(1));\n"
                  "  Tensor s = where(j <= i, matmul(q, k.transpose(1, 2)), -INFINITY); " +
                  kAttend),
            "q 3, k 3, v 3");
  EXPECT_EQ(ranks("Tensor f(const Tensor& q, const Tensor& k, const Tensor& v) {\n"
                  "  Tensor i = arange(q.size(2)).unsqueeze(-1), j = arange(k.size(2));\n"
                  "  Tensor s = where(j <= i, matmul(q, k.transpose(2, 3)), -INFINITY); " +
                  kAttend),
            "q 4, k 4, v 4");
}

TEST(Ranks, TablesAndMasks) {
  EXPECT_EQ(ranks("Tensor f(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& document, const "
                  "Tensor& offsets) {\n"
                  "  Tensor same = document.unsqueeze(-1) == document.unsqueeze(-2);\n"
                  "  Tensor b = arange(document.size(0)).unsqueeze(-1);\n"
                  "  Tensor at = arange(document.size(1)) - offsets.index({b, document});\n"
                  "  Tensor before = at.unsqueeze(-2) <= at.unsqueeze(-1);\n"
                  "  Tensor s = where((same & before).unsqueeze(1), matmul(q, k.mT()), -INFINITY); " +
                  kAttend),
            "q *+4, k *+4, v *+4, document 2, offsets 2");
  EXPECT_EQ(ranks("Tensor f(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) {\n"
                  "  Tensor i = arange(mask.size(0)).unsqueeze(-1), j = arange(mask.size(1));\n"
                  "  Tensor s = where(mask & (j <= i), matmul(q, k.mT()), -INFINITY); " +
                  kAttend),
            "q *+2, k *+2, v *+2, mask 2");
  EXPECT_EQ(ranks("Tensor f(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) {\n"
                  "  Tensor s = matmul(q, k.mT()) + mask.unsqueeze(0).unsqueeze(0); " +
                  kAttend),
            "q *+4, k *+4, v *+4, mask 2");
  EXPECT_EQ(ranks("Tensor f(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& lengths) {\n"
                  "  Tensor keep = arange(k.size(2)) < lengths.unsqueeze(1).unsqueeze(2).unsqueeze(3);\n"
                  "  Tensor s = where(keep, matmul(q, k.mT()), -INFINITY); " +
                  kAttend),
            "q 4, k 4, v 4, lengths 1");
  EXPECT_EQ(ranks("Tensor f(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& slopes) {\n"
                  "  Tensor h = arange(slopes.size(0)).view({-1, 1, 1});\n"
                  "  Tensor s = matmul(q, k.mT()) + slopes.index({h}) * arange(k.size(-2)); " +
                  kAttend),
            "q *+3, k *+3, v *+3, slopes 1");
}

TEST(Ranks, ViewsThatSplitOneDim) {
  EXPECT_EQ(ranks("Tensor f(const Tensor& x, const Tensor& k, const Tensor& v) {\n"
                  "  int64_t B = x.size(0), S = x.size(1), H = 4, D = x.size(2) / H;\n"
                  "  Tensor s = matmul(x.view({B, S, H, D}).transpose(1, 2), k.mT()); " +
                  kAttend),
            "x 3, k *+4, v *+4");
}

// A size alone says nothing about the rank: the program must.
TEST(Ranks, AreAskedForWhereSeveralMakeSense) {
  const std::string text =
      "Tensor f(const Tensor& q, const Tensor& table) { return exp(q) / double(table./*!*/size(0)); }";
  expect_refused(text, "unknown-rank");
  Program p = read(text);
  ASSERT_TRUE(function(p, "f").refusal);
  EXPECT_EQ(function(p, "f").refusal->text, "`table` may have 1, 2, 3 or 4 dims here");
  EXPECT_EQ(function(p, "f").refusal->hint, "state it, for instance `assume(table.dim() == 4)`");
  EXPECT_EQ(ranks("Tensor f(const Tensor& q, const Tensor& table) { assume(table.dim() == 2); return exp(q) "
                  "/ double(table.size(0)); }"),
            "q *+0, table 2");
}

TEST(Ranks, OfFieldsAreAskedForByTheirPath) {
  Program p = read(
      "struct In { Tensor q, table; };\nTensor f(const In& in) { return exp(in.q) / "
      "double(in.table.size(0)); }");
  ASSERT_TRUE(function(p, "f").refusal);
  EXPECT_EQ(function(p, "f").refusal->hint, "state it, for instance `assume(in.table.dim() == 4)`");
}

TEST(Ranks, OtherOpenOnesAreNamed) {
  Program p = read(
      "Tensor f(const Tensor& q, const Tensor& a, const Tensor& b) { return exp(q) * double(a.size(0)) * "
      "double(b.size(0)); }");
  ASSERT_TRUE(function(p, "f").refusal);
  EXPECT_EQ(function(p, "f").refusal->hint,
            "state it, for instance `assume(a.dim() == 4)`; `b` is open, too");
}

// A view as a vector says little: the dims that are read elsewhere overrule it, and so does the program.
TEST(Ranks, AViewAsAVectorIsAGuess) {
  const std::string head =
      "Tensor f(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& index) {\n"
      "  Tensor n = index.view({-1}); ";
  const std::string tail =
      "\n  Tensor s = matmul(q, k.mT()) + n.view({index.size(0), index.size(1)}); " + kAttend;
  EXPECT_EQ(ranks(head + tail), "q *+2, k *+2, v *+2, index 2");
  EXPECT_EQ(ranks(head + "assume(index.dim() == 2);" + tail), "q *+2, k *+2, v *+2, index 2");
}

// A layer's weights are read one after the other: what the heads are split off from is x, whatever parameters
// have not been met yet. The heads' merging says nothing about x.
TEST(Ranks, ProjectionsAndTheirHeads) {
  EXPECT_EQ(ranks("Tensor split(const Tensor& t) { return t.unflatten(-1, {8, -1}).transpose(1, 2); }\n"
                  "Tensor f(const Tensor& x, const Tensor& wq, const Tensor& wk, const Tensor& wv, const "
                  "Tensor& wo) {\n"
                  "  Tensor q = split(linear(x, wq)), k = split(linear(x, wk)), v = split(linear(x, wv));\n"
                  "  Tensor out = matmul(softmax(matmul(q, k.mT()), -1), v);\n"
                  "  return linear(out.transpose(1, 2).flatten(2), wo); }"),
            "x 3, wq 2, wk 2, wv 2, wo 2");
}

// What stops the reading for another reason is what is reported.
TEST(Ranks, OtherRefusalsAreReportedAsTheyAre) {
  expect_refused(
      "Tensor f(const Tensor& q) { int64_t n = q.size(0); return q./*!*/item<float>() + arange(n); }",
      "unsupported-call");
  expect_refused(
      "Tensor f(const Tensor& q, const Tensor& k) { assume(k.dim() == 1); return q.transpose(0, "
      "1).matmul(k./*!*/transpose(0, 1)); }",
      "dim-out-of-range");
}

// What broadcasts may have fewer dims than what it meets, unless the program names them by their number.
TEST(Ranks, TakenFromOthersAreUpperBounds) {
  const std::string body = "  Tensor s = matmul(q, k.transpose(2, 3)) + bias; " + kAttend;
  const std::string head =
      "Tensor f(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias) { assume(q.dim() == "
      "4);\n";
  Program p = read(head + body),
          named = read(head + "  double n = double(bias.size(1)); assume(bias.dim() == 4);\n" + body);
  for (bool is_named : {false, true}) {
    const FunctionSource& f = function(is_named ? named : p, "f");
    ASSERT_EQ(f.variants.size(), 1u);
    const graph::TensorParam& bias = f.variants[0].function.tensors[3];
    EXPECT_EQ(bias.shape.size(), 4u);
    EXPECT_EQ(bias.may_lack_axes, !is_named);
  }
}

TEST(Ranks, OwnOnesAreNotTakenFromOthers) {
  EXPECT_EQ(ranks("Tensor f(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias) { "
                  "assume(q.dim() == 4);\n"
                  "  Tensor i = arange(bias.size(1)).unsqueeze(-1), j = arange(k.size(-2));\n"
                  "  Tensor s = where(j <= i, matmul(q, k.mT()) + bias, -INFINITY); " +
                  kAttend),
            "q 4, k 4, v 4, bias 3");
}

TEST(Ranks, BranchesAreReadForEachVariant) {
  Program p = read(
      "Tensor f(const Tensor& q, const Tensor& k, const Tensor& v, bool causal) {\n"
      "  Tensor s = matmul(q, k.transpose(2, 3));\n"
      "  if (causal) s = where(arange(k.size(2)) <= arange(q.size(2)).unsqueeze(1), s, -INFINITY); " +
      kAttend);
  EXPECT_EQ(function(p, "f").variants.size(), 2u) << said(p);
}

}  // namespace
}  // namespace flashlight::frontend::test
