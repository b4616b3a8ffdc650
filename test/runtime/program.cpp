// SPDX-License-Identifier: Apache-2.0
// The program that the tests of the emitted file's host side call, translated.
#include "program.h"

using namespace flashlight;

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  return matmul(softmax(matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1))), -1), v);
}

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale, std::int64_t window) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) * scale;
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return matmul(softmax(where(i - j <= window, scores, -INFINITY), -1), v);
}

Tensor two_streams(const Tensor& q, const Tensor& k, const Tensor& v) {
  auto [q1, q2] = q.chunk<2>(-1);
  auto [k1, k2] = k.chunk<2>(-1);
  return matmul(softmax(matmul(q1, k1.transpose(-2, -1)), -1) - softmax(matmul(q2, k2.transpose(-2, -1)), -1),
                v);
}

Tensor of_64(const Tensor& q, const Tensor& k, const Tensor& v) {
  assume(q.size(-1) == 64);
  return matmul(softmax(matmul(q, k.transpose(-2, -1)), -1), v);
}

Tensor biased(const Tensor& q, const Tensor& k, const Tensor& v, const Optional<Tensor>& bias) {
  Tensor scores = matmul(q, k.transpose(-2, -1));
  if (bias) scores = scores + *bias;
  return matmul(softmax(scores, -1), v);
}

Tensor slots(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor weights = softmax(matmul(q, k.transpose(-2, -1)), -2);
  return matmul(weights / weights.sum(-1, true), v);
}

namespace other {
// Not the function above: kernels of one name must not be taken for each other.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  return matmul(softmax(matmul(q, k.transpose(-2, -1)) * 2.0, -1), v);
}
}  // namespace other
