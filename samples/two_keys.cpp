// SPDX-License-Identifier: Apache-2.0
// Keys in two tensors, side by side: their scores are summed.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q, q2: [B, H, Sq, D]   k, k2, v: [B, H, Sk, D]
FLASHLIGHT_FUSE Tensor summed_scores(const Tensor& q, const Tensor& k, const Tensor& q2, const Tensor& k2,
                                     const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) + matmul(q2, k2.transpose(-2, -1));
  return matmul(softmax(scores / std::sqrt(2.0 * double(q.size(-1))), -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values(), q2 = c.queries(), k2 = c.keys();
    c.compare("side by side", [&](const sample::Cast& cast) {
      return summed_scores(cast(q), cast(k), cast(q2), cast(k2), cast(v));
    });
  });
}
