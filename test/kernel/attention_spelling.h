// SPDX-License-Identifier: Apache-2.0
// What the files of attention programs share: the DSL's methods as functions, and inputs beside q, k and v.
#pragma once
#include "attention_programs.h"

namespace flashlight::kernel {

using Inputs = std::vector<graph::Array>;
using Shapes = std::vector<std::vector<std::int64_t>>;

inline graph::T exp(const graph::T& x) { return x.op("exp"); }
inline graph::T log(const graph::T& x) { return x.op("log"); }
inline graph::T sum(const graph::T& x, bool keep = true) {
  return x.op("sum", graph::Sym(-1), graph::flag(keep));
}
inline graph::T amax(const graph::T& x, bool keep = true) {
  return x.op("amax", graph::Sym(-1), graph::flag(keep));
}
inline graph::T logsumexp(const graph::T& x) { return x.op("logsumexp", graph::Sym(-1), graph::flag(false)); }
inline graph::T unsqueeze(const graph::T& x, int dim) { return x.op("unsqueeze", graph::Sym(dim)); }
inline graph::T causal(const graph::Tensors& t, const graph::T& s) {
  return hidden_unless(keys_of(t[1]) <= rows_of(t[0]), s);
}

// qkv, then tensors of these shapes.
inline std::function<Inputs(const Sizes&)> with(std::function<Shapes(const Sizes&)> shapes) {
  return [shapes](const Sizes& s) {
    Inputs all = qkv(s);
    unsigned seed = 40;
    for (std::vector<std::int64_t>& shape : shapes(s)) all.push_back(graph::random(std::move(shape), ++seed));
    return all;
  };
}

// What queries, keys and values pass through first.
void add_prologues(std::vector<AttentionProgram>&);
// Contractions over several axes.
void add_contractions(std::vector<AttentionProgram>&);
// Rows, batches and columns that other programs have elsewhere; several kernels.
void add_other_roles(std::vector<AttentionProgram>&);
// What the results pass through.
void add_epilogues(std::vector<AttentionProgram>&);
// Normalisers, further results, several sweeps; moments, selections and folds over the keys.
void add_normalisers(std::vector<AttentionProgram>&);
void add_results(std::vector<AttentionProgram>&);
void add_sweeps(std::vector<AttentionProgram>&);
void add_statistics(std::vector<AttentionProgram>&);
// Scores that are no product; results that are blocks, rows and parts of larger tensors.
void add_shapes(std::vector<AttentionProgram>&);

}  // namespace flashlight::kernel
