// SPDX-License-Identifier: Apache-2.0
// Evoformer's gated row attention as gpu-bench times it: N rows share the pair bias.
#include <flashlight/flashlight.h>
using namespace flashlight;

// q, k, v, gate: [B, N, H, S, D]   mask_bias: [B, N, 1, 1, S]   pair_bias: [B, 1, H, S, S]
FLASHLIGHT_FUSE Tensor evoformer(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gate,
                                 const Tensor& mask_bias, const Tensor& pair_bias) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  scores = scores + mask_bias + pair_bias;
  return sigmoid(gate) * matmul(softmax(scores, -1), v);
}
