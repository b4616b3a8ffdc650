// SPDX-License-Identifier: Apache-2.0
// The small types of the API: DType, Device, Scalar, Sizes, Optional, Text, Error.
//
// Light on purpose: this header is parsed on every run of the translator. It includes next to nothing of std
// and converts to and from std containers by shape (data()/size(), begin()/end(), has_value()/operator*)
// rather than by name.
#pragma once

#ifdef FLASHLIGHT_TRANSLATOR
#include <flashlight/detail/light_cmath.h>
#else
#include <cmath>
#include <exception>
#include <utility>
#endif
#include <cstddef>
#include <cstdint>
#include <initializer_list>

// A function that must become fused kernels; where it cannot, translation fails.
#if defined(__clang__)
#define FLASHLIGHT_FUSE [[clang::annotate("flashlight::fuse")]]
#else
#define FLASHLIGHT_FUSE
#endif

namespace flashlight {

// Element types. kFloat64 is for references; float arithmetic on the 16-bit types computes in float32 and
// rounds once per op.
enum class DType : std::uint8_t {
  kFloat16,
  kBFloat16,
  kFloat32,
  kFloat64,
  kInt8,
  kUInt8,
  kInt32,
  kInt64,
  kBool
};
using enum DType;

// Where a tensor's elements live. Without CUDA, kCUDA is the emulated device (runtime.h).
enum class Device : std::uint8_t { kCPU, kCUDA };
using enum Device;

const char* name_of(DType dtype);
const char* name_of(Device device);
std::size_t element_size(DType dtype);  // in bytes
inline constexpr bool is_floating(DType dtype) { return dtype <= DType::kFloat64; }
inline constexpr bool is_integer(DType dtype) { return dtype > DType::kFloat64 && dtype < DType::kBool; }

// IEEE binary16 as stored; conversion from float rounds to nearest, ties to even.
struct Float16 {
  std::uint16_t bits = 0;
  Float16() = default;
  explicit Float16(float value);
  operator float() const;
};

// The upper half of a float32 as stored; conversion from float rounds to nearest, ties to even.
struct BFloat16 {
  std::uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float value);
  operator float() const;
};

namespace detail {

template <class T> struct TypeIs {
  using Type = T;
};
template <class T> struct Plain : TypeIs<T> {};
template <class T> struct Plain<T&> : Plain<T> {};
template <class T> struct Plain<T&&> : Plain<T> {};
template <class T> struct Plain<const T> : Plain<T> {};
template <class T> using PlainType = typename Plain<T>::Type;

template <class A, class B> inline constexpr bool kSame = false;
template <class A> inline constexpr bool kSame<A, A> = true;

template <class T> void take(T);  // never defined: asks whether something converts to T
template <class From, class To>
concept Converts = requires(From&& from) { take<To>(static_cast<From&&>(from)); };

// The integers proper: no bool and no pointer counts as a size.
template <class T> inline constexpr bool kInteger = false;
template <> inline constexpr bool kInteger<signed char> = true;
template <> inline constexpr bool kInteger<unsigned char> = true;
template <> inline constexpr bool kInteger<short> = true;
template <> inline constexpr bool kInteger<unsigned short> = true;
template <> inline constexpr bool kInteger<int> = true;
template <> inline constexpr bool kInteger<unsigned> = true;
template <> inline constexpr bool kInteger<long> = true;
template <> inline constexpr bool kInteger<unsigned long> = true;
template <> inline constexpr bool kInteger<long long> = true;
template <> inline constexpr bool kInteger<unsigned long long> = true;

// std::vector, std::array, std::span and the like, of integers; what grows like std::vector; what has a fixed
// size like std::array.
template <class C>
concept IntegerRange = requires(const C& c) {
  requires kInteger<PlainType<decltype(*c.data())>>;
  requires kInteger<PlainType<decltype(c.size())>>;
};
template <class C>
concept GrowingRange = requires(C c, const std::int64_t* p) {
  C(p, p);
  c.push_back(*p);
};
template <class C>
concept FixedRange = !GrowingRange<C> && requires(C c) { c.fill(*c.data()); };

// DType of a C++ element type.
template <class T> inline constexpr int kDTypeOf = -1;
template <> inline constexpr int kDTypeOf<Float16> = int(DType::kFloat16);
template <> inline constexpr int kDTypeOf<BFloat16> = int(DType::kBFloat16);
template <> inline constexpr int kDTypeOf<float> = int(DType::kFloat32);
template <> inline constexpr int kDTypeOf<double> = int(DType::kFloat64);
template <> inline constexpr int kDTypeOf<signed char> = int(DType::kInt8);
template <> inline constexpr int kDTypeOf<unsigned char> = int(DType::kUInt8);
template <> inline constexpr int kDTypeOf<int> = int(DType::kInt32);
template <> inline constexpr int kDTypeOf<long> = int(sizeof(long) == 8 ? DType::kInt64 : DType::kInt32);
template <> inline constexpr int kDTypeOf<long long> = int(DType::kInt64);
template <> inline constexpr int kDTypeOf<bool> = int(DType::kBool);

[[noreturn]] void fail_rank(std::int64_t rank);  // a Sizes longer than kMaxRank
[[noreturn]] void fail_count(std::int64_t have,
                             std::int64_t wanted);  // a fixed-size container of another length
[[noreturn]] void fail_empty();                     // value() of an empty Optional

}  // namespace detail

