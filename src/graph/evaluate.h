// SPDX-License-Identifier: Apache-2.0
// Evaluates a Function in float64, node by node: the meaning of the Graph.
#pragma once
#include <cstdint>
#include <vector>

#include "graph/function.h"

namespace flashlight::graph {

// A dense row-major array; ints and bools are held exactly as doubles (|x| < 2^53).
struct Array {
  std::vector<std::int64_t> shape;
  std::vector<double> data;
};

// Inputs in the order of Function::tensors; with a pack, the leading axes of all of them broadcast against
// each other. Checks launch conditions; throws std::invalid_argument naming the parameter that breaks one.
std::vector<Array> evaluate(const Function&, const std::vector<Array>& tensors,
                            const std::vector<double>& scalars);

}  // namespace flashlight::graph
