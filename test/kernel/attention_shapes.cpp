// SPDX-License-Identifier: Apache-2.0
// Attention programs whose scores are no product, and whose results are blocks, rows and parts of larger
// tensors.
#include "attention_spelling.h"

namespace flashlight::kernel {

using graph::Sym;
using graph::T;
using graph::Tensors;

namespace {

T column(const T& x) { return unsqueeze(x, -1); }
T row(const T& x) { return unsqueeze(x, -2); }
T joined(const T& a, const T& b, int dim) { return graph::call("cat", graph::list({a, b}), Sym(dim)); }
T attend_to(const T& q, const T& k, const T& v) { return attend(graph::matmul(q, graph::transposed(k)), v); }

// a [b, h, sq], c [b, h, sk], and v.
Inputs pairs(const Sizes& s) {
  Inputs all = qkv(s);
  all[0] = graph::random({s.b, s.h, s.sq}, 51);
  all[1] = graph::random({s.b, s.h, s.sk}, 52);
  return all;
}
T leaky(const T& x) { return graph::where(x > Sym(0.0), x, x * Sym(0.2)); }
T sums(const Tensors& t) { return column(t[0]) + row(t[1]); }

void add_pairs(std::vector<AttentionProgram>& out) {
  out.push_back({"additive attention",
                 [](const Tensors& t) -> Tensors {
                   const T both = T(unsqueeze(t[0], -2) + unsqueeze(t[1], -3)).op("tanh");
                   return {attend(sum(both * t[3], false), t[2])};
                 },
                 with([](const Sizes& s) { return Shapes{{s.d}}; })});
  out.push_back({"city block distances",
                 [](const Tensors& t) -> Tensors {
                   const T apart = T(unsqueeze(t[0], -2) - unsqueeze(t[1], -3)).op("abs");
                   return {attend(sum(apart, false) * Sym(-1.0), t[2])};
                 },
                 qkv});
  out.push_back(
      {"graph attention", [](const Tensors& t) -> Tensors { return {attend(leaky(sums(t)), t[2])}; }, pairs});
  out.push_back({"graph attention, causal, with its largest score",
                 [](const Tensors& t) -> Tensors {
                   const T i = column(graph::arange(graph::size(t[0], -1))),
                           j = graph::arange(graph::size(t[1], -1));
                   const T s = hidden_unless(j <= i, leaky(sums(t)));
                   return {attend(s, t[2]), amax(s, false)};
                 },
                 pairs,
                 1,
                 {0, -graph::kInf}});
  out.push_back({"weights of sums",
                 [](const Tensors& t) -> Tensors { return {graph::matmul(T(sums(t).op("relu")), t[2])}; },
                 pairs});
  out.push_back({"weights of sums, normalised",
                 [](const Tensors& t) -> Tensors {
                   const T w = sums(t).op("sigmoid");
                   return {graph::matmul(w, t[2]) / sum(w)};
                 },
                 pairs});
  out.push_back({"a mean over the keys seen",
                 [](const Tensors& t) -> Tensors {
                   const T seen = T(keys_of(t[1]) <= rows_of(t[0])).op("to", graph::DType::Float32);
                   return {graph::matmul(scores_of(t) * seen, t[2]) / sum(seen)};
                 },
                 qkv});
}

void add_blocks(std::vector<AttentionProgram>& out) {
  // Sizes are made multiples of a block.
  const auto in_blocks = [](const Sizes& given) {
    Sizes s = given;
    s.sq *= 3, s.sk *= 3;
    return qkv(s);
  };
  const auto blocks = [](const T& x) { return T(x.op("unflatten", Sym(-2), graph::sizes({-1, 3}))); };
  out.push_back({"blocks",
                 [=](const Tensors& t) -> Tensors {
                   return {
                       attend_to(blocks(t[0]), blocks(t[1]), blocks(t[2])).op("flatten", Sym(-3), Sym(-2))};
                 },
                 in_blocks,
                 1,
                 {0},
                 {},
                 true});
  out.push_back({"blocks with a gate and a residual",
                 [=](const Tensors& t) -> Tensors {
                   const T o =
                       attend_to(blocks(t[0]), blocks(t[1]), blocks(t[2])).op("flatten", Sym(-3), Sym(-2));
                   return {T(t[2].op("sigmoid")) * o + t[2]};
                 },
                 in_blocks,
                 1,
                 {0},
                 {},
                 true});
  out.push_back({"results side by side",
                 [](const Tensors& t) -> Tensors {
                   return {joined(attend(scores_of(t), t[2]), attend(causal(t, scores_of(t)), t[2]), -1)};
                 },
                 qkv});
  out.push_back({"results one below the other",
                 [](const Tensors& t) -> Tensors {
                   return {
                       joined(attend(scores_of(t), t[2]), attend(scores_of({t[2], t[1], t[2]}), t[2]), -2)};
                 },
                 [](const Sizes& given) {
                   Sizes s = given;
                   s.dv = s.d;
                   return qkv(s);
                 },
                 1,
                 {0},
                 {},
                 true});
}

void add_rows(std::vector<AttentionProgram>& out) {
  out.push_back({"the first row",
                 [](const Tensors& t) -> Tensors {
                   return {attend(causal(t, scores_of(t)), t[2]).op("select", Sym(-2), Sym(0))};
                 },
                 qkv});
  out.push_back({"the last row, kept as an axis",
                 [](const Tensors& t) -> Tensors {
                   const Sym n = graph::size(t[0], -2);
                   return {attend(causal(t, scores_of(t)), t[2]).op("slice", Sym(-2), n - 1, n)};
                 },
                 qkv});
  out.push_back({"one query for all",
                 [](const Tensors& t) -> Tensors {
                   graph::call("assume_rank", t[3], Sym(1));
                   graph::call("assume_rank", t[1], Sym(4));
                   const T s = sum(t[1] * t[3], false);
                   return {graph::matmul(row(graph::softmax(s)), t[2]), logsumexp(s)};
                 },
                 with([](const Sizes& s) { return Shapes{{s.d}}; }),
                 1,
                 {0, -graph::kInf}});
}

}  // namespace

void add_shapes(std::vector<AttentionProgram>& out) {
  add_pairs(out);
  add_blocks(out);
  add_rows(out);
}

}  // namespace flashlight::kernel
