// SPDX-License-Identifier: Apache-2.0
// PyTorch's promotion: tensors with dims outrank tensors without, which outrank Scalars, within a category of
// dtypes.
#pragma once

#include "tensor/impl.h"

namespace flashlight::detail {

// The dtype that holds both. float16 with bfloat16 gives float32; int8 with uint8 gives int32, since there is
// no int16.
DType promote(DType a, DType b);
DType dtype_of(const Scalar& scalar);  // kBool, kInt64 or kFloat32

// Collects the operands of an op and gives their common dtype.
class Promotion {
 public:
  Promotion& add(const Tensor& x) { return add(x.dim() > 0 ? kDims : kNoDims, x.dtype()); }
  Promotion& add(const Scalar& scalar) { return add(kNumbers, dtype_of(scalar)); }
  DType result() const;

 private:
  enum Rank { kDims, kNoDims, kNumbers, kRanks };
  Promotion& add(Rank rank, DType dtype);
  DType dtypes_[kRanks] = {};
  bool any_[kRanks] = {};
};

}  // namespace flashlight::detail
