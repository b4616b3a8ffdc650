// SPDX-License-Identifier: Apache-2.0
// For files of rewrite rules: names for parameters that say more than their type.
//
// A rule is a struct with two static functions of the DSL, `pattern` and `replacement`, that take the same
// parameters and compute the same. It stands in a namespace named after its phase: stabilise, distribute,
// hoist or fold. Parameters stand for any value of their shape, with any number of leading axes; assume()
// states what must be known of sizes and scalars.
#pragma once
#include <flashlight/flashlight.h>

namespace flashlight::rule {

// Stands for no value that may hold infinities as a mask does, and for no number that may balance a large
// one: a rule may drop it.
using Finite = Tensor;
// May hold -inf: the rule is verified with it. Scores are so.
using Masked = Tensor;
// What a replacement returns that makes a value, which is at least 0, from differences of larger ones. The
// rule is not used where much is made of a small value: under a root, a logarithm or a division.
using Cancelling = Tensor;

}  // namespace flashlight::rule
