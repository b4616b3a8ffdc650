// SPDX-License-Identifier: Apache-2.0
// Launch::order, Launch::running_sum: what the kernels that take rows as a whole are told. See
// flashlight/generated/order.h.
#include <algorithm>

#include "flashlight/device/order.h"
#include "flashlight/generated/launch.h"

namespace flashlight::generated {

Ordering Launch::rows_of(int source, long long start, const Tensor& values, const Tensor& positions,
                         bool pack, std::initializer_list<OrderAxis> axes, const OrderAxis& element,
                         int multiprocessors) {
  constexpr int kCtasPerSm = 4;
  const auto data = [](const Tensor& t) { return t.defined() ? const_cast<void*>(t.raw()) : nullptr; };
  const auto type = [](const Tensor& t) { return t.defined() ? static_cast<int>(t.dtype()) : 0; };
  const auto step = [](const Tensor& t, std::size_t axis) -> long long {
    return t.defined() ? t.stride(static_cast<std::int64_t>(axis)) : 0;
  };
  const Bound& b = bound_[static_cast<std::size_t>(source)];
  Ordering p;
  const auto bytes = static_cast<long long>(element_size(b.tensor.dtype()));
  p.source = static_cast<const char*>(b.tensor.raw()) + start * bytes;
  p.source_type = static_cast<int>(b.tensor.dtype());
  p.values = data(values);
  p.values_type = type(values);
  p.positions = data(positions);
  p.positions_type = type(positions);
  std::vector<OrderAxis> all;
  const TensorArg<0> strides = b.pack ? arg<0>(source) : TensorArg<0>{};
  for (std::size_t k = 0; pack && k < pack_sizes_.size(); ++k)
    all.push_back({pack_sizes_[k], strides.pack[kPackAxes - pack_sizes_.size() + k], step(values, k),
                   step(positions, k)});
  all.insert(all.end(), axes.begin(), axes.end());
  std::erase_if(all, [](const OrderAxis& axis) { return axis.size == 1; });
  if (all.size() > Ordering::kMostAxes)
    fail("rows to be ordered or summed are told apart by more than 12 axes");
  std::copy(all.begin(), all.end(), p.axis);
  p.axes = static_cast<int>(all.size());
  for (const OrderAxis& axis : all) p.rows *= axis.size;
  p.element = element;
  p.length = narrow(element.size);
  p.ctas = static_cast<int>(std::min<long long>(p.rows, 1ll * kCtasPerSm * multiprocessors));
  return p;
}

Ordering Launch::order(int source, long long start, const Tensor& values, const Tensor& positions, bool pack,
                       std::initializer_list<OrderAxis> axes, const OrderAxis& element, long long count,
                       bool descending, int multiprocessors) {
  if (count < 0 || count > element.size)
    fail("the first " + std::to_string(count) + " of " + std::to_string(element.size) +
         " elements are asked for, in order");
  Ordering p = rows_of(source, start, values, positions, pack, axes, element, multiprocessors);
  p.count = narrow(count);
  p.descending = descending;
  if (count == 0) p.ctas = 0;
  if (p.ctas > 0 && element.size > Ordering::kMostShared)
    p.scratch = reserve(static_cast<std::size_t>(p.ctas * device::OrderedRow<false>::bytes(element.size)));
  return p;
}

RunningSum Launch::running_sum(int source, long long start, const Tensor& sums, bool pack,
                               std::initializer_list<OrderAxis> axes, const OrderAxis& element,
                               int multiprocessors) {
  RunningSum p{rows_of(source, start, sums, Tensor{}, pack, axes, element, multiprocessors)};
  p.integers = !is_floating(sums.dtype());
  if (element.size == 0) p.rows.ctas = 0;
  return p;
}

}  // namespace flashlight::generated
