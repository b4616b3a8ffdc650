// SPDX-License-Identifier: Apache-2.0
// Interval analysis: bounds and signs.
#pragma once

#include "fusion/algebra/expr.h"

namespace flashlight::fusion::algebra {

// Bounds of every value `e` can take, masked (-inf) elements included.
Interval range(Expr e);

// Bounds of an exponent over the elements that weigh anything: where(c, x, -inf) has x's bounds.
Interval finite_range(Expr e);

bool is_nonneg(Expr e);
// Never zero and never negative (a sum of positive terms counts: the empty row has a convention of its own).
bool is_positive(Expr e);

// Fills the facts of a node whose op, args and numbers are set. Called by Arena::make only.
void annotate(Node& node, const LeafInfo* leaf);

}  // namespace flashlight::fusion::algebra
