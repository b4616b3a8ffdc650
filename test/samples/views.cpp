// SPDX-License-Identifier: Apache-2.0
// See views.h.
#include "views.h"

using namespace flashlight;

static Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v) {
  return matmul(softmax(matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1))), -1), v);
}

static void have_heads(const Tensor& q, const Tensor& k, const Tensor& v) {
  assume(q.dim() == 4 && k.dim() == 4 && v.dim() == 4);
}

static Tensor attend_in_blocks(const Tensor& q, const Tensor& k, const Tensor& v) {
  have_heads(q, k, v);
  auto blocks = [](const Tensor& x) { return x.unflatten(2, {-1, 16}); };
  return attend(blocks(q), blocks(k), blocks(v)).flatten(2, 3);
}

FLASHLIGHT_FUSE Tensor first_of_blocks(const Tensor& q, const Tensor& k, const Tensor& v, long long first) {
  return attend_in_blocks(q, k, v).slice(2, 0, first);
}

FLASHLIGHT_FUSE Tensor gated_blocks(const Tensor& q, const Tensor& k, const Tensor& v) {
  return attend_in_blocks(q, k, v) * sigmoid(v) + v;
}

FLASHLIGHT_FUSE Tensor points_side_by_side(const Tensor& q, const Tensor& k, const Tensor& v) {
  assume(q.dim() == 4 && k.dim() == 4 && v.dim() == 5);
  Tensor s = matmul(q, k.transpose(-2, -1));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  Tensor all = softmax(s, -1), before = softmax(where(j <= i, s, -INFINITY), -1);
  return cat({einsum("bhij,bhjpc->bhipc", {all, v}), einsum("bhij,bhjpc->bhipc", {before, v})}, -1);
}

FLASHLIGHT_FUSE Tensor grouped_queries(const Tensor& q, const Tensor& k, const Tensor& v) {
  have_heads(q, k, v);
  Tensor grouped = q.transpose(1, 2).unflatten(1, {k.size(2), -1});
  Tensor keys = k.transpose(1, 2).unsqueeze(2), values = v.transpose(1, 2).unsqueeze(2);
  return attend(grouped, keys, values).flatten(1, 2).transpose(1, 2);
}

FLASHLIGHT_FUSE Tensor summed_scores(const Tensor& q, const Tensor& k, const Tensor& v) {
  assume(q.dim() == 4 && k.dim() == 3 && v.dim() == 3);
  Tensor s = einsum("bhid,bjd->bij", {q, k}) / std::sqrt(double(q.size(1) * q.size(-1)));
  return matmul(softmax(s, -1), v);
}

FLASHLIGHT_FUSE Tensor with_mean(const Tensor& q, const Tensor& k, const Tensor& v) {
  have_heads(q, k, v);
  Tensor o = attend(q, k, v);
  return cat({o, o.mean(2, true)}, 2);
}

FLASHLIGHT_FUSE Tensor with_zeros(const Tensor& q, const Tensor& k, const Tensor& v) {
  have_heads(q, k, v);
  Tensor o = attend(q, k, v);
  return cat({zeros_like(o.slice(2, 0, 1)), o}, 2);
}

FLASHLIGHT_FUSE Tensor mean_of_all(const Tensor& q, const Tensor& k, const Tensor& v) {
  have_heads(q, k, v);
  return attend(q, k, v).mean({1, 2});
}

FLASHLIGHT_FUSE Tensor stacked(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& c) {
  have_heads(q, k, v);
  assume(c.dim() == 4);
  return stack({attend(q, k, v), attend(q, k, c)}, -1);
}

FLASHLIGHT_FUSE Tensor graph_layer(const Tensor& x, const Tensor& w, const Tensor& a, const Tensor& c) {
  assume(x.dim() == 3 && w.dim() == 2 && a.dim() == 1 && c.dim() == 1);
  Tensor h = matmul(x, w);
  Tensor s = (h * a).sum(-1).unsqueeze(-1) + (h * c).sum(-1).unsqueeze(-2);
  return matmul(softmax(maximum(s, 0.2 * s), -1), h);
}

FLASHLIGHT_FUSE Tensor additive_layer(const Tensor& x, const Additive& weights) {
  const Additive& m = weights;
  assume(x.dim() == 3 && m.wq.dim() == 2 && m.wk.dim() == 2 && m.wv.dim() == 2 && m.wo.dim() == 2 &&
         m.w.dim() == 1);
  Tensor q = matmul(x, m.wq), k = matmul(x, m.wk), v = matmul(x, m.wv);
  Tensor s = (m.w * tanh(q.unsqueeze(-2) + k.unsqueeze(-3))).sum(-1);
  return matmul(matmul(softmax(s, -1), v), m.wo);
}
