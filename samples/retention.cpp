// SPDX-License-Identifier: Apache-2.0
// Attention without softmax: linear, and retention, whose weights decay with the distance.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]
FLASHLIGHT_FUSE Tensor linear_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / double(k.size(-2));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return matmul(where(j <= i, scores, 0.0), v);
}

// Decays by gamma[h] a step: 1 - 2^(-5 - h).
static Tensor retained(const Tensor& q, const Tensor& k) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor h = arange(q.size(1)).view({-1, 1, 1}), i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  Tensor decay = log1p(-exp2(-5.0 - h));
  return scores * where(j <= i, exp(decay * (i - j)), 0.0);
}

FLASHLIGHT_FUSE Tensor retention(const Tensor& q, const Tensor& k, const Tensor& v) {
  return matmul(retained(q, k), v);
}

// Divided by the sum of magnitudes where that exceeds 1.
FLASHLIGHT_FUSE Tensor retention_normalised(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor weights = retained(q, k);
  return matmul(weights / clamp_min(abs(weights).sum(-1, true), 1.0), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare("linear",
              [&](const sample::Cast& cast) { return linear_attention(cast(q), cast(k), cast(v)); });
    c.compare("retention", [&](const sample::Cast& cast) { return retention(cast(q), cast(k), cast(v)); });
    c.compare("retention, normalised",
              [&](const sample::Cast& cast) { return retention_normalised(cast(q), cast(k), cast(v)); });
  });
}
