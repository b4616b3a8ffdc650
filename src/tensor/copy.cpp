// SPDX-License-Identifier: Apache-2.0
// Copies: contiguous, clone, repeat, conversion of dtype, moves between devices.
#include <algorithm>

#include "tensor/strided.h"

namespace flashlight {
namespace {

// The lowest and the past-the-highest element of a view, in elements from its first.
struct Span {
  std::int64_t first = 0;
  std::int64_t past = 1;
};

Span span_of(const Tensor& x) {
  Span span;
  for (std::size_t i = 0; i < x.impl()->sizes.size(); ++i) {
    const std::int64_t reach = (x.impl()->sizes[i] - 1) * x.impl()->strides[i];
    (reach < 0 ? span.first : span.past) += reach;
  }
  return span;
}

// x's elements and all between them on the other device, under the same strides. Only for a non-empty x.
Tensor copy_span(const Tensor& x, Device device, CopyKind kind) {
  const Span span = span_of(x);
  const std::int64_t element = static_cast<std::int64_t>(element_size(x.dtype()));
  const Tensor target = detail::make({span.past - span.first}, x.dtype(), device);
  const DeviceTable* own =
      kind == CopyKind::kDeviceToHost ? x.impl()->storage->table : target.impl()->storage->table;
  const DeviceTable& table = own ? *own : current_device();
  table.copy(target.impl()->data, x.impl()->data + span.first * element,
             static_cast<std::size_t>((span.past - span.first) * element), kind, current_stream());
  table.synchronize(current_stream());
  return detail::alias(target, x.sizes(), x.strides(), -span.first);
}

}  // namespace

Tensor Tensor::clone() const {
  detail::require_cpu("clone", {*this});
  const Tensor copy = detail::make(impl_->sizes, impl_->dtype);
  detail::copy_elements(*this, copy);
  return copy;
}

Tensor Tensor::contiguous() const {
  if (is_contiguous()) return *this;
  detail::require_cpu("contiguous", {*this});
  return clone();
}

Tensor Tensor::to(DType dtype) const {
  detail::require_defined("to", {*this});
  if (impl_->dtype == dtype) return *this;
  detail::require_cpu("to", {*this});
  const Tensor converted = detail::make(impl_->sizes, dtype);
  detail::copy_elements(*this, converted);
  return converted;
}

Tensor Tensor::to(Device device) const {
  detail::require_defined("to", {*this});
  if (impl_->storage->device == device) return *this;
  if (numel() == 0) return detail::make(impl_->sizes, impl_->dtype, device);
  if (device == kCPU) return copy_span(*this, kCPU, CopyKind::kDeviceToHost);
  // As in PyTorch, a view without holes or overlaps keeps its strides; another one becomes contiguous.
  const Span span = span_of(*this);
  const bool dense = span.past - span.first == numel() && !detail::overlaps_itself(*this);
  return copy_span(dense ? *this : clone(), device, CopyKind::kHostToDevice);
}

Tensor Tensor::repeat(Sizes repeats) const {
  detail::require_cpu("repeat", {*this});
  const std::size_t rank = repeats.size(), own = impl_->sizes.size();
  if (rank < own)
    detail::fail("repeat", {*this}, "fewer repeats in " + detail::shape_text(repeats) + " than dims");
  // Each dim [n] becomes [r, n] by a stride of 0, copied and joined.
  Sizes sizes, strides, joined;
  for (std::size_t i = 0; i < rank; ++i) {
    if (repeats[i] < 0) detail::fail("repeat", {*this}, "a number of repeats is negative");
    const bool is_new = i < rank - own;
    const std::int64_t size = is_new ? 1 : impl_->sizes[i - (rank - own)];
    joined.push_back(repeats[i] * size);
    if (repeats[i] != 1) sizes.push_back(repeats[i]), strides.push_back(0);
    if (!is_new) sizes.push_back(size), strides.push_back(impl_->strides[i - (rank - own)]);
  }
  const Tensor repeated = detail::make(sizes, impl_->dtype);
  detail::copy_elements(detail::alias(*this, sizes, strides), repeated);
  return detail::alias(repeated, joined, detail::contiguous_strides(joined));
}

}  // namespace flashlight
