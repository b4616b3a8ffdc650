// SPDX-License-Identifier: Apache-2.0
// Prefix LM: the first `prefix` positions (a prompt) see each other fully, the rest is causal.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]   prefix: how many keys every query sees
FLASHLIGHT_FUSE Tensor prefix_lm(const Tensor& q, const Tensor& k, const Tensor& v, int64_t prefix) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  Tensor visible = (j < prefix) | (j <= i);
  scores = where(visible, scores, -INFINITY);
  return matmul(softmax(scores, -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    int64_t prefix = c.sk() / 3;
    c.compare([&](const sample::Cast& cast) { return prefix_lm(cast(q), cast(k), cast(v), prefix); });
  });
}
