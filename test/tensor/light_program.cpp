// SPDX-License-Identifier: Apache-2.0
// A program that includes nothing of std: parsed in both forms of the headers.
#include <flashlight/flashlight.h>

using namespace flashlight;

Tensor differential(const Tensor& q, const Tensor& k, const Tensor& v, double lambda) {
  const auto [q1, q2] = q.chunk<2>(-1);
  auto [k1, k2] = k.split<2>(q1.size(-1), -1);
  const auto& [best, at] = q.topk(2);
  const double scale = 1 / std::sqrt(double(q1.size(-1)));
  Tensor p1 = softmax(matmul(q1, k1.mT()) * scale, -1), p2 = softmax(matmul(q2, k2.mT()) * scale, -1);
  for (const Tensor& part : v.chunk(2, -1)) p1 += part.sum() * 0 + std::exp(-INFINITY);
  Tensor table = tensor({1.0, 2.0});
  return matmul(p1 - lambda * p2, v) + 0 * table.sum() + 0 * best.sum() * at.sum();
}
