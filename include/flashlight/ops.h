// SPDX-License-Identifier: Apache-2.0
// Ops on tensors as free functions. Semantics are PyTorch's: broadcasting, promotion, negative dims.
#pragma once

#include <flashlight/ops_create.h>
#include <flashlight/tensor.h>

namespace flashlight {

// Views.
Tensor transpose(const Tensor& x, std::int64_t dim0, std::int64_t dim1);
Tensor permute(const Tensor& x, Sizes dims);
Tensor movedim(const Tensor& x, Sizes source, Sizes destination);
Tensor unsqueeze(const Tensor& x, std::int64_t dim);
Tensor squeeze(const Tensor& x);
Tensor squeeze(const Tensor& x, std::int64_t dim);
Tensor reshape(const Tensor& x, Sizes sizes);
Tensor flatten(const Tensor& x, std::int64_t start_dim = 0, std::int64_t end_dim = -1);
Tensor unflatten(const Tensor& x, std::int64_t dim, Sizes sizes);
Tensor narrow(const Tensor& x, std::int64_t dim, std::int64_t start, std::int64_t length);
Tensor select(const Tensor& x, std::int64_t dim, std::int64_t index);
TensorList chunk(const Tensor& x, std::int64_t chunks, std::int64_t dim = 0);
TensorList split(const Tensor& x, Sizes split_size_or_sizes, std::int64_t dim = 0);
Tensor clone(const Tensor& x);

// Pointwise.
#define FL_UNARY(name, result, lo, hi, weight, expression) Tensor name(const Tensor& x);
#define FL_BINARY(name, result, weight, expression) \
  Tensor name(const Tensor& x, const Tensor& y);    \
  Tensor name(const Tensor& x, Scalar y);           \
  Tensor name(Scalar x, const Tensor& y);
#include <flashlight/detail/pointwise.def>
#undef FL_UNARY
#undef FL_BINARY
Tensor bitwise_not(const Tensor& x);  // kBool: not; integers: the complement
Tensor clamp(const Tensor& x, Optional<Scalar> min = {}, Optional<Scalar> max = {});
Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max);
Tensor clamp_min(const Tensor& x, Scalar min);
Tensor clamp_min(const Tensor& x, const Tensor& min);
Tensor clamp_max(const Tensor& x, Scalar max);
Tensor clamp_max(const Tensor& x, const Tensor& max);
Tensor nan_to_num(const Tensor& x, double nan = 0, Optional<double> posinf = {},
                  Optional<double> neginf = {});
Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y);
Tensor where(const Tensor& condition, const Tensor& x, Scalar y);
Tensor where(const Tensor& condition, Scalar x, const Tensor& y);
Tensor where(const Tensor& condition, Scalar x, Scalar y);
Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value);
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value);  // value: one element, no dims

Tensor operator-(const Tensor& x);
Tensor operator~(const Tensor& x);
Tensor operator+(const Tensor& x, const Tensor& y);
Tensor operator+(const Tensor& x, Scalar y);
Tensor operator+(Scalar x, const Tensor& y);
Tensor operator-(const Tensor& x, const Tensor& y);
Tensor operator-(const Tensor& x, Scalar y);
Tensor operator-(Scalar x, const Tensor& y);
Tensor operator*(const Tensor& x, const Tensor& y);
Tensor operator*(const Tensor& x, Scalar y);
Tensor operator*(Scalar x, const Tensor& y);
Tensor operator/(const Tensor& x, const Tensor& y);
Tensor operator/(const Tensor& x, Scalar y);
Tensor operator/(Scalar x, const Tensor& y);
Tensor operator%(const Tensor& x, const Tensor& y);
Tensor operator%(const Tensor& x, Scalar y);
Tensor operator%(Scalar x, const Tensor& y);
Tensor operator<(const Tensor& x, const Tensor& y);
Tensor operator<(const Tensor& x, Scalar y);
Tensor operator<(Scalar x, const Tensor& y);
Tensor operator<=(const Tensor& x, const Tensor& y);
Tensor operator<=(const Tensor& x, Scalar y);
Tensor operator<=(Scalar x, const Tensor& y);
Tensor operator>(const Tensor& x, const Tensor& y);
Tensor operator>(const Tensor& x, Scalar y);
Tensor operator>(Scalar x, const Tensor& y);
Tensor operator>=(const Tensor& x, const Tensor& y);
Tensor operator>=(const Tensor& x, Scalar y);
Tensor operator>=(Scalar x, const Tensor& y);
Tensor operator==(const Tensor& x, const Tensor& y);
Tensor operator==(const Tensor& x, Scalar y);
Tensor operator==(Scalar x, const Tensor& y);
Tensor operator!=(const Tensor& x, const Tensor& y);
Tensor operator!=(const Tensor& x, Scalar y);
Tensor operator!=(Scalar x, const Tensor& y);
Tensor operator&(const Tensor& x, const Tensor& y);
Tensor operator&(const Tensor& x, Scalar y);
Tensor operator&(Scalar x, const Tensor& y);
Tensor operator|(const Tensor& x, const Tensor& y);
Tensor operator|(const Tensor& x, Scalar y);
Tensor operator|(Scalar x, const Tensor& y);
Tensor operator^(const Tensor& x, const Tensor& y);
Tensor operator^(const Tensor& x, Scalar y);
Tensor operator^(Scalar x, const Tensor& y);

