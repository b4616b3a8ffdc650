// SPDX-License-Identifier: Apache-2.0
// The programs that gpu-bench times against PyTorch: attention as such, and what FlexAttention expresses.
//
// q: [B, H, S, D]   k, v: [B, Hkv, S, D], Hkv divides H
#include <flashlight/flashlight.h>
using namespace flashlight;

static Tensor unchanged(const Tensor& score, const Tensor&, const Tensor&, const Tensor&, const Tensor&) {
  return score;
}

FLASHLIGHT_FUSE Tensor vanilla(const Tensor& q, const Tensor& k, const Tensor& v) {
  return flex_attention(q, k, v, unchanged, {.enable_gqa = true});
}

FLASHLIGHT_FUSE Tensor causal(const Tensor& q, const Tensor& k, const Tensor& v) {
  auto before = [](const Tensor&, const Tensor&, const Tensor& i, const Tensor& j) { return j <= i; };
  return flex_attention(q, k, v, unchanged, before, {.enable_gqa = true});
}

FLASHLIGHT_FUSE Tensor alibi(const Tensor& q, const Tensor& k, const Tensor& v) {
  const double heads = q.size(1);
  auto bias = [&](const Tensor& score, const Tensor&, const Tensor& h, const Tensor& i, const Tensor& j) {
    return score + exp2((h + 1) * (-8 / heads)) * (j - i);
  };
  // The slopes are float32; the result shall not be.
  return flex_attention(q, k, v, bias, {.enable_gqa = true}).to(q.dtype());
}

FLASHLIGHT_FUSE Tensor softcap(const Tensor& q, const Tensor& k, const Tensor& v, double cap) {
  auto capped = [&](const Tensor& score, auto&&...) { return cap * tanh(score / cap); };
  return flex_attention(q, k, v, capped, {.enable_gqa = true});
}

FLASHLIGHT_FUSE Tensor sliding_window(const Tensor& q, const Tensor& k, const Tensor& v, int64_t window) {
  auto near = [&](const Tensor&, const Tensor&, const Tensor& i, const Tensor& j) {
    return (j <= i) & (i - j <= window);
  };
  return flex_attention(q, k, v, unchanged, near, {.enable_gqa = true});
}

FLASHLIGHT_FUSE Tensor prefix_lm(const Tensor& q, const Tensor& k, const Tensor& v, int64_t prefix) {
  auto seen = [&](const Tensor&, const Tensor&, const Tensor& i, const Tensor& j) {
    return (j < prefix) | (j <= i);
  };
  return flex_attention(q, k, v, unchanged, seen, {.enable_gqa = true});
}

// document: [B, S], the number of each token's document. First every token of it, as in Flashlight's own
// benchmark; then causal inside it, as attention-gym's mask is.
FLASHLIGHT_FUSE Tensor document_mask(const Tensor& q, const Tensor& k, const Tensor& v,
                                     const Tensor& document) {
  auto same = [&](const Tensor& b, const Tensor&, const Tensor& i, const Tensor& j) {
    return document.index({b, i}) == document.index({b, j});
  };
  return flex_attention(q, k, v, unchanged, same, {.enable_gqa = true});
}

FLASHLIGHT_FUSE Tensor document_causal(const Tensor& q, const Tensor& k, const Tensor& v,
                                       const Tensor& document) {
  auto same = [&](const Tensor& b, const Tensor&, const Tensor& i, const Tensor& j) {
    return (document.index({b, i}) == document.index({b, j})) & (j <= i);
  };
  return flex_attention(q, k, v, unchanged, same, {.enable_gqa = true});
}
