// SPDX-License-Identifier: Apache-2.0
// Conversions between storage types and compute types, and copies between views.
#include "tensor/strided.h"

#include <cmath>
#include <type_traits>

namespace flashlight {

Float16::Float16(float value) : bits(detail::float16_from_float(value)) {}
Float16::operator float() const { return detail::float_from_float16(bits); }
BFloat16::BFloat16(float value) : bits(detail::bfloat16_from_float(value)) {}
BFloat16::operator float() const { return detail::float_from_bfloat16(bits); }

namespace detail {
namespace {

// Truncates; out of range saturates and NaN becomes 0, where C++ leaves it undefined.
std::int64_t to_integer(double value) {
  if (value != value) return 0;
  if (value >= 9223372036854775808.0) return INT64_MAX;
  if (value < -9223372036854775808.0) return INT64_MIN;
  return static_cast<std::int64_t>(value);
}

template <class To, class From>
inline To convert(From value) {
  if constexpr (std::is_same_v<From, To>) return value;
  else if constexpr (std::is_same_v<From, Float16>) return convert<To>(float_from_float16(value.bits));
  else if constexpr (std::is_same_v<From, BFloat16>) return convert<To>(float_from_bfloat16(value.bits));
  else if constexpr (std::is_same_v<To, Float16>) return To(static_cast<float>(value));
  else if constexpr (std::is_same_v<To, BFloat16>) return To(static_cast<float>(value));
  else if constexpr (std::is_same_v<To, bool>) return value != 0;
  else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>)
    return static_cast<To>(to_integer(value));
  else return static_cast<To>(value);
}

template <class T, class Stored>
void load(T* target, const Run& run) {
  if (run.stride == sizeof(Stored)) {
    const Stored* source = reinterpret_cast<const Stored*>(run.data);
    for (std::int64_t i = 0; i < run.count; ++i) target[i] = convert<T>(source[i]);
  } else if (run.stride == 0) {
    std::fill(target, target + run.count, convert<T>(*reinterpret_cast<const Stored*>(run.data)));
  } else {
    for (std::int64_t i = 0; i < run.count; ++i)
      target[i] = convert<T>(*reinterpret_cast<const Stored*>(run.data + i * run.stride));
  }
}

template <class T, class Stored>
void store(const T* source, const Run& run) {
  if (run.stride == sizeof(Stored)) {
    Stored* target = reinterpret_cast<Stored*>(run.data);
    for (std::int64_t i = 0; i < run.count; ++i) target[i] = convert<Stored>(source[i]);
  } else {
    for (std::int64_t i = 0; i < run.count; ++i)
      *reinterpret_cast<Stored*>(run.data + i * run.stride) = convert<Stored>(source[i]);
  }
}

// One buffer's worth at a time, without looking at what the bits mean.
template <class Bits>
void copy_bits(const Tensor& x, const Tensor& target) {
  Walker from(x), to(target);
  Bits buffer[kBlock];
  for (std::int64_t left = x.numel(); left > 0;) {
    const std::int64_t count = std::min(left, kBlock);
    for (std::int64_t done = 0; done < count;) {
      const Run run = from.next(count - done);
      for (std::int64_t i = 0; i < run.count; ++i)
        std::memcpy(&buffer[done + i], run.data + i * run.stride, sizeof(Bits));
      done += run.count;
    }
    for (std::int64_t done = 0; done < count;) {
      const Run run = to.next(count - done);
      for (std::int64_t i = 0; i < run.count; ++i)
        std::memcpy(run.data + i * run.stride, &buffer[done + i], sizeof(Bits));
      done += run.count;
    }
    left -= count;
  }
}

}  // namespace

template <class T>
Load<T> load_of(DType dtype) {
  switch (dtype) {
    case kFloat16: return load<T, Float16>;
    case kBFloat16: return load<T, BFloat16>;
    case kFloat32: return load<T, float>;
    case kFloat64: return load<T, double>;
    case kInt8: return load<T, std::int8_t>;
    case kUInt8: return load<T, std::uint8_t>;
    case kInt32: return load<T, std::int32_t>;
    case kInt64: return load<T, std::int64_t>;
    case kBool: return load<T, bool>;
  }
  return nullptr;
}

template <class T>
Store<T> store_of(DType dtype) {
  switch (dtype) {
    case kFloat16: return store<T, Float16>;
    case kBFloat16: return store<T, BFloat16>;
    case kFloat32: return store<T, float>;
    case kFloat64: return store<T, double>;
    case kInt8: return store<T, std::int8_t>;
    case kUInt8: return store<T, std::uint8_t>;
    case kInt32: return store<T, std::int32_t>;
    case kInt64: return store<T, std::int64_t>;
    case kBool: return store<T, bool>;
  }
  return nullptr;
}

template Load<float> load_of<float>(DType);
template Load<double> load_of<double>(DType);
template Load<std::int64_t> load_of<std::int64_t>(DType);
template Store<float> store_of<float>(DType);
template Store<double> store_of<double>(DType);
template Store<std::int64_t> store_of<std::int64_t>(DType);

void copy_elements(const Tensor& x, const Tensor& target) {
  if (x.numel() == 0) return;
  if (x.dtype() == target.dtype()) {
    switch (element_size(x.dtype())) {
      case 1: return copy_bits<std::uint8_t>(x, target);
      case 2: return copy_bits<std::uint16_t>(x, target);
      case 4: return copy_bits<std::uint32_t>(x, target);
      default: return copy_bits<std::uint64_t>(x, target);
    }
  }
  // The source's own compute type loses nothing; the store then rounds once.
  with_compute_type(x.dtype(), [&]<class T>(T) {
    Reader<T> reader(x);
    Writer<T> writer(target);
    T buffer[kBlock];
    for (std::int64_t left = x.numel(); left > 0; left -= kBlock) {
      const std::int64_t count = std::min(left, kBlock);
      reader.read(buffer, count);
      writer.write(buffer, count);
    }
  });
}

Tensor permuted(const Tensor& x, const Sizes& order) {
  Sizes sizes, strides;
  for (std::int64_t i : order) {
    sizes.push_back(x.impl()->sizes[static_cast<std::size_t>(i)]);
    strides.push_back(x.impl()->strides[static_cast<std::size_t>(i)]);
  }
  return alias(x, sizes, strides);
}

Tensor with_dim_last(const Tensor& x, std::int64_t dim) {
  if (x.dim() == 0) return x;
  Sizes order;
  for (std::int64_t i = 0; i < x.dim(); ++i)
    if (i != dim) order.push_back(i);
  order.push_back(dim);
  return permuted(x, order);
}

}  // namespace detail
}  // namespace flashlight
