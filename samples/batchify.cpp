// SPDX-License-Identifier: Apache-2.0
// A mask made from another mask: sequences of one length laid end to end, each with the inner mask.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// A mask for positions of sequences of `length` tokens in a row, from a mask for one of them.
template <class Mask> static auto batchify(Mask inner, int64_t length) {
  return [=](const Tensor& b, const Tensor& h, const Tensor& i, const Tensor& j) {
    Tensor same = floor_divide(i, length) == floor_divide(j, length);
    return same & inner(b, h, i % length, j % length);
  };
}

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]   each sequence is causal
FLASHLIGHT_FUSE Tensor batchified(const Tensor& q, const Tensor& k, const Tensor& v, int64_t length) {
  auto causal = [](const Tensor&, const Tensor&, const Tensor& i, const Tensor& j) { return j <= i; };
  auto unchanged = [](const Tensor& score, auto&&...) { return score; };
  return flex_attention(q, k, v, unchanged, batchify(causal, length));
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare([&](const sample::Cast& cast) { return batchified(cast(q), cast(k), cast(v), 50); });
  });
}