// A number that takes part in an op without promoting a tensor of its own category.
class Scalar {
 public:
  enum class Kind : std::uint8_t { kBool, kInt, kFloat };

  constexpr Scalar() : Scalar(0) {}
  constexpr Scalar(bool value) : kind_(Kind::kBool), int_(value), float_(value) {}
  constexpr Scalar(int value) : Scalar(static_cast<long long>(value)) {}
  constexpr Scalar(unsigned value) : Scalar(static_cast<long long>(value)) {}
  constexpr Scalar(long value) : Scalar(static_cast<long long>(value)) {}
  constexpr Scalar(unsigned long value) : Scalar(static_cast<long long>(value)) {}
  constexpr Scalar(long long value) : kind_(Kind::kInt), int_(value), float_(static_cast<double>(value)) {}
  constexpr Scalar(unsigned long long value) : Scalar(static_cast<long long>(value)) {}
  constexpr Scalar(float value) : Scalar(static_cast<double>(value)) {}
  constexpr Scalar(double value) : kind_(Kind::kFloat), int_(0), float_(value) {}
  template <class T> Scalar(T* pointer) = delete;  // a pointer would otherwise pass as bool

  constexpr Kind kind() const { return kind_; }
  constexpr bool is_float() const { return kind_ == Kind::kFloat; }
  constexpr double to_double() const { return float_; }
  std::int64_t to_int() const;  // truncates; Error when the value has no int64

 private:
  Kind kind_;
  std::int64_t int_;
  double float_;
};

inline constexpr int kMaxRank = 16;

// A short list of integers: a shape, strides, or dims. At most kMaxRank of them, stored in place.
// One integer converts to a list of one, so that sum(x, -1) and sum(x, {0, 1}) are one function.
class Sizes {
 public:
  using value_type = std::int64_t;

