// SPDX-License-Identifier: Apache-2.0
// Reading and writing a tensor's elements in row-major order, whatever its strides and dtype.
//
// Every op is made of these: a Reader turns a strided view of any dtype into buffers of a compute type
// (float, double or std::int64_t), a Writer rounds buffers back into a view.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "tensor/half.h"
#include "tensor/impl.h"

namespace flashlight::detail {

// How many elements ops work on at a time.
inline constexpr std::int64_t kBlock = 512;

// A stretch of elements with one byte stride.
struct Run {
  std::byte* data;
  std::int64_t stride;  // in bytes
  std::int64_t count;
};

// Visits the elements of a view in row-major order as runs. Neighbouring dims that form one stride are joined
// first.
class Walker {
 public:
  explicit Walker(const Tensor& x) : data_(mutable_bytes_of(x)) {
    const TensorImpl& impl = *x.impl();
    const std::int64_t element = static_cast<std::int64_t>(element_size(impl.dtype));
    for (std::size_t i = 0; i < impl.sizes.size(); ++i) {
      if (impl.sizes[i] == 1) continue;
      const std::int64_t stride = impl.strides[i] * element;
      if (rank_ > 0 && strides_[rank_ - 1] == stride * impl.sizes[i]) {
        sizes_[rank_ - 1] *= impl.sizes[i];
        strides_[rank_ - 1] = stride;
      } else {
        sizes_[rank_] = impl.sizes[i];
        strides_[rank_++] = stride;
      }
    }
    if (rank_ == 0) sizes_[rank_] = 1, strides_[rank_++] = element;
  }

  // The next run of at most `limit` elements. The caller knows how many elements there are.
  Run next(std::int64_t limit) {
    const int last = rank_ - 1;
    const Run run{data_, strides_[last], std::min(limit, sizes_[last] - index_[last])};
    index_[last] += run.count;
    data_ += run.count * run.stride;
    for (int i = last; i > 0 && index_[i] == sizes_[i]; --i) {
      data_ += strides_[i - 1] - sizes_[i] * strides_[i];
      index_[i] = 0;
      ++index_[i - 1];
    }
    return run;
  }

  bool is_one_run() const { return rank_ == 1; }
  std::int64_t last_stride() const { return strides_[rank_ - 1]; }

 private:
  std::byte* data_;
  std::int64_t sizes_[kMaxRank] = {};
  std::int64_t strides_[kMaxRank] = {};
  std::int64_t index_[kMaxRank] = {};
  int rank_ = 0;
};

// Copies a run to or from a buffer, converting between the storage type and T.
template <class T> using Load = void (*)(T* target, const Run& run);
template <class T> using Store = void (*)(const T* source, const Run& run);
template <class T> Load<T> load_of(DType dtype);
template <class T> Store<T> store_of(DType dtype);

template <class T>
class Reader {
 public:
  explicit Reader(const Tensor& x)
      : walker_(x), load_(load_of<T>(x.dtype())), same_(int(x.dtype()) == kDTypeOf<T>) {}

  void read(T* target, std::int64_t count) {
    while (count > 0) {
      const Run run = walker_.next(count);
      load_(target, run);
      target += run.count;
      count -= run.count;
    }
  }

  // The next `count` elements: in place where they lie so already, otherwise in the buffer.
  const T* row(std::int64_t count, std::vector<T>& buffer) {
    if (same_ && walker_.is_one_run() && walker_.last_stride() == sizeof(T))
      return reinterpret_cast<const T*>(walker_.next(count).data);
    buffer.resize(static_cast<std::size_t>(count));
    read(buffer.data(), count);
    return buffer.data();
  }

 private:
  Walker walker_;
  Load<T> load_;
  bool same_;
};

template <class T>
class Writer {
 public:
  explicit Writer(const Tensor& x) : walker_(x), store_(store_of<T>(x.dtype())) {}

  void write(const T* source, std::int64_t count) {
    while (count > 0) {
      const Run run = walker_.next(count);
      store_(source, run);
      source += run.count;
      count -= run.count;
    }
  }

 private:
  Walker walker_;
  Store<T> store_;
};

// Calls f with a value of the compute type of dtype: float, double or std::int64_t.
template <class F>
decltype(auto) with_compute_type(DType dtype, F&& f) {
  if (dtype == kFloat64) return f(double{});
  if (is_floating(dtype)) return f(float{});
  return f(std::int64_t{});
}

// Writes x, converted, into the elements of target (of the same sizes). Bits are kept where the dtypes agree.
void copy_elements(const Tensor& x, const Tensor& target);

// x with its dims in the given order.
Tensor permuted(const Tensor& x, const Sizes& order);
// x with one dim last, for ops along that dim.
Tensor with_dim_last(const Tensor& x, std::int64_t dim);

}  // namespace flashlight::detail
