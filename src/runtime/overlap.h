// SPDX-License-Identifier: Apache-2.0
// Which tensors of a call of a C entry share memory.
#pragma once

#include "flashlight/tensor.h"

namespace flashlight::generated {

// Whether two elements of the tensor may share memory.
bool overlaps_itself(const Tensor&);

// Whether an element of one tensor shares a byte with one of the other: exact for tensors whose axes lie
// inside each other, as those of views do; where too many axes interlock to find out, true.
bool share_memory(const Tensor&, const Tensor&);

}  // namespace flashlight::generated
