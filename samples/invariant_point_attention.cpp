// SPDX-License-Identifier: Apache-2.0
// AlphaFold's invariant point attention: residues attend by features, by the distances of points in their
// frames and by a pair bias; results are features, points in the own frame, and pair features.
// gpu-bundle: --head-dims 32
#include <flashlight/flashlight.h>

#include <algorithm>
#include <array>

#include "sample.h"
using namespace flashlight;

struct Frames {
  Tensor rotation;     // [B, N, 3, 3]
  Tensor translation;  // [B, N, 3]
};

// Points of each residue, [B, H, N, P, 3], from the residues' frames to the common one, and back.
static Tensor to_common(const Frames& frames, const Tensor& points) {
  return einsum("bnxy,bhnpy->bhnpx", {frames.rotation, points}) +
         frames.translation.unsqueeze(1).unsqueeze(-2);
}
static Tensor to_own(const Frames& frames, const Tensor& points) {
  return einsum("bnyx,bhnpy->bhnpx",
                {frames.rotation, points - frames.translation.unsqueeze(1).unsqueeze(-2)});
}

struct Attended {
  Tensor features;  // [B, H, N, Dv]
  Tensor points;    // [B, H, N, Pv, 3]
  Tensor pairs;     // [B, H, N, C]
};

// q, k, v: [B, H, N, D]   *_points: [B, H, N, P, 3]   pair_bias: [B, H, N, N]   pairs: [B, N, N, C]   weight:
// [H]
FLASHLIGHT_FUSE Attended invariant_point_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                                   const Tensor& q_points, const Tensor& k_points,
                                                   const Tensor& v_points, const Tensor& pair_bias,
                                                   const Tensor& pairs, const Tensor& weight,
                                                   const Frames& frames) {
  assume(frames.rotation.size(-1) == 3 && frames.rotation.size(-2) == 3);
  Tensor queries = to_common(frames, q_points), keys = to_common(frames, k_points);
  Tensor apart = queries.unsqueeze(3) - keys.unsqueeze(2);  // [B, H, N, N, P, 3]
  Tensor distance = sum(apart * apart, {-1, -2});
  Tensor logits = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1))) + pair_bias;
  logits = logits - 0.5 * softplus(weight).view({-1, 1, 1}) * distance;
  Tensor attention = softmax(logits, -1);
  return {matmul(attention, v),
          to_own(frames, einsum("bhij,bhjpx->bhipx", {attention, to_common(frames, v_points)})),
          einsum("bhij,bijc->bhic", {attention, pairs})};
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.depth = 16, .self_attention = true}, [](sample::Case& c) {
    // Every pair has features of its own: a few residues are enough.
    const int64_t n = std::min<int64_t>(c.sq(), 20), points = 4, d = 16;
    Tensor q = c.randn({c.b(), c.h(), n, d}), k = c.randn({c.b(), c.h(), n, d}),
           v = c.randn({c.b(), c.h(), n, d});
    Tensor q_points = c.randn({c.b(), c.h(), n, points, 3}), k_points = c.randn({c.b(), c.h(), n, points, 3}),
           v_points = c.randn({c.b(), c.h(), n, 2 * points, 3});
    Tensor pair_bias = c.randn({c.b(), c.h(), n, n}), pairs = c.randn({c.b(), n, n, 24}),
           weight = c.randn({c.h()});
    // Any matrix is a frame to the arithmetic; a small one keeps distances moderate.
    Tensor rotation = c.randn({c.b(), n, 3, 3}) * 0.3, translation = c.randn({c.b(), n, 3}) * 0.3;
    c.compare([&](const sample::Cast& cast) {
      Attended a = invariant_point_attention(cast(q), cast(k), cast(v), cast(q_points), cast(k_points),
                                             cast(v_points), cast(pair_bias), cast(pairs), cast(weight),
                                             {cast(rotation), cast(translation)});
      return std::array<Tensor, 3>{a.features, a.points, a.pairs};
    });
  });
}
