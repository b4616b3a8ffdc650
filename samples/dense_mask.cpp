// SPDX-License-Identifier: Apache-2.0
// Masks and biases that come as tensors: anything that broadcasts to [B, H, Sq, Sk].
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]   mask: kBool, true where a key is seen
FLASHLIGHT_FUSE Tensor dense_mask(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  return matmul(softmax(scores.masked_fill(~mask, -INFINITY), -1), v);
}

// bias: numbers that are added to the scores; -inf hides a key
FLASHLIGHT_FUSE Tensor dense_bias(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  return matmul(softmax(scores + bias, -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    auto masked = [&](const char* label, Tensor mask) {
      c.compare(label,
                [&](const sample::Cast& cast) { return dense_mask(cast(q), cast(k), cast(v), cast(mask)); });
    };
    auto biased = [&](const char* label, Tensor bias) {
      c.compare(label,
                [&](const sample::Cast& cast) { return dense_bias(cast(q), cast(k), cast(v), cast(bias)); });
    };
    masked("mask [B, H, Sq, Sk]", c.randn({c.b(), c.h(), c.sq(), c.sk()}) > -1);
    masked("mask [B, 1, 1, Sk]", c.randn({c.b(), 1, 1, c.sk()}) > -1);
    biased("bias [B, H, Sq, Sk]", c.randn({c.b(), c.h(), c.sq(), c.sk()}));
    biased("bias [1, H, Sq, Sk]", c.randn({1, c.h(), c.sq(), c.sk()}));
    biased("bias [Sq, Sk]", c.randn({c.sq(), c.sk()}));
    biased("bias [Sk]", c.randn({c.sk()}));
    Tensor hole = where(c.randn({c.b(), 1, c.sq(), c.sk()}) > -1, zeros({1}, kFloat64), -INFINITY);
    biased("bias [B, 1, Sq, Sk] of 0 and -inf", hole);
  });
}
