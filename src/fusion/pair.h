// SPDX-License-Identifier: Apache-2.0
// Scores without a product: what a function that is not linear makes of a value of a query and one of a key.
#pragma once
#include <optional>

#include "fusion/access.h"

namespace flashlight::fusion {

// The loops of the two that are paired; `key` has the streamed one.
struct Pair {
  LoopSet query = 0, key = 0;
};

// tanh(a[i] + b[j]), max(a[i], b[j]), a[i] < b[j]: the value at `access` itself pairs something that varies
// with loop `stream` and something that does not but with another loop of `rows`. A sum does where a function
// that is not linear is made of it (`bent`); else what is summed over the keys comes apart. What is made of
// positions alone, as masks are, is no pair.
std::optional<Pair> pair_at(const graph::Graph& graph, Dependence& dependence, const Access& access,
                            int stream, LoopSet rows, bool bent);

// Whether a node's operand is seen through a function that is not linear, which may make a score of a sum.
bool bends(const graph::Node& node, std::size_t operand);

}  // namespace flashlight::fusion
