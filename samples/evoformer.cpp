// SPDX-License-Identifier: Apache-2.0
// AlphaFold's gated attention over the rows of an alignment: a mask bias per sequence, a pair bias per head.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q, k, v: [B, N, S, H, D]   mask_bias: [B, N, 1, 1, S]   pair_bias: [B, 1, H, S, S]   gate: [B, N, S, H, D]
// -> [B, N, S, H, D]
FLASHLIGHT_FUSE Tensor evoformer(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask_bias,
                                 const Tensor& pair_bias, const Tensor& gate) {
  Tensor queries = q.transpose(-2, -3), keys = k.transpose(-2, -3), values = v.transpose(-2, -3);
  Tensor scores = matmul(queries, keys.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  scores = scores + mask_bias + pair_bias;
  return sigmoid(gate) * matmul(softmax(scores, -1), values).transpose(-2, -3);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.depth = 32, .self_attention = true}, [](sample::Case& c) {
    const int64_t n = 3, s = c.sq();
    Tensor q = c.randn({c.b(), n, s, c.h(), c.d()}), k = c.randn({c.b(), n, s, c.h(), c.d()}),
           v = c.randn({c.b(), n, s, c.h(), c.d()}), gate = c.randn({c.b(), n, s, c.h(), c.d()});
    Tensor mask_bias = where(c.randn({c.b(), n, 1, 1, s}) > -1.5, zeros({1}, kFloat64), -1e9);
    Tensor pair_bias = c.randn({c.b(), 1, c.h(), s, s});
    c.compare([&](const sample::Cast& cast) {
      return evoformer(cast(q), cast(k), cast(v), cast(mask_bias), cast(pair_bias), cast(gate));
    });
  });
}
