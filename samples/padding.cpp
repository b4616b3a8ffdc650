// SPDX-License-Identifier: Apache-2.0
// Padded batches: each sequence has its own number of keys.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]   length: [B], how many of the keys are no padding
FLASHLIGHT_FUSE Tensor padded_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                        const Tensor& length) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor b = arange(q.size(0)).unsqueeze(-1).unsqueeze(-1).unsqueeze(-1);
  Tensor j = arange(k.size(-2));
  scores = where(j < length.index({b}), scores, -INFINITY);
  return matmul(softmax(scores, -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    Tensor length = clamp(c.sk() - 100 * arange(c.b()), 1, c.sk());
    c.compare(
        [&](const sample::Cast& cast) { return padded_attention(cast(q), cast(k), cast(v), cast(length)); });
  });
}
