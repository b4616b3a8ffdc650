// SPDX-License-Identifier: Apache-2.0
// Views: new sizes and strides over the same storage.
#include <algorithm>

#include "tensor/strided.h"

namespace flashlight {
namespace {

using detail::alias;
using detail::fail;
using detail::wrap_dim;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

// Sizes with at most one -1 filled in from the number of elements.
Sizes resolve_sizes(const char* op, const Tensor& x, Sizes sizes) {
  std::int64_t known = 1;
  int missing = -1;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == -1 && missing >= 0)
      fail(op, {x}, "only one size may be -1 in " + detail::shape_text(sizes));
    if (sizes[i] == -1) missing = static_cast<int>(i);
    else if (sizes[i] < 0) fail(op, {x}, "a size is negative in " + detail::shape_text(sizes));
    else known *= sizes[i];
  }
  if (missing >= 0 && known == 0)
    fail(op, {x}, "-1 is ambiguous beside a size of 0 in " + detail::shape_text(sizes));
  if (missing >= 0) sizes[at(missing)] = x.numel() / known;
  if (detail::numel(sizes) != x.numel())
    fail(op, {x}, "the elements do not fill " + detail::shape_text(sizes) + " exactly");
  return sizes;
}

// Strides that show x under the new sizes without a copy; false where there are none. Stretches of x's dims
// that form one stride are matched with stretches of the new dims of the same number of elements, from the
// back.
bool strides_for(const Tensor& x, const Sizes& sizes, Sizes& strides) {
  const TensorImpl& impl = *x.impl();
  strides = sizes;
  if (x.numel() == 0 || impl.sizes.empty()) {
    strides = detail::contiguous_strides(sizes);
    return true;
  }
  std::int64_t next = static_cast<std::int64_t>(sizes.size()) - 1;
  std::int64_t stretch = 1, base = impl.strides.back(), taken = 1;
  for (std::size_t i = impl.sizes.size(); i-- > 0;) {
    stretch *= impl.sizes[i];
    const bool ends = i == 0 || (impl.sizes[i - 1] != 1 && impl.strides[i - 1] != stretch * base);
    if (!ends) continue;
    while (next >= 0 && (taken < stretch || sizes[at(next)] == 1)) {
      strides[at(next)] = taken * base;
      taken *= sizes[at(next)];
      --next;
    }
    if (taken != stretch) return false;
    if (i > 0) base = impl.strides[i - 1], stretch = taken = 1;
  }
  return next == -1;
}

}  // namespace

Tensor Tensor::permute(Sizes dims) const {
  detail::require_defined("permute", {*this});
  if (static_cast<std::int64_t>(dims.size()) != dim())
    fail("permute", {*this}, "the dims " + detail::shape_text(dims) + " must name each dim once");
  bool seen[kMaxRank] = {};
  for (std::int64_t& d : dims) {
    d = wrap_dim("permute", *this, d);
    if (seen[d]) fail("permute", {*this}, "dim " + std::to_string(d) + " is named twice");
    seen[d] = true;
  }
  return detail::permuted(*this, dims);
}

Tensor Tensor::transpose(std::int64_t dim0, std::int64_t dim1) const {
  detail::require_defined("transpose", {*this});
  dim0 = wrap_dim("transpose", *this, dim0);
  dim1 = wrap_dim("transpose", *this, dim1);
  Sizes sizes = impl_->sizes, strides = impl_->strides;
  if (!sizes.empty()) {
    std::swap(sizes[at(dim0)], sizes[at(dim1)]);
    std::swap(strides[at(dim0)], strides[at(dim1)]);
  }
  return alias(*this, sizes, strides);
}

Tensor Tensor::mT() const {
  detail::require_defined("mT", {*this});
  if (dim() < 2) fail("mT", {*this}, "at least two dims are needed");
  return transpose(-2, -1);
}

Tensor Tensor::movedim(Sizes source, Sizes destination) const {
  detail::require_defined("movedim", {*this});
  if (source.size() != destination.size())
    fail("movedim", {*this}, "source and destination name different numbers of dims");
  const std::int64_t rank = dim();
  Sizes order;
  for (std::int64_t i = 0; i < rank; ++i) order.push_back(-1);
  bool moved[kMaxRank] = {};
  for (std::size_t i = 0; i < source.size(); ++i) {
    const std::int64_t from = wrap_dim("movedim", *this, source[i]),
                       to = wrap_dim("movedim", *this, destination[i]);
    if (rank == 0) return *this;
    if (moved[from] || order[at(to)] != -1) fail("movedim", {*this}, "a dim is named twice");
    moved[from] = true;
    order[at(to)] = from;
  }
  std::int64_t next = 0;
  for (std::int64_t& d : order) {
    if (d != -1) continue;
    while (moved[next]) ++next;
    d = next++;
  }
  return detail::permuted(*this, order);
}

