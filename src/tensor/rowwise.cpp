// SPDX-License-Identifier: Apache-2.0
// Ops from rows to rows: softmax, log_softmax, cumsum, sort, topk, and the norms.
#include <cmath>
#include <numeric>

#include <flashlight/ops.h>

#include "tensor/promote.h"
#include "tensor/rows.h"

namespace flashlight {
namespace {

using detail::fail;
using detail::map_rows;
using detail::wrap_dim;

// A row of -inf gives NaN, as -inf - -inf does.
template <class T>
void softmax_row(const T* row, T* result, std::int64_t length, bool logarithm) {
  T largest = row[0];
  for (std::int64_t i = 1; i < length; ++i) largest = row[i] > largest || row[i] != row[i] ? row[i] : largest;
  double sum = 0;
  for (std::int64_t i = 0; i < length; ++i) {
    result[i] = std::exp(row[i] - largest);
    sum += static_cast<double>(result[i]);
  }
  const double log_sum = std::log(sum);
  for (std::int64_t i = 0; i < length; ++i) {
    if (logarithm) result[i] = static_cast<T>(static_cast<double>(row[i] - largest) - log_sum);
    else result[i] = static_cast<T>(static_cast<double>(result[i]) / sum);
  }
}

Tensor softmax_of(const char* op, const Tensor& x, std::int64_t dim, Optional<DType> dtype, bool logarithm) {
  detail::require_cpu(op, {x});
  const std::int64_t d = wrap_dim(op, x, dim);
  const Tensor input = dtype ? x.to(*dtype) : x;
  if (!is_floating(input.dtype())) fail(op, {x}, "a floating tensor is needed; convert with to(kFloat32)");
  const Tensor target = detail::make(x.sizes(), input.dtype());
  const std::int64_t length = x.dim() == 0 ? 1 : x.size(d);
  detail::with_compute_type(input.dtype(), [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>)
      map_rows<T>(input, target, d,
                  [&](const T* row, T* result) { softmax_row(row, result, length, logarithm); });
  });
  return target;
}

// Sorted order of a row; NaN counts as the largest, equals keep their order.
template <class T>
void order_of(const T* row, std::vector<std::int64_t>& order, bool descending) {
  std::iota(order.begin(), order.end(), 0);
  const auto less = [](T a, T b) { return a < b || (b != b && a == a); };
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    const T first = row[descending ? b : a], second = row[descending ? a : b];
    return less(first, second) || (!less(second, first) && a < b);
  });
}

// The first `count` elements of each sorted row, with their indices.
Tensors<2> sorted_rows(const char* op, const Tensor& x, std::int64_t count, std::int64_t dim,
                       bool descending) {
  const std::int64_t d = wrap_dim(op, x, dim);
  const std::int64_t length = x.dim() == 0 ? 1 : x.size(d);
  if (count < 0 || count > length)
    fail(op, {x}, "k = " + std::to_string(count) + " is out of range for dim " + std::to_string(dim));
  Sizes sizes = x.sizes();
  if (!sizes.empty()) sizes[static_cast<std::size_t>(d)] = count;
  const Tensor values = detail::make(sizes, x.dtype()), indices = detail::make(sizes, kInt64);
  Tensors<2> result;
  result[0] = values;
  result[1] = indices;
  if (values.numel() == 0) return result;
  detail::with_compute_type(x.dtype(), [&]<class T>(T) {
    detail::Writer<std::int64_t> index_writer(detail::with_dim_last(indices, d));
    std::vector<std::int64_t> order(static_cast<std::size_t>(length));
    map_rows<T>(x, values, d, [&](const T* row, T* best) {
      order_of(row, order, descending);
      for (std::int64_t i = 0; i < count; ++i) best[i] = row[order[static_cast<std::size_t>(i)]];
      index_writer.write(order.data(), count);
    });
  });
  return result;
}

struct Norm {
  Tensor rows;    // x as [outer, length]
  Tensor target;  // fresh, of x's sizes, the same way
  std::int64_t length;
  DType dtype;
};

