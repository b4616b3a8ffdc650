// SPDX-License-Identifier: Apache-2.0
// The function in whose kernel faults are planted.
#include "planted.h"

#include <cmath>

using namespace flashlight;

FLASHLIGHT_FUSE Tensor planted(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  const Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  scores = where(j <= i, scores, -INFINITY);
  return matmul(softmax(scores, -1), v);
}
