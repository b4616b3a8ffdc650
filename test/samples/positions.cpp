// SPDX-License-Identifier: Apache-2.0
// See positions.h.
#include "positions.h"

using namespace flashlight;

static Tensor scores_of(const Tensor& q, const Tensor& k) {
  return matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
}
static Tensor rows(const Tensor& q) { return arange(q.size(-2)).unsqueeze(-1); }
static Tensor keys(const Tensor& k) { return arange(k.size(-2)); }

FLASHLIGHT_FUSE Tensor squared_distance(const Tensor& q, const Tensor& k, const Tensor& v, double rate) {
  Tensor distance = rows(q) - keys(k);
  return matmul(softmax(scores_of(q, k) - distance * distance * rate, -1), v);
}

FLASHLIGHT_FUSE Tensor flat(const Tensor& q, const Tensor& k, const Tensor& v, int64_t most) {
  Tensor place = rows(q) * k.size(-2) + keys(k);
  return matmul(softmax(where(place < most, scores_of(q, k), -INFINITY), -1), v);
}

FLASHLIGHT_FUSE Tensor within_int(const Tensor& q, const Tensor& k, const Tensor& v) {
  return matmul(softmax(where(abs(rows(q) - keys(k)) < 2147483647, scores_of(q, k), -INFINITY), -1), v);
}

FLASHLIGHT_FUSE Tensor within_long(const Tensor& q, const Tensor& k, const Tensor& v) {
  return matmul(softmax(where(abs(rows(q) - keys(k)) < (1ll << 40), scores_of(q, k), -INFINITY), -1), v);
}

FLASHLIGHT_FUSE Tensor thirds(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& lengths) {
  Tensor visible = keys(k) * 3 < lengths.unsqueeze(-1).unsqueeze(-1);
  return matmul(softmax(where(visible, scores_of(q, k), -INFINITY), -1), v);
}

FLASHLIGHT_FUSE Tensor strided(const Tensor& q, const Tensor& k, const Tensor& v, int64_t step) {
  return matmul(softmax(where(keys(k) % step == 0, scores_of(q, k), -INFINITY), -1), v);
}

FLASHLIGHT_FUSE Tensor stepped(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor distance = rows(q) - keys(k);
  Tensor bias = 0.5 * floor(distance / 3.0) + where(distance / 41.0 < 1, 0.7, 0.0);
  return matmul(softmax(scores_of(q, k) + bias, -1), v);
}

FLASHLIGHT_FUSE Tensor window(const Tensor& first, const Tensor& k, const Tensor& v, int64_t width) {
  Tensor distance = rows(first) - keys(k);
  return matmul(softmax(where((distance >= 0) & (distance <= width), scores_of(first, k), -INFINITY), -1), v);
}

FLASHLIGHT_FUSE Tensor with_norms(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor norms = sqrt(square(k).mean(-1)).unsqueeze(-2);
  Tensor before = cumsum(where(keys(k) <= rows(q), norms, 0.0), -1);
  return matmul(softmax(scores_of(q, k) + 0.1 * before, -1), v);
}
