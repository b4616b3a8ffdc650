// SPDX-License-Identifier: Apache-2.0
// Batched products of strided views, shared by matmul, linear and einsum.
#pragma once

#include "tensor/strided.h"

namespace flashlight::detail {

// target [batch.., M, N] = a [batch.., M, K] * b [batch.., K, N]; batch dims of a and b broadcast to the
// target's. The product is computed in the target's compute type and rounded once.
void multiply(const Tensor& a, const Tensor& b, const Tensor& target);

// The dtype of a contraction: floating operands are promoted; integers must be alike in category; bool is
// refused.
DType contraction_dtype(const char* op, const TensorList& operands);

}  // namespace flashlight::detail
