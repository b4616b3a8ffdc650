// SPDX-License-Identifier: Apache-2.0
// Attention as in the paper that introduced it: every query looks at every key.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k: [B, H, Sk, D]   v: [B, H, Sk, Dv]   ->   [B, H, Sq, Dv]
FLASHLIGHT_FUSE Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  return matmul(softmax(scores, -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare([&](const sample::Cast& cast) { return attention(cast(q), cast(k), cast(v)); });
  });
}
