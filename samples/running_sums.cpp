// SPDX-License-Identifier: Apache-2.0
// Sums over the tokens so far, which scores and masks then read at queries and keys: gates, documents, a
// state space.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

static Tensor rows_of(const Tensor& q) { return arange(q.size(-2)).unsqueeze(-1); }
static Tensor keys_of(const Tensor& k) { return arange(k.size(-2)); }
static Tensor scores_of(const Tensor& q, const Tensor& k) {
  return matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
}

// Forgetting attention from its gates. q, k, v: [B, H, S, D]   gates: [B, H, S]
FLASHLIGHT_FUSE Tensor forget_by_gates(const Tensor& q, const Tensor& k, const Tensor& v,
                                       const Tensor& gates) {
  Tensor faded = cumsum(log_sigmoid(gates), -1);
  Tensor scores = scores_of(q, k) + faded.unsqueeze(-1) - faded.unsqueeze(-2);
  return matmul(softmax(where(keys_of(k) <= rows_of(q), scores, -INFINITY), -1), v);
}

// Documents that end with a token of their own. ends: bool [B, S]
FLASHLIGHT_FUSE Tensor documents_by_ends(const Tensor& q, const Tensor& k, const Tensor& v,
                                         const Tensor& ends) {
  assume(ends.dim() == 2);
  Tensor number = ends.cumsum(-1) - ends.to(kInt64);  // how many have ended before each token
  Tensor same = number.unsqueeze(-1) == number.unsqueeze(-2);
  Tensor keep = same.unsqueeze(1) & (keys_of(k) <= rows_of(q));
  return matmul(softmax(where(keep, scores_of(q, k), -INFINITY), -1), v);
}

// A selective state space in its attention form. c, b: [B, H, S, N]   x: [B, H, S, P]   steps: [B, H, S]
// rates: [H]
FLASHLIGHT_FUSE Tensor state_space(const Tensor& c, const Tensor& b, const Tensor& x, const Tensor& steps,
                                   const Tensor& rates) {
  assume(rates.dim() == 1);
  Tensor decay = cumsum(-exp(rates).unsqueeze(-1) * steps, -1);
  Tensor kept = where(keys_of(b) <= rows_of(c), exp(decay.unsqueeze(-1) - decay.unsqueeze(-2)), 0.0);
  return matmul(matmul(c, b.transpose(-2, -1)) * kept, x * steps.unsqueeze(-1));
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.self_attention = true}, [](sample::Case& c) {
    using sample::Cast;
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    Tensor gates = c.randn({c.b(), c.h(), c.sq()}) + 3, ends = c.randn({c.b(), c.sq()}) > 1.0;
    c.compare("gates", [&](const Cast& cast) {
      return forget_by_gates(cast(q), cast(k), cast(v), gates.to(kFloat32).to(cast(q).device()));
    });
    c.compare("documents",
              [&](const Cast& cast) { return documents_by_ends(cast(q), cast(k), cast(v), cast(ends)); });
    Tensor steps = sigmoid(c.randn({c.b(), c.h(), c.sq()})), rates = c.randn({c.h()});
    c.compare("state space", [&](const Cast& cast) {
      return state_space(cast(q), cast(k), cast(v), steps.to(kFloat32).to(cast(q).device()), cast(rates));
    });
  });
}
