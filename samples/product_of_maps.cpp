// SPDX-License-Identifier: Apache-2.0
// Two attention maps multiplied and normalised again: both must agree on a key.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

static Tensor scaled_scores(const Tensor& q, const Tensor& k) {
  return matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
}

// q: [B, H, Sq, 2 d]   k: [B, H, Sk, 2 d], each two streams side by side   v: [B, H, Sk, 2 d]
// The denominators of both maps cancel; what is left is one softmax of the summed scores.
FLASHLIGHT_FUSE Tensor product_of_maps(const Tensor& q, const Tensor& k, const Tensor& v) {
  auto [q1, q2] = q.chunk<2>(-1);
  auto [k1, k2] = k.chunk<2>(-1);
  Tensor map = softmax(scaled_scores(q1, k1), -1) * softmax(scaled_scores(q2, k2), -1);
  return matmul(map / map.sum(-1, true), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.depth = 128}, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare([&](const sample::Cast& cast) { return product_of_maps(cast(q), cast(k), cast(v)); });
  });
}
