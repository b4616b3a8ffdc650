// SPDX-License-Identifier: Apache-2.0
// What tile programs cannot hold is refused with a reason, before any code is written.
#include "attention_spelling.h"

namespace flashlight::kernel {
namespace {

using graph::Sym;
using graph::T;
using graph::Tensors;

TEST(Refusals, NoAttention) {
  EXPECT_EQ(refusal_of(3, [](const Tensors& t) -> Tensors { return {t[0] * t[1] + t[2]}; }), "no-attention");
}

TEST(Refusals, WeightsMixedOverTheHeads) {
  EXPECT_EQ(refusal_of(4,
                       [](const Tensors& t) -> Tensors {
                         T p = graph::softmax(scores_of(t));
                         return {graph::matmul(graph::einsum("gh,bhij->bgij", {t[3], p}), t[2])};
                       }),
            "mixed-heads");
}

TEST(Refusals, AProjectionOfTheResult) {
  EXPECT_EQ(
      refusal_of(
          4, [](const Tensors& t) -> Tensors { return {graph::matmul(attend(scores_of(t), t[2]), t[3])}; }),
      "matrix-product");  // no tile program; a library makes it
}

TEST(Refusals, SortedScores) {
  EXPECT_EQ(refusal_of(3,
                       [](const Tensors& t) -> Tensors {
                         T sorted = std::get<graph::ArgList>(graph::call("sort", scores_of(t), Sym(-1)))[0];
                         return {attend(sorted, t[2])};
                       }),
            "opaque");
}

TEST(Refusals, AResultOfConditions) {
  EXPECT_EQ(refusal_of(3,
                       [](const Tensors& t) -> Tensors {
                         T s = scores_of(t);
                         return {attend(s, t[2]), T(s > Sym(0.5)).op("any", Sym(-1), graph::flag(false))};
                       }),
            "unsupported-value");
}

TEST(Refusals, AMomentOfTheValues) {
  EXPECT_EQ(refusal_of(3,
                       [](const Tensors& t) -> Tensors {
                         T p = graph::softmax(scores_of(t)), m = graph::matmul(p, t[2]);
                         T away = unsqueeze(t[2], -3) - unsqueeze(m, -2);
                         return {T(unsqueeze(p, -1) * away * away).op("sum", Sym(-2), graph::flag(false))};
                       }),
            "unsupported-moment");
}

TEST(Refusals, ValuesThatVaryWithTheQuery) {
  EXPECT_EQ(refusal_of(3,
                       [](const Tensors& t) -> Tensors {  // v[i, j, c]
                         T p = graph::einsum("bid,bjd->bij", {t[0], t[1]});
                         return {graph::einsum("bij,bijc->bic", {graph::softmax(p), t[2]})};
                       }),
            "rank-three");
}

}  // namespace
}  // namespace flashlight::kernel
