// SPDX-License-Identifier: Apache-2.0
// Causal attention: a query sees the keys up to its own position.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]
// The kernel never visits a tile of keys that lies beyond all of its queries, and runs the comparison below
// only on the tiles that the diagonal crosses.
FLASHLIGHT_FUSE Tensor causal_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  scores = where(j <= i, scores, -INFINITY);
  return matmul(softmax(scores, -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare([&](const sample::Cast& cast) { return causal_attention(cast(q), cast(k), cast(v)); });
  });
}
