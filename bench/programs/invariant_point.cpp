// SPDX-License-Identifier: Apache-2.0
// AlphaFold's invariant point attention as gpu-bench times it: 12 heads of 16 features, 4 points, pair
// features of 128. gpu-bundle: --head-dims 32,128
#include <flashlight/flashlight.h>
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
FLASHLIGHT_FUSE Attended invariant_point(const Tensor& q, const Tensor& k, const Tensor& v,
                                         const Tensor& q_points, const Tensor& k_points,
                                         const Tensor& v_points, const Tensor& pair_bias, const Tensor& pairs,
                                         const Tensor& weight, const Frames& frames) {
  assume(frames.rotation.size(-1) == 3 && frames.rotation.size(-2) == 3);
  Tensor apart = to_common(frames, q_points).unsqueeze(3) - to_common(frames, k_points).unsqueeze(2);
  Tensor distance = sum(apart * apart, {-1, -2});  // [B, H, N, N]
  Tensor logits = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1))) + pair_bias;
  Tensor attention = softmax(logits - 0.5 * softplus(weight).view({-1, 1, 1}) * distance, -1);
  return {matmul(attention, v),
          to_own(frames, einsum("bhij,bhjpx->bhipx", {attention, to_common(frames, v_points)})),
          einsum("bhij,bijc->bhic", {attention, pairs})};
}
