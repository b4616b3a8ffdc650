// SPDX-License-Identifier: Apache-2.0
// Contractions in index notation: what matmul, bmm, linear and einsum have in common.
#pragma once
#include "graph/dsl_value.h"

namespace flashlight::graph {

// A letter for each axis of an operand or result. Two operands that share a letter share the axis; so do two
// axes of one operand (a diagonal). Letters < 0 stand for batch axes: they broadcast, and kPackLetter is the
// pack.
using Letters = std::vector<int>;
inline constexpr int kPackLetter = -1000;

struct Factor {
  TensorView view;
  Letters letters;
};

// result[out] = sum over the letters that are not in `out` of the product of the factors.
TensorView contract(Builder&, std::vector<Factor>, const Letters& out, const Args&);

// Letters of the leading axes of a view, all but the last `own`: -1 the last of them, -2 the one before, ...
Letters leading_letters(const TensorView&, int own);

TensorView matmul(Builder&, const TensorView& x, const TensorView& y, const Args&);

}  // namespace flashlight::graph
