// SPDX-License-Identifier: Apache-2.0
// Forgetting attention: a gate at each token fades what came before it.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q, k, v: [B, H, S, D]   decay: [B, H, S], the running sum of the forget gates' logarithms
FLASHLIGHT_FUSE Tensor forgetting(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& decay) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  scores = scores + decay.unsqueeze(-1) - decay.unsqueeze(-2);
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return matmul(softmax(where(j <= i, scores, -INFINITY), -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.self_attention = true}, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    Tensor gates = c.randn({c.b(), c.h(), c.sq()});
    // Sums of this length need float32, as every implementation keeps them.
    c.compare([&](const sample::Cast& cast) {
      Tensor decay = cumsum(log_sigmoid(gates + 3), -1).to(kFloat32);
      return forgetting(cast(q), cast(k), cast(v), decay.to(cast(q).device()));
    });
  });
}
