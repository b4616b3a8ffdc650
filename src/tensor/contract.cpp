// SPDX-License-Identifier: Apache-2.0
// matmul, bmm, linear.
#include "tensor/contract.h"

#include <flashlight/ops.h>

#include "tensor/gemm.h"
#include "tensor/promote.h"

namespace flashlight {
namespace detail {
namespace {

// A matrix per batch index, contiguous and of the compute type; converted once, however often it is
// broadcast.
template <class T>
class Matrices {
 public:
  Matrices(const Tensor& x, const Sizes& batch) : rows_(x.size(-2)), columns_(x.size(-1)) {
    data_ = Reader<T>(x).row(x.numel(), buffer_);
    const Sizes own = contiguous_strides(x.sizes());
    const std::size_t added = batch.size() + 2 - x.sizes().size();
    for (std::size_t i = 0; i < batch.size(); ++i)
      strides_.push_back(i < added || x.sizes()[i - added] == 1 ? 0 : own[i - added]);
  }

  const T* at(const Sizes& index) const {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < index.size(); ++i) offset += index[i] * strides_[i];
    return data_ + offset;
  }
  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }

 private:
  std::vector<T> buffer_;
  const T* data_;
  Sizes strides_;
  std::int64_t rows_, columns_;
};

void advance(Sizes& index, const Sizes& sizes) {
  for (std::size_t i = index.size(); i-- > 0;) {
    if (++index[i] < sizes[i]) return;
    index[i] = 0;
  }
}

template <class T>
void multiply_as(const Tensor& a, const Tensor& b, const Tensor& target) {
  const Sizes sizes = target.sizes(), batch(sizes.begin(), sizes.end() - 2);
  if (target.numel() == 0) return;
  if (a.numel() == 0) {  // sums over nothing
    copy_elements(zeros(sizes, target.dtype()), target);
    return;
  }
  // A batch of products with one and the same b is one tall product.
  const bool tall = b.numel() == b.size(-2) * b.size(-1) && numel(batch) > 1 &&
                    a.numel() == numel(batch) * a.size(-2) * a.size(-1);
  const Matrices<T> left(a, batch), right(b, batch);
  const std::int64_t m = left.rows() * (tall ? numel(batch) : 1), n = right.columns(), k = left.columns();
  Writer<T> writer(target);
  std::vector<T> product(static_cast<std::size_t>(m * n));
  Sizes index = batch;
  for (std::int64_t& i : index) i = 0;
  for (std::int64_t count = tall ? 1 : numel(batch); count > 0; --count) {
    gemm(left.at(index), right.at(index), product.data(), m, n, k);
    writer.write(product.data(), m * n);
    advance(index, batch);
  }
}

}  // namespace

void multiply(const Tensor& a, const Tensor& b, const Tensor& target) {
  with_compute_type(target.dtype(), [&]<class T>(T) { multiply_as<T>(a, b, target); });
}

DType contraction_dtype(const char* op, const TensorList& operands) {
  DType dtype = operands[0].dtype();
  for (const Tensor& x : operands) {
    if (x.dtype() == kBool) fail(op, operands, "bool tensors have no products; convert them first");
    if (is_floating(x.dtype()) != is_floating(dtype))
      fail(op, operands, "floating and integer operands do not mix; convert one of them");
    dtype = promote(dtype, x.dtype());
  }
  return dtype;
}

}  // namespace detail

namespace {

// x times y by matmul's rules, rounded to dtype.
Tensor product(const char* op, const Tensor& x, const Tensor& y, DType dtype) {
  if (x.dim() == 0 || y.dim() == 0) detail::fail(op, {x, y}, "both operands need at least one dim");
  const Tensor a = x.dim() == 1 ? x.unsqueeze(0) : x, b = y.dim() == 1 ? y.unsqueeze(1) : y;
  if (a.size(-1) != b.size(-2))
    detail::fail(
        op, {x, y},
        "the inner sizes " + std::to_string(a.size(-1)) + " and " + std::to_string(b.size(-2)) + " differ");
  Sizes sizes = detail::broadcast_sizes(op, {a, b}, 2);
  sizes.push_back(a.size(-2));
  sizes.push_back(b.size(-1));
  Tensor target = detail::make(sizes, dtype);
  detail::multiply(a, b, target);
  if (y.dim() == 1) target = target.squeeze(-1);
  if (x.dim() == 1) target = target.squeeze(y.dim() == 1 ? -1 : -2);
  return target;
}

}  // namespace

Tensor matmul(const Tensor& x, const Tensor& y) {
  detail::require_cpu("matmul", {x, y});
  return product("matmul", x, y, detail::contraction_dtype("matmul", {x, y}));
}

Tensor bmm(const Tensor& x, const Tensor& y) {
  detail::require_cpu("bmm", {x, y});
  if (x.dim() != 3 || y.dim() != 3 || x.size(0) != y.size(0))
    detail::fail("bmm", {x, y}, "two tensors of three dims with the same batch size are needed");
  return matmul(x, y);
}

Tensor linear(const Tensor& x, const Tensor& weight, Optional<Tensor> bias) {
  detail::require_cpu("linear", {x, weight});
  if (weight.dim() > 2 || weight.dim() == 0)
    detail::fail("linear", {x, weight}, "the weight must be [out, in] or [in]");
  if (x.dim() == 0 || x.size(-1) != weight.size(-1))
    detail::fail("linear", {x, weight}, "the last sizes of x and weight differ");
  const DType dtype = detail::contraction_dtype("linear", {x, weight});
  const Tensor factor = weight.dim() == 2 ? weight.mT() : weight;
  if (!bias) return product("linear", x, factor, dtype);
  // One op rounds once: the sum is taken before the rounding.
  const bool narrow = dtype == kFloat16 || dtype == kBFloat16;
  const Tensor sum = product("linear", x, factor, narrow ? kFloat32 : dtype) + *bias;
  return sum.to(detail::promote(dtype, bias->dtype()));
}

}  // namespace flashlight
