// SPDX-License-Identifier: Apache-2.0
// Differential attention as gpu-bench times it: two streams of scores of head dim d, values of 2 d.
// gpu-bundle: --head-dims 64,128,256
#include <flashlight/flashlight.h>
using namespace flashlight;

// q1, q2: [B, H, S, D]   k1, k2: [B, H, S, D]   v: [B, H, S, 2 D]
FLASHLIGHT_FUSE Tensor differential(const Tensor& q1, const Tensor& k1, const Tensor& q2, const Tensor& k2,
                                    const Tensor& v, double lambda) {
  const double scale = 1 / std::sqrt(double(q1.size(-1)));
  Tensor map1 = softmax(matmul(q1, k1.transpose(-2, -1)) * scale, -1);
  Tensor map2 = softmax(matmul(q2, k2.transpose(-2, -1)) * scale, -1);
  return matmul(map1 - lambda * map2, v);
}