Tensor Tensor::unsqueeze(std::int64_t dim) const {
  detail::require_defined("unsqueeze", {*this});
  const std::size_t d = at(wrap_dim("unsqueeze", *this, dim, this->dim() + 1));
  Sizes sizes = impl_->sizes, strides = impl_->strides;
  const std::int64_t stride = d < sizes.size() ? sizes[d] * strides[d] : 1;
  sizes.insert(d, 1);
  strides.insert(d, stride);
  return alias(*this, sizes, strides);
}

Tensor Tensor::squeeze(std::int64_t dim) const {
  detail::require_defined("squeeze", {*this});
  const std::size_t d = at(wrap_dim("squeeze", *this, dim));
  Sizes sizes = impl_->sizes, strides = impl_->strides;
  if (sizes.empty() || sizes[d] != 1) return *this;
  sizes.erase(d);
  strides.erase(d);
  return alias(*this, sizes, strides);
}

Tensor Tensor::squeeze() const {
  detail::require_defined("squeeze", {*this});
  Sizes sizes, strides;
  for (std::size_t i = 0; i < impl_->sizes.size(); ++i) {
    if (impl_->sizes[i] == 1) continue;
    sizes.push_back(impl_->sizes[i]);
    strides.push_back(impl_->strides[i]);
  }
  return alias(*this, sizes, strides);
}

Tensor Tensor::view(Sizes sizes) const {
  detail::require_defined("view", {*this});
  sizes = resolve_sizes("view", *this, sizes);
  Sizes strides;
  if (!strides_for(*this, sizes, strides))
    fail("view", {*this},
         "strides " + detail::shape_text(impl_->strides) + " cannot show " + detail::shape_text(sizes) +
             " without a copy; use reshape");
  return alias(*this, sizes, strides);
}

Tensor Tensor::reshape(Sizes sizes) const {
  detail::require_defined("reshape", {*this});
  sizes = resolve_sizes("reshape", *this, sizes);
  Sizes strides;
  if (strides_for(*this, sizes, strides)) return alias(*this, sizes, strides);
  detail::require_cpu("reshape", {*this});
  return alias(clone(), sizes, detail::contiguous_strides(sizes));
}

Tensor Tensor::flatten(std::int64_t start_dim, std::int64_t end_dim) const {
  detail::require_defined("flatten", {*this});
  const std::int64_t start = wrap_dim("flatten", *this, start_dim), end = wrap_dim("flatten", *this, end_dim);
  if (start > end) fail("flatten", {*this}, "start_dim comes after end_dim");
  if (dim() == 0) return reshape({1});
  Sizes sizes;
  std::int64_t joined = 1;
  for (std::int64_t i = 0; i < dim(); ++i) {
    const std::int64_t size = impl_->sizes[at(i)];
    if (i < start || i > end) sizes.push_back(size);
    else joined *= size;
    if (i == end) sizes.push_back(joined);
  }
  return reshape(sizes);
}

Tensor Tensor::unflatten(std::int64_t dim, Sizes sizes) const {
  detail::require_defined("unflatten", {*this});
  if (this->dim() == 0) fail("unflatten", {*this}, "a tensor without dims cannot be unflattened");
  const std::size_t d = at(wrap_dim("unflatten", *this, dim));
  std::int64_t known = 1, missing = -1;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == -1 && missing < 0) missing = static_cast<std::int64_t>(i);
    else if (sizes[i] < 0) fail("unflatten", {*this}, "bad sizes " + detail::shape_text(sizes));
    else known *= sizes[i];
  }
  if (missing >= 0 && known > 0) sizes[at(missing)] = impl_->sizes[d] / known;
  if (sizes.empty() || detail::numel(sizes) != impl_->sizes[d])
    fail("unflatten", {*this},
         "size " + std::to_string(impl_->sizes[d]) + " of dim " + std::to_string(d) +
             " does not split into " + detail::shape_text(sizes));
  Sizes all;
  for (std::size_t i = 0; i < impl_->sizes.size(); ++i) {
    if (i != d) all.push_back(impl_->sizes[i]);
    else
      for (std::int64_t size : sizes) all.push_back(size);
  }
  return view(all);
}

Tensor Tensor::expand(Sizes sizes) const {
  detail::require_defined("expand", {*this});
  const Sizes& own = impl_->sizes;
  if (sizes.size() < own.size())
    fail("expand", {*this}, "fewer sizes in " + detail::shape_text(sizes) + " than the tensor has dims");
  const std::size_t added = sizes.size() - own.size();
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const bool is_new = i < added;
    if (sizes[i] == -1 && !is_new) sizes[i] = own[i - added];
    if (sizes[i] < 0 || (!is_new && own[i - added] != 1 && own[i - added] != sizes[i]))
      fail("expand", {*this},
           "dim " + std::to_string(i) + " of " + detail::shape_text(sizes) +
               " neither equals the tensor's size nor expands a size of 1");
  }
  return detail::broadcast_view(*this, sizes);
}

