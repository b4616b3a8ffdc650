// SPDX-License-Identifier: Apache-2.0
// The Tensor handle: counting references, queries, access to elements; TensorList.
#include "tensor/impl.h"

#include <algorithm>
#include <new>

#include "tensor/strided.h"

namespace flashlight {
namespace {

void retain(TensorImpl* impl) noexcept {
  if (impl) impl->references.fetch_add(1, std::memory_order_relaxed);
}

void release(Storage* storage) noexcept {
  if (storage->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (storage->owned && storage->table) storage->table->deallocate(storage->data, current_stream());
  else if (storage->owned) ::operator delete(storage->data, std::align_val_t(64));
  delete storage;
}

void release(TensorImpl* impl) noexcept {
  if (!impl || impl->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  release(impl->storage);
  delete impl;
}

const TensorImpl& checked(const char* query, const Tensor& x) {
  if (!x.defined())
    detail::fail(query, {x}, "the tensor is undefined (default-constructed and never assigned)");
  return *x.impl();
}

Storage* allocate(std::size_t bytes, Device device) {
  Storage* storage = new Storage;
  storage->bytes = bytes;
  storage->device = device;
  storage->owned = bytes > 0;
  if (bytes == 0) return storage;
  try {
    if (device == kCPU) {
      storage->data = static_cast<std::byte*>(::operator new(bytes, std::align_val_t(64)));
    } else {
      storage->table = &current_device();
      storage->data = static_cast<std::byte*>(storage->table->allocate(bytes, current_stream()));
    }
  } catch (...) {
    delete storage;
    throw;
  }
  if (!storage->data) {
    const std::string device_name = storage->table ? storage->table->name : "cpu";
    delete storage;
    throw Error((device_name + ": " + std::to_string(bytes) + " bytes could not be allocated").c_str());
  }
  return storage;
}

Tensor only_element(const char* query, const Tensor& x) {
  const TensorImpl& impl = checked(query, x);
  if (detail::numel(impl.sizes) != 1) detail::fail(query, {x}, "only a tensor of one element has an item");
  return impl.storage->device == kCPU ? x : x.to(kCPU);
}

}  // namespace

Tensor::Tensor(const Tensor& other) noexcept : impl_(other.impl_) { retain(impl_); }
Tensor& Tensor::operator=(const Tensor& other) noexcept {
  retain(other.impl_);
  release(impl_);
  impl_ = other.impl_;
  return *this;
}
Tensor& Tensor::operator=(Tensor&& other) noexcept {
  std::swap(impl_, other.impl_);
  return *this;
}
Tensor::~Tensor() { release(impl_); }

std::int64_t Tensor::dim() const { return static_cast<std::int64_t>(checked("dim", *this).sizes.size()); }
Sizes Tensor::sizes() const { return checked("sizes", *this).sizes; }
Sizes Tensor::strides() const { return checked("strides", *this).strides; }
DType Tensor::dtype() const { return checked("dtype", *this).dtype; }
Device Tensor::device() const { return checked("device", *this).storage->device; }
std::int64_t Tensor::numel() const { return detail::numel(checked("numel", *this).sizes); }

std::int64_t Tensor::size(std::int64_t dim) const {
  const TensorImpl& impl = checked("size", *this);
  if (impl.sizes.empty()) detail::fail("size", {*this}, "a tensor without dims has no sizes");
  return impl.sizes[static_cast<std::size_t>(detail::wrap_dim("size", *this, dim))];
}

std::int64_t Tensor::stride(std::int64_t dim) const {
  const TensorImpl& impl = checked("stride", *this);
  if (impl.sizes.empty()) detail::fail("stride", {*this}, "a tensor without dims has no strides");
  return impl.strides[static_cast<std::size_t>(detail::wrap_dim("stride", *this, dim))];
}

bool Tensor::is_contiguous() const {
  const TensorImpl& impl = checked("is_contiguous", *this);
  std::int64_t expected = 1;
  if (detail::numel(impl.sizes) == 0) return true;
  for (std::size_t i = impl.sizes.size(); i-- > 0;) {
    if (impl.sizes[i] != 1 && impl.strides[i] != expected) return false;
    expected *= impl.sizes[i];
  }
  return true;
}

const void* Tensor::raw() const { return checked("raw", *this).data; }
void* Tensor::raw() { return checked("raw", *this).data; }

Tensor Tensor::wrap(void* data, Sizes sizes, Sizes strides, DType dtype, Device device) {
  if (sizes.size() != strides.size())
    throw Error(("wrap: sizes " + detail::shape_text(sizes) + " and strides " + detail::shape_text(strides) +
                 " differ in length")
                    .c_str());
  for (std::int64_t size : sizes)
    if (size < 0) throw Error(("wrap: sizes " + detail::shape_text(sizes) + ": a size is negative").c_str());
  Storage* storage = new Storage;
  storage->data = static_cast<std::byte*>(data);
  storage->device = device;
  TensorImpl* impl = new TensorImpl;
  impl->storage = storage;
  impl->data = storage->data;
  impl->sizes = sizes;
  impl->strides = strides;
  impl->dtype = dtype;
  return Tensor(impl);
}

void* Tensor::cpu_data(DType dtype) const {
  const TensorImpl& impl = checked("data", *this);
  if (impl.dtype != dtype)
    detail::fail("data", {*this},
                 std::string("data<T>() with T of dtype ") + name_of(dtype) + " on another dtype");
  if (impl.storage->device != kCPU)
    detail::fail("data", {*this},
                 "the elements are not on the CPU; use x.to(kCPU), or raw() to launch a kernel");
  return impl.data;
}

std::int64_t Tensor::item_int() const {
  const Tensor x = only_element("item", *this);
  if (is_floating(x.dtype())) return Scalar(item_double()).to_int();
  std::int64_t value = 0;
  detail::Reader<std::int64_t>(x).read(&value, 1);
  return value;
}

double Tensor::item_double() const {
  const Tensor x = only_element("item", *this);
  double value = 0;
  detail::Reader<double>(x).read(&value, 1);
  return value;
}

TensorList::TensorList(std::initializer_list<Tensor> list) : TensorList(list.begin(), list.size()) {}
TensorList::TensorList(const Tensor* first, std::size_t count)
    : items_(count ? new Tensor[count] : nullptr), count_(count) {
  std::copy(first, first + count, items_);
}
TensorList::TensorList(const TensorList& other) : TensorList(other.items_, other.count_) {}
TensorList::TensorList(TensorList&& other) noexcept : items_(other.items_), count_(other.count_) {
  other.items_ = nullptr;
  other.count_ = 0;
}
TensorList& TensorList::operator=(TensorList other) noexcept {
  std::swap(items_, other.items_);
  std::swap(count_, other.count_);
  return *this;
}
TensorList::~TensorList() { delete[] items_; }

namespace detail {

std::int64_t numel(const Sizes& sizes) {
  std::int64_t count = 1;
  for (std::int64_t size : sizes) count *= size;
  return count;
}

Sizes contiguous_strides(const Sizes& sizes) {
  Sizes strides = sizes;
  std::int64_t stride = 1;
  for (std::size_t i = sizes.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= std::max<std::int64_t>(sizes[i], 1);
  }
  return strides;
}

Tensor make(const Sizes& sizes, DType dtype, Device device) {
  std::int64_t count = static_cast<std::int64_t>(element_size(dtype));
  bool huge = false;
  for (std::int64_t size : sizes) {
    if (size < 0) throw Error(("a tensor of sizes " + shape_text(sizes) + ": a size is negative").c_str());
    huge |= __builtin_mul_overflow(count, std::max<std::int64_t>(size, 1), &count);
  }
  if (huge || count > (std::int64_t{1} << 46))
    throw Error(("a tensor of sizes " + shape_text(sizes) + " is too large").c_str());
  TensorImpl* impl = new TensorImpl;
  try {
    impl->storage = allocate(static_cast<std::size_t>(numel(sizes)) * element_size(dtype), device);
  } catch (const std::bad_alloc&) {
    delete impl;
    throw Error(("a tensor of sizes " + shape_text(sizes) + ": out of memory").c_str());
  } catch (...) {
    delete impl;
    throw;
  }
  impl->data = impl->storage->data;
  impl->sizes = sizes;
  impl->strides = contiguous_strides(sizes);
  impl->dtype = dtype;
  return Tensor(impl);
}

Tensor alias(const Tensor& x, const Sizes& sizes, const Sizes& strides, std::int64_t offset) {
  TensorImpl* impl = new TensorImpl;
  impl->storage = x.impl()->storage;
  impl->storage->references.fetch_add(1, std::memory_order_relaxed);
  impl->dtype = x.impl()->dtype;
  impl->sizes = sizes;
  impl->strides = strides;
  // An empty view may start past the end, where no pointer may go.
  impl->data = x.impl()->data;
  if (numel(sizes) > 0) impl->data += offset * static_cast<std::int64_t>(element_size(impl->dtype));
  return Tensor(impl);
}

Tensor broadcast_view(const Tensor& x, const Sizes& sizes) {
  const TensorImpl& impl = *x.impl();
  if (impl.sizes == sizes) return x;
  Sizes strides = sizes;
  const std::size_t added = sizes.size() - impl.sizes.size();
  for (std::size_t i = 0; i < sizes.size(); ++i)
    strides[i] = i < added || impl.sizes[i - added] != sizes[i] ? 0 : impl.strides[i - added];
  return alias(x, sizes, strides);
}

bool shares_storage(const Tensor& x, const Tensor& y) {
  const Storage &a = *x.impl()->storage, &b = *y.impl()->storage;
  if (&a == &b) return true;
  if (a.owned && b.owned) return false;
  return true;  // wrapped memory may be anybody's
}

bool overlaps_itself(const Tensor& x) {
  // Sorted by stride, each dim must step over all that the smaller ones span. Stricter than need be, as
  // PyTorch is not: an interleaved but disjoint view is refused too, which no view op of this library makes.
  const TensorImpl& impl = *x.impl();
  Sizes order;
  for (std::size_t i = 0; i < impl.sizes.size(); ++i)
    if (impl.sizes[i] == 0) return false;
    else if (impl.sizes[i] > 1) order.push_back(static_cast<std::int64_t>(i));
  const auto stride_of = [&](std::int64_t i) { return std::abs(impl.strides[static_cast<std::size_t>(i)]); };
  std::sort(order.begin(), order.end(),
            [&](std::int64_t a, std::int64_t b) { return stride_of(a) < stride_of(b); });
  std::int64_t span = 1;
  for (std::int64_t i : order) {
    if (stride_of(i) < span) return true;
    span += (impl.sizes[static_cast<std::size_t>(i)] - 1) * stride_of(i);
  }
  return false;
}

}  // namespace detail
}  // namespace flashlight
