// SPDX-License-Identifier: Apache-2.0
// See arguments.h.
#include "arguments.h"

using namespace flashlight;

static Tensor scores_of(const Tensor& q, const Tensor& k) {
  return matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
}

FLASHLIGHT_FUSE Tensor biased_by_table(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& table,
                                       const Tensor& position) {
  return matmul(softmax(scores_of(q, k) + table.index({position}), -1), v);
}

FLASHLIGHT_FUSE Tensor biased(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias) {
  return matmul(softmax(scores_of(q, k) + bias, -1), v);
}

FLASHLIGHT_FUSE Tensor converted(const Tensor& q, const Tensor& k, const Tensor& v) {
  return matmul(softmax(scores_of(q, k.to(q.dtype())), -1), v.to(q.dtype()));
}

FLASHLIGHT_FUSE Tensor in_float32(const Tensor& q, const Tensor& k, const Tensor& v) {
  return matmul(softmax(scores_of(q.to(kFloat32), k.to(kFloat32)), -1), v.to(kFloat32));
}

FLASHLIGHT_FUSE Tensor gated(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gate) {
  return gate * matmul(softmax(scores_of(q, k), -1), v);
}

FLASHLIGHT_FUSE Tensor optionally(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const std::optional<Tensor>& bias, const Optional<Tensor>& factor) {
  if (bias && factor) throw Error("one of both");
  Tensor scores = scores_of(q, k);
  if (bias) scores = scores + *bias;
  if (factor) scores = scores * *factor;
  return matmul(softmax(scores, -1), v);
}

template <int W> FLASHLIGHT_FUSE Tensor within(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return matmul(softmax(where(abs(i - j) <= W, scores_of(q, k), -INFINITY), -1), v);
}
template Tensor within<2>(const Tensor&, const Tensor&, const Tensor&);
template Tensor within<9>(const Tensor&, const Tensor&, const Tensor&);

FLASHLIGHT_FUSE Tensor Biased::operator()(const Tensor& q, const Tensor& k, const Tensor& v) const {
  return matmul(softmax(scores_of(q, k) + bias, -1), v);
}
