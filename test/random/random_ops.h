// SPDX-License-Identifier: Apache-2.0
// Ops drawn from the DSL's op table, each on arguments for which it is finite. A step of theirs (floor, a
// comparison) never stands where programs meet in exact arithmetic: there, two right computations may fall to
// either side.
#pragma once
#include "choices.h"
#include "graph/dsl_reading.h"

namespace flashlight::kernel {

// A function of x, which is finite; of its shape and order of magnitude. Where x may be NaN, as the result of
// a row without keys, for which kernels give 0, nothing is decided by it.
graph::T any_unary(Choices&, const graph::T& x, bool may_be_nan = false);
// A function of x and a tensor y that broadcasts to it, or of x and a number. Both are finite, or x may be
// NaN.
graph::T any_binary(Choices&, const graph::T& x, const graph::T& y, bool may_be_nan = false);
// Bool, of positions: i [sq, 1] and j [sk].
graph::T any_triangle(Choices&, const graph::T& i, const graph::T& j);
// x [b, h, s, d] itself, by views that cancel each other, or with its heads or its order changed.
graph::T rearranged(Choices&, const graph::T& x);
// Scores s [b, h, sq, sk] reduced over the keys, to [b, h, sq].
graph::T any_reduction(Choices&, const graph::T& s);

// The names in the table that these and random programs leave out, and why: ops on host values, without a
// law, and so on.
const std::map<std::string, std::string>& ops_left_out();

}  // namespace flashlight::kernel
