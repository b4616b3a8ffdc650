// SPDX-License-Identifier: Apache-2.0
// Gathering: index, index_select, gather, repeat_interleave; joining: cat, stack.
#include <flashlight/ops.h>

#include "tensor/promote.h"
#include "tensor/strided.h"

namespace flashlight {
namespace {

using detail::fail;
using detail::wrap_dim;

void require_integers(const char* op, const TensorList& tensors, const Tensor& index) {
  if (!is_integer(index.dtype())) fail(op, tensors, "indices must be integers");
}

// The index tensor's values in row-major order, wrapped (if negative ones may be) and checked against a size.
std::vector<std::int64_t> read_indices(const char* op, const TensorList& tensors, const Tensor& index,
                                       std::int64_t size, bool wraps) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(index.numel()));
  if (!values.empty()) detail::Reader<std::int64_t>(index).read(values.data(), index.numel());
  for (std::int64_t& value : values) {
    if (value < (wraps ? -size : 0) || value >= size)
      fail(op, tensors,
           "index " + std::to_string(value) + " is out of range for a size of " + std::to_string(size));
    if (value < 0) value += size;
  }
  return values;
}

// target[i] = the element of x at offset[i] (in elements), i in row-major order of a fresh contiguous target.
void copy_at(const Tensor& x, const std::vector<std::int64_t>& offsets, const Tensor& target) {
  const std::size_t element = element_size(x.dtype());
  const std::byte* source = detail::bytes_of(x);
  std::byte* out = detail::mutable_bytes_of(target);
  for (std::int64_t offset : offsets) {
    std::memcpy(out, source + offset * static_cast<std::int64_t>(element), element);
    out += element;
  }
}

}  // namespace

Tensor index(const Tensor& x, TensorList indices) {
  detail::require_cpu("index", {x});
  detail::require_cpu("index", indices);
  std::vector<Tensor> all(indices.begin(), indices.end());
  all.insert(all.begin(), x);
  const std::size_t count = indices.size();
  if (count == 0 || count > static_cast<std::size_t>(x.dim()))
    fail("index", all, "between one index and one for each dim are needed");
  for (const Tensor& i : indices) require_integers("index", all, i);
  // The indices, broadcast, pick the place in the leading dims; the dims without an index follow.
  const Sizes picked = detail::broadcast_sizes("index", indices);
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(detail::numel(picked)), 0);
  for (std::size_t d = 0; d < count; ++d) {
    const Tensor view = detail::broadcast_view(indices[d], picked);
    const std::int64_t size = x.impl()->sizes[d], stride = x.impl()->strides[d];
    const std::vector<std::int64_t> values = read_indices("index", all, view, size, true);
    for (std::size_t i = 0; i < values.size(); ++i) offsets[i] += values[i] * stride;
  }
  Sizes rest, rest_strides, sizes = picked;
  for (std::size_t d = count; d < x.sizes().size(); ++d) {
    rest.push_back(x.impl()->sizes[d]);
    rest_strides.push_back(x.impl()->strides[d]);
    sizes.push_back(x.impl()->sizes[d]);
  }
  const Tensor target = detail::make(sizes, x.dtype());
  if (target.numel() == 0) return target;
  if (rest.empty()) {
    copy_at(x, offsets, target);
    return target;
  }
  const std::int64_t length = detail::numel(rest);
  const Sizes target_strides = detail::contiguous_strides(rest);
  for (std::size_t i = 0; i < offsets.size(); ++i)
    detail::copy_elements(detail::alias(x, rest, rest_strides, offsets[i]),
                          detail::alias(target, rest, target_strides, static_cast<std::int64_t>(i) * length));
  return target;
}

Tensor index_select(const Tensor& x, std::int64_t dim, const Tensor& index) {
  detail::require_cpu("index_select", {x, index});
  require_integers("index_select", {x, index}, index);
  if (x.dim() == 0 || index.dim() > 1)
    fail("index_select", {x, index}, "a tensor with dims and an index with at most one dim are needed");
  const std::int64_t d = wrap_dim("index_select", x, dim);
  const std::vector<std::int64_t> values = read_indices("index_select", {x, index}, index, x.size(d), false);
  Sizes sizes = x.sizes();
  sizes[static_cast<std::size_t>(d)] = static_cast<std::int64_t>(values.size());
  const Tensor target = detail::make(sizes, x.dtype());
  for (std::size_t i = 0; i < values.size(); ++i)
    detail::copy_elements(x.select(d, values[i]), target.select(d, static_cast<std::int64_t>(i)));
  return target;
}

