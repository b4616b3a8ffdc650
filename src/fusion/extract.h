// SPDX-License-Identifier: Apache-2.0
// Turns Graph outputs into a row program: algebra expressions over leaves, with streamed reductions exposed.
#pragma once
#include "fusion/roles.h"

namespace flashlight::fusion {

// Fills plan.loops, leaves, folds and arena and returns one expression per output, then one per fold. Throws
// Refused.
std::vector<algebra::Expr> extract_rows(const graph::Function& function, Dependence& dependence, Nest nest,
                                        KernelPlan& plan);

}  // namespace flashlight::fusion
