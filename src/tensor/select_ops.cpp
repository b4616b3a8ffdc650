// SPDX-License-Identifier: Apache-2.0
// Ops that choose between values: where, masked_fill, clamp, nan_to_num, tril, triu.
#include <cmath>
#include <limits>

#include <flashlight/ops.h>

#include "tensor/pointwise.h"

namespace flashlight {
namespace {

using detail::fail;
using detail::Operand;

// target = condition ? x : y, elementwise; exact in every dtype.
void choose(const Tensor& condition, const Operand& x, const Operand& y, const Tensor& target) {
  detail::with_compute_type(target.dtype(), [&]<class T>(T) {
    detail::map_blocks<T>(target, {condition, x, y},
                          [](T* result, const T* const* operands, std::int64_t count) {
                            for (std::int64_t i = 0; i < count; ++i)
                              result[i] = operands[0][i] != 0 ? operands[1][i] : operands[2][i];
                          });
  });
}

Tensor where_of(const Tensor& condition, const Operand& x, const Operand& y) {
  std::vector<Tensor> tensors = {condition};
  detail::Promotion promotion;
  for (const Operand* operand : {&x, &y}) {
    if (operand->is_scalar) promotion.add(operand->scalar);
    else tensors.push_back(operand->tensor);
  }
  detail::require_cpu("where", tensors);
  for (std::size_t i = 1; i < tensors.size(); ++i) promotion.add(tensors[i]);
  if (condition.dtype() != kBool)
    fail("where", tensors,
         "the condition, where's first argument, must be bool; "
         "what PyTorch writes x.where(condition, y) is where(condition, x, y)");
  const Tensor target = detail::make(detail::broadcast_sizes("where", tensors), promotion.result());
  choose(condition, x, y, target);
  return target;
}

Tensor masked_fill_of(const Tensor& x, const Tensor& mask, const Scalar& value) {
  detail::require_cpu("masked_fill", {x, mask});
  if (mask.dtype() != kBool) fail("masked_fill", {x, mask}, "the mask, the second argument, must be bool");
  if (!is_floating(x.dtype()) && value.is_float() && !std::isfinite(value.to_double()))
    fail("masked_fill", {x, mask}, "the value is not finite and the tensor is no floating one");
  const Tensor target = detail::make(detail::broadcast_sizes("masked_fill", {x, mask}), x.dtype());
  const Scalar fill = is_floating(x.dtype()) ? value : Scalar(value.to_int());
  choose(mask, fill, x, target);
  return target;
}

// Keeps the elements with column - row <= diagonal (or >=), zero elsewhere.
Tensor triangle(const char* op, const Tensor& x, std::int64_t diagonal, bool lower) {
  detail::require_cpu(op, {x});
  if (x.dim() < 2) fail(op, {x}, "at least two dims are needed");
  const Tensor offset = arange(x.size(-1)) - arange(x.size(-2)).unsqueeze(-1);
  return masked_fill(x, lower ? offset > diagonal : offset < diagonal, 0);
}

struct Limits {
  double lowest, highest;
};

Limits limits_of(DType dtype) {
  switch (dtype) {
    case kFloat16: return {-65504, 65504};
    case kBFloat16: return {-0x1.fep127, 0x1.fep127};
    case kFloat64: return {std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max()};
    default: return {std::numeric_limits<float>::lowest(), std::numeric_limits<float>::max()};
  }
}

}  // namespace

Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y) { return where_of(condition, x, y); }
Tensor where(const Tensor& condition, const Tensor& x, Scalar y) { return where_of(condition, x, y); }
Tensor where(const Tensor& condition, Scalar x, const Tensor& y) { return where_of(condition, x, y); }
Tensor where(const Tensor& condition, Scalar x, Scalar y) { return where_of(condition, x, y); }

Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value) {
  return masked_fill_of(x, mask, value);
}
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value) {
  detail::require_cpu("masked_fill", {x, mask, value});
  if (value.dim() != 0) fail("masked_fill", {x, mask, value}, "the value must be a tensor without dims");
  return masked_fill_of(
      x, mask,
      is_floating(value.dtype()) ? Scalar(value.item<double>()) : Scalar(value.item<std::int64_t>()));
}

Tensor clamp_min(const Tensor& x, Scalar min) { return maximum(x, min); }
Tensor clamp_min(const Tensor& x, const Tensor& min) { return maximum(x, min); }
Tensor clamp_max(const Tensor& x, Scalar max) { return minimum(x, max); }
Tensor clamp_max(const Tensor& x, const Tensor& max) { return minimum(x, max); }
Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max) { return minimum(maximum(x, min), max); }
Tensor clamp(const Tensor& x, Optional<Scalar> min, Optional<Scalar> max) {
  if (!min && !max) throw Error("clamp: at least one of min and max must be given");
  const Tensor above = min ? maximum(x, *min) : x;
  return max ? minimum(above, *max) : above;
}

Tensor nan_to_num(const Tensor& x, double nan, Optional<double> posinf, Optional<double> neginf) {
  detail::require_cpu("nan_to_num", {x});
  if (!is_floating(x.dtype())) return x.clone();
  const Limits limits = limits_of(x.dtype());
  const double high = posinf.value_or(limits.highest), low = neginf.value_or(limits.lowest);
  const Tensor target = detail::make(x.sizes(), x.dtype());
  detail::with_compute_type(x.dtype(), [&]<class T>(T) {
    detail::map_blocks<T>(target, {x}, [&](T* result, const T* const* operands, std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) {
        const T value = operands[0][i];
        result[i] = value != value ? T(nan) : value - value == 0 ? value : value > 0 ? T(high) : T(low);
      }
    });
  });
  return target;
}

Tensor tril(const Tensor& x, std::int64_t diagonal) { return triangle("tril", x, diagonal, true); }
Tensor triu(const Tensor& x, std::int64_t diagonal) { return triangle("triu", x, diagonal, false); }

}  // namespace flashlight
