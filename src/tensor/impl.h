// SPDX-License-Identifier: Apache-2.0
// The implementation behind the Tensor handle: shared storage and a strided view of it.
#pragma once

#include <flashlight/runtime.h>
#include <flashlight/tensor.h>

#include <atomic>
#include <cstddef>
#include <string>

namespace flashlight {

// Memory shared by views. Freed, if owned, with the last of them.
struct Storage {
  std::atomic<int> references{1};
  std::byte* data = nullptr;
  std::size_t bytes = 0;
  Device device = kCPU;
  bool owned = false;
  const DeviceTable* table = nullptr;  // of owned kCUDA memory: where it came from
};

struct TensorImpl {
  std::atomic<int> references{1};
  Storage* storage = nullptr;
  std::byte* data = nullptr;  // the first element
  Sizes sizes;
  Sizes strides;  // in elements
  DType dtype = kFloat32;
};

namespace detail {

std::int64_t numel(const Sizes& sizes);
Sizes contiguous_strides(const Sizes& sizes);

// A fresh tensor with uninitialised elements.
Tensor make(const Sizes& sizes, DType dtype, Device device = kCPU);
// Another view of x's storage; offset in elements from x's first element.
Tensor alias(const Tensor& x, const Sizes& sizes, const Sizes& strides, std::int64_t offset = 0);
// x as a view of the given (broadcast) sizes with stride 0 along the added and repeated dims.
Tensor broadcast_view(const Tensor& x, const Sizes& sizes);
bool shares_storage(const Tensor& x, const Tensor& y);
// True where two indices of x are one element.
bool overlaps_itself(const Tensor& x);

inline const std::byte* bytes_of(const Tensor& x) { return x.impl()->data; }
inline std::byte* mutable_bytes_of(const Tensor& x) { return x.impl()->data; }

// "[2, 3]"
std::string shape_text(const Sizes& sizes);

// Throws Error "op([2, 3] float32, [4] float32): rule".
[[noreturn]] void fail(const char* op, const TensorList& tensors, const std::string& rule);
// Error unless every tensor is defined.
void require_defined(const char* op, const TensorList& tensors);
// Error unless every tensor is defined and on the CPU.
void require_cpu(const char* op, const TensorList& tensors);
// dim with negative values wrapped; Error out of range. A tensor without dims is taken to have one.
std::int64_t wrap_dim(const char* op, const Tensor& x, std::int64_t dim);
// The same against a given rank, for ops that add dims.
std::int64_t wrap_dim(const char* op, const Tensor& x, std::int64_t dim, std::int64_t rank);
// The common sizes of the tensors by broadcasting, their last `ignored` dims left out; Error where there are
// none.
Sizes broadcast_sizes(const char* op, const TensorList& tensors, std::size_t ignored = 0);

}  // namespace detail
}  // namespace flashlight
