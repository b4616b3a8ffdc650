// SPDX-License-Identifier: Apache-2.0
// Rows hidden by the row alone, translated with --strict-nan: NaN where the eager program has it.
#include <flashlight/flashlight.h>

#include "sample.h"

using namespace flashlight;

static Tensor scores(const Tensor& q, const Tensor& k) {
  return matmul(q, k.mT()) / std::sqrt(double(q.size(-1)));
}

FLASHLIGHT_FUSE Tensor late(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor i = arange(q.size(-2)).unsqueeze(-1);
  return matmul(softmax(where(i >= 4, scores(q, k), -INFINITY), -1), v);
}

FLASHLIGHT_FUSE Tensor padded(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& valid) {
  return matmul(softmax(where(valid.unsqueeze(-1), scores(q, k), -INFINITY), -1), v);
}

FLASHLIGHT_FUSE Tensor biased(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias) {
  return matmul(softmax(scores(q, k) + bias.unsqueeze(-1), -1), v);
}

FLASHLIGHT_FUSE Tensor total(const Tensor& q, const Tensor& k, const Tensor& bias) {
  return softmax(scores(q, k) + bias.unsqueeze(-1), -1).sum(-1);
}

FLASHLIGHT_FUSE Tensor normaliser(const Tensor& q, const Tensor& k, const Tensor& bias) {
  return logsumexp(scores(q, k) + bias.unsqueeze(-1), -1);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.batch = 1, .heads = 1, .queries = 40, .keys = 40}, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    Tensor valid = arange(c.sq()) % 3 != 1, bias = where(valid, randn({c.sq()}, 5, kFloat64), -INFINITY);
    c.compare("late", [&](const sample::Cast& cast) { return late(cast(q), cast(k), cast(v)); });
    c.compare("padded",
              [&](const sample::Cast& cast) { return padded(cast(q), cast(k), cast(v), cast(valid)); });
    c.compare("biased",
              [&](const sample::Cast& cast) { return biased(cast(q), cast(k), cast(v), cast(bias)); });
    c.compare("total", [&](const sample::Cast& cast) { return total(cast(q), cast(k), cast(bias)); });
    c.compare("normaliser",
              [&](const sample::Cast& cast) { return normaliser(cast(q), cast(k), cast(bias)); });
  });
}
