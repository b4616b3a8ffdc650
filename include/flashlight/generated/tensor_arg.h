// SPDX-License-Identifier: Apache-2.0
// Tensors as emitted kernels receive them: a base, a storage type and strides, with the batch pack's axes
// apart.
#pragma once

#include "flashlight/device/aux.h"
#include "flashlight/device/tile.h"

namespace flashlight::generated {

// The batch pack at launch: up to four leading axes, common to all tensors.
inline constexpr int kPackAxes = 4;

struct PackIndex {
  int at[kPackAxes];
};

struct PackShape {
  int size[kPackAxes];  // right-aligned; unused leading axes are 1

  FL_DEVICE PackIndex index(int linear) const {
    PackIndex result;
    FL_UNROLL
    for (int k = kPackAxes - 1; k >= 0; --k) {
      result.at[k] = linear % size[k];
      linear /= size[k];
    }
    return result;
  }
};

// A tensor with R axes behind the pack. Strides are in elements; a broadcast axis has stride 0.
template <int R> struct TensorArg {
  void* base;
  int dtype;  // device::AuxType
  long long pack[kPackAxes];
  long long stride[R > 0 ? R : 1];

  template <class... Index> FL_DEVICE long long offset(const PackIndex& batch, Index... index) const {
    static_assert(sizeof...(Index) == R, "one index for each axis behind the pack");
    long long result = 0;
    FL_UNROLL
    for (int k = 0; k < kPackAxes; ++k) result += batch.at[k] * pack[k];
    if constexpr (R > 0) {
      const long long at[] = {static_cast<long long>(index)...};
      FL_UNROLL
      for (int k = 0; k < R; ++k) result += at[k] * stride[k];
    }
    return result;
  }

  FL_DEVICE device::AuxTensor aux() const { return {base, dtype}; }

  // The matrix that starts at element `start` with the given strides; 16-byte accesses where base and strides
  // allow them.
  template <class T>
  FL_DEVICE device::GlobalMatrix<T> matrix(long long start, long long row_stride, long long col_stride,
                                           int rows, int cols) const {
    T* const first = static_cast<T*>(base) + start;
    const bool vectors = col_stride == 1 && row_stride * static_cast<long long>(sizeof(T)) % 16 == 0 &&
                         reinterpret_cast<std::uintptr_t>(first) % 16 == 0;
    return {first, row_stride, col_stride, rows, cols, vectors};
  }

  // The same where each of its rows is one of `group`, `inner_stride` apart.
  template <class T>
  FL_DEVICE device::GroupedMatrix<T> grouped(long long start, int group, long long row_stride,
                                             long long inner_stride, long long col_stride, int rows,
                                             int cols) const {
    const device::GlobalMatrix<T> first = matrix<T>(start, row_stride, col_stride, rows, cols);
    const bool vectors = first.vectors && inner_stride * static_cast<long long>(sizeof(T)) % 16 == 0;
    return {first.base, group, row_stride, inner_stride, col_stride, rows, cols, vectors};
  }

  // Rows of `cols` elements that begin anywhere in the tensor.
  template <class T> FL_DEVICE device::ScatteredRows<T> rows(long long col_stride, int cols) const {
    return {static_cast<T*>(base), col_stride, cols,
            col_stride == 1 && reinterpret_cast<std::uintptr_t>(base) % 16 == 0};
  }

  // The same matrix, whatever the tensor's storage type is.
  FL_DEVICE device::AnyMatrix any_matrix(long long start, long long row_stride, long long col_stride,
                                         int rows, int cols) const {
    return {base, dtype, start, row_stride, col_stride, rows, cols};
  }
};

FL_HOST_DEVICE constexpr int least_of(int a, int b) { return a < b ? a : b; }
FL_HOST_DEVICE constexpr int greatest_of(int a, int b) { return a > b ? a : b; }
FL_HOST_DEVICE constexpr long long least_of(long long a, long long b) { return a < b ? a : b; }
FL_HOST_DEVICE constexpr long long greatest_of(long long a, long long b) { return a > b ? a : b; }

// Whether heads are whole groups.
constexpr bool divides(long long group, long long heads) { return group > 0 && heads % group == 0; }

// A key bound computed from captured 64-bit data, as the kernel's 32-bit index.
FL_HOST_DEVICE constexpr int clamp_index(long long x) {
  return static_cast<int>(greatest_of(-(1ll << 30), least_of(1ll << 30, x)));
}

}  // namespace flashlight::generated
