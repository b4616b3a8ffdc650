// SPDX-License-Identifier: Apache-2.0
// Weights made from a row's extrema: all on the best keys, or between the worst and the best.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

static Tensor scaled_scores(const Tensor& q, const Tensor& k) {
  return matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
}

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]
// The value of the best key, averaged over ties. A running maximum and a sum that starts anew when it grows.
FLASHLIGHT_FUSE Tensor best_key(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = scaled_scores(q, k);
  Tensor best = where(scores == amax(scores, -1, true), 1.0, 0.0);
  return matmul(best / best.sum(-1, true), v);
}

// Scores mapped to [0, 1] by the row's least and greatest.
FLASHLIGHT_FUSE Tensor between_extrema(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = scaled_scores(q, k);
  Tensor least = amin(scores, -1, true), greatest = amax(scores, -1, true);
  return matmul((scores - least) / (greatest - least + 1e-3), v) / double(k.size(-2));
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare("the best key", [&](const sample::Cast& cast) { return best_key(cast(q), cast(k), cast(v)); });
    c.compare("between extrema",
              [&](const sample::Cast& cast) { return between_extrema(cast(q), cast(k), cast(v)); });
  });
}
