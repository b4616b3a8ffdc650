// SPDX-License-Identifier: Apache-2.0
// Methods that are ops, and functions that are views: each calls its twin.
#include <flashlight/ops.h>

namespace flashlight {

// Inside a method the free function of the same name is hidden, hence the qualified calls.
#define FL_METHOD(name, parameters, arguments) \
  Tensor Tensor::name parameters const { return flashlight::name arguments; }

FL_METHOD(bitwise_not, (), (*this))
FL_METHOD(clamp, (Optional<Scalar> min, Optional<Scalar> max), (*this, min, max))
FL_METHOD(clamp, (const Tensor& min, const Tensor& max), (*this, min, max))
FL_METHOD(clamp_min, (Scalar min), (*this, min))
FL_METHOD(clamp_min, (const Tensor& min), (*this, min))
FL_METHOD(clamp_max, (Scalar max), (*this, max))
FL_METHOD(clamp_max, (const Tensor& max), (*this, max))
FL_METHOD(nan_to_num, (double nan, Optional<double> posinf, Optional<double> neginf),
          (*this, nan, posinf, neginf))
FL_METHOD(where, (const Tensor& x, const Tensor& y), (*this, x, y))
FL_METHOD(where, (const Tensor& x, Scalar y), (*this, x, y))
FL_METHOD(where, (Scalar x, const Tensor& y), (*this, x, y))
FL_METHOD(where, (Scalar x, Scalar y), (*this, x, y))
FL_METHOD(masked_fill, (const Tensor& mask, Scalar value), (*this, mask, value))
FL_METHOD(masked_fill, (const Tensor& mask, const Tensor& value), (*this, mask, value))
FL_METHOD(sum, (Sizes dims, bool keepdim), (*this, dims, keepdim))
FL_METHOD(mean, (Sizes dims, bool keepdim), (*this, dims, keepdim))
FL_METHOD(prod, (Sizes dims, bool keepdim), (*this, dims, keepdim))
FL_METHOD(amax, (Sizes dims, bool keepdim), (*this, dims, keepdim))
FL_METHOD(amin, (Sizes dims, bool keepdim), (*this, dims, keepdim))
FL_METHOD(any, (Sizes dims, bool keepdim), (*this, dims, keepdim))
FL_METHOD(all, (Sizes dims, bool keepdim), (*this, dims, keepdim))
FL_METHOD(logsumexp, (Sizes dims, bool keepdim), (*this, dims, keepdim))
FL_METHOD(var, (Sizes dims, bool unbiased, bool keepdim), (*this, dims, unbiased, keepdim))
FL_METHOD(argmax, (Optional<std::int64_t> dim, bool keepdim), (*this, dim, keepdim))
FL_METHOD(softmax, (std::int64_t dim, Optional<DType> dtype), (*this, dim, dtype))
FL_METHOD(log_softmax, (std::int64_t dim, Optional<DType> dtype), (*this, dim, dtype))
FL_METHOD(cumsum, (std::int64_t dim), (*this, dim))
FL_METHOD(matmul, (const Tensor& other), (*this, other))
FL_METHOD(bmm, (const Tensor& other), (*this, other))
FL_METHOD(linear, (const Tensor& weight, Optional<Tensor> bias), (*this, weight, bias))
FL_METHOD(rms_norm, (Optional<Tensor> weight, double eps), (*this, weight, eps))
FL_METHOD(layer_norm, (Optional<Tensor> weight, Optional<Tensor> bias, double eps),
          (*this, weight, bias, eps))
FL_METHOD(index, (TensorList indices), (*this, indices))
FL_METHOD(index_select, (std::int64_t dim, const Tensor& index), (*this, dim, index))
FL_METHOD(gather, (std::int64_t dim, const Tensor& index), (*this, dim, index))
FL_METHOD(repeat_interleave, (std::int64_t repeats, Optional<std::int64_t> dim), (*this, repeats, dim))
FL_METHOD(tril, (std::int64_t diagonal), (*this, diagonal))
FL_METHOD(triu, (std::int64_t diagonal), (*this, diagonal))

Tensors<2> Tensor::topk(std::int64_t k, std::int64_t dim, bool largest, bool sorted) const {
  return flashlight::topk(*this, k, dim, largest, sorted);
}
Tensors<2> Tensor::sort(std::int64_t dim, bool descending) const {
  return flashlight::sort(*this, dim, descending);
}
bool Tensor::allclose(const Tensor& other, double rtol, double atol, bool equal_nan) const {
  return flashlight::allclose(*this, other, rtol, atol, equal_nan);
}
double Tensor::max_abs_diff(const Tensor& other) const { return flashlight::max_abs_diff(*this, other); }

Tensor transpose(const Tensor& x, std::int64_t dim0, std::int64_t dim1) { return x.transpose(dim0, dim1); }
Tensor permute(const Tensor& x, Sizes dims) { return x.permute(dims); }
Tensor movedim(const Tensor& x, Sizes source, Sizes destination) { return x.movedim(source, destination); }
Tensor unsqueeze(const Tensor& x, std::int64_t dim) { return x.unsqueeze(dim); }
Tensor squeeze(const Tensor& x) { return x.squeeze(); }
Tensor squeeze(const Tensor& x, std::int64_t dim) { return x.squeeze(dim); }
Tensor reshape(const Tensor& x, Sizes sizes) { return x.reshape(sizes); }
Tensor flatten(const Tensor& x, std::int64_t start_dim, std::int64_t end_dim) {
  return x.flatten(start_dim, end_dim);
}
Tensor unflatten(const Tensor& x, std::int64_t dim, Sizes sizes) { return x.unflatten(dim, sizes); }
Tensor narrow(const Tensor& x, std::int64_t dim, std::int64_t start, std::int64_t length) {
  return x.narrow(dim, start, length);
}
Tensor select(const Tensor& x, std::int64_t dim, std::int64_t index) { return x.select(dim, index); }
TensorList chunk(const Tensor& x, std::int64_t chunks, std::int64_t dim) { return x.chunk(chunks, dim); }
TensorList split(const Tensor& x, Sizes split_size_or_sizes, std::int64_t dim) {
  return x.split(split_size_or_sizes, dim);
}
Tensor clone(const Tensor& x) { return x.clone(); }

}  // namespace flashlight
