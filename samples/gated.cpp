// SPDX-License-Identifier: Apache-2.0
// What follows attention in a block: an output gate, a norm of each head, a residual.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

static Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  return matmul(softmax(scores, -1), v);
}

// q: [B, H, Sq, D]   k: [B, H, Sk, D]   v: [B, H, Sk, Dv]   gate, residual: [B, H, Sq, Dv]   weight: [Dv]
FLASHLIGHT_FUSE Tensor gated(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gate) {
  return sigmoid(gate) * attend(q, k, v);
}

FLASHLIGHT_FUSE Tensor normalised(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& weight) {
  return rms_norm(attend(q, k, v), weight, 1e-6);
}

FLASHLIGHT_FUSE Tensor gated_residual(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gate,
                                      const Tensor& weight, const Tensor& residual) {
  return residual + silu(gate) * rms_norm(attend(q, k, v), weight, 1e-6);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    Tensor gate = c.randn({c.b(), c.h(), c.sq(), c.dv()}), residual = c.randn({c.b(), c.h(), c.sq(), c.dv()});
    Tensor weight = c.randn({c.dv()});
    using sample::Cast;
    c.compare("gate", [&](const Cast& cast) { return gated(cast(q), cast(k), cast(v), cast(gate)); });
    c.compare("norm", [&](const Cast& cast) { return normalised(cast(q), cast(k), cast(v), cast(weight)); });
    c.compare("gate, norm, residual", [&](const Cast& cast) {
      return gated_residual(cast(q), cast(k), cast(v), cast(gate), cast(weight), cast(residual));
    });
  });
}
