// SPDX-License-Identifier: Apache-2.0
// T5's relative position bias: a learned number for each head and distance, equal beyond a radius.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]   table: [H, 2 R + 1]
// Written as T5 does, the bias is H x Sq x Sk numbers; the kernel looks up the one it needs.
FLASHLIGHT_FUSE Tensor relative_bias(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& table) {
  int64_t radius = table.size(-1) / 2;
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  Tensor distance = clamp(j - i, -radius, radius) + radius;   // [Sq, Sk]
  Tensor h = arange(q.size(-3)).unsqueeze(-1).unsqueeze(-1);  // [H, 1, 1]
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  scores = scores + table.index({h, distance});
  return matmul(softmax(scores, -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values(), table = c.randn({c.h(), 2 * 32 + 1});
    c.compare(
        [&](const sample::Cast& cast) { return relative_bias(cast(q), cast(k), cast(v), cast(table)); });
  });
}
