// SPDX-License-Identifier: Apache-2.0
// FlexAttention's model: attention with a function that changes scores and one that says which keys are seen.
//
// flex_attention is itself written in the DSL. The lambdas get index tensors b, h, i, j that broadcast to the
// scores' shape, and they are ordinary code: eager and fused runs read the same text. There is no block mask
// to build; which tiles can be skipped is derived from mask_mod.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// The score as it is, for variants that only mask.
static Tensor unchanged(const Tensor& score, const Tensor&, const Tensor&, const Tensor&, const Tensor&) {
  return score;
}

// All: q: [B, H, Sq, D]   k, v: [B, H, Sk, D]

FLASHLIGHT_FUSE Tensor flex_causal(const Tensor& q, const Tensor& k, const Tensor& v) {
  return flex_attention(
      q, k, v, unchanged,
      [](const Tensor&, const Tensor&, const Tensor& i, const Tensor& j) { return j <= i; });
}

FLASHLIGHT_FUSE Tensor flex_alibi(const Tensor& q, const Tensor& k, const Tensor& v) {
  const double heads = q.size(1);
  auto bias = [&](const Tensor& score, const Tensor&, const Tensor& h, const Tensor& i, const Tensor& j) {
    return score + exp2((h + 1) * (-8 / heads)) * (j - i);
  };
  return flex_attention(q, k, v, bias);
}

FLASHLIGHT_FUSE Tensor flex_softcap(const Tensor& q, const Tensor& k, const Tensor& v, double cap) {
  auto capped = [&](const Tensor& score, auto&&...) { return cap * tanh(score / cap); };
  return flex_attention(q, k, v, capped);
}

FLASHLIGHT_FUSE Tensor flex_sliding_window(const Tensor& q, const Tensor& k, const Tensor& v,
                                           int64_t window) {
  auto near = [&](const Tensor&, const Tensor&, const Tensor& i, const Tensor& j) {
    return (j <= i) & (i - j <= window);
  };
  return flex_attention(q, k, v, unchanged, near);
}

FLASHLIGHT_FUSE Tensor flex_prefix_lm(const Tensor& q, const Tensor& k, const Tensor& v, int64_t prefix) {
  auto prefix_or_causal = [&](const Tensor&, const Tensor&, const Tensor& i, const Tensor& j) {
    return (j < prefix) | (j <= i);
  };
  return flex_attention(q, k, v, unchanged, prefix_or_causal);
}

// q_document: [B, Sq], k_document: [B, Sk]. A query of a document that has no key sees none.
FLASHLIGHT_FUSE Tensor flex_document(const Tensor& q, const Tensor& k, const Tensor& v,
                                     const Tensor& q_document, const Tensor& k_document) {
  auto same = [&](const Tensor& b, const Tensor&, const Tensor& i, const Tensor& j) {
    return q_document.index({b, i}) == k_document.index({b, j});
  };
  return flex_attention(q, k, v, unchanged, same);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    const int64_t prefix = c.sk() / 3;
    Tensor shift = 7 * arange(c.b()).unsqueeze(-1);
    Tensor q_document = floor_divide(arange(c.sq()) + shift, 60),
           k_document = floor_divide(arange(c.sk()) + shift, 60);
    using sample::Cast;
    c.compare("causal", [&](const Cast& cast) { return flex_causal(cast(q), cast(k), cast(v)); });
    c.compare("alibi", [&](const Cast& cast) { return flex_alibi(cast(q), cast(k), cast(v)); });
    c.compare("softcap", [&](const Cast& cast) { return flex_softcap(cast(q), cast(k), cast(v), 30); });
    c.compare("sliding window",
              [&](const Cast& cast) { return flex_sliding_window(cast(q), cast(k), cast(v), 50); });
    c.compare("prefix LM",
              [&](const Cast& cast) { return flex_prefix_lm(cast(q), cast(k), cast(v), prefix); });
    c.compare("document", [&](const Cast& cast) {
      return flex_document(cast(q), cast(k), cast(v), cast(q_document), cast(k_document));
    });
  });
}
