// SPDX-License-Identifier: Apache-2.0
// Tensor: a handle to strided elements in shared storage, with its queries, views and the ops in method form.
#pragma once

#include <flashlight/types.h>

#ifdef FLASHLIGHT_TRANSLATOR
namespace std {
template <class T> struct tuple_size;
template <size_t I, class T> struct tuple_element;
}  // namespace std
#endif

namespace flashlight {

class Tensor;
struct TensorImpl;
template <std::size_t N> class Tensors;

// A list of tensors as an argument or result: from {a, b}, std::vector<Tensor>, std::array<Tensor, N>,
// Tensors<N>.
class TensorList {
 public:
  using value_type = Tensor;

  TensorList() = default;
  TensorList(std::initializer_list<Tensor> list);
  TensorList(const Tensor* first, std::size_t count);
  template <class C>
    requires(!detail::kSame<C, TensorList> && !detail::kSame<C, Tensor> &&
             requires(const C& c) {
               detail::take<const Tensor*>(c.data());
               c.size();
             })
  TensorList(const C& list) : TensorList(list.data(), list.size()) {}
  TensorList(const TensorList& other);
  TensorList(TensorList&& other) noexcept;
  TensorList& operator=(TensorList other) noexcept;
  ~TensorList();

  std::size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  const Tensor* data() const { return items_; }
  Tensor* data() { return items_; }
  const Tensor* begin() const { return items_; }
  inline const Tensor* end() const;
  inline const Tensor& operator[](std::size_t i) const;
  inline const Tensor& front() const;
  inline const Tensor& back() const;

  template <class C>
    requires requires(C c, const Tensor* p) {
      C(p, p);
      c.push_back(*p);
    }
  operator C() const {
    return C(begin(), end());
  }

 private:
  Tensor* items_ = nullptr;
  std::size_t count_ = 0;
};

class Tensor {
 public:
  Tensor() noexcept : impl_(nullptr) {}  // undefined: every op on it is an Error
  Tensor(const Tensor& other) noexcept;
  Tensor(Tensor&& other) noexcept : impl_(other.impl_) { other.impl_ = nullptr; }
  Tensor& operator=(const Tensor& other) noexcept;
  Tensor& operator=(Tensor&& other) noexcept;
  ~Tensor();

  // Queries. A negative dim counts from the end.
  bool defined() const noexcept { return impl_ != nullptr; }
  std::int64_t dim() const;
  Sizes sizes() const;
  std::int64_t size(std::int64_t dim) const;
  Sizes strides() const;                        // in elements
  std::int64_t stride(std::int64_t dim) const;  // in elements
  std::int64_t numel() const;
  DType dtype() const;
  Device device() const;
  bool is_contiguous() const;

  // The first element. T must be the element type of dtype(), and the elements must be on the CPU.
  template <class T> T* data() const {
    static_assert(detail::kDTypeOf<detail::PlainType<T>> >= 0, "data<T>: T is no element type of a tensor");
    return static_cast<T*>(cpu_data(static_cast<DType>(detail::kDTypeOf<detail::PlainType<T>>)));
  }
  // The only element, converted to T.
  template <class T> T item() const {
    if constexpr (detail::kInteger<T>) return static_cast<T>(item_int());
    else return static_cast<T>(item_double());
  }

  // For launchers: the first element wherever it lives, and a tensor over memory that the caller keeps alive.
  const void* raw() const;
  void* raw();
  static Tensor wrap(void* data, Sizes sizes, Sizes strides, DType dtype, Device device = kCPU);

