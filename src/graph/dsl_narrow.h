// SPDX-License-Identifier: Apache-2.0
// Integers of fewer than 64 bits, which wrap around in the eager program and do not in a kernel.
#pragma once
#include "graph/builder.h"

namespace flashlight::graph {

// Throws LoweringError "narrow-integer" where a value of kInt8, kUInt8 or kInt32 may lie outside of its type.
// Positions, sizes and the caller's integers are taken to be below a million. Of a parameter whose storage
// type is known at launch only, 8-bit types that do not fit are noted for a check there.
void check_narrow(Builder&, const TensorView& value);

}  // namespace flashlight::graph
