// SPDX-License-Identifier: Apache-2.0
// Tensors from sizes, numbers and memory.
#include <flashlight/ops_create.h>

#include <cmath>

#include "tensor/promote.h"
#include "tensor/strided.h"

namespace flashlight {
namespace {

// Fills a CPU tensor with value_at(i), i in row-major order.
template <class T, class F>
void fill_with(const Tensor& target, F&& value_at) {
  if (target.numel() == 0) return;
  detail::Writer<T> writer(target);
  T buffer[detail::kBlock];
  for (std::int64_t start = 0; start < target.numel(); start += detail::kBlock) {
    const std::int64_t count = std::min(target.numel() - start, detail::kBlock);
    for (std::int64_t i = 0; i < count; ++i) buffer[i] = static_cast<T>(value_at(start + i));
    writer.write(buffer, count);
  }
}

Tensor filled(const Sizes& sizes, const Scalar& value, DType dtype) {
  const Tensor target = detail::make(sizes, dtype);
  if (is_floating(dtype)) fill_with<double>(target, [&](std::int64_t) { return value.to_double(); });
  else if (dtype == kBool)
    fill_with<std::int64_t>(target, [&](std::int64_t) { return value.to_double() != 0; });
  else fill_with<std::int64_t>(target, [&, number = value.to_int()](std::int64_t) { return number; });
  return target;
}

Tensor range(const Scalar& start, const Scalar& end, const Scalar& step, Optional<DType> dtype) {
  const bool any_float = start.is_float() || end.is_float() || step.is_float();
  const double first = start.to_double(), past = end.to_double(), stride = step.to_double();
  if (!(std::isfinite(first) && std::isfinite(past) && std::isfinite(stride) && stride != 0))
    throw Error("arange: start, end and step must be finite and step not 0");
  if ((past - first) * stride < 0) throw Error("arange: the step leads away from end");
  const DType type = dtype.value_or(any_float ? kFloat32 : kInt64);
  if (any_float) {
    const double length = std::ceil((past - first) / stride);
    const Tensor target = detail::make({length < 9e15 ? static_cast<std::int64_t>(length) : INT64_MAX}, type);
    fill_with<double>(target, [&](std::int64_t i) { return first + stride * static_cast<double>(i); });
    return target;
  }
  const std::int64_t from = start.to_int(), to = end.to_int(), by = step.to_int();
  const Tensor target = detail::make({(to - from) / by + ((to - from) % by != 0)}, type);
  fill_with<std::int64_t>(target, [&](std::int64_t i) { return from + by * i; });
  return target;
}

void measure(const Literal& literal, std::size_t depth, Sizes& sizes) {
  if (!literal.is_list()) {
    if (depth != sizes.size()) throw Error("tensor: the nested lists are ragged");
    return;
  }
  const std::int64_t size = static_cast<std::int64_t>(literal.size());
  if (depth == sizes.size()) throw Error("tensor: the nested lists are ragged");
  if (sizes[depth] != size) throw Error("tensor: the nested lists are ragged");
  if (!literal.list() && depth + 1 != sizes.size()) throw Error("tensor: the nested lists are ragged");
  for (std::size_t i = 0; literal.list() && i < literal.size(); ++i)
    measure(literal.list()[i], depth + 1, sizes);
}

// Appends the numbers in order, and finds their dtype: the widest category that occurs.
struct Numbers {
  std::vector<double> doubles;
  std::vector<std::int64_t> ints;
  bool any = false;
  DType dtype = kFloat32;

  void push(const Scalar& scalar) {
    const DType own = detail::dtype_of(scalar);
    dtype = any ? detail::promote(dtype, own) : own;
    any = true;
    doubles.push_back(scalar.to_double());
    ints.push_back(scalar.is_float() ? 0 : scalar.to_int());
  }

  void push_all(const Literal& literal) {
    if (!literal.is_list()) return push(literal.scalar());
    if (literal.list()) {
      for (std::size_t i = 0; i < literal.size(); ++i) push_all(literal.list()[i]);
      return;
    }
    const Tensor numbers = from_blob(const_cast<void*>(literal.numbers()),
                                     {static_cast<std::int64_t>(literal.size())}, literal.dtype());
    for (std::size_t i = 0; i < literal.size(); ++i) {
      const Tensor number = numbers.select(0, static_cast<std::int64_t>(i));
      if (is_floating(literal.dtype())) push(number.item<double>());
      else if (literal.dtype() == kBool) push(number.item<double>() != 0);
      else push(number.item<std::int64_t>());
    }
  }
};

}  // namespace

Tensor arange(Scalar end, Optional<DType> dtype) { return range(0, end, 1, dtype); }
Tensor arange(Scalar start, Scalar end, Scalar step, Optional<DType> dtype) {
  return range(start, end, step, dtype);
}

Tensor zeros(Sizes sizes, DType dtype, Device device) { return filled(sizes, 0, dtype).to(device); }
Tensor ones(Sizes sizes, DType dtype, Device device) { return filled(sizes, 1, dtype).to(device); }
Tensor full(Sizes sizes, Scalar value, Optional<DType> dtype) {
  return filled(sizes, value, dtype.value_or(detail::dtype_of(value)));
}
Tensor empty(Sizes sizes, DType dtype, Device device) { return detail::make(sizes, dtype, device); }
Tensor zeros_like(const Tensor& x) { return zeros(x.sizes(), x.dtype(), x.device()); }
Tensor ones_like(const Tensor& x) { return ones(x.sizes(), x.dtype(), x.device()); }
Tensor full_like(const Tensor& x, Scalar value) { return filled(x.sizes(), value, x.dtype()).to(x.device()); }
Tensor empty_like(const Tensor& x) { return empty(x.sizes(), x.dtype(), x.device()); }

Tensor eye(std::int64_t rows, Optional<std::int64_t> columns, DType dtype) {
  const std::int64_t width = columns.value_or(rows);
  const Tensor target = detail::make({rows, width}, dtype);
  fill_with<std::int64_t>(target, [&](std::int64_t i) { return i / width == i % width; });
  return target;
}

Tensor tensor(Literal values, Optional<DType> dtype) {
  Sizes sizes;
  for (const Literal* literal = &values; literal->is_list(); literal = literal->list()) {
    sizes.push_back(static_cast<std::int64_t>(literal->size()));
    if (!literal->list() || literal->size() == 0) break;
  }
  measure(values, 0, sizes);
  Numbers numbers;
  numbers.push_all(values);
  const Tensor target = detail::make(sizes, dtype.value_or(numbers.dtype));
  if (is_floating(numbers.dtype))
    fill_with<double>(target, [&](std::int64_t i) { return numbers.doubles[static_cast<std::size_t>(i)]; });
  else
    fill_with<std::int64_t>(target,
                            [&](std::int64_t i) { return numbers.ints[static_cast<std::size_t>(i)]; });
  return target;
}

Tensor from_blob(void* data, Sizes sizes, DType dtype) {
  return Tensor::wrap(data, sizes, detail::contiguous_strides(sizes), dtype);
}

}  // namespace flashlight