Tensor Tensor::narrow(std::int64_t dim, std::int64_t start, std::int64_t length) const {
  detail::require_defined("narrow", {*this});
  if (this->dim() == 0) fail("narrow", {*this}, "a tensor without dims cannot be narrowed");
  const std::size_t d = at(wrap_dim("narrow", *this, dim));
  const std::int64_t size = impl_->sizes[d];
  if (start < 0) start += size;
  if (length < 0 || start < 0 || start > size || start + length > size)
    fail("narrow", {*this},
         "start " + std::to_string(start) + " with length " + std::to_string(length) + " leaves dim " +
             std::to_string(d));
  Sizes sizes = impl_->sizes;
  sizes[d] = length;
  return alias(*this, sizes, impl_->strides, start * impl_->strides[d]);
}

Tensor Tensor::slice(std::int64_t dim, Optional<std::int64_t> start, Optional<std::int64_t> end,
                     std::int64_t step) const {
  detail::require_defined("slice", {*this});
  if (this->dim() == 0) fail("slice", {*this}, "a tensor without dims cannot be sliced");
  if (step <= 0) fail("slice", {*this}, "the step must be positive");
  const std::size_t d = at(wrap_dim("slice", *this, dim));
  const std::int64_t size = impl_->sizes[d];
  const auto clamped = [&](std::int64_t i) {
    return std::clamp<std::int64_t>(i < 0 ? i + size : i, 0, size);
  };
  const std::int64_t first = clamped(start.value_or(0));
  const std::int64_t last = std::max(first, clamped(end ? *end : size));
  Sizes sizes = impl_->sizes, strides = impl_->strides;
  sizes[d] = (last - first) / step + ((last - first) % step != 0);
  strides[d] *= step;
  return alias(*this, sizes, strides, first * impl_->strides[d]);
}

Tensor Tensor::select(std::int64_t dim, std::int64_t index) const {
  detail::require_defined("select", {*this});
  if (this->dim() == 0) fail("select", {*this}, "a tensor without dims has nothing to select");
  const std::size_t d = at(wrap_dim("select", *this, dim));
  const std::int64_t size = impl_->sizes[d], i = index < 0 ? index + size : index;
  if (i < 0 || i >= size)
    fail("select", {*this},
         "index " + std::to_string(index) + " is out of range for dim " + std::to_string(d));
  Sizes sizes = impl_->sizes, strides = impl_->strides;
  sizes.erase(d);
  strides.erase(d);
  return alias(*this, sizes, strides, i * impl_->strides[d]);
}

TensorList Tensor::chunk(std::int64_t chunks, std::int64_t dim) const {
  detail::require_defined("chunk", {*this});
  if (this->dim() == 0) fail("chunk", {*this}, "a tensor without dims cannot be split");
  if (chunks <= 0) fail("chunk", {*this}, "the number of chunks must be positive");
  const std::int64_t size = this->size(dim);
  if (size == 0) {  // no size of chunk would give the number asked for
    std::vector<Tensor> all(at(chunks), *this);
    return all;
  }
  return split((size + chunks - 1) / chunks, dim);
}

TensorList Tensor::split(Sizes split_size_or_sizes, std::int64_t dim) const {
  detail::require_defined("split", {*this});
  if (this->dim() == 0) fail("split", {*this}, "a tensor without dims cannot be split");
  const std::int64_t size = this->size(dim);
  std::vector<Tensor> pieces;
  if (split_size_or_sizes.size() == 1) {
    const std::int64_t piece = split_size_or_sizes[0];
    if (piece < 0 || (piece == 0 && size > 0)) fail("split", {*this}, "the size of a piece must be positive");
    for (std::int64_t start = 0; start < size || start == 0; start += piece) {
      pieces.push_back(narrow(dim, start, std::min(piece, size - start)));
      if (piece == 0) break;
    }
    return pieces;
  }
  std::int64_t start = 0;
  for (std::int64_t piece : split_size_or_sizes) {
    if (piece < 0 || start + piece > size) break;
    pieces.push_back(narrow(dim, start, piece));
    start += piece;
  }
  if (start != size || pieces.size() != split_size_or_sizes.size())
    fail("split", {*this},
         "the sizes " + detail::shape_text(split_size_or_sizes) + " do not add up to " +
             std::to_string(size) + " at dim " + std::to_string(dim));
  return pieces;
}

}  // namespace flashlight