  // Views: no copy where strides allow (view: never a copy; Error where it would need one).
  Tensor transpose(std::int64_t dim0, std::int64_t dim1) const;
  Tensor permute(Sizes dims) const;
  Tensor movedim(Sizes source, Sizes destination) const;
  Tensor mT() const;
  Tensor unsqueeze(std::int64_t dim) const;
  Tensor squeeze() const;
  Tensor squeeze(std::int64_t dim) const;
  Tensor view(Sizes sizes) const;
  Tensor reshape(Sizes sizes) const;
  Tensor flatten(std::int64_t start_dim = 0, std::int64_t end_dim = -1) const;
  Tensor unflatten(std::int64_t dim, Sizes sizes) const;
  Tensor expand(Sizes sizes) const;
  Tensor narrow(std::int64_t dim, std::int64_t start, std::int64_t length) const;
  Tensor slice(std::int64_t dim = 0, Optional<std::int64_t> start = {}, Optional<std::int64_t> end = {},
               std::int64_t step = 1) const;
  Tensor select(std::int64_t dim, std::int64_t index) const;
  TensorList chunk(std::int64_t chunks, std::int64_t dim = 0) const;
  TensorList split(Sizes split_size_or_sizes, std::int64_t dim = 0) const;
  // Exactly N pieces, for structured bindings: auto [a, b] = x.chunk<2>(-1).
  template <std::size_t N> Tensors<N> chunk(std::int64_t dim = 0) const;
  template <std::size_t N> Tensors<N> split(Sizes split_size_or_sizes, std::int64_t dim = 0) const;
  Tensor contiguous() const;
  Tensor clone() const;
  Tensor repeat(Sizes repeats) const;
  Tensor to(DType dtype) const;
  Tensor to(Device device) const;

  // Pointwise ops.
#define FL_UNARY(name, result, lo, hi, weight, expression) Tensor name() const;
#define FL_BINARY(name, result, weight, expression) \
  Tensor name(const Tensor& other) const;           \
  Tensor name(Scalar other) const;
#include <flashlight/detail/pointwise.def>
#undef FL_UNARY
#undef FL_BINARY
  Tensor bitwise_not() const;
  Tensor clamp(Optional<Scalar> min = {}, Optional<Scalar> max = {}) const;
  Tensor clamp(const Tensor& min, const Tensor& max) const;
  Tensor clamp_min(Scalar min) const;
  Tensor clamp_min(const Tensor& min) const;
  Tensor clamp_max(Scalar max) const;
  Tensor clamp_max(const Tensor& max) const;
  Tensor nan_to_num(double nan = 0, Optional<double> posinf = {}, Optional<double> neginf = {}) const;
  // With *this as the condition, as in where(*this, x, y).
  Tensor where(const Tensor& x, const Tensor& y) const;
  Tensor where(const Tensor& x, Scalar y) const;
  Tensor where(Scalar x, const Tensor& y) const;
  Tensor where(Scalar x, Scalar y) const;
  Tensor masked_fill(const Tensor& mask, Scalar value) const;
  Tensor masked_fill(const Tensor& mask, const Tensor& value) const;

  // In place, on the shared storage.
  Tensor& operator+=(const Tensor& other);
  Tensor& operator+=(Scalar other);
  Tensor& operator-=(const Tensor& other);
  Tensor& operator-=(Scalar other);
  Tensor& operator*=(const Tensor& other);
  Tensor& operator*=(Scalar other);
  Tensor& operator/=(const Tensor& other);
  Tensor& operator/=(Scalar other);

  // Reductions over the given dims, all dims by default.
  Tensor sum(Sizes dims = {}, bool keepdim = false) const;
  Tensor mean(Sizes dims = {}, bool keepdim = false) const;
  Tensor prod(Sizes dims = {}, bool keepdim = false) const;
  Tensor amax(Sizes dims = {}, bool keepdim = false) const;
  Tensor amin(Sizes dims = {}, bool keepdim = false) const;
  Tensor any(Sizes dims = {}, bool keepdim = false) const;
  Tensor all(Sizes dims = {}, bool keepdim = false) const;
  Tensor logsumexp(Sizes dims, bool keepdim = false) const;
  Tensor var(Sizes dims = {}, bool unbiased = true, bool keepdim = false) const;
  Tensor argmax(Optional<std::int64_t> dim = {}, bool keepdim = false) const;
  Tensor softmax(std::int64_t dim, Optional<DType> dtype = {}) const;
  Tensor log_softmax(std::int64_t dim, Optional<DType> dtype = {}) const;
  Tensor cumsum(std::int64_t dim) const;
  Tensors<2> topk(std::int64_t k, std::int64_t dim = -1, bool largest = true, bool sorted = true) const;
  Tensors<2> sort(std::int64_t dim = -1, bool descending = false) const;

