// SPDX-License-Identifier: Apache-2.0
// Matrix products of plain tensors, made by a library: cuBLASLt on a GPU, the eager library on the emulated
// device.
#pragma once

#include <initializer_list>
#include <vector>

#include "flashlight/types.h"

namespace flashlight::generated {

// An axis of C[..] = sum A[..] B[..]: its size, and the distances in elements that a step along it takes in
// each tensor. What has no distance in C is summed over.
struct ProductAxis {
  long long size;
  long long c, a, b;
};

// Matrices: the element (row, column) of number z lies at base + z * batch + row * rows + column * columns
// (elements). One of `rows` and `columns` is 1, the other at least as large as the extent of what lies side
// by side.
struct ProductMatrix {
  char* base = nullptr;
  long long rows = 0, columns = 1, batch = 0;
};

// c = a b for `batch` matrices of m x n, m x k and k x n.
struct Gemm {
  long long m = 1, n = 1, k = 1, batch = 1;
  ProductMatrix c, a, b;
  DType type = DType::kFloat32;
};

// A copy of a tensor element by element, for one that no library call can address, or of another type.
struct Packing {
  static constexpr int kMostAxes = 12;
  const void* source = nullptr;
  void* target = nullptr;
  DType from = DType::kFloat32, to = DType::kFloat32;
  int axes = 0;
  long long elements = 1;
  // Outermost axis first; strides in elements.
  long long size[kMostAxes] = {}, source_stride[kMostAxes] = {}, target_stride[kMostAxes] = {};
};

// What a product comes down to: copies of operands, the calls, a copy of the result.
struct Product {
  std::vector<Packing> packings;
  std::vector<Gemm> calls;
  std::vector<Packing> unpackings;
};

// A tensor of a product by its first element.
struct ProductTensor {
  void* base;
  DType type;
};

// Where a packed tensor of so many bytes goes.
using Reserve = void* (*)(void* context, std::size_t bytes);

// Brings the product to library calls in the type `type`. Axes that lie in memory as one become one; those of
// which both a and b have steps are batches, of which the library takes one and the host loops over the
// others.
Product plan_product(std::vector<ProductAxis> axes, const ProductTensor& c, const ProductTensor& a,
                     const ProductTensor& b, DType type, Reserve reserve, void* context);

// On memory of the host, by the eager library: rounded once, after a sum in float32 (float64 for kFloat64).
void multiply_on_host(const Gemm& gemm);

}  // namespace flashlight::generated
