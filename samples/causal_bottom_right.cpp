// SPDX-License-Identifier: Apache-2.0
// Causal attention with a cache: the queries are the last Sq of the Sk positions, so the last query sees all
// keys.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]
// With more queries than keys the first Sq - Sk queries see no key at all. Eagerly they are 0/0 = NaN; the
// kernel gives 0 (NaN when translated with --strict-nan).
FLASHLIGHT_FUSE Tensor causal_bottom_right(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  int64_t before = k.size(-2) - q.size(-2);  // keys before the first query
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  scores = where(j <= i + before, scores, -INFINITY);
  return matmul(softmax(scores, -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.queries = 64, .keys = 256}, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare([&](const sample::Cast& cast) { return causal_bottom_right(cast(q), cast(k), cast(v)); });
  });
}