  // Contractions, normalisation, gathering.
  Tensor matmul(const Tensor& other) const;
  Tensor bmm(const Tensor& other) const;
  Tensor linear(const Tensor& weight, Optional<Tensor> bias = {}) const;
  Tensor rms_norm(Optional<Tensor> weight = {}, double eps = 1e-6) const;
  Tensor layer_norm(Optional<Tensor> weight = {}, Optional<Tensor> bias = {}, double eps = 1e-5) const;
  Tensor index(TensorList indices) const;
  Tensor index_select(std::int64_t dim, const Tensor& index) const;
  Tensor gather(std::int64_t dim, const Tensor& index) const;
  Tensor repeat_interleave(std::int64_t repeats, Optional<std::int64_t> dim = {}) const;
  Tensor tril(std::int64_t diagonal = 0) const;
  Tensor triu(std::int64_t diagonal = 0) const;

  bool allclose(const Tensor& other, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false) const;
  double max_abs_diff(const Tensor& other) const;

  // For the library: the implementation, owned by this handle from then on.
  explicit Tensor(TensorImpl* impl) noexcept : impl_(impl) {}
  TensorImpl* impl() const noexcept { return impl_; }

 private:
  void* cpu_data(DType dtype) const;
  std::int64_t item_int() const;
  double item_double() const;

  TensorImpl* impl_;
};

const Tensor* TensorList::end() const { return items_ + count_; }
const Tensor& TensorList::operator[](std::size_t i) const { return items_[i]; }
const Tensor& TensorList::front() const { return items_[0]; }
const Tensor& TensorList::back() const { return items_[count_ - 1]; }

// A fixed number of tensors, tuple-like.
template <std::size_t N>
class Tensors {
 public:
  using value_type = Tensor;

  Tensors() = default;
  explicit Tensors(const TensorList& list) {
    if (list.size() != N) detail::fail_count(static_cast<std::int64_t>(list.size()), N);
    for (std::size_t i = 0; i < N; ++i) items_[i] = list[i];
  }

  template <std::size_t I> Tensor& get() & { return items_[I]; }
  template <std::size_t I> const Tensor& get() const& { return items_[I]; }
  template <std::size_t I> Tensor&& get() && { return static_cast<Tensor&&>(items_[I]); }

  static constexpr std::size_t size() { return N; }
  const Tensor* data() const { return items_; }
  const Tensor* begin() const { return items_; }
  const Tensor* end() const { return items_ + N; }
  const Tensor& operator[](std::size_t i) const { return items_[i]; }
  Tensor& operator[](std::size_t i) { return items_[i]; }

 private:
  Tensor items_[N];
};

template <std::size_t N> Tensors<N> Tensor::chunk(std::int64_t dim) const {
  return Tensors<N>(chunk(static_cast<std::int64_t>(N), dim));
}
template <std::size_t N> Tensors<N> Tensor::split(Sizes split_size_or_sizes, std::int64_t dim) const {
  return Tensors<N>(split(split_size_or_sizes, dim));
}

}  // namespace flashlight

template <std::size_t N> struct std::tuple_size<flashlight::Tensors<N>> {
  static constexpr std::size_t value = N;
};
template <std::size_t I, std::size_t N> struct std::tuple_element<I, flashlight::Tensors<N>> {
  using type = flashlight::Tensor;
};
#ifdef FLASHLIGHT_TRANSLATOR
// What <utility> would derive, for `const auto [a, b]`.
template <std::size_t N> struct std::tuple_size<const flashlight::Tensors<N>> {
  static constexpr std::size_t value = N;
};
template <std::size_t I, std::size_t N> struct std::tuple_element<I, const flashlight::Tensors<N>> {
  using type = const flashlight::Tensor;
};
#endif