Tensor gather(const Tensor& x, std::int64_t dim, const Tensor& index) {
  detail::require_cpu("gather", {x, index});
  require_integers("gather", {x, index}, index);
  if (x.dim() != index.dim()) fail("gather", {x, index}, "x and index must have the same number of dims");
  const std::size_t d = static_cast<std::size_t>(wrap_dim("gather", x, dim));
  const Sizes sizes = index.sizes();
  for (std::size_t i = 0; i < sizes.size(); ++i)
    if (i != d && sizes[i] > x.impl()->sizes[i])
      fail("gather", {x, index}, "the index is larger than x at dim " + std::to_string(i));
  const Tensor target = detail::make(sizes, x.dtype());
  if (target.numel() == 0) return target;
  std::vector<std::int64_t> offsets =
      read_indices("gather", {x, index}, index, x.dim() == 0 ? 1 : x.impl()->sizes[d], false);
  Sizes at = sizes;
  for (std::int64_t& i : at) i = 0;
  for (std::int64_t& offset : offsets) {
    offset *= at.empty() ? 0 : x.impl()->strides[d];
    for (std::size_t i = 0; i < at.size(); ++i)
      if (i != d) offset += at[i] * x.impl()->strides[i];
    for (std::size_t i = at.size(); i-- > 0;) {
      if (++at[i] < sizes[i]) break;
      at[i] = 0;
    }
  }
  copy_at(x, offsets, target);
  return target;
}

Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, Optional<std::int64_t> dim) {
  detail::require_cpu("repeat_interleave", {x});
  if (repeats < 0) fail("repeat_interleave", {x}, "the number of repeats is negative");
  if (!dim) return repeat_interleave(x.flatten(), repeats, 0);
  if (x.dim() == 0) return repeat_interleave(x.reshape({1}), repeats, *dim);
  const std::int64_t d = wrap_dim("repeat_interleave", x, *dim);
  Sizes sizes = x.sizes(), expanded = sizes;
  expanded.insert(static_cast<std::size_t>(d) + 1, repeats);
  sizes[static_cast<std::size_t>(d)] *= repeats;
  const Tensor target = detail::make(expanded, x.dtype());
  detail::copy_elements(x.unsqueeze(d + 1).expand(expanded), target);
  return target.view(sizes);
}

Tensor cat(TensorList tensors, std::int64_t dim) {
  detail::require_cpu("cat", tensors);
  if (tensors.empty()) throw Error("cat: at least one tensor is needed");
  // As in PyTorch, an empty tensor of one dim joins anything.
  const auto is_nothing = [](const Tensor& x) { return x.dim() == 1 && x.numel() == 0; };
  detail::Promotion promotion;
  Tensor first = tensors[0];
  for (const Tensor& x : tensors) {
    promotion.add(x);
    if (x.dim() == 0) fail("cat", tensors, "tensors without dims cannot be joined; use stack");
    if (is_nothing(first)) first = x;
  }
  const std::size_t d = static_cast<std::size_t>(wrap_dim("cat", first, dim));
  Sizes sizes = first.sizes();
  sizes[d] = 0;
  for (const Tensor& x : tensors) {
    if (is_nothing(x)) continue;
    if (x.dim() != first.dim()) fail("cat", tensors, "the numbers of dims differ");
    for (std::size_t i = 0; i < sizes.size(); ++i)
      if (i != d && x.impl()->sizes[i] != sizes[i])
        fail("cat", tensors,
             "the sizes differ at dim " + std::to_string(i) + ", which is not the one joined");
    sizes[d] += x.impl()->sizes[d];
  }
  const Tensor target = detail::make(sizes, promotion.result());
  std::int64_t start = 0;
  for (const Tensor& x : tensors) {
    if (is_nothing(x)) continue;
    const std::int64_t length = x.impl()->sizes[d];
    detail::copy_elements(x, target.narrow(static_cast<std::int64_t>(d), start, length));
    start += length;
  }
  return target;
}

Tensor stack(TensorList tensors, std::int64_t dim) {
  detail::require_cpu("stack", tensors);
  if (tensors.empty()) throw Error("stack: at least one tensor is needed");
  const std::int64_t d = wrap_dim("stack", tensors[0], dim, tensors[0].dim() + 1);
  std::vector<Tensor> slices;
  for (const Tensor& x : tensors) {
    if (!(x.sizes() == tensors[0].sizes())) fail("stack", tensors, "the tensors must have the same sizes");
    slices.push_back(x.unsqueeze(d));
  }
  return cat(slices, d);
}

}  // namespace flashlight
