// SPDX-License-Identifier: Apache-2.0
// Evoformer's row attention as gpu-bench times it, N rows share the pair bias: as such, and with its output
// gate.
#include <flashlight/flashlight.h>
using namespace flashlight;

static Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask_bias,
                     const Tensor& pair_bias) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  return matmul(softmax(scores + mask_bias + pair_bias, -1), v);
}

// q, k, v, gate: [B, N, H, S, D]   mask_bias: [B, N, 1, 1, S]   pair_bias: [B, 1, H, S, S]
FLASHLIGHT_FUSE Tensor evoformer(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask_bias,
                                 const Tensor& pair_bias) {
  return attend(q, k, v, mask_bias, pair_bias);
}

FLASHLIGHT_FUSE Tensor evoformer_gated(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gate,
                                       const Tensor& mask_bias, const Tensor& pair_bias) {
  return sigmoid(gate) * attend(q, k, v, mask_bias, pair_bias);
}
