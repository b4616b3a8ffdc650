// SPDX-License-Identifier: Apache-2.0
// What a program yields, as it is written, for a row whose every score is hidden.
#pragma once

#include <optional>

#include "fusion/algebra/separate.h"

namespace flashlight::fusion::algebra {

// The value of `e` where each of `hidden` is -inf for every key: a number, NaN above all, if it is the same
// whatever finite values the leaves have. Unlike over_empty_stream, there are keys: exp(-inf - max) is NaN
// for each.
std::optional<double> eager_over_hidden_row(Expr e, const std::vector<Expr>& hidden);

// where(largest score == -inf, what the program gives there, fix-up), for each maximum over the keys, or over
// all of their segments, in `target` without which the fix-up would give something else. But -inf stays: a
// rule writes log(sum(exp(x))) as m + log(sum(exp(x - m))), which is not to become NaN.
NormalForm with_hidden_rows(Arena& arena, Separation& derivation, Expr target, NormalForm fixup);

}  // namespace flashlight::fusion::algebra
