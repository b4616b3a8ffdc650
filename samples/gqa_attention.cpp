// SPDX-License-Identifier: Apache-2.0
// Grouped queries: H query heads share Hkv key heads (all of them one, in multi-query attention).
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k, v: [B, Hkv, Sk, D], Hkv divides H   ->   [B, H, Sq, D]
// Written with repeated keys and values. The kernel repeats nothing: it reads head h / (H / Hkv).
FLASHLIGHT_FUSE Tensor gqa_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  int64_t group = q.size(1) / k.size(1);
  Tensor keys = k.repeat_interleave(group, 1);
  Tensor values = v.repeat_interleave(group, 1);
  Tensor scores = matmul(q, keys.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  return matmul(softmax(scores, -1), values);
}

// The same through the library's attention.
FLASHLIGHT_FUSE Tensor gqa_by_option(const Tensor& q, const Tensor& k, const Tensor& v) {
  return scaled_dot_product_attention(q, k, v, {.enable_gqa = true});
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.heads = 8, .key_heads = 2}, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare("repeat_interleave",
              [&](const sample::Cast& cast) { return gqa_attention(cast(q), cast(k), cast(v)); });
    c.compare("enable_gqa",
              [&](const sample::Cast& cast) { return gqa_by_option(cast(q), cast(k), cast(v)); });
  });
}