  constexpr Sizes() = default;
  template <class I>
    requires detail::kInteger<I>
  constexpr Sizes(I size) : items_{static_cast<std::int64_t>(size)}, count_(1) {}
  constexpr Sizes(std::initializer_list<std::int64_t> list) {
    for (std::int64_t size : list) push_back(size);
  }
  constexpr Sizes(const std::int64_t* first, const std::int64_t* last) {
    for (; first != last; ++first) push_back(*first);
  }
  template <class C>
    requires(detail::IntegerRange<C> && !detail::kSame<C, Sizes>)
  constexpr Sizes(const C& list) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(list.size()); ++i) push_back(list.data()[i]);
  }

  constexpr std::size_t size() const { return count_; }
  constexpr bool empty() const { return count_ == 0; }
  constexpr const std::int64_t* data() const { return items_; }
  constexpr std::int64_t* data() { return items_; }
  constexpr const std::int64_t* begin() const { return items_; }
  constexpr const std::int64_t* end() const { return items_ + count_; }
  constexpr std::int64_t* begin() { return items_; }
  constexpr std::int64_t* end() { return items_ + count_; }
  constexpr const std::int64_t& operator[](std::size_t i) const { return items_[i]; }
  constexpr std::int64_t& operator[](std::size_t i) { return items_[i]; }
  constexpr const std::int64_t& front() const { return items_[0]; }
  constexpr const std::int64_t& back() const { return items_[count_ - 1]; }

  constexpr void push_back(std::int64_t size) {
    if (count_ == kMaxRank) detail::fail_rank(count_ + 1);
    items_[count_++] = size;
  }
  constexpr void insert(std::size_t at, std::int64_t size) {
    push_back(size);
    for (std::size_t i = count_ - 1; i > at; --i) items_[i] = items_[i - 1];
    items_[at] = size;
  }
  constexpr void erase(std::size_t at) {
    --count_;
    for (std::size_t i = at; i < count_; ++i) items_[i] = items_[i + 1];
  }

  template <class C>
    requires(detail::GrowingRange<C> && detail::IntegerRange<C>)
  operator C() const {
    return C(begin(), end());
  }
  template <class C>
    requires(detail::FixedRange<C> && detail::IntegerRange<C>)
  operator C() const {
    C list{};
    if (list.size() != count_) detail::fail_count(count_, list.size());
    for (std::size_t i = 0; i < count_; ++i) list.data()[i] = items_[i];
    return list;
  }

  friend constexpr bool operator==(const Sizes& a, const Sizes& b) {
    if (a.count_ != b.count_) return false;
    for (std::size_t i = 0; i < a.count_; ++i)
      if (a.items_[i] != b.items_[i]) return false;
    return true;
  }

 private:
  std::int64_t items_[kMaxRank] = {};
  std::size_t count_ = 0;
};

// A value that may be missing. Converts to and from std::optional; `{}` and std::nullopt mean missing.
template <class T>
class Optional {
 public:
  using value_type = T;

  Optional() = default;
  template <class U>
    requires detail::Converts<U, T>
  Optional(U&& value) : value_(static_cast<U&&>(value)), has_(true) {}
  // From another optional: whatever has has_value() and dereferences to what converts to T.
  template <class O>
    requires(!detail::Converts<const O&, T> && !detail::kSame<O, Optional> &&
             requires(const O& o) {
               o.has_value();
               detail::take<T>(*o);
             })
  Optional(const O& other) : has_(other.has_value()) {
    if (has_) value_ = *other;
  }
  // From std::nullopt: an empty class with no value in it and no default constructor.
  template <class Nothing>
    requires(__is_empty(Nothing) && !detail::Converts<const Nothing&, T> && !requires { Nothing(); })
  Optional(const Nothing&) {}

  bool has_value() const { return has_; }
  explicit operator bool() const { return has_; }
  const T& operator*() const { return value_; }
  T& operator*() { return value_; }
  const T* operator->() const { return &value_; }
  T* operator->() { return &value_; }
  const T& value() const {
    if (!has_) detail::fail_empty();
    return value_;
  }
  template <class U> T value_or(U&& other) const { return has_ ? value_ : T(static_cast<U&&>(other)); }

  template <class O>
    requires(!detail::kSame<O, Optional> && detail::kSame<typename O::value_type, T> &&
             requires(O o) {
               o.has_value();
               o.reset();
             })
  operator O() const {
    return has_ ? O(value_) : O();
  }

 private:
  T value_{};
  bool has_ = false;
};

// A null-terminated string argument: a literal or anything with c_str().
class TextView {
 public:
  TextView(const char* text) : text_(text) {}
  template <class S>
    requires requires(const S& s) { detail::take<const char*>(s.c_str()); }
  TextView(const S& text) : text_(text.c_str()) {}
  const char* c_str() const { return text_; }

 private:
  const char* text_;
};

// An immutable string owned by the library, shared between copies.
class Text {
 public:
  explicit Text(const char* text);
  Text(const Text& other) noexcept;
  Text& operator=(const Text& other) noexcept;
  ~Text();
  const char* c_str() const noexcept;

 private:
  struct Shared;
  Shared* shared_;
};

// A misuse. what() gives the op, the shapes and the rule broken.
class Error
#ifndef FLASHLIGHT_TRANSLATOR
    : public std::exception
#endif
{
 public:
  explicit Error(const char* text) : text_(text) {}
  const char* what() const noexcept
#ifndef FLASHLIGHT_TRANSLATOR
      override
#endif
  {
    return text_.c_str();
  }

 private:
  Text text_;
};

}  // namespace flashlight
