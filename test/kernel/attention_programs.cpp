// SPDX-License-Identifier: Apache-2.0
// See attention_programs.h.
#include "attention_spelling.h"

namespace flashlight::kernel {

using graph::Array;
using graph::Sym;
using graph::T;
using graph::Tensors;

namespace {

const double kInf = graph::kInf;

Array integers(std::vector<std::int64_t> shape, unsigned seed, std::int64_t below) {
  Array x = graph::random(std::move(shape), seed);
  for (double& v : x.data) v = std::floor((v + 1) / 2 * static_cast<double>(below));
  return x;
}

Inputs grouped_inputs(const Sizes& s) {
  Inputs all = qkv(s);
  all[0] = graph::random({s.b, s.h * 3, s.sq, s.d}, 1);
  return all;
}

// ---- masks and scores

void add_masked(std::vector<AttentionProgram>& out) {
  auto masked = [&](const std::string& name, std::function<T(const T& i, const T& j, const Tensors&)> keep) {
    out.push_back({name,
                   [keep](const Tensors& t) -> Tensors {
                     return {
                         attend(hidden_unless(keep(rows_of(t[0]), keys_of(t[1]), t), scores_of(t)), t[2])};
                   },
                   qkv});
  };
  out.push_back({"vanilla", [](const Tensors& t) -> Tensors { return {attend(scores_of(t), t[2])}; }, qkv});
  masked("causal", [](const T& i, const T& j, const Tensors&) { return j <= i; });
  masked("causal bottom right", [](const T& i, const T& j, const Tensors& t) {
    return j <= i + (graph::size(t[1], -2) - graph::size(t[0], -2));
  });
  masked("sliding window",
         [](const T& i, const T& j, const Tensors&) { return (j <= i) & (i - j <= Sym(4)); });
  masked("two-sided window",
         [](const T& i, const T& j, const Tensors&) { return T(i - j).op("abs") <= Sym(3); });
  masked("dilated window", [](const T& i, const T& j, const Tensors&) {
    return (j <= i) & ((i - j) % Sym(2) == Sym(0)) & (i - j <= Sym(8));
  });
  masked("prefix", [](const T& i, const T& j, const Tensors&) { return (j < Sym(5)) | (j <= i); });
  masked("late rows only", [](const T& i, const T& j, const Tensors&) { return (i >= Sym(3)) & (j <= i); });
  masked("no key at all", [](const T& i, const T& j, const Tensors&) { return (j < i) & (j > i); });
  out.push_back({"softcap",
                 [](const Tensors& t) -> Tensors {
                   return {attend(T(causal(t, T(scores_of(t) / Sym(3.0)).op("tanh") * Sym(3.0))), t[2])};
                 },
                 qkv});
  out.push_back({"softcap, first row without keys",
                 [](const Tensors& t) -> Tensors {
                   T s = T(scores_of(t) / Sym(3.0)).op("tanh") * Sym(3.0);
                   return {attend(hidden_unless(keys_of(t[1]) < rows_of(t[0]), s), t[2])};
                 },
                 qkv});
  out.push_back({"alibi",
                 [](const Tensors& t) -> Tensors {
                   const Sym heads = graph::size(t[0], 1);
                   T h = graph::arange(heads).op("view", graph::sizes({-1, 1, 1}));
                   T slope = T((h + Sym(1)) * Sym(-8.0) / heads).op("exp2");
                   return {attend(causal(t, scores_of(t) + slope * (keys_of(t[1]) - rows_of(t[0]))), t[2])};
                 },
                 qkv});
}

void add_scores(std::vector<AttentionProgram>& out) {
  out.push_back({"negative scale",
                 [](const Tensors& t) -> Tensors {
                   return {attend(causal(t, graph::matmul(t[0], graph::transposed(t[1])) * Sym(-2.0)), t[2])};
                 },
                 qkv});
  out.push_back({"clamped scores",
                 [](const Tensors& t) -> Tensors {
                   return {attend(causal(t, scores_of(t).op("clamp", Sym(-0.3), Sym(0.2))), t[2])};
                 },
                 qkv});
  out.push_back({"hidden by the score",
                 [](const Tensors& t) -> Tensors {
                   T s = scores_of(t);
                   return {attend(hidden_unless(T((s * Sym(4.0)).op("floor")) != Sym(0.0), s), t[2])};
                 },
                 qkv});
  out.push_back({"a score seen through two masks",
                 [](const Tensors& t) -> Tensors {
                   T s = scores_of(t), near = T(rows_of(t[0]) - keys_of(t[1])).op("abs") <= Sym(2);
                   return {attend(causal(t, s), t[2]) - attend(hidden_unless(near, s), t[2]) * Sym(0.5)};
                 },
                 [](const Sizes& s) { return qkv({s.sq, s.sq}); },
                 1,
                 {0},
                 {},
                 true});
  out.push_back({"weighted features and heads",
                 [](const Tensors& t) -> Tensors {
                   T s = graph::einsum("bhid,bhjd,d,h->bhij", {t[0], t[1], t[3], t[4]});
                   return {attend(causal(t, s), t[2])};
                 },
                 with([](const Sizes& s) { return Shapes{{s.d}, {s.h}}; })});
  out.push_back(
      {"two pairs of queries and keys",
       [](const Tensors& t) -> Tensors {
         return {attend(causal(t, graph::matmul(t[0], graph::transposed(t[1])) +
                                      graph::matmul(t[3], graph::transposed(t[4]))),
                        t[2])};
       },
       with([](const Sizes& s) { return Shapes{{s.b, s.h, s.sq, s.d + 2}, {s.b, s.h, s.sk, s.d + 2}}; })});
}

void add_captured(std::vector<AttentionProgram>& out) {
  out.push_back({"dense bias",
                 [](const Tensors& t) -> Tensors { return {attend(scores_of(t) + t[3], t[2])}; },
                 [](const Sizes& s) {
                   Inputs all = with([](const Sizes& z) { return Shapes{{z.b, 1, z.sq, z.sk}}; })(s);
                   for (std::size_t k = 0; k < all[3].data.size(); ++k)
                     all[3].data[k] = k % 3 == 1 ? -kInf : all[3].data[k];
                   for (std::int64_t j = 0; j < s.sk; ++j)
                     all[3].data[static_cast<std::size_t>(j)] = -kInf;  // row 0 of batch 0 has no key
                   return all;
                 }});
  out.push_back(
      {"dense mask",
       [](const Tensors& t) -> Tensors { return {attend(hidden_unless(t[3], scores_of(t)), t[2])}; },
       [](const Sizes& s) {
         Inputs all = qkv(s);
         all.push_back(integers({s.b, s.h, s.sq, s.sk}, 5, 2));
         return all;
       }});
  out.push_back({"key lengths",
                 [](const Tensors& t) -> Tensors {
                   T lengths = unsqueeze(unsqueeze(unsqueeze(t[3], -1), -1), -1);
                   return {attend(hidden_unless(keys_of(t[1]) < lengths, scores_of(t)), t[2])};
                 },
                 [](const Sizes& s) {
                   Inputs all = qkv(s);
                   all.push_back(integers({s.b}, 6, s.sk + 1));
                   all.back().data[0] = 0;
                   return all;
                 }});
  out.push_back({"documents",
                 [](const Tensors& t) -> Tensors {
                   T same = unsqueeze(t[3], -1) == unsqueeze(t[3], -2);
                   return {attend(hidden_unless(unsqueeze(same, 1), causal(t, scores_of(t))), t[2])};
                 },
                 [](const Sizes& s) {
                   Inputs all = qkv(s);
                   all.push_back(integers({s.b, s.sq}, 7, 3));
                   return all;
                 },
                 1,
                 {0},
                 {},
                 true});
  out.push_back({"relative bias",
                 [](const Tensors& t) -> Tensors {
                   T distance = T(T(keys_of(t[1]) - rows_of(t[0])).op("clamp", Sym(-2), Sym(2))) + Sym(2);
                   T h = graph::arange(graph::size(t[0], 1)).op("view", graph::sizes({-1, 1, 1}));
                   return {attend(scores_of(t) + T(t[3].op("index", graph::list({h, distance}))), t[2])};
                 },
                 with([](const Sizes& s) { return Shapes{{s.h, 5}}; })});
}

// ---- heads

void add_heads(std::vector<AttentionProgram>& out) {
  out.push_back({"grouped heads, repeated",
                 [](const Tensors& t) -> Tensors {
                   const Sym group = floor_div(graph::size(t[0], 1), graph::size(t[1], 1));
                   T keys = t[1].op("repeat_interleave", group, Sym(1)),
                     values = t[2].op("repeat_interleave", group, Sym(1));
                   return {attend(scores_of({t[0], keys}), values)};
                 },
                 grouped_inputs});
  out.push_back({"grouped heads, viewed",
                 [](const Tensors& t) -> Tensors {
                   const Sym b = graph::size(t[0], 0), h = graph::size(t[0], 1), kv = graph::size(t[1], 1),
                             m = graph::size(t[0], 2);
                   T queries =
                       t[0].op("view", graph::sizes({b, kv, floor_div(h, kv), m, graph::size(t[0], 3)}));
                   T result = attend(scores_of({queries, unsqueeze(t[1], 2)}), unsqueeze(t[2], 2));
                   return {result.op("reshape", graph::sizes({b, h, m, -1}))};
                 },
                 grouped_inputs});
  out.push_back({"sequence before heads",
                 [](const Tensors& t) -> Tensors {
                   T s = graph::einsum("bihd,bjhd->bhij", {t[0], t[1]});
                   return {graph::einsum("bhij,bjhe->bihe", {graph::softmax(s), t[2]})};
                 },
                 [](const Sizes& s) -> Inputs {
                   return {graph::random({s.b, s.sq, s.h, s.d}, 1), graph::random({s.b, s.sk, s.h, s.d}, 2),
                           graph::random({s.b, s.sk, s.h, s.dv}, 3)};
                 }});
}

}  // namespace

std::vector<Array> qkv(const Sizes& s) {
  return {graph::random({s.b, s.h, s.sq, s.d}, 1), graph::random({s.b, s.h, s.sk, s.d}, 2),
          graph::random({s.b, s.h, s.sk, s.dv}, 3)};
}

T scores_of(const Tensors& t) {
  return graph::matmul(t[0], graph::transposed(t[1])) / graph::host("sqrt", graph::size(t[0], -1));
}
T attend(const T& scores, const T& v) { return graph::matmul(graph::softmax(scores), v); }
T rows_of(const T& q) { return unsqueeze(graph::arange(graph::size(q, -2)), -1); }
T keys_of(const T& k) { return graph::arange(graph::size(k, -2)); }
T hidden_unless(const T& condition, const T& scores) { return graph::where(condition, scores, Sym(-kInf)); }

const std::vector<AttentionProgram>& attention_programs() {
  static const std::vector<AttentionProgram> programs = [] {
    std::vector<AttentionProgram> all;
    add_masked(all);
    add_scores(all);
    add_captured(all);
    add_heads(all);
    add_normalisers(all);
    add_results(all);
    add_sweeps(all);
    add_statistics(all);
    add_shapes(all);
    add_prologues(all);
    add_contractions(all);
    add_epilogues(all);
    add_other_roles(all);
    return all;
  }();
  return programs;
}

const AttentionProgram& attention_program(const std::string& name) {
  for (const AttentionProgram& program : attention_programs()) {
    if (program.name == name) return program;
  }
  throw std::out_of_range("no program " + name);
}

}  // namespace flashlight::kernel
