// SPDX-License-Identifier: Apache-2.0
// See numbers.h.
#include "numbers.h"

#include <limits>

using namespace flashlight;

static Tensor scores_of(const Tensor& q, const Tensor& k) { return 0.25 * matmul(q, k.mT()); }
static Tensor keys(const Tensor& k) { return arange(k.size(-2)); }
static Tensor attend(const Tensor& scores, const Tensor& v) { return matmul(softmax(scores, -1), v); }

FLASHLIGHT_FUSE Tensor added_mask(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& keep) {
  return attend(scores_of(q, k) + (1.0 - keep) * -1e9, v);
}

FLASHLIGHT_FUSE Tensor subtracted_mask(const Tensor& q, const Tensor& k, const Tensor& v,
                                       const Tensor& keep) {
  return attend(scores_of(q, k) - 1e9 * (1 - keep), v);
}

FLASHLIGHT_FUSE Tensor flattened_mask(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& keep) {
  return attend(scores_of(q, k) + (keep * 1e9 - 1e9), v);
}

FLASHLIGHT_FUSE Tensor flattened_by(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& keep,
                                    double much) {
  return attend(scores_of(q, k) + (keep * much - much), v);
}

FLASHLIGHT_FUSE Tensor filled_with_lowest(const Tensor& q, const Tensor& k, const Tensor& v,
                                          const Tensor& keep) {
  return attend(where(keep, scores_of(q, k), std::numeric_limits<float>::lowest()), v);
}

FLASHLIGHT_FUSE Tensor with_bias(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias) {
  return attend(scores_of(q, k) + bias, v);
}

FLASHLIGHT_FUSE Tensor filled_with(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& keep,
                                   double fill) {
  return attend(where(keep, scores_of(q, k), fill), v);
}

FLASHLIGHT_FUSE Tensor filled_beyond_float(const Tensor& q, const Tensor& k, const Tensor& v,
                                           const Tensor& keep) {
  return attend(where(keep, scores_of(q, k), -1e300), v);
}

// Macros of the names that kernels and device headers use.
#define D 16
#define M(x) ((x) + 0.0)
#define T "t"
#define Row 3

FLASHLIGHT_FUSE Tensor few_keys(const Tensor& q, const Tensor& k, const Tensor& v) {
  assume(k.size(-2) == 5);
  assume(q.size(-1) == D);
  return attend(M(1) * scores_of(q, k), v);
}

FLASHLIGHT_FUSE Tensor last_keys(const Tensor& q, const Tensor& k, const Tensor& v) {
  return attend(scores_of(q, k.slice(-2, -5)), v.slice(-2, -5));
}

FLASHLIGHT_FUSE Tensor divided(const Tensor& q, const Tensor& k, const Tensor& v, int n, int m) {
  return attend(where(keys(k) < n / m + n % m, scores_of(q, k), -30.0), v);
}

FLASHLIGHT_FUSE Tensor share_of_ten(const Tensor& q, const Tensor& k, const Tensor& v, float r) {
  return attend(where(keys(k) < static_cast<std::int64_t>(r * 10), scores_of(q, k), -30.0), v);
}

FLASHLIGHT_FUSE Tensor narrowed(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t n) {
  const int m = static_cast<int>(n);
  return attend(scores_of(q, k) * (0.1 * m), v);
}

FLASHLIGHT_FUSE Tensor less_five(const Tensor& q, const Tensor& k, const Tensor& v, unsigned n) {
  const unsigned m = n - 5;
  return attend(where(keys(k) < std::int64_t(m), scores_of(q, k), -30.0), v);
}

FLASHLIGHT_FUSE Tensor at_least_five(const Tensor& q, const Tensor& k, const Tensor& v, unsigned n) {
  const unsigned m = n > 5 ? n - 5 : 1;
  return attend(where(keys(k) < std::int64_t(m), scores_of(q, k), -30.0), v);
}

FLASHLIGHT_FUSE Tensor cancelled(const Tensor& q, const Tensor& k, const Tensor& v, double x) {
  return attend(scores_of(q, k) * ((1e17 + x) - 1e17), v);
}

static Tensor distances(const Tensor& q, const Tensor& k) {
  return square(q.unsqueeze(-2) - k.unsqueeze(-3)).sum(-1);
}

FLASHLIGHT_FUSE Tensor by_root(const Tensor& q, const Tensor& k, const Tensor& v) {
  return attend(-sqrt(distances(q, k)), v);
}

FLASHLIGHT_FUSE Tensor by_reciprocal(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor w = 1 / (distances(q, k) + 1e-6);
  return matmul(w / w.sum(-1, true), v);
}
