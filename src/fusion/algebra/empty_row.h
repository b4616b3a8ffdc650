// SPDX-License-Identifier: Apache-2.0
// What a program yields for a row without any key.
#pragma once

#include <optional>

#include "fusion/algebra/expr.h"

namespace flashlight::fusion::algebra {

// The value of `e` over the empty key set, with 0/0 = 0 (a negative power of 0 is 0): an expression over row
// leaves, constants folded. Sums are 0, maxima -inf, minima inf, products 1, any false, all true.
Expr over_empty_stream(Expr e);

// The number that plain arithmetic gives for it, NaN for 0/0; none where it depends on the row's values.
std::optional<double> eager_over_empty_stream(Expr e);

}  // namespace flashlight::fusion::algebra
