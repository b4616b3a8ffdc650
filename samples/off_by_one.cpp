// SPDX-License-Identifier: Apache-2.0
// Softmax with one more in the denominator, so that a query may attend to nothing.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]
// In the kernel the 1 is exp(0 - m), of a score 0 that every row has beside its keys: it takes part in the
// maximum, too, so that neither can overflow.
FLASHLIGHT_FUSE Tensor off_by_one(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor weights = exp(matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1))));
  return matmul(weights / (1 + weights.sum(-1, true)), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare([&](const sample::Cast& cast) { return off_by_one(cast(q), cast(k), cast(v)); });
  });
}
