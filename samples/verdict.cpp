// SPDX-License-Identifier: Apache-2.0
// See verdict.h.
#include "verdict.h"

#include <algorithm>
#include <cstdio>
#include <limits>

namespace sample {

using flashlight::DType;
using flashlight::Tensor;

namespace {

int fraction_bits(DType dtype) {
  switch (dtype) {
    case DType::kFloat16: return 10;
    case DType::kBFloat16: return 7;
    case DType::kFloat32: return 23;
    default: return 52;
  }
}

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", x);
  return text;
}

std::string shape_of(const Tensor& x) {
  std::string text;
  for (std::int64_t size : x.sizes()) text += (text.empty() ? "[" : ", ") + std::to_string(size);
  return text.empty() ? "[]" : text + "]";
}

// What f must be where r is not finite; empty: it is.
std::string wrong_special(double r, double f, bool strict_nan) {
  if (!std::isnan(r))
    return f == r ? "" : "the reference is " + number(r) + ", the kernel gives " + number(f);
  if (strict_nan ? std::isnan(f) : f == 0) return "";
  return "a row that sees no key must give " + std::string(strict_nan ? "NaN" : "0") + ", the kernel gives " +
         number(f);
}

}  // namespace

double ulp(double x, DType dtype) {
  if (x == 0) return 0;
  return std::ldexp(1.0, std::ilogb(x) - fraction_bits(dtype));
}

Verdict judge(const Tensor& r, const Tensor& e, const Tensor& f, DType storage, bool strict_nan) {
  Verdict v;
  if (f.sizes() != r.sizes()) {
    v.failure = "the kernel gives " + shape_of(f) + ", the program " + shape_of(r);
    return v;
  }
  if (f.dtype() != e.dtype()) {
    v.failure = std::string("the kernel gives ") + name_of(f.dtype()) + ", the program " + name_of(e.dtype());
    return v;
  }
  const Tensor reference = r.contiguous(), eager = e.to(flashlight::kFloat64).contiguous(),
               fused = f.to(flashlight::kFloat64).contiguous();
  const double *rs = reference.data<double>(), *es = eager.data<double>(), *fs = fused.data<double>();
  double largest = 0;
  for (std::int64_t k = 0; k < reference.numel(); ++k) {
    if (!std::isfinite(rs[k])) {
      v.empty += std::isnan(rs[k]);
      if (v.failure.empty()) v.failure = wrong_special(rs[k], fs[k], strict_nan);
      continue;
    }
    largest = std::max(largest, std::abs(rs[k]));
    if (std::isfinite(es[k])) v.eager_error = std::max(v.eager_error, std::abs(es[k] - rs[k]));
    const double error =
        std::isfinite(fs[k]) ? std::abs(fs[k] - rs[k]) : std::numeric_limits<double>::infinity();
    v.fused_error = std::max(v.fused_error, error);
  }
  // In float32 both runs round as finely, and over the few results of a small case the eager run's largest
  // error is a matter of luck: it may be exact where another order of the same sums is not.
  const double ulps = storage == DType::kFloat32 ? 4 : 1;
  v.allowed = 1.5 * v.eager_error + ulps * ulp(largest, storage);
  if (v.failure.empty() && !(v.fused_error <= v.allowed))
    v.failure = "error " + number(v.fused_error) + " where " + number(v.allowed) + " is allowed";
  return v;
}

}  // namespace sample
