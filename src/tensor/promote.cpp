// SPDX-License-Identifier: Apache-2.0
// Promotion of dtypes.
#include "tensor/promote.h"

#include <algorithm>

namespace flashlight::detail {
namespace {

enum Category { kBools, kIntegers, kFloats };

Category category(DType dtype) { return dtype == kBool ? kBools : is_integer(dtype) ? kIntegers : kFloats; }

}  // namespace

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (category(a) != category(b)) return category(a) > category(b) ? a : b;
  if (category(a) == kFloats) {
    const DType wider = std::max(a, b);
    return wider == kBFloat16 ? kFloat32 : wider;  // the two 16-bit types
  }
  const DType wider = std::max(a, b);
  return wider == kUInt8 ? kInt32 : wider;  // int8 with uint8
}

DType dtype_of(const Scalar& scalar) {
  switch (scalar.kind()) {
    case Scalar::Kind::kBool: return kBool;
    case Scalar::Kind::kInt: return kInt64;
    default: return kFloat32;
  }
}

Promotion& Promotion::add(Rank rank, DType dtype) {
  dtypes_[rank] = any_[rank] ? promote(dtypes_[rank], dtype) : dtype;
  any_[rank] = true;
  return *this;
}

DType Promotion::result() const {
  bool any = false;
  DType common = kBool;
  for (int rank = 0; rank < kRanks; ++rank) {
    if (!any_[rank]) continue;
    if (!any || category(dtypes_[rank]) > category(common))
      common = any ? promote(common, dtypes_[rank]) : dtypes_[rank];
    any = true;
  }
  return common;
}

}  // namespace flashlight::detail
