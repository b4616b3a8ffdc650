// SPDX-License-Identifier: Apache-2.0
// Programs that must know a statistic of the whole row before they can weigh a key: two sweeps over the keys
// in one kernel, the second with the scores computed anew.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

static Tensor scaled_scores(const Tensor& q, const Tensor& k) {
  return matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
}

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]
FLASHLIGHT_FUSE Tensor softmax_of_softmax(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor p = softmax(scaled_scores(q, k), -1);
  return matmul(softmax(4 * p, -1), v);
}

// A row whose largest score is large is sharpened less.
FLASHLIGHT_FUSE Tensor tempered_by_maximum(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = scaled_scores(q, k);
  Tensor temperature = 1 + abs(amax(scores, -1, true));
  return matmul(softmax(scores / temperature, -1), v);
}

// Keys that have less than their even share are dropped, and the rest is normalised again.
FLASHLIGHT_FUSE Tensor above_even_share(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor p = softmax(scaled_scores(q, k), -1);
  Tensor kept = where(p >= 1.0 / double(k.size(-2)), p, 0.0);
  return matmul(kept / kept.sum(-1, true), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare("softmax of softmax",
              [&](const sample::Cast& cast) { return softmax_of_softmax(cast(q), cast(k), cast(v)); });
    c.compare("temperature from the maximum",
              [&](const sample::Cast& cast) { return tempered_by_maximum(cast(q), cast(k), cast(v)); });
    c.compare("above the even share",
              [&](const sample::Cast& cast) { return above_even_share(cast(q), cast(k), cast(v)); });
  });
}
