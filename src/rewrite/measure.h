// SPDX-License-Identifier: Apache-2.0
// What each phase of rewriting makes smaller.
#pragma once
#include "rewrite/rule.h"

namespace flashlight::rewrite {

// Stabilise: exponentials whose argument has no maximum subtracted and may be positive.
// Distribute: sums among the factors of summed products, and under an integer power there.
// Hoist: factors of summed products that do not vary with the summed axes.
// Fold: nodes.
int measure(Phase, const graph::Function&);

}  // namespace flashlight::rewrite
