// SPDX-License-Identifier: Apache-2.0
// Sparse attention by score: each query attends to its k best keys, which a top-k over the scores finds. The
// function is cut there: the scores are stored and ordered, the attention after it is one kernel.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k: [B, H, Sk, D]   v: [B, H, Sk, Dv]
FLASHLIGHT_FUSE Tensor topk_attention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t best) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor least = topk(scores, best)[0].slice(-1, best - 1, best);
  return matmul(softmax(where(scores >= least, scores, -INFINITY), -1), v);
}

// importance: [B, H, Sk]. All queries attend to the same keys, the `best` most important ones.
FLASHLIGHT_FUSE Tensor kept_keys(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& importance,
                                 int64_t best) {
  assume(q.dim() == 4 && k.dim() == 4 && v.dim() == 4 && importance.dim() == 3);
  auto [values, kept] = topk(importance, best);
  Tensor b = arange(k.size(0)).view({-1, 1, 1}), h = arange(k.size(1)).unsqueeze(-1);
  Tensor scores = matmul(q, k.index({b, h, kept}).transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  return matmul(softmax(scores, -1), v.index({b, h, kept}));
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.queries = 128, .keys = 128}, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values(), importance = c.randn({c.b(), c.h(), c.sk()});
    const int64_t best = (c.sk() + 3) / 4;
    c.compare("of each query",
              [&](const sample::Cast& cast) { return topk_attention(cast(q), cast(k), cast(v), best); });
    c.compare("of all queries", [&](const sample::Cast& cast) {
      return kept_keys(cast(q), cast(k), cast(v), cast(importance), best);
    });
  });
}
