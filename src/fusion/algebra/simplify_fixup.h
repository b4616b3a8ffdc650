// SPDX-License-Identifier: Apache-2.0
// Simplifying a fix-up so that references cancel, or are added last.
#pragma once

#include <vector>

#include "fusion/algebra/separate.h"

namespace flashlight::fusion::algebra {

NormalForm simplify_fixup(Arena& arena, Expr fixup, const Knowns& knowns,
                          const std::vector<Expr>& references);

// The mean of x (of anything, when x is null) does not appear in `a`, or only as an addend of its own.
bool centre_cancels(const NormalForm& a, Expr x);

}  // namespace flashlight::fusion::algebra
