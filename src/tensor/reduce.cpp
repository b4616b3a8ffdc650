// SPDX-License-Identifier: Apache-2.0
// Reductions. Floating rows accumulate in double and are rounded once.
#include <cmath>
#include <limits>

#include <flashlight/ops.h>

#include "tensor/pointwise.h"
#include "tensor/rows.h"

namespace flashlight {
namespace detail {

Reduction plan_reduction(const char* op, const Tensor& x, const Sizes& dims, bool keepdim) {
  require_cpu(op, {x});
  bool reduced[kMaxRank] = {};
  for (std::int64_t dim : dims) {
    const std::int64_t d = wrap_dim(op, x, dim);
    if (reduced[d]) fail(op, {x}, "dim " + std::to_string(d) + " is named twice");
    reduced[d] = true;
  }
  Reduction plan;
  Sizes last;
  for (std::int64_t i = 0; i < x.dim(); ++i) {
    const std::int64_t size = x.impl()->sizes[static_cast<std::size_t>(i)];
    if (reduced[i] || dims.empty()) {
      last.push_back(i);
      plan.length *= size;
      if (keepdim) plan.sizes.push_back(1);
    } else {
      plan.order.push_back(i);
      plan.rows *= size;
      plan.sizes.push_back(size);
    }
  }
  for (std::int64_t i : last) plan.order.push_back(i);
  return plan;
}

}  // namespace detail

namespace {

using detail::fail;
using detail::plan_reduction;
using detail::Reduction;

template <class T> bool is_nan(T x) { return x != x; }

// A sum in double (floating T) or wrapping 64-bit integers.
template <class T>
auto sum_of(const T* row, std::int64_t length) {
  if constexpr (std::is_floating_point_v<T>) {
    double sum = 0;
    for (std::int64_t i = 0; i < length; ++i) sum += static_cast<double>(row[i]);
    return sum;
  } else {
    std::uint64_t sum = 0;
    for (std::int64_t i = 0; i < length; ++i) sum += static_cast<std::uint64_t>(row[i]);
    return static_cast<std::int64_t>(sum);
  }
}

template <class T>
auto product_of(const T* row, std::int64_t length) {
  if constexpr (std::is_floating_point_v<T>) {
    double product = 1;
    for (std::int64_t i = 0; i < length; ++i) product *= static_cast<double>(row[i]);
    return product;
  } else {
    std::uint64_t product = 1;
    for (std::int64_t i = 0; i < length; ++i) product *= static_cast<std::uint64_t>(row[i]);
    return static_cast<std::int64_t>(product);
  }
}

// The largest (sign 1) or smallest (sign -1) element; NaN wins.
template <class T>
T extremum_of(const T* row, std::int64_t length, bool largest) {
  T best = row[0];
  for (std::int64_t i = 1; i < length && !is_nan(best); ++i)
    if (is_nan(row[i]) || (largest ? row[i] > best : row[i] < best)) best = row[i];
  return best;
}

Tensor extremum(const char* op, const Tensor& x, const Sizes& dims, bool keepdim, bool largest) {
  const Reduction plan = plan_reduction(op, x, dims, keepdim);
  if (plan.length == 0) fail(op, {x}, "no elements to reduce over, and the op has no identity");
  const Tensor target = detail::make(plan.sizes, x.dtype());
  detail::with_compute_type(x.dtype(), [&]<class T>(T) {
    detail::reduce_rows<T, T>(x, plan, target, [&](const T* row, std::int64_t length) {
      return extremum_of(row, length, largest);
    });
  });
  return target;
}

// any: some element is nonzero (NaN is); all: none is zero.
Tensor quantify(const char* op, const Tensor& x, const Sizes& dims, bool keepdim, bool wanted) {
  const Reduction plan = plan_reduction(op, x, dims, keepdim);
  const Tensor target = detail::make(plan.sizes, kBool);
  detail::with_compute_type(x.dtype(), [&]<class T>(T) {
    detail::reduce_rows<T, std::int64_t>(x, plan, target, [&](const T* row, std::int64_t length) {
      for (std::int64_t i = 0; i < length; ++i)
        if ((row[i] != 0) == wanted) return std::int64_t{wanted};
      return std::int64_t{!wanted};
    });
  });
  return target;
}

DType summed_dtype(DType dtype) { return is_floating(dtype) ? dtype : kInt64; }

DType require_floating(const char* op, const Tensor& x) {
  detail::require_defined(op, {x});
  if (!is_floating(x.dtype())) fail(op, {x}, "a floating tensor is needed; convert with to(kFloat32)");
  return x.dtype();
}

}  // namespace

Tensor sum(const Tensor& x, Sizes dims, bool keepdim) {
  const Reduction plan = plan_reduction("sum", x, dims, keepdim);
  const Tensor target = detail::make(plan.sizes, summed_dtype(x.dtype()));
  detail::with_compute_type(x.dtype(), [&]<class T>(T) {
    using R = decltype(sum_of<T>(nullptr, 0));
    detail::reduce_rows<T, R>(x, plan, target, sum_of<T>);
  });
  return target;
}

Tensor prod(const Tensor& x, Sizes dims, bool keepdim) {
  const Reduction plan = plan_reduction("prod", x, dims, keepdim);
  const Tensor target = detail::make(plan.sizes, summed_dtype(x.dtype()));
  detail::with_compute_type(x.dtype(), [&]<class T>(T) {
    using R = decltype(product_of<T>(nullptr, 0));
    detail::reduce_rows<T, R>(x, plan, target, product_of<T>);
  });
  return target;
}

Tensor mean(const Tensor& x, Sizes dims, bool keepdim) {
  const DType dtype = require_floating("mean", x);
  const Reduction plan = plan_reduction("mean", x, dims, keepdim);
  const Tensor target = detail::make(plan.sizes, dtype);
  detail::with_compute_type(dtype, [&]<class T>(T) {
    detail::reduce_rows<T, double>(x, plan, target, [](const T* row, std::int64_t length) {
      return static_cast<double>(sum_of(row, length)) / static_cast<double>(length);
    });
  });
  return target;
}

Tensor var(const Tensor& x, Sizes dims, bool unbiased, bool keepdim) {
  const DType dtype = require_floating("var", x);
  const Reduction plan = plan_reduction("var", x, dims, keepdim);
  const Tensor target = detail::make(plan.sizes, dtype);
  detail::with_compute_type(dtype, [&]<class T>(T) {
    detail::reduce_rows<T, double>(x, plan, target, [&](const T* row, std::int64_t length) {
      const double mean = static_cast<double>(sum_of(row, length)) / static_cast<double>(length);
      double squares = 0;
      for (std::int64_t i = 0; i < length; ++i) {
        const double centred = static_cast<double>(row[i]) - mean;
        squares += centred * centred;
      }
      return squares / static_cast<double>(std::max<std::int64_t>(length - unbiased, 0));
    });
  });
  return target;
}

Tensor amax(const Tensor& x, Sizes dims, bool keepdim) { return extremum("amax", x, dims, keepdim, true); }
Tensor amin(const Tensor& x, Sizes dims, bool keepdim) { return extremum("amin", x, dims, keepdim, false); }
Tensor any(const Tensor& x, Sizes dims, bool keepdim) { return quantify("any", x, dims, keepdim, true); }
Tensor all(const Tensor& x, Sizes dims, bool keepdim) { return quantify("all", x, dims, keepdim, false); }

Tensor logsumexp(const Tensor& x, Sizes dims, bool keepdim) {
  const Reduction plan = plan_reduction("logsumexp", x, dims, keepdim);
  const DType dtype = is_floating(x.dtype()) ? x.dtype() : kFloat32;
  const Tensor target = detail::make(plan.sizes, dtype);
  detail::with_compute_type(dtype, [&]<class T>(T) {
    detail::reduce_rows<T, double>(x, plan, target, [](const T* row, std::int64_t length) {
      if (length == 0) return -std::numeric_limits<double>::infinity();
      const T largest = extremum_of(row, length, true);
      const double reference = std::isfinite(largest) ? static_cast<double>(largest) : 0;
      double sum = 0;
      for (std::int64_t i = 0; i < length; ++i) sum += std::exp(static_cast<double>(row[i]) - reference);
      return std::log(sum) + reference;
    });
  });
  return target;
}

Tensor argmax(const Tensor& x, Optional<std::int64_t> dim, bool keepdim) {
  const Reduction plan = plan_reduction("argmax", x, dim ? Sizes{*dim} : Sizes{}, keepdim);
  if (plan.length == 0) fail("argmax", {x}, "no elements to choose from");
  const Tensor target = detail::make(plan.sizes, kInt64);
  detail::with_compute_type(x.dtype(), [&]<class T>(T) {
    detail::reduce_rows<T, std::int64_t>(x, plan, target, [](const T* row, std::int64_t length) {
      std::int64_t best = 0;
      for (std::int64_t i = 1; i < length && !is_nan(row[best]); ++i)
        if (is_nan(row[i]) || row[i] > row[best]) best = i;
      return best;
    });
  });
  return target;
}

}  // namespace flashlight
