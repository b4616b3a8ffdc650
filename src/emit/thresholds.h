// SPDX-License-Identifier: Apache-2.0
// Scalar parameters that positions are compared with, as a window's width: the largest integers mean that
// there is no limit.
#pragma once

#include <vector>

#include "graph/function.h"

namespace flashlight::emit {

// The integer parameters of which the program only knows how a sum of them and sizes compares with positions,
// so that one beyond all positions may be replaced by another: see Launch::threshold.
std::vector<int> thresholds(const graph::Function&);

}  // namespace flashlight::emit
