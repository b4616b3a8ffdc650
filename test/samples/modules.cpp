// SPDX-License-Identifier: Apache-2.0
// See modules.h.
#include "modules.h"

using namespace flashlight;

static Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v) {
  return matmul(softmax(matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1))), -1), v);
}

FLASHLIGHT_FUSE Tensor einsum_weights(const Tensor& x, const Tensor& wq, const Tensor& wk, const Tensor& wv,
                                      const Tensor& wo, const Tensor& bo) {
  auto heads = [&](const Tensor& w) { return einsum("bse,ehd->bhsd", {x, w}); };
  return einsum("bhsd,hde->bse", {attend(heads(wq), heads(wk), heads(wv)), wo}) + bo;
}

FLASHLIGHT_FUSE Tensor norms_of_projections(const Tensor& x, const Tensor& wq, const Tensor& bq,
                                            const Tensor& wk, const Tensor& wv, const Tensor& g) {
  return attend(rms_norm(linear(x, wq, bq), g), rms_norm(linear(x, wk), g), linear(x, wv));
}

FLASHLIGHT_FUSE Tensor layer(const Tensor& x, const Layer& w) {
  assume(x.dim() == 3 && w.g1.dim() == 1 && w.g2.dim() == 1 && w.wo.dim() == 2 && w.w1.dim() == 2 &&
         w.w2.dim() == 2);
  assume(w.wq.dim() == 2 && w.wk.dim() == 2 && w.wv.dim() == 2);
  Tensor normed = rms_norm(x, w.g1);
  auto heads = [&](const Tensor& weight) {
    return matmul(normed, weight).unflatten(-1, {2, -1}).transpose(1, 2);
  };
  Tensor attended = attend(heads(w.wq), heads(w.wk), heads(w.wv)).transpose(1, 2).flatten(-2, -1);
  Tensor y = x + matmul(attended, w.wo);
  return y + matmul(gelu(matmul(rms_norm(y, w.g2), w.w1)), w.w2);
}

FLASHLIGHT_FUSE Tensor norm_of_all_heads(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& g,
                                         const Tensor& wo) {
  return matmul(rms_norm(attend(q, k, v).transpose(-3, -2).flatten(-2, -1), g), wo);
}

FLASHLIGHT_FUSE Tensor cross(const Tensor& x, const Tensor& k, const Tensor& v, const Tensor& wq,
                             const Tensor& wo) {
  return matmul(attend(matmul(x, wq), k, v), wo);
}

FLASHLIGHT_FUSE std::pair<Tensor, Tensor> with_keys(const Tensor& x, const Tensor& wq, const Tensor& wk,
                                                    const Tensor& wv) {
  Tensor keys = matmul(x, wk);
  return {attend(matmul(x, wq), keys, matmul(x, wv)), keys};
}

FLASHLIGHT_FUSE Tensor projected_retention(const Tensor& x, const Tensor& wq, const Tensor& wk,
                                           const Tensor& wv, const Tensor& decay) {
  assume(x.dim() == 3 && wq.dim() == 2 && wk.dim() == 2 && wv.dim() == 2 && decay.dim() == 1);
  auto heads = [&](const Tensor& w) { return matmul(x, w).unflatten(-1, {2, -1}).transpose(1, 2); };
  Tensor q = heads(wq), k = heads(wk), v = heads(wv);
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  Tensor weights = where(j <= i, exp((i - j) * decay.view({-1, 1, 1})), 0.0);
  return matmul(matmul(q, k.transpose(-2, -1)) * weights, v);
}
