// SPDX-License-Identifier: Apache-2.0
// See flashlight/generated/c_entry.h.
#include "flashlight/generated/c_entry.h"

#include <string>
#include <vector>

namespace flashlight::generated {

namespace {

thread_local std::string last_error;

// The extents of the tensors that the running call was given, which the emulated device lets kernels access.
thread_local std::vector<AllocationInfo> borrowed;

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

bool emulated() { return &current_device() == &emulated_device(); }

void check_device(DLDeviceType type) {
  if (emulated() ? type == kDLCPU : type == kDLCUDA || type == kDLCUDAManaged) return;
  throw Error(("a DLPack tensor has device type " + std::to_string(static_cast<int>(type)) + " where kernels run on " +
               (emulated() ? "the emulated device, which reads host memory (1)" : "CUDA memory (2 or 13)"))
                  .c_str());
}

void borrow(char* data, const Sizes& sizes, const Sizes& strides, DType dtype) {
  std::int64_t before = 0, behind = 1;
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 0) return;
    (strides[d] < 0 ? before : behind) += (sizes[d] - 1) * strides[d];
  }
  const auto element = static_cast<std::int64_t>(element_size(dtype));
  borrowed.push_back({data + before * element, static_cast<std::size_t>((behind - before) * element), 0});
}

}  // namespace

bool find_borrowed(const void* address, AllocationInfo* info) {
  for (const AllocationInfo& b : borrowed) {
    const auto first = reinterpret_cast<std::uintptr_t>(b.base), at = reinterpret_cast<std::uintptr_t>(address);
    if (at < first || at - first >= b.bytes) continue;
    *info = b;
    return true;
  }
  return false;
}

Borrowing::~Borrowing() { borrowed.clear(); }

void set_last_error(const char* text) { last_error = text; }

Tensor from_dlpack(const DLTensor& tensor) {
  check_device(tensor.device.device_type);
  if (tensor.ndim < 0 || tensor.ndim > kMaxRank) throw Error("a DLPack tensor has more axes than the library supports");
  Sizes sizes, strides;
  std::int64_t stride = 1;
  for (int d = 0; d < tensor.ndim; ++d) sizes.push_back(tensor.shape[d]);
  for (int d = 0; d < tensor.ndim; ++d) strides.push_back(0);
  for (int d = tensor.ndim - 1; d >= 0; --d) {
    strides.data()[d] = tensor.strides ? tensor.strides[d] : stride;
    stride *= tensor.shape[d];
  }
  char* const data = static_cast<char*>(tensor.data) + tensor.byte_offset;
  const DType dtype = dtype_of(tensor.dtype);
  if (emulated()) borrow(data, sizes, strides, dtype);
  return Tensor::wrap(data, sizes, strides, dtype, Device::kCUDA);
}

}  // namespace flashlight::generated

extern "C" const char* flashlight_last_error() { return flashlight::generated::last_error.c_str(); }
