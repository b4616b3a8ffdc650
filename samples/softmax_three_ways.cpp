// SPDX-License-Identifier: Apache-2.0
// Softmax written out as its definition, written out so that it cannot overflow, and taken from the library.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

static Tensor scaled_scores(const Tensor& q, const Tensor& k) {
  return matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
}

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]
// As the formula says. Eagerly, a score of 12 overflows float16; the kernel subtracts a maximum that nobody
// wrote.
FLASHLIGHT_FUSE Tensor by_definition(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor weights = exp(scaled_scores(q, k));
  return matmul(weights / weights.sum(-1, true), v);
}

// With the maximum subtracted by hand, and the division behind the product.
FLASHLIGHT_FUSE Tensor by_hand(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = scaled_scores(q, k);
  Tensor weights = exp(scores - scores.amax(-1, true));
  return matmul(weights, v) / weights.sum(-1, true);
}

FLASHLIGHT_FUSE Tensor by_library(const Tensor& q, const Tensor& k, const Tensor& v) {
  return matmul(softmax(scaled_scores(q, k), -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare("by definition",
              [&](const sample::Cast& cast) { return by_definition(cast(q), cast(k), cast(v)); });
    c.compare("by hand", [&](const sample::Cast& cast) { return by_hand(cast(q), cast(k), cast(v)); });
    c.compare("by the library",
              [&](const sample::Cast& cast) { return by_library(cast(q), cast(k), cast(v)); });
  });
}
