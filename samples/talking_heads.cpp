// SPDX-License-Identifier: Apache-2.0
// Heads that talk: scores are mixed over the heads before the softmax, weights after it.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k: [B, H, Sk, D]   v: [B, H, Sk, Dv]   before, after: [H, H], from head to head
FLASHLIGHT_FUSE Tensor mixed_scores(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& before) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  return matmul(softmax(einsum("hg,bhij->bgij", {before, scores}), -1), v);
}

// The heads are as many as the source says: their scores, and what each sums, are held side by side.
FLASHLIGHT_FUSE Tensor talking_heads(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& before,
                                     const Tensor& after) {
  assume(q.size(1) == 4 && before.size(1) == 4 && q.size(-1) == 32 && v.size(-1) == 32);
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor weights = softmax(einsum("hg,bhij->bgij", {before, scores}), -1);
  return matmul(einsum("gf,bgij->bfij", {after, weights}), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    const int64_t h = 4, d = 32;
    Tensor q = c.randn({c.b(), h, c.sq(), d}), k = c.randn({c.b(), h, c.sk(), d}),
           v = c.randn({c.b(), h, c.sk(), d});
    Tensor before = c.randn({h, h}) * 0.5, after = c.randn({h, h}) * 0.5;
    using sample::Cast;
    c.compare("scores",
              [&](const Cast& cast) { return mixed_scores(cast(q), cast(k), cast(v), cast(before)); });
    c.compare("scores and weights", [&](const Cast& cast) {
      return talking_heads(cast(q), cast(k), cast(v), cast(before), cast(after));
    });
  });
}
