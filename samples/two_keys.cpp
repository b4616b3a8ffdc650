// SPDX-License-Identifier: Apache-2.0
// Keys in two tensors: side by side (scores are summed), or one behind the other (a cache and what is new).
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q, q2: [B, H, Sq, D]   k, k2, v: [B, H, Sk, D]
FLASHLIGHT_FUSE Tensor summed_scores(const Tensor& q, const Tensor& k, const Tensor& q2, const Tensor& k2,
                                     const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) + matmul(q2, k2.transpose(-2, -1));
  return matmul(softmax(scores / std::sqrt(2.0 * double(q.size(-1))), -1), v);
}

// cached_k, cached_v: [B, H, C, D]   k, v: [B, H, S, D], the newest S tokens, whose queries are q
// The kernel sweeps the cache and then the new keys; the concatenation is never made.
FLASHLIGHT_FUSE Tensor cached(const Tensor& q, const Tensor& cached_k, const Tensor& cached_v,
                              const Tensor& k, const Tensor& v) {
  Tensor keys = cat({cached_k, k}, -2), values = cat({cached_v, v}, -2);
  Tensor scores = matmul(q, keys.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(keys.size(-2));
  scores = where(j <= i + cached_k.size(-2), scores, -INFINITY);
  return matmul(softmax(scores, -1), values);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.self_attention = true}, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values(), q2 = c.queries(), k2 = c.keys();
    Tensor cached_k = c.randn({c.b(), c.h(), 77, c.d()}), cached_v = c.randn({c.b(), c.h(), 77, c.d()});
    c.compare("side by side", [&](const sample::Cast& cast) {
      return summed_scores(cast(q), cast(k), cast(q2), cast(k2), cast(v));
    });
    c.compare("one behind the other", [&](const sample::Cast& cast) {
      return cached(cast(q), cast(cached_k), cast(cached_v), cast(k), cast(v));
    });
  });
}
