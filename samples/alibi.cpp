// SPDX-License-Identifier: Apache-2.0
// ALiBi: no position embedding; each head subtracts from the score its own multiple of the distance.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]
// slope * (j - i) = slope * j - slope * i, and a softmax over j does not change when all scores of a row move
// by the same amount.
FLASHLIGHT_FUSE Tensor alibi(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor h = arange(q.size(1)).view({-1, 1, 1}), i = arange(q.size(2)).unsqueeze(-1), j = arange(k.size(2));
  Tensor slope = exp2((h + 1) * (-8.0 / q.size(1)));  // 2^-1 .. 2^-8 for 8 heads
  scores = scores + slope * (j - i);
  scores = scores.masked_fill(j > i, -INFINITY);
  return matmul(softmax(scores, -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare([&](const sample::Cast& cast) { return alibi(cast(q), cast(k), cast(v)); });
  });
}
