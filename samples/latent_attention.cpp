// SPDX-License-Identifier: Apache-2.0
// Multi-head latent attention with its projections absorbed: all heads read one compressed key, which is the
// value, too, and one rotary key.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q_latent: [B, H, Sq, 512]   q_rope: [B, H, Sq, 64]   latent: [B, 1, Sk, 512]   k_rope: [B, 1, Sk, 64]
FLASHLIGHT_FUSE Tensor latent_attention(const Tensor& q_latent, const Tensor& q_rope, const Tensor& latent,
                                        const Tensor& k_rope) {
  assume(q_latent.size(-1) == 512);
  assume(q_rope.size(-1) == 64);
  Tensor scores = matmul(q_latent, latent.transpose(-2, -1)) + matmul(q_rope, k_rope.transpose(-2, -1));
  Tensor i = arange(q_latent.size(-2)).unsqueeze(-1), j = arange(latent.size(-2));
  scores = where(j <= i, scores / std::sqrt(192.0), -INFINITY);
  return matmul(softmax(scores, -1), latent);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.batch = 1}, [](sample::Case& c) {
    Tensor q_latent = c.randn({c.b(), c.h(), c.sq(), 512}), q_rope = c.randn({c.b(), c.h(), c.sq(), 64});
    Tensor latent = c.randn({c.b(), 1, c.sk(), 512}), k_rope = c.randn({c.b(), 1, c.sk(), 64});
    c.compare([&](const sample::Cast& cast) {
      return latent_attention(cast(q_latent), cast(q_rope), cast(latent), cast(k_rope));
    });
  });
}
