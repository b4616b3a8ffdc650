// SPDX-License-Identifier: Apache-2.0
// Functions that are more than attention: projections, norms, results of several kinds. Each runs whole on
// CUDA tensors.
#pragma once
#include <flashlight/flashlight.h>

#include <utility>

// x: [B, S, E]   w*: [E, H, D]   wo: [H, D, E]   bo: [E]
flashlight::Tensor einsum_weights(const flashlight::Tensor& x, const flashlight::Tensor& wq,
                                  const flashlight::Tensor& wk, const flashlight::Tensor& wv,
                                  const flashlight::Tensor& wo, const flashlight::Tensor& bo);
// x: [B, S, E]   w*: [D, E]   bq, g: [D]
flashlight::Tensor norms_of_projections(const flashlight::Tensor& x, const flashlight::Tensor& wq,
                                        const flashlight::Tensor& bq, const flashlight::Tensor& wk,
                                        const flashlight::Tensor& wv, const flashlight::Tensor& g);
// x: [B, S, E]   w: [E, H D], wo: [H D, E], w1: [E, F], w2: [F, E]
struct Layer {
  flashlight::Tensor g1, wq, wk, wv, wo, g2, w1, w2;
};
flashlight::Tensor layer(const flashlight::Tensor& x, const Layer& w);
// q, k, v: [B, H, S, D]   g: [H D]   wo: [H D, E]
flashlight::Tensor norm_of_all_heads(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                     const flashlight::Tensor& v, const flashlight::Tensor& g,
                                     const flashlight::Tensor& wo);
// x: [B, S, E]   k, v: [B, T, D]   wq: [E, D]   wo: [D, E]
flashlight::Tensor cross(const flashlight::Tensor& x, const flashlight::Tensor& k,
                         const flashlight::Tensor& v, const flashlight::Tensor& wq,
                         const flashlight::Tensor& wo);
// x: [B, S, E]   w*: [E, D]: the result and the projected keys
std::pair<flashlight::Tensor, flashlight::Tensor> with_keys(const flashlight::Tensor& x,
                                                            const flashlight::Tensor& wq,
                                                            const flashlight::Tensor& wk,
                                                            const flashlight::Tensor& wv);
// x: [B, S, E]   w*: [E, H D]   decay: [H]
flashlight::Tensor projected_retention(const flashlight::Tensor& x, const flashlight::Tensor& wq,
                                       const flashlight::Tensor& wk, const flashlight::Tensor& wv,
                                       const flashlight::Tensor& decay);
