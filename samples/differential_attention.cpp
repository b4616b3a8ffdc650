// SPDX-License-Identifier: Apache-2.0
// Differential attention: the difference of two attention maps, so that what both attend to cancels.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

static Tensor scaled_scores(const Tensor& q, const Tensor& k) {
  return matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
}

// q: [B, H, Sq, 2 d]   k: [B, H, Sk, 2 d], each two streams side by side   v: [B, H, Sk, 2 d]
// Two streams of scores with denominators of their own, in one sweep over the keys.
FLASHLIGHT_FUSE Tensor differential_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                              float lambda) {
  auto [q1, q2] = q.chunk<2>(-1);
  auto [k1, k2] = k.chunk<2>(-1);
  Tensor map = softmax(scaled_scores(q1, k1), -1) - lambda * softmax(scaled_scores(q2, k2), -1);
  return matmul(map, v);
}

// The same with the product distributed over the difference.
FLASHLIGHT_FUSE Tensor differential_distributed(const Tensor& q, const Tensor& k, const Tensor& v,
                                                float lambda) {
  auto [q1, q2] = q.chunk<2>(-1);
  auto [k1, k2] = k.chunk<2>(-1);
  Tensor map1 = softmax(scaled_scores(q1, k1), -1);
  Tensor map2 = softmax(scaled_scores(q2, k2), -1);
  return matmul(map1, v) - lambda * matmul(map2, v);
}

// With a lambda per head. lambda: [H]
FLASHLIGHT_FUSE Tensor differential_by_head(const Tensor& q, const Tensor& k, const Tensor& v,
                                            const Tensor& lambda) {
  auto [q1, q2] = q.chunk<2>(-1);
  auto [k1, k2] = k.chunk<2>(-1);
  Tensor map1 = softmax(scaled_scores(q1, k1), -1), map2 = softmax(scaled_scores(q2, k2), -1);
  return matmul(map1 - lambda.view({1, -1, 1, 1}) * map2, v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.depth = 128}, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare("difference of maps", [&](const sample::Cast& cast) {
      return differential_attention(cast(q), cast(k), cast(v), 0.5f);
    });
    Tensor lambda = c.randn({c.h()});
    c.compare("difference of products", [&](const sample::Cast& cast) {
      return differential_distributed(cast(q), cast(k), cast(v), 0.5f);
    });
    c.compare("lambda per head", [&](const sample::Cast& cast) {
      return differential_by_head(cast(q), cast(k), cast(v), cast(lambda));
    });
  });
}
