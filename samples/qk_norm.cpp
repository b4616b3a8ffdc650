// SPDX-License-Identifier: Apache-2.0
// Queries and keys pass through an rms norm with learned weights before they meet.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k, v: [B, Hkv, Sk, D]   q_weight, k_weight: [D]
FLASHLIGHT_FUSE Tensor qk_norm(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& q_weight,
                               const Tensor& k_weight) {
  Tensor queries = rms_norm(q, q_weight, 1e-6), keys = rms_norm(k, k_weight, 1e-6);
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  Tensor scores = matmul(queries, keys.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  return matmul(softmax(where(j <= i, scores, -INFINITY), -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    Tensor q_weight = c.randn({c.d()}), k_weight = c.randn({c.d()});
    c.compare([&](const sample::Cast& cast) {
      return qk_norm(cast(q), cast(k), cast(v), cast(q_weight), cast(k_weight));
    });
  });
}
