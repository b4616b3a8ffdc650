// SPDX-License-Identifier: Apache-2.0
// Cosine attention: queries and keys of length one, and a temperature for each head.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

static Tensor unit(const Tensor& x) { return x / sqrt(clamp_min(sum(x * x, {-1}, true), 1e-12)); }

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]   temperature: [H]
FLASHLIGHT_FUSE Tensor cosine_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                        const Tensor& temperature) {
  Tensor scores = matmul(unit(q), unit(k).transpose(-2, -1));
  scores = scores * exp(temperature).unsqueeze(-1).unsqueeze(-1);
  return matmul(softmax(scores, -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values(), temperature = c.randn({c.h()});
    c.compare([&](const sample::Cast& cast) {
      return cosine_attention(cast(q), cast(k), cast(v), cast(temperature));
    });
  });
}
