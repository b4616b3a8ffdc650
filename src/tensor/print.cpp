// SPDX-License-Identifier: Apache-2.0
// Comparison and printing: allclose, max_abs_diff, to_text.
#include <cmath>
#include <cstdio>
#include <limits>

#include <flashlight/ops.h>

#include "tensor/strided.h"

namespace flashlight {
namespace {

// Calls f(x[i], y[i]) on x and y broadcast against each other, in double.
template <class F>
void for_each_pair(const char* op, const Tensor& x, const Tensor& y, F&& f) {
  detail::require_cpu(op, {x, y});
  const Sizes sizes = detail::broadcast_sizes(op, {x, y});
  std::int64_t left = detail::numel(sizes);
  if (left == 0) return;
  detail::Reader<double> first(detail::broadcast_view(x, sizes)), second(detail::broadcast_view(y, sizes));
  double a[detail::kBlock], b[detail::kBlock];
  for (; left > 0; left -= detail::kBlock) {
    const std::int64_t count = std::min(left, detail::kBlock);
    first.read(a, count);
    second.read(b, count);
    for (std::int64_t i = 0; i < count; ++i) f(a[i], b[i]);
  }
}

constexpr std::int64_t kEdge = 3;      // elements shown at each end of a long dim
constexpr std::int64_t kWhole = 1000;  // tensors of up to so many elements are shown whole

std::string number_text(const Tensor& x) {
  if (x.dtype() == kBool) return x.item<double>() != 0 ? "true" : "false";
  if (!is_floating(x.dtype())) return std::to_string(x.item<std::int64_t>());
  const double value = x.item<double>();
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char text[40];
  std::snprintf(text, sizeof text, "%.*g", x.dtype() == kFloat64 ? 10 : 6, value);
  return text;
}

void append(std::string& text, const Tensor& x, bool whole, std::size_t indent) {
  if (x.dim() == 0) {
    text += number_text(x);
    return;
  }
  text += "[";
  const std::int64_t size = x.size(0);
  for (std::int64_t i = 0; i < size; ++i) {
    if (i > 0) text += x.dim() > 1 ? ",\n" + std::string(indent + 1, ' ') : ", ";
    if (!whole && size > 2 * kEdge && i == kEdge) {
      text += "...";
      i = size - kEdge - 1;
      continue;
    }
    append(text, x.select(0, i), whole, indent + 1);
  }
  text += "]";
}

}  // namespace

bool allclose(const Tensor& x, const Tensor& y, double rtol, double atol, bool equal_nan) {
  bool close = true;
  for_each_pair("allclose", x, y, [&](double a, double b) {
    if (a == b || (equal_nan && a != a && b != b)) return;
    close = close && std::isfinite(a) && std::isfinite(b) && std::fabs(a - b) <= atol + rtol * std::fabs(b);
  });
  return close;
}

double max_abs_diff(const Tensor& x, const Tensor& y) {
  double largest = 0;
  for_each_pair("max_abs_diff", x, y, [&](double a, double b) {
    if (a == b || (a != a && b != b)) return;
    const double difference = std::fabs(a - b);
    if (difference != difference || difference > largest) largest = largest != largest ? largest : difference;
  });
  return largest;
}

Text to_text(const Tensor& x) {
  if (!x.defined()) return Text("undefined tensor");
  std::string text;
  append(text, x.to(kCPU), x.numel() <= kWhole, 0);
  text += std::string("  (") + name_of(x.dtype()) + " " + detail::shape_text(x.sizes());
  if (x.device() != kCPU) text += std::string(" ") + name_of(x.device());
  return Text((text + ")").c_str());
}

}  // namespace flashlight
