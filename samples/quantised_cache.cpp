// SPDX-License-Identifier: Apache-2.0
// Keys and values kept in 8 bits, with a scale for each key or for each channel.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

static Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  return matmul(softmax(scores, -1), v);
}

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D], kInt8   k_scale, v_scale: [B, H, Sk]
FLASHLIGHT_FUSE Tensor scaled_by_key(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& k_scale,
                                     const Tensor& v_scale) {
  return attend(q, k.to(q.dtype()) * k_scale.unsqueeze(-1), v.to(q.dtype()) * v_scale.unsqueeze(-1));
}

// k_scale, v_scale: [H, 1, D]
FLASHLIGHT_FUSE Tensor scaled_by_channel(const Tensor& q, const Tensor& k, const Tensor& v,
                                         const Tensor& k_scale, const Tensor& v_scale) {
  return attend(q, k.to(q.dtype()) * k_scale, v.to(q.dtype()) * v_scale);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = randint(-127, 128, {c.b(), c.h(), c.sk(), c.d()}, 7, kInt8),
           v = randint(-127, 128, {c.b(), c.h(), c.sk(), c.dv()}, 8, kInt8);
    Tensor k_scale = exp(c.randn({c.b(), c.h(), c.sk()})) / 127,
           v_scale = exp(c.randn({c.b(), c.h(), c.sk()})) / 127;
    c.compare("a scale per key", [&](const sample::Cast& cast) {
      return scaled_by_key(cast(q), cast(k), cast(v), cast(k_scale), cast(v_scale));
    });
    Tensor k_channel = exp(c.randn({c.h(), 1, c.d()})) / 127,
           v_channel = exp(c.randn({c.h(), 1, c.dv()})) / 127;
    c.compare("a scale per channel", [&](const sample::Cast& cast) {
      return scaled_by_channel(cast(q), cast(k), cast(v), cast(k_channel), cast(v_channel));
    });
  });
}
