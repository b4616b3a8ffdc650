// SPDX-License-Identifier: Apache-2.0
// Soft-capped scores, as in Gemma 2: they approach +-30 and never pass it.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]
FLASHLIGHT_FUSE Tensor softcap(const Tensor& q, const Tensor& k, const Tensor& v) {
  const double cap = 30;
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  scores = cap * tanh(scores / cap);
  return matmul(softmax(scores, -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare([&](const sample::Cast& cast) { return softcap(cast(q), cast(k), cast(v)); });
  });
}
