// SPDX-License-Identifier: Apache-2.0
// Functions whose kernels see the results as views, blocks and parts of them, or whose results are made of
// several steps; scores without a product behind projections. Each runs whole on CUDA tensors.
#pragma once
#include <flashlight/flashlight.h>

// q, k, v: [B, H, S, D], S a multiple of 16: attention within blocks; `first` of its rows; times a gate, plus
// a residual.
flashlight::Tensor first_of_blocks(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                   const flashlight::Tensor& v, long long first);
flashlight::Tensor gated_blocks(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                const flashlight::Tensor& v);
// q, k: [B, H, S, D]   v: [B, H, S, P, C]: [B, H, S, P, 2 C], all keys and those before
flashlight::Tensor points_side_by_side(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                       const flashlight::Tensor& v);
// q: [B, S, H, D]   k, v: [B, S, G, D]
flashlight::Tensor grouped_queries(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                   const flashlight::Tensor& v);
// q: [B, H, S, D]   k, v: [B, S, D]: scores summed over the heads
flashlight::Tensor summed_scores(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                 const flashlight::Tensor& v);
// q, k, v: [B, H, S, D]: the result, then its mean over the rows; no rows, then the result; a mean over heads
// and rows
flashlight::Tensor with_mean(const flashlight::Tensor& q, const flashlight::Tensor& k,
                             const flashlight::Tensor& v);
flashlight::Tensor with_zeros(const flashlight::Tensor& q, const flashlight::Tensor& k,
                              const flashlight::Tensor& v);
flashlight::Tensor mean_of_all(const flashlight::Tensor& q, const flashlight::Tensor& k,
                               const flashlight::Tensor& v);
// The same keys for two sets of values: [B, H, S, D, 2]
flashlight::Tensor stacked(const flashlight::Tensor& q, const flashlight::Tensor& k,
                           const flashlight::Tensor& v, const flashlight::Tensor& c);
// x: [B, S, E]   w: [E, F]   a, c: [F]: a layer of graph attention
flashlight::Tensor graph_layer(const flashlight::Tensor& x, const flashlight::Tensor& w,
                               const flashlight::Tensor& a, const flashlight::Tensor& c);
// x: [B, S, E]   wq, wk: [E, F]   wv: [E, C]   wo: [C, E]   w: [F]
struct Additive {
  flashlight::Tensor wq, wk, wv, wo, w;
};
flashlight::Tensor additive_layer(const flashlight::Tensor& x, const Additive& weights);
