// SPDX-License-Identifier: Apache-2.0
// Scores, masks, factors and results that take a loop over features for each query and key, without a
// product: of a masked softmax with and without a finite fill, of an expectation, of a largest value.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

FLASHLIGHT_FUSE Tensor masked(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& a,
                              const Tensor& b) {
  Tensor s = matmul(q, k.transpose(-2, -1)) * 0.3;
  Tensor seen = (a.unsqueeze(-2) * b.unsqueeze(-3)).abs().sum(-1) > 2.0;
  return matmul(softmax(where(seen, s, -INFINITY), -1), v);
}
FLASHLIGHT_FUSE Tensor expected(const Tensor& q, const Tensor& k, const Tensor& a, const Tensor& b) {
  Tensor s = matmul(q, k.transpose(-2, -1)) * 0.3;
  Tensor energy = tanh(a.unsqueeze(-2) + b.unsqueeze(-3)).sum(-1);
  return (softmax(s, -1) * energy).sum(-1);
}
FLASHLIGHT_FUSE Tensor filled(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& a,
                              const Tensor& b) {
  Tensor s = matmul(q, k.transpose(-2, -1)) * 0.3;
  Tensor seen = (a.unsqueeze(-2) * b.unsqueeze(-3)).abs().sum(-1) > 2.0;
  return matmul(softmax(where(seen, s, -4.0), -1), v);
}
FLASHLIGHT_FUSE Tensor largest(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& a,
                               const Tensor& b) {
  Tensor s = matmul(q, k.transpose(-2, -1)) * 0.3;
  Tensor energy = tanh(a.unsqueeze(-2) + b.unsqueeze(-3)).sum(-1);
  return matmul(softmax(s, -1), v) * amax(energy, -1, true);
}
int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    Tensor a = c.randn({c.b(), c.h(), c.sq(), 5}), b = c.randn({c.b(), c.h(), c.sk(), 5});
    using sample::Cast;
    c.compare("masked", [&](const Cast& t) { return masked(t(q), t(k), t(v), t(a), t(b)); });
    c.compare("filled", [&](const Cast& t) { return filled(t(q), t(k), t(v), t(a), t(b)); });
    c.compare("expected", [&](const Cast& t) { return expected(t(q), t(k), t(a), t(b)); });
    c.compare("largest", [&](const Cast& t) { return largest(t(q), t(k), t(v), t(a), t(b)); });
  });
}
