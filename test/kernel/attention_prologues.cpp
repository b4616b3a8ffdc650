// SPDX-License-Identifier: Apache-2.0
// Attention programs that compute queries, keys and values before they meet: norms, rotations, projections of
// a few numbers.
#include "attention_spelling.h"

namespace flashlight::kernel {

using graph::Sym;
using graph::T;
using graph::Tensors;

namespace {

T unit(const T& x) { return x / T(sum(x * x) + Sym(0.5)).op("sqrt"); }
T mean(const T& x) { return x.op("mean", Sym(-1), graph::flag(true)); }

T rotated(const T& x, const T& cosine, const T& sine) {
  const graph::ArgList halves = std::get<graph::ArgList>(graph::call("chunk", x, Sym(2), Sym(-1)));
  const T a = halves[0], b = halves[1];
  return graph::call("cat", graph::ArgList{T(a * cosine - b * sine), T(b * cosine + a * sine)}, Sym(-1));
}

T attend_to(const T& q, const T& k, const T& v) { return attend(graph::matmul(q, graph::transposed(k)), v); }

}  // namespace

void add_prologues(std::vector<AttentionProgram>& out) {
  const auto weighed = with([](const Sizes& s) { return Shapes{{s.d}, {s.d}}; });
  out.push_back({"unit queries and keys",
                 [](const Tensors& t) -> Tensors { return {attend_to(unit(t[0]), unit(t[1]), t[2])}; }, qkv});
  out.push_back(
      {"rms norms with weights",
       [](const Tensors& t) -> Tensors {
         return {attend_to(t[0].op("rms_norm", t[3], Sym(1e-6)), t[1].op("rms_norm", t[4], Sym(1e-6)), t[2])};
       },
       weighed});
  out.push_back({"layer norms with weights and biases",
                 [](const Tensors& t) -> Tensors {
                   return {attend_to(t[0].op("layer_norm", t[3], t[4], Sym(1e-3)),
                                     t[1].op("layer_norm", t[4], t[3], Sym(1e-3)), t[2])};
                 },
                 weighed});
  out.push_back({"values without their mean",
                 [](const Tensors& t) -> Tensors { return {attend(scores_of(t), t[2] - mean(t[2]))}; }, qkv});
  out.push_back({"values of length one",
                 [](const Tensors& t) -> Tensors { return {attend(causal(t, scores_of(t)), unit(t[2]))}; },
                 qkv});
  out.push_back({"distances",
                 [](const Tensors& t) -> Tensors {
                   const T q = sum(t[0] * t[0]), k = sum(t[1] * t[1], false);
                   return {attend(
                       graph::matmul(t[0], graph::transposed(t[1])) * Sym(2.0) - q - unsqueeze(k, -2), t[2])};
                 },
                 qkv});
  out.push_back(
      {"a temperature from the query's largest feature",
       [](const Tensors& t) -> Tensors { return {attend(scores_of(t) * T(amax(t[0]) + Sym(2.0)), t[2])}; },
       qkv});
  out.push_back({"keys hidden by their length",
                 [](const Tensors& t) -> Tensors {
                   const T seen = sum(t[1] * t[1], false) > Sym(0.2);
                   return {attend(hidden_unless(unsqueeze(seen, -2), scores_of(t)), t[2])};
                 },
                 qkv});
  out.push_back({"halves that turn",
                 [](const Tensors& t) -> Tensors {
                   return {attend_to(rotated(t[0], t[3], t[4]), rotated(t[1], t[3], t[4]), t[2])};
                 },
                 [](const Sizes& given) {
                   Sizes s = given;
                   s.d = 4;
                   return with([](const Sizes& z) { return Shapes{{z.sq, z.d / 2}, {z.sq, z.d / 2}}; })(s);
                 },
                 1,
                 {0},
                 {},
                 true});
  out.push_back({"points in a frame of each query",
                 [](const Tensors& t) -> Tensors {
                   const T points = t[0].op("unflatten", Sym(-1), graph::sizes({-1, 3}));
                   const T turned = graph::einsum("bhide,bhime->bhimd", {t[3], points});
                   return {attend_to(turned.op("flatten", Sym(-2), Sym(-1)), t[1], t[2])};
                 },
                 [](const Sizes& given) {
                   Sizes s = given;
                   s.d = 6;
                   return with([](const Sizes& z) { return Shapes{{z.b, z.h, z.sq, 3, 3}}; })(s);
                 }});
}

// Scores that sum over more than one axis.
void add_contractions(std::vector<AttentionProgram>& out) {
  out.push_back(
      {"distances of several points",
       [](const Tensors& t) -> Tensors {
         return {attend(graph::einsum("bhipx,bhjpx->bhij", {t[3], t[4]}) + scores_of(t), t[2])};
       },
       with([](const Sizes& s) { return Shapes{{s.b, s.h, s.sq, 2, 3}, {s.b, s.h, s.sk, 2, 3}}; })});
}

void add_epilogues(std::vector<AttentionProgram>& out) {
  const auto gated = with([](const Sizes& s) { return Shapes{{s.b, s.h, s.sq, s.dv}, {s.dv}}; });
  const auto attention = [](const Tensors& t) { return attend(causal(t, scores_of(t)), t[2]); };
  out.push_back({"a gate",
                 [attention](const Tensors& t) -> Tensors { return {T(t[3].op("sigmoid")) * attention(t)}; },
                 with([](const Sizes& s) { return Shapes{{s.b, s.h, s.sq, s.dv}}; })});
  out.push_back(
      {"an rms norm of each head",
       [attention](const Tensors& t) -> Tensors { return {attention(t).op("rms_norm", t[3], Sym(1e-3))}; },
       with([](const Sizes& s) { return Shapes{{s.dv}}; })});
  out.push_back({"a layer norm, a gate and a residual",
                 [attention](const Tensors& t) -> Tensors {
                   return {t[3] +
                           T(t[3].op("silu")) * T(attention(t).op("layer_norm", t[4], t[4], Sym(1e-3)))};
                 },
                 gated});
  out.push_back({"the result divided by its largest entry",
                 [attention](const Tensors& t) -> Tensors {
                   const T result = attention(t);
                   return {result / T(amax(T(result.op("abs"))) + Sym(1.0)), amax(result, false)};
                 },
                 qkv,
                 1,
                 {0, 0}});
}

void add_other_roles(std::vector<AttentionProgram>& out) {
  const auto heads = [](const Sizes& s) { return Shapes{{s.b, s.sq, s.sk, s.dv}}; };
  out.push_back({"features of pairs, averaged",
                 [](const Tensors& t) -> Tensors {  // values of each (i, j): rows are the heads
                   const T p = graph::softmax(scores_of(t));
                   return {graph::einsum("bhij,bijc->bhic", {p, t[3]}), graph::matmul(p, t[2])};
                 },
                 with(heads)});
  out.push_back({"points, averaged",
                 [](const Tensors& t) -> Tensors {
                   return {graph::einsum("bhij,bhjpx->bhipx", {graph::softmax(scores_of(t)), t[3]})};
                 },
                 with([](const Sizes& s) { return Shapes{{s.b, s.h, s.sk, 2, 3}}; })});
  out.push_back({"a softmax over the queries",
                 [](const Tensors& t) -> Tensors {
                   return {graph::matmul(T(graph::call("softmax", scores_of(t), Sym(-2))), t[2])};
                 },
                 qkv});
  out.push_back({"a softmax for each column",
                 [](const Tensors& t) -> Tensors {
                   const T s = scores_of(t);
                   const T p = graph::call(
                       "softmax", T(s.op("unsqueeze", Sym(-1))) + T(t[3].op("unsqueeze", Sym(-3))), Sym(-2));
                   return {T(T(p * T(t[2].op("unsqueeze", Sym(-3)))).op("sum", Sym(-2), graph::flag(false)))};
                 },
                 with([](const Sizes& s) { return Shapes{{s.b, s.h, s.sk, s.dv}}; })});
}

}  // namespace flashlight::kernel
