// SPDX-License-Identifier: Apache-2.0
// Where a value may be computed as a difference of larger ones.
#pragma once
#include "graph/function.h"

namespace flashlight::rewrite {

// True if what the function computes from `node`, a value that is at least 0, needs no more of it than its
// absolute accuracy: true of exp(-x), of 1 / (1 + x), of sums over keys; not of sqrt(x), log(x), 1 / x or
// 1 / (x + 1e-8), which make much of what rounding leaves of a small x, or NaN of one below 0.
bool bears_cancelling(const graph::Function& function, graph::NodeId node);

}  // namespace flashlight::rewrite
