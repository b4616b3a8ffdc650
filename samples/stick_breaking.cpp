// SPDX-License-Identifier: Apache-2.0
// Stick-breaking attention: a query offers its weight to the nearest key first, and each key takes a share of
// what is left.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, S, D]   k, v: [B, H, S, D]
// weight[i, j] = sigmoid(s[i, j]) prod over j < l < i of (1 - sigmoid(s[i, l])), for j < i.
FLASHLIGHT_FUSE Tensor stick_breaking(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  Tensor left = where(j < i, log_sigmoid(-scores), 0.0);  // log of what a key leaves
  Tensor after = left.sum(-1, true) - cumsum(left, -1);   // what the keys behind it leave
  Tensor weights = where(j < i, exp(log_sigmoid(scores) + after), 0.0);
  return matmul(weights, v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.self_attention = true}, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare([&](const sample::Cast& cast) { return stick_breaking(cast(q), cast(k), cast(v)); });
  });
}
