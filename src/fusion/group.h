// SPDX-License-Identifier: Apache-2.0
// What is left between products and sweeps: values made element by element, with reductions that cost little.
#pragma once
#include "fusion/plan.h"

namespace flashlight::fusion {

// The loops of a kernel that computes the function's one output: an axis that no large reduction varies with
// is the column, along which lanes stand; all others are batch axes, and their reductions are made by the
// lanes together. Without such an axis each element is made by all lanes. Throws Refused where the output
// holds matrix products, running sums, or large reductions that vary with what another one runs over.
KernelPlan plan_group(const graph::Function& function);

}  // namespace flashlight::fusion
