// SPDX-License-Identifier: Apache-2.0
// What tile programs cannot hold is refused with a reason, before any code is written.
#include "attention_programs.h"

namespace flashlight::kernel {
namespace {

using graph::Sym;
using graph::T;
using graph::Tensors;

TEST(Refusals, NoAttention) {
  EXPECT_EQ(refusal_of(3, [](const Tensors& t) -> Tensors { return {t[0] * t[1] + t[2]}; }), "no-attention");
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
                         return {graph::matmul(p, t[2] * t[2]) - m * m};
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

TEST(Refusals, ASoftmaxForEachColumn) {
  EXPECT_EQ(
      refusal_of(4,
                 [](const Tensors& t) -> Tensors {
                   T s = graph::einsum("bid,bjd->bij", {t[0], t[1]});
                   T p = graph::call("softmax",
                                     T(s.op("unsqueeze", Sym(-1))) + T(t[3].op("unsqueeze", Sym(1))), Sym(2));
                   return {T(T(p * T(t[2].op("unsqueeze", Sym(1)))).op("sum", Sym(2), graph::flag(false)))};
                 }),
      "rank-three");
}

TEST(Refusals, AMaskOverTheResultsColumns) {  // p[i, j] where m[j, c]
  EXPECT_EQ(
      refusal_of(
          4,
          [](const Tensors& t) -> Tensors {
            T p = graph::softmax(graph::einsum("bid,bjd->bij", {t[0], t[1]}));
            T chosen = graph::where(t[3].op("unsqueeze", Sym(1)), T(p.op("unsqueeze", Sym(-1))), Sym(0.0));
            return {T(T(chosen * T(t[2].op("unsqueeze", Sym(1)))).op("sum", Sym(2), graph::flag(false)))};
          }),
      "rank-three");
}

}  // namespace
}  // namespace flashlight::kernel
