// SPDX-License-Identifier: Apache-2.0
// Integers of fewer than 64 bits, which wrap around in the eager program and do not in a kernel.
#pragma once
#include "graph/builder.h"

namespace flashlight::graph {

// Throws LoweringError "narrow-integer" where a value of kInt8, kUInt8 or kInt32 may lie outside of its type. Positions, sizes
// and the caller's integers are taken to be below a million, also where a parameter's storage type is known at launch only.
void check_narrow(const Builder&, const TensorView& value);

}  // namespace flashlight::graph
