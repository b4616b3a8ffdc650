// SPDX-License-Identifier: Apache-2.0
// Random attention programs, and what they reach.
#pragma once
#include "attention_spelling.h"
#include "choices.h"

namespace flashlight::kernel {

// How often each law, op and reduction was part of a program.
using Reach = std::map<std::string, std::int64_t>;

// Parameters: q, k, v, further q and k, then biases [h, sq, sk], [sk], [sq], a gate like the result, key
// lengths [b], sinks [h, 2], a bias [sq] that is -inf for some rows.
inline constexpr int kRandomParams = 12;

// Scores reach 1e4 in one program of eight: there, comparisons allow for what the evaluator itself loses.
bool has_large_scores(std::uint64_t seed);
Inputs random_inputs(const Sizes&, std::uint64_t seed);
graph::Tensors random_results(const graph::Tensors& parameters, std::uint64_t seed, int limit, Reach& reach);

}  // namespace flashlight::kernel
