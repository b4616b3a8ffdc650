// SPDX-License-Identifier: Apache-2.0
// Attention sinks: a learned score per head that takes part in the softmax and has no value, so that a query
// may attend to nothing.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

static Tensor causal_scores(const Tensor& q, const Tensor& k) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return where(j <= i, scores, -INFINITY);
}

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]   sink: [H]
// The sink joins the sum of the exponentials as a logarithm.
FLASHLIGHT_FUSE Tensor sink_in_logsumexp(const Tensor& q, const Tensor& k, const Tensor& v,
                                         const Tensor& sink) {
  Tensor scores = causal_scores(q, k);
  Tensor norm = logaddexp(logsumexp(scores, -1, true), sink.view({1, -1, 1, 1}));
  return matmul(exp(scores - norm), v);
}

// The same in the denominator, as one writes it first.
FLASHLIGHT_FUSE Tensor sink_in_denominator(const Tensor& q, const Tensor& k, const Tensor& v,
                                           const Tensor& sink) {
  Tensor weights = exp(causal_scores(q, k));
  return matmul(weights / (weights.sum(-1, true) + exp(sink).view({1, -1, 1, 1})), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values(), sink = c.randn({c.h()});
    c.compare("in the logsumexp", [&](const sample::Cast& cast) {
      return sink_in_logsumexp(cast(q), cast(k), cast(v), cast(sink));
    });
    c.compare("in the denominator", [&](const sample::Cast& cast) {
      return sink_in_denominator(cast(q), cast(k), cast(v), cast(sink));
    });
  });
}
