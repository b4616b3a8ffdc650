// SPDX-License-Identifier: Apache-2.0
// Sliding windows: the keys before a query, those on both sides, and those at a stride.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]
// `window` is a parameter: one kernel serves every width, and its loop over the keys starts and ends with the
// window. With many more queries than keys, the last queries have left all keys behind; the kernel gives 0
// for them.
FLASHLIGHT_FUSE Tensor sliding_window(const Tensor& q, const Tensor& k, const Tensor& v, int64_t window) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  Tensor distance = i - j;
  scores = where((distance >= 0) & (distance <= window), scores, -INFINITY);
  return matmul(softmax(scores, -1), v);
}

// The keys on both sides.
FLASHLIGHT_FUSE Tensor two_sided_window(const Tensor& q, const Tensor& k, const Tensor& v, int64_t window) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  scores = where(abs(i - j) <= window, scores, -INFINITY);
  return matmul(softmax(scores, -1), v);
}

// Every `step`-th key of the window: a dilated window reaches further with as many keys.
FLASHLIGHT_FUSE Tensor dilated_window(const Tensor& q, const Tensor& k, const Tensor& v, int64_t window,
                                      int64_t step) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  Tensor distance = i - j;
  Tensor visible = (distance >= 0) & (distance <= window * step) & (distance % step == 0);
  return matmul(softmax(where(visible, scores, -INFINITY), -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    using sample::Cast;
    c.compare("before", [&](const Cast& cast) { return sliding_window(cast(q), cast(k), cast(v), 50); });
    c.compare("both sides",
              [&](const Cast& cast) { return two_sided_window(cast(q), cast(k), cast(v), 50); });
    c.compare("dilated", [&](const Cast& cast) { return dilated_window(cast(q), cast(k), cast(v), 20, 3); });
  });
}
