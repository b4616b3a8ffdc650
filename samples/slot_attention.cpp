// SPDX-License-Identifier: Apache-2.0
// Slots compete for inputs: weights are normalised over the queries, then averaged over the keys.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D] slots   k: [B, H, Sk, D]   v: [B, H, Sk, Dv] inputs
FLASHLIGHT_FUSE Tensor over_queries(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  return matmul(softmax(scores, -2), v);
}

FLASHLIGHT_FUSE Tensor slot_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor weights = softmax(scores, -2) + 1e-8;
  weights = weights / sum(weights, {-1}, true);
  return matmul(weights, v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    using sample::Cast;
    c.compare("over queries", [&](const Cast& cast) { return over_queries(cast(q), cast(k), cast(v)); });
    c.compare("slots", [&](const Cast& cast) { return slot_attention(cast(q), cast(k), cast(v)); });
  });
}