// Norms run over the dims that weight (or bias) has, at the end of x's.
Norm plan_norm(const char* op, const Tensor& x, const Optional<Tensor>& weight,
               const Optional<Tensor>& bias) {
  std::vector<Tensor> tensors = {x};
  if (weight) tensors.push_back(*weight);
  if (bias) tensors.push_back(*bias);
  detail::require_cpu(op, tensors);
  if (!is_floating(x.dtype()) || x.dim() == 0)
    fail(op, tensors, "a floating tensor with at least one dim is needed");
  const Sizes all = x.sizes();
  Sizes normal = x.size(-1);
  for (std::size_t i = 1; i < tensors.size(); ++i) {
    const Sizes sizes = tensors[i].sizes();
    if (sizes.empty() || sizes.size() > all.size() ||
        !(Sizes(all.end() - sizes.size(), all.end()) == sizes) || (i == 2 && !(sizes == normal)))
      fail(op, tensors, "weight and bias must have the sizes of the last dims of x");
    normal = sizes;
  }
  detail::Promotion promotion;
  for (const Tensor& tensor : tensors) promotion.add(tensor);
  const std::int64_t length = detail::numel(normal), outer = length ? x.numel() / length : 0;
  const Tensor target = detail::make(x.sizes(), promotion.result());
  return {x.reshape({outer, length}), target.view({outer, length}), length, promotion.result()};
}

std::vector<double> doubles_of(const Optional<Tensor>& x, std::int64_t length, double otherwise) {
  std::vector<double> values(static_cast<std::size_t>(length), otherwise);
  if (x && length > 0) detail::Reader<double>(*x).read(values.data(), length);
  return values;
}

// y = (x - mean) * scale * weight + bias in double, rounded once. `centred`: subtract the mean first.
Tensor norm_of(const char* op, const Tensor& x, const Optional<Tensor>& weight, const Optional<Tensor>& bias,
               double eps, bool centred) {
  const Norm norm = plan_norm(op, x, weight, bias);
  const std::vector<double> w = doubles_of(weight, norm.length, 1), b = doubles_of(bias, norm.length, 0);
  const std::size_t length = static_cast<std::size_t>(norm.length);
  map_rows<double>(norm.rows, norm.target, 1, [&](const double* row, double* result) {
    const double mean = centred ? std::accumulate(row, row + length, 0.0) / static_cast<double>(length) : 0;
    double squares = 0;
    for (std::size_t i = 0; i < length; ++i) squares += (row[i] - mean) * (row[i] - mean);
    const double scale = 1 / std::sqrt(squares / static_cast<double>(length) + eps);
    for (std::size_t i = 0; i < length; ++i) result[i] = (row[i] - mean) * scale * w[i] + b[i];
  });
  return norm.target.view(x.sizes());
}

}  // namespace

Tensor softmax(const Tensor& x, std::int64_t dim, Optional<DType> dtype) {
  return softmax_of("softmax", x, dim, dtype, false);
}
Tensor log_softmax(const Tensor& x, std::int64_t dim, Optional<DType> dtype) {
  return softmax_of("log_softmax", x, dim, dtype, true);
}

Tensor cumsum(const Tensor& x, std::int64_t dim) {
  detail::require_cpu("cumsum", {x});
  const std::int64_t d = wrap_dim("cumsum", x, dim);
  const Tensor target = detail::make(x.sizes(), is_floating(x.dtype()) ? x.dtype() : kInt64);
  const std::int64_t length = x.dim() == 0 ? 1 : x.size(d);
  const auto scan = [&]<class T, class Sum>(T, Sum) {
    map_rows<T>(x, target, d, [&](const T* row, T* result) {
      Sum sum = 0;
      for (std::int64_t i = 0; i < length; ++i) {
        sum += static_cast<Sum>(row[i]);
        result[i] = static_cast<T>(sum);
      }
    });
  };
  if (is_floating(x.dtype())) scan(double{}, double{});
  else scan(std::int64_t{}, std::uint64_t{});
  return target;
}

Tensors<2> topk(const Tensor& x, std::int64_t k, std::int64_t dim, bool largest, bool) {
  detail::require_cpu("topk", {x});
  return sorted_rows("topk", x, k, dim, largest);
}

Tensors<2> sort(const Tensor& x, std::int64_t dim, bool descending) {
  detail::require_cpu("sort", {x});
  return sorted_rows("sort", x, x.dim() == 0 ? 1 : x.size(dim), dim, descending);
}

Tensor rms_norm(const Tensor& x, Optional<Tensor> weight, double eps) {
  return norm_of("rms_norm", x, weight, {}, eps, false);
}
Tensor layer_norm(const Tensor& x, Optional<Tensor> weight, Optional<Tensor> bias, double eps) {
  return norm_of("layer_norm", x, weight, bias, eps, true);
}

}  // namespace flashlight
