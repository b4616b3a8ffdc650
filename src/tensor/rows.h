// SPDX-License-Identifier: Apache-2.0
// Ops along dims, as functions of one row: the reduced dims are moved last and each row is handed over as an
// array.
#pragma once

#include "tensor/strided.h"

namespace flashlight::detail {

// The dims of a reduction: which are reduced (all, if none is named) and the sizes of the result.
struct Reduction {
  Sizes order;  // kept dims, then reduced ones
  Sizes sizes;  // of the result
  std::int64_t rows = 1;
  std::int64_t length = 1;
};

Reduction plan_reduction(const char* op, const Tensor& x, const Sizes& dims, bool keepdim);

// target[row] = f(const T* row, length). T is the compute type the rows are read into, R what f returns.
template <class T, class R, class F>
void reduce_rows(const Tensor& x, const Reduction& plan, const Tensor& target, F&& f) {
  if (plan.rows == 0) return;
  Reader<T> reader(permuted(x, plan.order));
  Writer<R> writer(target);
  std::vector<T> buffer;
  for (std::int64_t row = 0; row < plan.rows; ++row) {
    const R result = f(plan.length > 0 ? reader.row(plan.length, buffer) : buffer.data(), plan.length);
    writer.write(&result, 1);
  }
}

// Rows along `dim` of x to rows along `dim` of target (another length, perhaps): f(const T* row, T* result).
template <class T, class F>
void map_rows(const Tensor& x, const Tensor& target, std::int64_t dim, F&& f) {
  const std::int64_t length = x.dim() == 0 ? 1 : x.size(dim),
                     result_length = target.dim() == 0 ? 1 : target.size(dim);
  if (length == 0 || x.numel() == 0) return;
  Reader<T> reader(with_dim_last(x, dim));
  Writer<T> writer(with_dim_last(target, dim));
  std::vector<T> buffer, result(static_cast<std::size_t>(result_length));
  for (std::int64_t row = x.numel() / length; row > 0; --row) {
    f(reader.row(length, buffer), result.data());
    writer.write(result.data(), result_length);
  }
}

}  // namespace flashlight::detail
