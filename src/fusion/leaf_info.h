// SPDX-License-Identifier: Apache-2.0
// What the algebra may assume about a leaf: sign, range, whether it streams.
#pragma once
#include "fusion/plan.h"

namespace flashlight::fusion {

algebra::LeafInfo leaf_info(const graph::Function& function, const Leaf& leaf, const KernelPlan& plan);

// Proven from sizes being >= 1: positive (or at least not negative).
bool is_positive(const graph::Sym& value);

}  // namespace flashlight::fusion
