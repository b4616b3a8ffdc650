// SPDX-License-Identifier: Apache-2.0
// Softmax and its normaliser.
#include <flashlight/rule.h>

using namespace flashlight;
using rule::Finite;
using rule::Masked;

namespace stabilise {

// exp(x) / sum exp(x) = exp(x - c) / sum exp(x - c) for every c that is constant along the row; with c = max
// x no exponential exceeds 1.
struct stable_softmax {
  static Tensor pattern(Masked x) {
    Tensor e = exp(x);
    return e / e.sum(-1, true);
  }
  static Tensor replacement(Masked x) {
    Tensor e = exp(x - x.amax(-1, true));
    return e / e.sum(-1, true);
  }
};

// The same where the division follows the weighted sum: sum exp(x) v / sum exp(x) = sum exp(x - c) v / sum
// exp(x - c).
struct stable_weighted_mean {
  static Tensor pattern(Masked x, Tensor v) {
    Tensor e = exp(x);
    return (e * v).sum(-1) / e.sum(-1);
  }
  static Tensor replacement(Masked x, Tensor v) {
    Tensor e = exp(x - x.amax(-1, true));
    return (e * v).sum(-1) / e.sum(-1);
  }
};

// log sum exp(x) = max x + log sum exp(x - max x).
struct stable_logsumexp {
  static Tensor pattern(Tensor x) { return log(exp(x).sum(-1)); }
  static Tensor replacement(Tensor x) {
    Tensor m = x.amax(-1, true);
    return log(exp(x - m).sum(-1)) + m.squeeze(-1);
  }
};

}  // namespace stabilise

namespace fold {

// x + r - max(x + r) = x - max x for r constant along the row, so that softmax does not see it. Not where r
// may be -inf: a row that it masks must stay masked.
struct row_shift {
  static Tensor pattern(Masked x, Finite r) {
    Tensor shifted = x + r.unsqueeze(-1);
    return exp(shifted - shifted.amax(-1, true));
  }
  static Tensor replacement(Masked x, Finite r) { return exp(x - x.amax(-1, true)); }
};

// Under a mask, with s = where(keep, x + r, -inf) and t = where(keep, x, -inf): s - max s = t - max t.
struct masked_row_shift {
  static Tensor pattern(Tensor keep, Tensor x, Finite r) {
    Tensor s = where(keep, x + r.unsqueeze(-1), -INFINITY);
    return exp(s - s.amax(-1, true));
  }
  static Tensor replacement(Tensor keep, Tensor x, Finite r) {
    Tensor t = where(keep, x, -INFINITY);
    return exp(t - t.amax(-1, true));
  }
};

}  // namespace fold
