// SPDX-License-Identifier: Apache-2.0
// Attention programs by what they do with the scores: normalisers, results beside the output, several sweeps.
#include "attention_spelling.h"

namespace flashlight::kernel {

using graph::Sym;
using graph::T;
using graph::Tensors;

namespace {

const double kInf = graph::kInf;

Inputs two_streams(const Sizes& s) {
  Inputs all = qkv(s);
  all[0] = graph::random({s.b, s.h, s.sq, 2 * s.d}, 1);
  all[1] = graph::random({s.b, s.h, s.sk, 2 * s.d}, 2);
  return all;
}

T half(const T& x, int which) {
  const Sym d = floor_div(graph::size(x, -1), Sym(2));
  return x.op("narrow", Sym(-1), which ? d : Sym(0), d);
}
T stream_scores(const Tensors& t, int which) {
  return graph::matmul(half(t[0], which), graph::transposed(half(t[1], which)));
}

T above_the_mean(const T& scores, const T& v) {
  T p = graph::softmax(scores), mean = p.op("mean", Sym(-1), graph::flag(true));
  return graph::matmul(graph::where(p > mean, p, Sym(0.0)), v);
}

}  // namespace

void add_normalisers(std::vector<AttentionProgram>& out) {
  out.push_back({"naive softmax",
                 [](const Tensors& t) -> Tensors {
                   T e = exp(causal(t, scores_of(t)));
                   return {graph::matmul(e / sum(e), t[2])};
                 },
                 qkv});
  out.push_back({"safe softmax, divided last",
                 [](const Tensors& t) -> Tensors {
                   T s = causal(t, scores_of(t)), e = exp(s - amax(s));
                   return {graph::matmul(e, t[2]) / sum(e)};
                 },
                 qkv});
  out.push_back({"off by one",
                 [](const Tensors& t) -> Tensors {
                   T e = exp(causal(t, scores_of(t)));
                   return {graph::matmul(e / (sum(e) + Sym(1.0)), t[2])};
                 },
                 qkv});
  out.push_back({"sink",
                 [](const Tensors& t) -> Tensors {
                   T e = exp(causal(t, scores_of(t))), sink = exp(t[3].op("view", graph::sizes({-1, 1, 1})));
                   return {graph::matmul(e / (sum(e) + sink), t[2])};
                 },
                 with([](const Sizes& s) { return Shapes{{s.h}}; })});
  out.push_back(
      {"sigmoid",
       [](const Tensors& t) -> Tensors { return {graph::matmul(scores_of(t).op("sigmoid"), t[2])}; }, qkv});
  out.push_back({"masked sigmoid",
                 [](const Tensors& t) -> Tensors {
                   T p = graph::where(keys_of(t[1]) <= rows_of(t[0]), scores_of(t).op("sigmoid"), Sym(0.0));
                   return {graph::matmul(p, t[2])};
                 },
                 qkv});
  out.push_back({"squared relu",
                 [](const Tensors& t) -> Tensors {
                   return {graph::matmul(T(scores_of(t).op("relu")).op("square"), t[2])};
                 },
                 qkv});
  out.push_back({"normalised sigmoid, first row without keys",
                 [](const Tensors& t) -> Tensors {
                   T p = graph::where(keys_of(t[1]) < rows_of(t[0]), scores_of(t).op("sigmoid"), Sym(0.0));
                   return {graph::matmul(p / sum(p), t[2])};
                 },
                 qkv});
  out.push_back({"divided by the norm of p",
                 [](const Tensors& t) -> Tensors {
                   T p = graph::softmax(causal(t, scores_of(t)));
                   return {graph::matmul(p / T(sum(p.op("square"))).op("sqrt"), t[2])};
                 },
                 qkv});
  out.push_back({"p to a power, renormalised",
                 [](const Tensors& t) -> Tensors {
                   T p = T(graph::softmax(causal(t, scores_of(t)))).op("pow", Sym(1.5));
                   return {graph::matmul(p / sum(p), t[2])};
                 },
                 qkv});
  out.push_back({"root of a product of unknown signs",
                 [](const Tensors& t) -> Tensors {
                   T g = T(t[3].op("clamp_max", Sym(1.0))) * T(t[4].op("clamp_max", Sym(1.0)));
                   T p = graph::softmax(causal(t, scores_of(t))) * g;
                   return {graph::matmul(T(p.op("sqrt")), t[2])};
                 },
                 [](const Sizes& s) {
                   Inputs all = with(
                       [](const Sizes& z) { return Shapes{{z.b, z.h, z.sq, 1}, {z.b, z.h, z.sq, 1}}; })(s);
                   for (std::size_t t : {3, 4}) {
                     for (double& x : all[t].data) x = -std::fabs(x);
                   }
                   return all;
                 },
                 2});
  out.push_back({"linear with decay",
                 [](const Tensors& t) -> Tensors {
                   T distance = rows_of(t[0]) - keys_of(t[1]);
                   T decay = graph::where(distance >= Sym(0), exp(distance * Sym(-0.25)), Sym(0.0));
                   return {graph::matmul(scores_of(t) * decay, t[2])};
                 },
                 qkv});
  out.push_back({"divided by the sum of magnitudes",
                 [](const Tensors& t) -> Tensors {
                   T s = graph::where(keys_of(t[1]) <= rows_of(t[0]), scores_of(t), Sym(0.0));
                   return {graph::matmul(s / T(sum(s.op("abs"))).op("clamp_min", Sym(1.0)), t[2])};
                 },
                 qkv});
}

void add_results(std::vector<AttentionProgram>& out) {
  out.push_back({"logsumexp beside it",
                 [](const Tensors& t) -> Tensors {
                   T s = causal(t, scores_of(t));
                   return {attend(s, t[2]), logsumexp(s)};
                 },
                 qkv,
                 1,
                 {0, -kInf}});
  out.push_back({"entropy beside it",
                 [](const Tensors& t) -> Tensors {
                   T p = graph::softmax(scores_of(t));
                   return {graph::matmul(p, t[2]), sum(p * log(p), false)};
                 },
                 qkv,
                 1,
                 {0, 0}});
  out.push_back({"greatest score beside it",
                 [](const Tensors& t) -> Tensors {
                   T s = hidden_unless(keys_of(t[1]) < rows_of(t[0]), scores_of(t));
                   return {attend(s, t[2]), amax(s, false)};
                 },
                 qkv,
                 1,
                 {0, -kInf}});
  out.push_back({"least score beside it",
                 [](const Tensors& t) -> Tensors {
                   T s = scores_of(t);
                   return {attend(causal(t, s), t[2]), s.op("amin", Sym(-1), graph::flag(false))};
                 },
                 qkv,
                 1,
                 {0, 0}});
  out.push_back({"greatest squared score beside it",
                 [](const Tensors& t) -> Tensors {
                   T s = scores_of(t), squares = hidden_unless(keys_of(t[1]) < rows_of(t[0]), s.op("square"));
                   return {attend(causal(t, s), t[2]), amax(squares, false)};
                 },
                 qkv,
                 1,
                 {0, -kInf}});
  out.push_back({"written as a logarithm",
                 [](const Tensors& t) -> Tensors {
                   T s = causal(t, scores_of(t));
                   return {graph::matmul(exp(s - unsqueeze(logsumexp(s), -1)), t[2])};
                 },
                 qkv});
  out.push_back({"two value tensors",
                 [](const Tensors& t) -> Tensors {
                   T p = graph::softmax(causal(t, scores_of(t)));
                   return {graph::matmul(p, t[2]), graph::matmul(p, t[3])};
                 },
                 with([](const Sizes& s) { return Shapes{{s.b, s.h, s.sk, s.dv + 2}}; }),
                 1,
                 {0, 0}});
  out.push_back({"values masked one by one",
                 [](const Tensors& t) -> Tensors {
                   T v = graph::where(t[3] > t[2], t[2], Sym(0.0));
                   return {attend(causal(t, scores_of(t)), v)};
                 },
                 with([](const Sizes& s) { return Shapes{{s.b, s.h, s.sk, s.dv}}; })});
  out.push_back({"a product of values",
                 [](const Tensors& t) -> Tensors { return {attend(causal(t, scores_of(t)), t[2] * t[3])}; },
                 with([](const Sizes& s) { return Shapes{{s.b, s.h, s.sk, s.dv}}; })});
  out.push_back({"functions of the values",
                 [](const Tensors& t) -> Tensors {
                   return {attend(causal(t, scores_of(t)), exp(t[2]) * t[2] + T(t[2].op("tanh")))};
                 },
                 qkv});
  out.push_back({"every other row",
                 [](const Tensors& t) -> Tensors {
                   T all = attend(causal(t, scores_of(t)), t[2]);
                   return {all.op("slice", Sym(-2), Sym(0), graph::Arg{}, Sym(2))};
                 },
                 qkv});
  out.push_back({"self-attention",
                 [](const Tensors& t) -> Tensors {
                   return {attend(causal({t[0], t[0]}, scores_of({t[0], t[0]})), t[0])};
                 },
                 [](const Sizes& s) -> Inputs { return {graph::random({s.b, s.h, s.sq, s.d}, 1)}; },
                 1,
                 {0},
                 {},
                 true});
  out.push_back(
      {"transposed result",
       [](const Tensors& t) -> Tensors { return {graph::transposed(attend(causal(t, scores_of(t)), t[2]))}; },
       qkv});
  out.push_back({"gated",
                 [](const Tensors& t) -> Tensors {
                   return {attend(causal(t, scores_of(t)), t[2]) * T(t[3].op("sigmoid"))};
                 },
                 with([](const Sizes& s) { return Shapes{{s.b, s.h, s.sq, s.dv}}; })});
  out.push_back({"differential",
                 [](const Tensors& t) -> Tensors {
                   T p = graph::softmax(stream_scores(t, 0)) -
                         graph::scalar(0) * graph::softmax(stream_scores(t, 1));
                   return {graph::matmul(p, t[2])};
                 },
                 two_streams,
                 1,
                 {0},
                 {0.75}});
  out.push_back({"differential, distributed",
                 [](const Tensors& t) -> Tensors {
                   return {attend(stream_scores(t, 0), t[2]) -
                           graph::scalar(0) * attend(stream_scores(t, 1), t[2])};
                 },
                 two_streams,
                 1,
                 {0},
                 {0.75}});
  out.push_back({"differential, causal",
                 [](const Tensors& t) -> Tensors {
                   T p = graph::softmax(causal(t, stream_scores(t, 0))) -
                         graph::scalar(0) * graph::softmax(causal(t, stream_scores(t, 1)));
                   return {graph::matmul(p, t[2])};
                 },
                 two_streams,
                 1,
                 {0},
                 {0.75}});
}

void add_sweeps(std::vector<AttentionProgram>& out) {
  out.push_back(
      {"softmax of softmax",
       [](const Tensors& t) -> Tensors { return {attend(graph::softmax(causal(t, scores_of(t))), t[2])}; },
       qkv, 2});
  out.push_back({"temperature from the maximum",
                 [](const Tensors& t) -> Tensors {
                   T s = scores_of(t);
                   return {attend(s / (T(amax(s)).op("abs") + Sym(1.0)), t[2])};
                 },
                 qkv, 2});
  out.push_back({"entropy of p + eps beside it",
                 [](const Tensors& t) -> Tensors {
                   T p = graph::softmax(causal(t, scores_of(t)));
                   return {graph::matmul(p, t[2]), sum(p * log(p + Sym(1e-3)), false)};
                 },
                 qkv,
                 2,
                 {0, 0}});
  out.push_back({"above the mean",
                 [](const Tensors& t) -> Tensors { return {above_the_mean(scores_of(t), t[2])}; }, qkv, 2});
  // Heads mixed after the softmax, of scores of their own: more accumulators than one sweep should keep.
  auto heads = [](bool strictly_causal) {
    return [strictly_causal](const Tensors& t) -> Tensors {
      Tensors weights;
      for (int g = 0; g < 4; ++g) {
        const auto head = [&](int p) { return T(t[p].op("select", Sym(1), Sym(g))); };
        const T s = scores_of({head(0), head(1)}), i = rows_of(t[0]), j = keys_of(t[1]);
        const T p = graph::softmax(hidden_unless(strictly_causal ? j < i : j <= i, s)) *
                    T(t[3].op("view", graph::sizes({-1})).op("select", Sym(0), Sym(g)));
        weights = {weights.empty() ? p : weights[0] + p};
      }
      return {graph::matmul(weights[0], t[2])};
    };
  };
  const auto head_inputs = [](const Sizes& s) {
    return Inputs{graph::random({s.b, 4, s.sq, s.d}, 1), graph::random({s.b, 4, s.sk, s.d}, 2),
                  graph::random({s.b, s.sk, s.dv}, 3), graph::random({4}, 4)};
  };
  out.push_back({"heads mixed after the softmax", heads(false), head_inputs, 2});
  out.push_back({"heads mixed after the softmax, first row without keys", heads(true), head_inputs, 2});
  // Rows without keys, through two sweeps.
  auto late = [](const Tensors& t) { return hidden_unless(keys_of(t[1]) < rows_of(t[0]), scores_of(t)); };
  out.push_back({"above the mean, first row without keys",
                 [late](const Tensors& t) -> Tensors { return {above_the_mean(late(t), t[2])}; }, qkv, 2});
}

}  // namespace flashlight::kernel
