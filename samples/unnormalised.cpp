// SPDX-License-Identifier: Apache-2.0
// Weights that are a function of each score alone: no maximum, no rescaling, at most a sum beside the
// product.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

static Tensor scaled_scores(const Tensor& q, const Tensor& k) {
  return matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
}

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]
FLASHLIGHT_FUSE Tensor sigmoid_attention(const Tensor& q, const Tensor& k, const Tensor& v, float bias) {
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  Tensor weights = where(j <= i, sigmoid(scaled_scores(q, k) + bias), 0.0);
  return matmul(weights, v);
}

FLASHLIGHT_FUSE Tensor relu_squared(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor weights = square(relu(scaled_scores(q, k)));
  return matmul(weights, v);
}

FLASHLIGHT_FUSE Tensor gelu_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  return matmul(gelu(scaled_scores(q, k)), v);
}

// Divided by the sum of their magnitudes where that exceeds 1. The division moves behind the product.
FLASHLIGHT_FUSE Tensor gelu_normalised(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor weights = gelu(scaled_scores(q, k));
  return matmul(weights / clamp_min(abs(weights).sum(-1, true), 1.0), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    const float bias = -float(std::log(double(c.sk())));
    c.compare("sigmoid",
              [&](const sample::Cast& cast) { return sigmoid_attention(cast(q), cast(k), cast(v), bias); });
    c.compare("squared relu",
              [&](const sample::Cast& cast) { return relu_squared(cast(q), cast(k), cast(v)); });
    c.compare("gelu", [&](const sample::Cast& cast) { return gelu_attention(cast(q), cast(k), cast(v)); });
    c.compare("gelu, normalised",
              [&](const sample::Cast& cast) { return gelu_normalised(cast(q), cast(k), cast(v)); });
  });
}
