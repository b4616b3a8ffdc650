// SPDX-License-Identifier: Apache-2.0
// See arguments.h.
#include "arguments.h"

#include <algorithm>

using namespace flashlight;

static Tensor scores_of(const Tensor& q, const Tensor& k) {
  return matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
}

FLASHLIGHT_FUSE Tensor biased_by_table(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& table,
                                       const Tensor& position) {
  return matmul(softmax(scores_of(q, k) + table.index({position}), -1), v);
}

FLASHLIGHT_FUSE Tensor biased(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias) {
  return matmul(softmax(scores_of(q, k) + bias, -1), v);
}

FLASHLIGHT_FUSE Tensor converted(const Tensor& q, const Tensor& k, const Tensor& v) {
  return matmul(softmax(scores_of(q, k.to(q.dtype())), -1), v.to(q.dtype()));
}

FLASHLIGHT_FUSE Tensor in_float32(const Tensor& q, const Tensor& k, const Tensor& v) {
  return matmul(softmax(scores_of(q.to(kFloat32), k.to(kFloat32)), -1), v.to(kFloat32));
}

FLASHLIGHT_FUSE Tensor gated(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gate) {
  return gate * matmul(softmax(scores_of(q, k), -1), v);
}

FLASHLIGHT_FUSE Tensor optionally(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const std::optional<Tensor>& bias, const Optional<Tensor>& factor) {
  if (bias && factor) throw Error("one of both");
  Tensor scores = scores_of(q, k);
  if (bias) scores = scores + *bias;
  if (factor) scores = scores * *factor;
  return matmul(softmax(scores, -1), v);
}

template <int W> FLASHLIGHT_FUSE Tensor within(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return matmul(softmax(where(abs(i - j) <= W, scores_of(q, k), -INFINITY), -1), v);
}
template Tensor within<2>(const Tensor&, const Tensor&, const Tensor&);
template Tensor within<9>(const Tensor&, const Tensor&, const Tensor&);

FLASHLIGHT_FUSE Tensor Biased::operator()(const Tensor& q, const Tensor& k, const Tensor& v) const {
  return matmul(softmax(scores_of(q, k) + bias, -1), v);
}

static Tensor attended(const Tensor& scores, const Tensor& v) { return matmul(softmax(scores, -1), v); }

FLASHLIGHT_FUSE Tensor of_part(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t start,
                               std::int64_t end) {
  return attended(scores_of(q, k.slice(-2, start, end)), v.slice(-2, start, end));
}

FLASHLIGHT_FUSE Tensor of_inner(const Tensor& q, const Tensor& k, const Tensor& v) {
  auto inner = [](const Tensor& x) { return x.slice(-2, 0, 1000).slice(-2, 3, -3); };
  return attended(scores_of(q, inner(k)), inner(v));
}

FLASHLIGHT_FUSE Tensor merged_heads(const Tensor& q, const Tensor& k, const Tensor& v) {
  const std::int64_t B = q.size(0), H = q.size(1), Sq = q.size(2), D = q.size(3), Sk = k.size(2);
  const Tensor scores = scores_of(q.reshape({B * H, Sq, D}), k.reshape({B * H, Sk, D}));
  return attended(scores, v.reshape({B * H, Sk, v.size(-1)})).reshape({B, H, Sq, v.size(-1)});
}

FLASHLIGHT_FUSE Tensor split_heads(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t heads) {
  const std::int64_t T = q.size(0), B = q.size(1), C = q.size(2), S = k.size(0), D = C / heads;
  const Tensor scores =
      scores_of(q.view({T, B * heads, D}).transpose(0, 1), k.view({S, B * heads, D}).transpose(0, 1));
  return attended(scores, v.view({S, B * heads, D}).transpose(0, 1)).transpose(0, 1).reshape({T, B, C});
}

FLASHLIGHT_FUSE Tensor kept(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& keep) {
  return attended(where(keep, scores_of(q, k), -INFINITY), v);
}

FLASHLIGHT_FUSE Tensor kept_where_not_zero(const Tensor& q, const Tensor& k, const Tensor& v,
                                           const Tensor& keep) {
  return attended(where(logical_not(keep), -INFINITY, scores_of(q, k)), v);
}

FLASHLIGHT_FUSE Tensor shorter(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& length) {
  return attended(where(arange(k.size(-2)) < length, scores_of(q, k), -INFINITY), v);
}

FLASHLIGHT_FUSE Tensor paged(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& size) {
  const Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return attended(where(floor_divide(i, size) >= floor_divide(j, size), scores_of(q, k), -INFINITY), v);
}

FLASHLIGHT_FUSE Tensor numbered(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& id) {
  return attended(where(id * 20 + 5 < arange(k.size(-2)), scores_of(q, k), -INFINITY), v);
}

FLASHLIGHT_FUSE Tensor near(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t width,
                            int ahead) {
  const Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return attended(where((abs(i - j) < width) & (j <= i + ahead), scores_of(q, k), -INFINITY), v);
}

FLASHLIGHT_FUSE Tensor within_least(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t width) {
  const std::int64_t most = std::max<std::int64_t>(0, std::min({width, k.size(-2), std::int64_t{11}}));
  const Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return attended(where(abs(i - j) <= most, scores_of(q, k), -INFINITY), v);
}

FLASHLIGHT_FUSE Tensor with_memory(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& memory) {
  assume(k.dim() == 3 && v.dim() == 3 && memory.dim() == 2);
  const auto grown = [&](const Tensor& x) {
    return cat({memory.unsqueeze(0).expand({x.size(0), -1, -1}), x}, 1);
  };
  return attended(scores_of(q, grown(k)), grown(v));
}
