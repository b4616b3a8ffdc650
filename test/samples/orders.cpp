// SPDX-License-Identifier: Apache-2.0
// See orders.h.
#include "orders.h"

using namespace flashlight;

static Tensor scores_of(const Tensor& q, const Tensor& k) {
  return matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
}

FLASHLIGHT_FUSE Tensor sorted_documents(const Tensor& q, const Tensor& k, const Tensor& v,
                                        const Tensor& ids) {
  assume(q.dim() == 4 && k.dim() == 4 && v.dim() == 4 && ids.dim() == 2);
  Tensor documents = sort(ids)[0];
  Tensor same = documents.unsqueeze(1).unsqueeze(-1) == documents.unsqueeze(1).unsqueeze(2);
  return matmul(softmax(where(same, scores_of(q, k), -INFINITY), -1), v);
}

FLASHLIGHT_FUSE Tensor reordered_keys(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& ids) {
  assume(q.dim() == 4 && k.dim() == 4 && v.dim() == 4 && ids.dim() == 1);
  auto [values, order] = ids.sort(0, true);
  Tensor b = arange(k.size(0)).view({-1, 1, 1}), h = arange(k.size(1)).unsqueeze(-1);
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  Tensor scores = where(j <= i, scores_of(q, k.index({b, h, order})), -INFINITY);
  return matmul(softmax(scores, -1), v.index({b, h, order}));
}

FLASHLIGHT_FUSE Tensor largest_keys(const Tensor& q, const Tensor& k, const Tensor& v) {
  assume(q.dim() == 4 && k.dim() == 4 && v.dim() == 4);
  Tensor kept = square(k).sum(-1).topk(7)[1];
  Tensor b = arange(k.size(0)).view({-1, 1, 1}), h = arange(k.size(1)).unsqueeze(-1);
  return matmul(softmax(scores_of(q, k.index({b, h, kept})), -1), v.index({b, h, kept}));
}

FLASHLIGHT_FUSE std::pair<Tensor, Tensor> sorted_result(const Tensor& q, const Tensor& k, const Tensor& v) {
  auto [values, order] = sort(matmul(softmax(scores_of(q, k), -1), v), -1, true);
  return {values, order};
}

FLASHLIGHT_FUSE std::pair<Tensor, Tensor> with_best_key(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = scores_of(q, k);
  return {matmul(softmax(scores, -1), v), scores.argmax(-1)};
}

FLASHLIGHT_FUSE Best best_keys(const Tensor& q, const Tensor& k, const Tensor& v, int64_t best) {
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  Tensor scores = where(j <= i, scores_of(q, k), -INFINITY);
  auto [values, keys] = scores.topk(best, -1);
  Tensor kept = scores >= values.slice(-1, best - 1, best);
  return {matmul(softmax(where(kept, scores, -INFINITY), -1), v), values, keys};
}

FLASHLIGHT_FUSE std::pair<Tensor, Tensor> next_of_best(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = scores_of(q, k), best = scores.argmax(-1, true), j = arange(k.size(-2));
  return {matmul(softmax(where(j <= best, scores, -INFINITY), -1), v), best + 1};
}

FLASHLIGHT_FUSE Tensor all_but_best(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / 3 + bias;
  return matmul(softmax(where(scores < amax(scores, -1, true), scores, -INFINITY), -1), v);
}

FLASHLIGHT_FUSE Tensor second_best(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) * 0.3;
  Tensor rest = where(scores - amax(scores, -1, true) < 0, scores, -INFINITY);
  return matmul((rest == amax(rest, -1, true)).to(v.dtype()), v);
}

FLASHLIGHT_FUSE Tensor sorted_projections(const Tensor& x, const Tensor& w, const Tensor& k,
                                          const Tensor& v) {
  return matmul(softmax(scores_of(sort(matmul(x, w))[0], k), -1), v);
}
