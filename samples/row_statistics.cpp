// SPDX-License-Identifier: Apache-2.0
// What a backward pass or a monitor wants beside the result: logsumexp, largest score, entropy, and where a
// query looks.
#include <flashlight/flashlight.h>

#include <tuple>
#include <utility>

#include "sample.h"
using namespace flashlight;

static Tensor causal_scores(const Tensor& q, const Tensor& k) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return where(j <= i, scores, -INFINITY);
}

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]   Results: [B, H, Sq, D], then [B, H, Sq]
FLASHLIGHT_FUSE std::pair<Tensor, Tensor> with_logsumexp(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = causal_scores(q, k);
  return {matmul(softmax(scores, -1), v), logsumexp(scores, -1)};
}

FLASHLIGHT_FUSE std::pair<Tensor, Tensor> with_maximum(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = causal_scores(q, k);
  return {matmul(softmax(scores, -1), v), amax(scores, -1)};
}

// The entropy needs the sum of p (s - m), which moves with m by a multiple of the sum of p.
FLASHLIGHT_FUSE std::pair<Tensor, Tensor> with_entropy(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor p = softmax(causal_scores(q, k), -1);
  Tensor entropy = -where(p > 0, p * log(p), 0.0).sum(-1);
  return {matmul(p, v), entropy};
}

// Expected position of a key under p, and its variance: moments around a running mean, of unrounded weights.
FLASHLIGHT_FUSE std::tuple<Tensor, Tensor, Tensor> with_position(const Tensor& q, const Tensor& k,
                                                                 const Tensor& v) {
  Tensor p = softmax(causal_scores(q, k), -1);
  Tensor j = arange(k.size(-2)).to(kFloat32);
  Tensor mean = (p * j).sum(-1, true);
  Tensor variance = (p * square(j - mean)).sum(-1);
  return {matmul(p, v), mean.squeeze(-1), variance};
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare("logsumexp",
              [&](const sample::Cast& cast) { return with_logsumexp(cast(q), cast(k), cast(v)); });
    c.compare("maximum", [&](const sample::Cast& cast) { return with_maximum(cast(q), cast(k), cast(v)); });
    c.compare("entropy", [&](const sample::Cast& cast) { return with_entropy(cast(q), cast(k), cast(v)); });
    c.compare("position", [&](const sample::Cast& cast) { return with_position(cast(q), cast(k), cast(v)); });
  });
}
