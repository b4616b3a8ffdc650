// SPDX-License-Identifier: Apache-2.0
// See operands.h.
#include "operands.h"

using namespace flashlight;

static Tensor attend(const Tensor& scores, const Tensor& v) { return matmul(softmax(scores, -1), v); }

FLASHLIGHT_FUSE Tensor layer_norms(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& weight,
                                   const Tensor& bias) {
  Tensor queries = layer_norm(q, weight, bias), keys = layer_norm(k, weight, bias);
  return attend(matmul(queries, keys.transpose(-2, -1)) / std::sqrt(double(q.size(-1))), v);
}

FLASHLIGHT_FUSE Tensor distances(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor q_length = sum(q * q, {-1}, true), k_length = sum(k * k, {-1}).unsqueeze(-2);
  return attend(0.125 * (2.0 * matmul(q, k.transpose(-2, -1)) - q_length - k_length), v);
}

FLASHLIGHT_FUSE Tensor centred_values(const Tensor& q, const Tensor& k, const Tensor& v) {
  return attend(matmul(q, k.transpose(-2, -1)) / 8.0, v - mean(v, {-1}, true));
}

FLASHLIGHT_FUSE Tensor all_computed(const Tensor& q, const Tensor& k, const Tensor& v) {
  return attend(matmul(tanh(q), tanh(k).transpose(-2, -1)), tanh(v));
}

FLASHLIGHT_FUSE Tensor points(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& q_points,
                              const Tensor& k_points) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / 8.0;
  return attend(scores + einsum("bhipx,bhjpx->bhij", {q_points, k_points}), v);
}

FLASHLIGHT_FUSE Tensor normalised(const Tensor& q, const Tensor& k, const Tensor& v) {
  return layer_norm(attend(matmul(q, k.transpose(-2, -1)) / 8.0, v));
}
