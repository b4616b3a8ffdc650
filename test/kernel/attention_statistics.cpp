// SPDX-License-Identifier: Apache-2.0
// Attention programs of moments, extrema that select keys, products, counts, running sums and segments.
#include "attention_spelling.h"

namespace flashlight::kernel {

using graph::Sym;
using graph::T;
using graph::Tensors;

namespace {

T amin(const T& x, bool keep = true) { return x.op("amin", Sym(-1), graph::flag(keep)); }
T mean(const T& x, bool keep = true) { return x.op("mean", Sym(-1), graph::flag(keep)); }
T square(const T& x) { return x.op("square"); }
T positions(const Tensors& t) { return T(keys_of(t[1])).op("to", graph::DType::Float32); }

// Scores that tie: integers, exact in every order of summation.
Inputs tied(const Sizes& s) {
  Inputs all = qkv(s);
  for (std::size_t t : {0, 1}) {
    for (double& x : all[t].data) x = std::floor(x * 2);
  }
  return all;
}

// Scores around 500, near the end of what exp takes in float64.
Inputs far_off(const Sizes& s) {
  Inputs all = qkv(s);
  for (std::size_t k = 0; k < all[0].data.size(); ++k) all[0].data[k] = k % s.d == 0 ? 20 : all[0].data[k];
  for (std::size_t k = 0; k < all[1].data.size(); ++k) all[1].data[k] = k % s.d == 0 ? 43.3 : all[1].data[k];
  return all;
}

void add_moments(std::vector<AttentionProgram>& out) {
  auto moments = [](const Tensors& t, const T& p, const T& x) -> Tensors {
    T m = sum(p * x);
    return {graph::matmul(p, t[2]), m.op("squeeze", Sym(-1)), sum(p * square(x - m), false)};
  };
  out.push_back({"expected position and its variance",
                 [moments](const Tensors& t) -> Tensors {
                   return moments(t, graph::softmax(causal(t, scores_of(t))), positions(t));
                 },
                 qkv,
                 1,
                 {0, 0, 0}});
  out.push_back({"expected score and its variance",
                 [moments](const Tensors& t) -> Tensors {
                   T s = scores_of(t);
                   return moments(t, graph::softmax(causal(t, s)), s);
                 },
                 far_off,
                 1,
                 {0, 0, 0}});
  out.push_back({"variance as a difference of moments",
                 [](const Tensors& t) -> Tensors {
                   T p = graph::softmax(causal(t, scores_of(t))), x = positions(t);
                   return {graph::matmul(p, t[2]), sum(p * x * x, false) - square(sum(p * x, false))};
                 },
                 qkv,
                 1,
                 {0, 0}});
  out.push_back({"standardised scores",
                 [](const Tensors& t) -> Tensors {
                   T s = scores_of(t), away = s - mean(s);
                   return {graph::matmul(away / T(mean(square(away)) + Sym(1e-3)).op("sqrt"), t[2])};
                 },
                 far_off});
  // Sums of the scores over the keys, of which nothing tells the builder that they are not one sum over two
  // axes.
  const auto without_values = [](const Sizes& s) {
    Inputs all = far_off(s);
    all.pop_back();
    return all;
  };
  auto dots = [](const Tensors& t) { return graph::matmul(t[0], graph::transposed(t[1])); };
  out.push_back({"mean of the products alone",
                 [dots](const Tensors& t) -> Tensors { return {mean(dots(t), false)}; }, without_values});
  out.push_back({"variance of the products alone",
                 [dots](const Tensors& t) -> Tensors {
                   T s = dots(t);
                   return {mean(square(s - mean(s)), false)};
                 },
                 without_values});
  out.push_back({"variance of scores whose mean is scaled behind its sum",
                 [dots](const Tensors& t) -> Tensors {
                   T s = scores_of(t), m = mean(dots(t)) / graph::host("sqrt", graph::size(t[0], -1));
                   return {attend(s, t[2]), mean(square(s - m), false)};
                 },
                 far_off,
                 1,
                 {0, 0}});
  out.push_back({"standardised products",
                 [dots](const Tensors& t) -> Tensors {
                   T s = dots(t), away = s - mean(s);
                   return {graph::matmul(away / T(mean(square(away)) + Sym(1e-3)).op("sqrt"), t[2])};
                 },
                 far_off});
  out.push_back({"third moment of the scores beside it",
                 [](const Tensors& t) -> Tensors {
                   T s = scores_of(t);
                   return {attend(s, t[2]), mean(T(s - mean(s)).op("pow", Sym(3)), false)};
                 },
                 qkv,
                 1,
                 {0, 0}});
  out.push_back({"entropy as a difference",
                 [](const Tensors& t) -> Tensors {
                   T s = scores_of(t), p = graph::softmax(s);
                   return {graph::matmul(p, t[2]), logsumexp(s) - sum(p * s, false)};
                 },
                 far_off,
                 1,
                 {0, 0}});
  out.push_back({"Kullback-Leibler between two streams",
                 [](const Tensors& t) -> Tensors {
                   T a = scores_of(t), b = scores_of({t[3], t[4]});
                   T p = graph::softmax(a), lp = a - unsqueeze(logsumexp(a), -1),
                     lq = b - unsqueeze(logsumexp(b), -1);
                   return {graph::matmul(p, t[2]), sum(p * (lp - lq), false)};
                 },
                 with([](const Sizes& s) { return Shapes{{s.b, s.h, s.sq, s.d}, {s.b, s.h, s.sk, s.d}}; }),
                 1,
                 {0, 0}});
}

void add_extrema(std::vector<AttentionProgram>& out) {
  auto best = [](const Tensors& t, const T& s) -> Tensors {
    T hit = graph::where(s == amax(s), T(s * Sym(0.0) + Sym(1.0)), Sym(0.0));
    return {graph::matmul(hit, t[2]) / sum(hit), sum(hit, false)};
  };
  out.push_back(
      {"the best keys",
       [best](const Tensors& t) -> Tensors { return best(t, graph::matmul(t[0], graph::transposed(t[1]))); },
       tied,
       1,
       {0, 0}});
  out.push_back({"the scores of the worst keys",
                 [](const Tensors& t) -> Tensors {
                   T s = scores_of(t);
                   return {graph::matmul(graph::where(s == amin(s), s, Sym(0.0)), t[2])};
                 },
                 tied});
  out.push_back({"between the extrema",
                 [](const Tensors& t) -> Tensors {
                   T s = scores_of(t);
                   return {graph::matmul((s - amin(s)) / (amax(s) - amin(s) + Sym(1e-3)), t[2])};
                 },
                 far_off});
}

void add_folds(std::vector<AttentionProgram>& out) {
  out.push_back({"a product over the keys beside it",
                 [](const Tensors& t) -> Tensors {
                   T s = scores_of(t);
                   return {attend(s, t[2]), T(s.op("sigmoid")).op("prod", Sym(-1), graph::flag(false))};
                 },
                 qkv,
                 1,
                 {0, 1}});
  out.push_back({"a count of keys beside it",
                 [](const Tensors& t) -> Tensors {
                   T s = scores_of(t);
                   return {attend(s, t[2]),
                           sum(graph::where(s > Sym(0.1), T(s * Sym(0.0) + Sym(1.0)), Sym(0.0)), false)};
                 },
                 qkv,
                 1,
                 {0, 0}});
  out.push_back({"rows with and without a high score",
                 [](const Tensors& t) -> Tensors {
                   T s = scores_of(t), o = attend(s, t[2]);
                   T high = T(s > Sym(0.5)).op("any", Sym(-1), graph::flag(true));
                   T low = T(s < Sym(0.7)).op("all", Sym(-1), graph::flag(true));
                   return {graph::where(high & low, o, o * Sym(0.5))};
                 },
                 qkv});
}

void add_scans(std::vector<AttentionProgram>& out) {
  out.push_back(
      {"stick-breaking",
       [](const Tensors& t) -> Tensors {
         T s = scores_of(t), before = keys_of(t[1]) < rows_of(t[0]);
         T left = graph::where(before, T(s * Sym(-1.0)).op("log_sigmoid"), Sym(0.0));
         T after = sum(left) - T(left.op("cumsum", Sym(-1)));
         return {graph::matmul(graph::where(before, exp(T(s.op("log_sigmoid")) + after), Sym(0.0)), t[2])};
       },
       qkv});
  out.push_back({"a running sum of the weights",
                 [](const Tensors& t) -> Tensors {
                   return {graph::matmul(T(graph::softmax(scores_of(t)).op("cumsum", Sym(-1))), t[2])};
                 },
                 qkv, 2});
  out.push_back({"a running sum of the scores",
                 [](const Tensors& t) -> Tensors {
                   return {attend(causal(t, T(scores_of(t).op("cumsum", Sym(-1)))), t[2])};
                 },
                 qkv});
}

void add_segments(std::vector<AttentionProgram>& out) {
  auto with_columns = [](const Tensors& t, const T& s, int n, bool before) -> Tensors {
    const Sym sk = graph::size(t[1], -2);
    graph::ArgList shape;
    for (const Sym& size : {graph::size(t[0], 0), graph::size(t[0], 1), graph::size(t[0], 2), Sym(n)})
      shape.push_back(size);
    T x = t[3].op("permute", graph::ArgList{Sym(0), Sym(1)});
    T columns = unsqueeze(unsqueeze(x, 0), 2).op("expand", shape);
    graph::ArgList joined{graph::Arg(s), graph::Arg(columns)};
    if (before) std::swap(joined[0], joined[1]);
    T p = graph::softmax(T(graph::call("cat", joined, Sym(-1))));
    return {graph::matmul(T(p.op("narrow", Sym(-1), before ? Sym(n) : Sym(0), sk)), t[2])};
  };
  auto sinks = [](int n) { return with([n](const Sizes& s) { return Shapes{{s.h, n}}; }); };
  out.push_back(
      {"a sink as a column",
       [with_columns](const Tensors& t) { return with_columns(t, causal(t, scores_of(t)), 1, false); },
       sinks(1)});
  out.push_back({"three sinks before the keys",
                 [with_columns](const Tensors& t) {
                   return with_columns(t, hidden_unless(keys_of(t[1]) < rows_of(t[0]), scores_of(t)), 3,
                                       true);
                 },
                 sinks(3)});
}

}  // namespace

void add_statistics(std::vector<AttentionProgram>& out) {
  add_moments(out);
  add_extrema(out);
  add_folds(out);
  add_scans(out);
  add_segments(out);
}

}  // namespace flashlight::kernel
