// SPDX-License-Identifier: Apache-2.0
// Sums of products.
#include <flashlight/rule.h>

using namespace flashlight;
using rule::Cancelling;

namespace distribute {

// |q - k|^2 = |q|^2 + |k|^2 - 2 <q, k>: what remains for each pair is a matrix product. Where q and k are
// near each other it is as accurate as |q|^2 is.
struct squared_distance {
  static Tensor pattern(Tensor q, Tensor k) { return square(q.unsqueeze(-2) - k.unsqueeze(-3)).sum(-1); }
  static Cancelling replacement(Tensor q, Tensor k) {
    return square(q).sum(-1).unsqueeze(-1) + square(k).sum(-1).unsqueeze(-2) -
           2 * matmul(q, k.transpose(-2, -1));
  }
};

// |q + k|^2 = |q|^2 + |k|^2 + 2 <q, k>, for sides that are sums themselves, as points in frames are.
struct squared_sum {
  static Tensor pattern(Tensor q, Tensor k) { return square(q.unsqueeze(-2) + k.unsqueeze(-3)).sum(-1); }
  static Cancelling replacement(Tensor q, Tensor k) {
    return square(q).sum(-1).unsqueeze(-1) + square(k).sum(-1).unsqueeze(-2) +
           2 * matmul(q, k.transpose(-2, -1));
  }
};

// (w / l + b) v = (w v) / l + b v, for weights w that are exponentials: each normalised map gets a product of
// its own, and its division leaves the loop over the keys.
struct normalised_weights {
  static Tensor pattern(Tensor x, Tensor r, Tensor b, Tensor v) {
    return ((exp(x) * r.unsqueeze(-1) + b) * v).sum(-1);
  }
  static Tensor replacement(Tensor x, Tensor r, Tensor b, Tensor v) {
    return r * (exp(x) * v).sum(-1) + (b * v).sum(-1);
  }
};

}  // namespace distribute

namespace hoist {

// sum_j a_j r = r sum_j a_j: divisions by a row's sum, scales and norms leave the loop.
struct row_factor {
  static Tensor pattern(Tensor a, Tensor r) { return (a * r.unsqueeze(-1)).sum(-1); }
  static Tensor replacement(Tensor a, Tensor r) { return a.sum(-1) * r; }
};

}  // namespace hoist
