// SPDX-License-Identifier: Apache-2.0
// Longformer's pattern: a window around each token, and some tokens that see and are seen by all.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q, k, v: [B, H, S, D]   global: [S], kBool
FLASHLIGHT_FUSE Tensor global_window(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& global,
                                     int64_t window) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  Tensor visible = (abs(i - j) <= window) | global.index({i}) | global.index({j});
  return matmul(softmax(where(visible, scores, -INFINITY), -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.self_attention = true}, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    Tensor global = arange(c.sq()) % 100 == 3;
    c.compare(
        [&](const sample::Cast& cast) { return global_window(cast(q), cast(k), cast(v), cast(global), 30); });
  });
}
