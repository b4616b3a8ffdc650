// SPDX-License-Identifier: Apache-2.0
// What values may hold: infinities on purpose, as masks do; numbers that balance others; positions alone.
#pragma once
#include "graph/graph.h"

namespace flashlight::graph {

// True if an infinity of a tensor parameter or a written one may reach this value as it is: through sums,
// selections, extrema and scalings. A product of tensors, a power or an exponential holds an infinity only by
// overflow.
bool may_mask(const Graph&, NodeId);

// True of a number that may balance another in a sum, as in score + (keep * 1e9 - 1e9): a large one, or one
// of the caller's. A softmax does not see it, but without it the other swallows the score.
bool may_balance(const Graph&, NodeId);

// True of what is made of positions and numbers alone, point by point.
bool is_of_positions(const Graph&, NodeId);

}  // namespace flashlight::graph
