// SPDX-License-Identifier: Apache-2.0
// Attention as DSL programs: what they compute is what their bodies say, eagerly and under the translator.
#pragma once

#include <flashlight/ops.h>

namespace flashlight {

struct AttentionOptions {
  Optional<Tensor> mask =
      {};  // broadcastable to [.., Hq, Sq, Sk]; kBool: true takes part; floating: added to the scores
  bool is_causal = false;       // j <= i, aligned at the top left; not together with mask
  Optional<double> scale = {};  // 1/sqrt(D) unless given
  bool enable_gqa = false;      // Hkv divides Hq, and each key head serves Hq / Hkv query heads
};

// q [.., Hq, Sq, D], k [.., Hkv, Sk, D], v [.., Hkv, Sk, Dv] -> [.., Hq, Sq, Dv].
inline Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                           const AttentionOptions& options = {}) {
  Tensor keys = k, values = v;
  if (options.enable_gqa) {
    keys = k.repeat_interleave(q.size(-3) / k.size(-3), -3);
    values = v.repeat_interleave(q.size(-3) / v.size(-3), -3);
  }
  double scale = options.scale ? *options.scale : 1.0 / std::sqrt(double(q.size(-1)));
  Tensor scores = matmul(q, keys.transpose(-2, -1)) * scale;
  if (options.is_causal) {
    assume(!options.mask.has_value());
    Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
    scores = where(j <= i, scores, -INFINITY);
  }
  if (options.mask) {
    const Tensor& mask = *options.mask;
    if (mask.dtype() == kBool) scores = where(mask, scores, -INFINITY);
    else scores = scores + mask;
  }
  return matmul(softmax(scores, -1), values);
}

struct FlexOptions {
  Optional<double> scale = {};  // 1/sqrt(D) unless given
  bool enable_gqa = false;      // as in AttentionOptions
};

// q [B, Hq, Sq, D], k [B, Hkv, Sk, D], v [B, Hkv, Sk, Dv] -> [B, Hq, Sq, Dv].
// score_mod(scores, b, h, i, j) gives the scores, mask_mod(b, h, i, j) a kBool tensor, true where j takes
// part; b, h, i, j are integer tensors [B,1,1,1], [H,1,1], [Sq,1], [Sk] that broadcast to the scores' shape.
template <class ScoreMod, class MaskMod>
  requires(!detail::kSame<MaskMod, FlexOptions>)
Tensor flex_attention(const Tensor& q, const Tensor& k, const Tensor& v, ScoreMod score_mod, MaskMod mask_mod,
                      const FlexOptions& options = {}) {
  assume(q.dim() == 4);
  Tensor keys = k, values = v;
  if (options.enable_gqa) {
    keys = k.repeat_interleave(q.size(1) / k.size(1), 1);
    values = v.repeat_interleave(q.size(1) / v.size(1), 1);
  }
  double scale = options.scale ? *options.scale : 1.0 / std::sqrt(double(q.size(3)));
  Tensor b = arange(q.size(0)).unsqueeze(-1).unsqueeze(-1).unsqueeze(-1);
  Tensor h = arange(q.size(1)).unsqueeze(-1).unsqueeze(-1);
  Tensor i = arange(q.size(2)).unsqueeze(-1);
  Tensor j = arange(k.size(2));
  Tensor scores = score_mod(matmul(q, keys.transpose(-2, -1)) * scale, b, h, i, j);
  if constexpr (!detail::kSame<MaskMod, decltype(nullptr)>)
    scores = where(mask_mod(b, h, i, j), scores, -INFINITY);
  return matmul(softmax(scores, -1), values);
}

template <class ScoreMod>
Tensor flex_attention(const Tensor& q, const Tensor& k, const Tensor& v, ScoreMod score_mod,
                      const FlexOptions& options = {}) {
  return flex_attention(q, k, v, score_mod, nullptr, options);
}

}  // namespace flashlight
