// SPDX-License-Identifier: Apache-2.0
// Memory that this thread's call of a C entry was given, which the emulated device lets kernels access.
#pragma once

#include "flashlight/tensor.h"

namespace flashlight::generated {

// The extent of a tensor that has elements. flashlight::generated::find_borrowed (generated/launch.h) finds
// it.
void borrow(const char* data, const Sizes& sizes, const Sizes& strides, DType dtype);
void forget_borrowed();

}  // namespace flashlight::generated
