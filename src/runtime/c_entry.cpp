// SPDX-License-Identifier: Apache-2.0
// See flashlight/generated/c_entry.h.
#include "flashlight/generated/c_entry.h"

#include <string>

namespace flashlight::generated {

namespace {

thread_local std::string last_error;

// Boolean tensors have code 6 since DLPack 0.7.
constexpr int kBoolCode = 6;

DType dtype_of(const DLDataType& type) {
  if (type.lanes == 1) {
    switch (type.code) {
      case kDLFloat:
        if (type.bits == 16) return DType::kFloat16;
        if (type.bits == 32) return DType::kFloat32;
        if (type.bits == 64) return DType::kFloat64;
        break;
      case kDLBfloat:
        if (type.bits == 16) return DType::kBFloat16;
        break;
      case kDLInt:
        if (type.bits == 8) return DType::kInt8;
        if (type.bits == 32) return DType::kInt32;
        if (type.bits == 64) return DType::kInt64;
        break;
      case kDLUInt:
        if (type.bits == 8) return DType::kUInt8;
        break;
      case kBoolCode:
        if (type.bits == 8) return DType::kBool;
        break;
    }
  }
  throw Error(("DLPack type (code " + std::to_string(type.code) + ", " + std::to_string(type.bits) + " bits, " +
               std::to_string(type.lanes) + " lanes) is not supported")
                  .c_str());
}

}  // namespace

void set_last_error(const char* text) { last_error = text; }

Tensor from_dlpack(const DLTensor& tensor) {
  if (tensor.ndim < 0 || tensor.ndim > kMaxRank) throw Error("a DLPack tensor has more axes than the library supports");
  Sizes sizes, strides;
  std::int64_t stride = 1;
  for (int d = 0; d < tensor.ndim; ++d) sizes.push_back(tensor.shape[d]);
  for (int d = 0; d < tensor.ndim; ++d) strides.push_back(0);
  for (int d = tensor.ndim - 1; d >= 0; --d) {
    strides.data()[d] = tensor.strides ? tensor.strides[d] : stride;
    stride *= tensor.shape[d];
  }
  void* const data = static_cast<char*>(tensor.data) + tensor.byte_offset;
  return Tensor::wrap(data, sizes, strides, dtype_of(tensor.dtype), Device::kCUDA);
}

}  // namespace flashlight::generated

extern "C" const char* flashlight_last_error() { return flashlight::generated::last_error.c_str(); }
