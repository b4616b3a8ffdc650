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
// The sink is one more column of the scores, dropped again behind the softmax. In the kernel there is no such
// column: the sink joins the sum of the exponentials at the end.
FLASHLIGHT_FUSE Tensor sink_as_column(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& sink) {
  Tensor scores = causal_scores(q, k);
  assume(q.dim() == 4);
  Tensor column = sink.view({1, -1, 1, 1}).expand({q.size(0), q.size(1), q.size(2), 1});
  Tensor map = softmax(cat({scores, column}, -1), -1);
  return matmul(map.slice(-1, 0, k.size(-2)), v);
}

// The same as a logarithm of sums.
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

// sinks: [H, 4], several a head, before the keys. Of so few, each joins on its own.
FLASHLIGHT_FUSE Tensor several_sinks(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& sinks) {
  Tensor scores = causal_scores(q, k);
  assume(q.dim() == 4);
  assume(sinks.dim() == 2 && sinks.size(-1) == 4);
  const int64_t n = sinks.size(-1);
  Tensor columns = sinks.unsqueeze(1).unsqueeze(0).expand({q.size(0), q.size(1), q.size(2), n});
  Tensor map = softmax(cat({columns, scores}, -1), -1);
  return matmul(map.slice(-1, n, n + k.size(-2)), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values(), sink = c.randn({c.h()}),
           sinks = c.randn({c.h(), 4});
    c.compare("a column", [&](const sample::Cast& cast) {
      return sink_as_column(cast(q), cast(k), cast(v), cast(sink));
    });
    c.compare("in the logsumexp", [&](const sample::Cast& cast) {
      return sink_in_logsumexp(cast(q), cast(k), cast(v), cast(sink));
    });
    c.compare("in the denominator", [&](const sample::Cast& cast) {
      return sink_in_denominator(cast(q), cast(k), cast(v), cast(sink));
    });
    c.compare("several", [&](const sample::Cast& cast) {
      return several_sinks(cast(q), cast(k), cast(v), cast(sinks));
    });
  });
}
