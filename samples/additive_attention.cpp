// SPDX-License-Identifier: Apache-2.0
// Scores that are no product of queries and keys: additive attention, and graph attention.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k: [B, H, Sk, D]   v: [B, H, Sk, Dv]   w: [D]
FLASHLIGHT_FUSE Tensor additive_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                          const Tensor& w) {
  assume(w.dim() == 1);
  Tensor scores = (w * tanh(q.unsqueeze(-2) + k.unsqueeze(-3))).sum(-1);
  return matmul(softmax(scores, -1), v);
}

// to: [B, H, Sq]   from: [B, H, Sk]   v: [B, H, Sk, Dv]   edges: bool [Sq, Sk]
FLASHLIGHT_FUSE Tensor graph_attention(const Tensor& to, const Tensor& from, const Tensor& v,
                                       const Tensor& edges) {
  Tensor scores = to.unsqueeze(-1) + from.unsqueeze(-2);
  scores = maximum(scores, 0.2 * scores);  // a leaky relu
  return matmul(softmax(where(edges, scores, -INFINITY), -1), v);
}

int main(int argc, char** argv) {
  return sample::run(
      argc, argv, sample::Shape{.batch = 1, .heads = 2, .queries = 128, .keys = 128}, [](sample::Case& c) {
        Tensor q = c.queries(), k = c.keys(), v = c.values(), w = c.randn({c.d()});
        Tensor to = c.randn({c.b(), c.h(), c.sq()}), from = c.randn({c.b(), c.h(), c.sk()});
        Tensor j = arange(c.sk());
        Tensor edges = (j == 0) | (c.randn({c.sq(), c.sk()}) > 1.0);
        using sample::Cast;
        c.compare("additive",
                  [&](const Cast& cast) { return additive_attention(cast(q), cast(k), cast(v), cast(w)); });
        c.compare("graph", [&](const Cast& cast) {
          return graph_attention(cast(to), cast(from), cast(v), cast(edges));
        });
      });
}