// Reductions over the given dims; an empty list means all of them. sum and prod of integers give kInt64.
Tensor sum(const Tensor& x, Sizes dims = {}, bool keepdim = false);
Tensor mean(const Tensor& x, Sizes dims = {}, bool keepdim = false);
Tensor prod(const Tensor& x, Sizes dims = {}, bool keepdim = false);
Tensor amax(const Tensor& x, Sizes dims = {},
            bool keepdim = false);  // Error over an empty dim; so amin, argmax
Tensor amin(const Tensor& x, Sizes dims = {}, bool keepdim = false);
Tensor any(const Tensor& x, Sizes dims = {}, bool keepdim = false);
Tensor all(const Tensor& x, Sizes dims = {}, bool keepdim = false);
Tensor logsumexp(const Tensor& x, Sizes dims, bool keepdim = false);
Tensor var(const Tensor& x, Sizes dims = {}, bool unbiased = true, bool keepdim = false);
Tensor argmax(const Tensor& x, Optional<std::int64_t> dim = {}, bool keepdim = false);  // the first of equals
// dtype: x is converted to it first.
Tensor softmax(const Tensor& x, std::int64_t dim, Optional<DType> dtype = {});
Tensor log_softmax(const Tensor& x, std::int64_t dim, Optional<DType> dtype = {});
Tensor cumsum(const Tensor& x, std::int64_t dim);
// Values and their indices along dim. Equal values keep their order; NaN counts as the largest.
Tensors<2> topk(const Tensor& x, std::int64_t k, std::int64_t dim = -1, bool largest = true,
                bool sorted = true);
Tensors<2> sort(const Tensor& x, std::int64_t dim = -1, bool descending = false);

// Contractions. Operands of different floating dtypes are promoted.
Tensor matmul(const Tensor& x, const Tensor& y);
Tensor bmm(const Tensor& x, const Tensor& y);
Tensor linear(const Tensor& x, const Tensor& weight,
              Optional<Tensor> bias = {});  // x [.., I], weight [O, I], bias [O]
Tensor einsum(TextView equation, TensorList operands);

// Normalisation over the trailing dims that weight has, over the last one without a weight.
Tensor rms_norm(const Tensor& x, Optional<Tensor> weight = {}, double eps = 1e-6);
Tensor layer_norm(const Tensor& x, Optional<Tensor> weight = {}, Optional<Tensor> bias = {},
                  double eps = 1e-5);

// Gathering. Indices are integer tensors; negative ones count from the end (not in index_select and gather).
Tensor index(const Tensor& x, TensorList indices);
Tensor index_select(const Tensor& x, std::int64_t dim, const Tensor& index);
Tensor gather(const Tensor& x, std::int64_t dim, const Tensor& index);
Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, Optional<std::int64_t> dim = {});
Tensor tril(const Tensor& x, std::int64_t diagonal = 0);
Tensor triu(const Tensor& x, std::int64_t diagonal = 0);
Tensor cat(TensorList tensors, std::int64_t dim = 0);
Tensor stack(TensorList tensors, std::int64_t dim = 0);

// Checks.
bool allclose(const Tensor& x, const Tensor& y, double rtol = 1e-5, double atol = 1e-8,
              bool equal_nan = false);
double max_abs_diff(const Tensor& x,
                    const Tensor& y);  // NaN where only one is NaN; equal infinities differ by 0
// States a fact about sizes or scalars: checked when run eagerly (Error), built upon by the translator.
void assume(bool condition, const char* file = __builtin_FILE(), int line = __builtin_LINE());

Text to_text(const Tensor& x);
template <template <class, class> class Stream, class Traits>
Stream<char, Traits>& operator<<(Stream<char, Traits>& stream, const Tensor& x) {
  stream << to_text(x).c_str();
  return stream;
}

}  // namespace flashlight
