// SPDX-License-Identifier: Apache-2.0
// Functions that compute the operands of their contractions, or what they make of the result.
#pragma once
#include <flashlight/flashlight.h>

// q [B, H, Sq, D], k [B, H, Sk, D], v [B, H, Sk, Dv]; weight and bias [D].
flashlight::Tensor layer_norms(const flashlight::Tensor& q, const flashlight::Tensor& k,
                               const flashlight::Tensor& v, const flashlight::Tensor& weight,
                               const flashlight::Tensor& bias);
// Scores are negative squared distances.
flashlight::Tensor distances(const flashlight::Tensor& q, const flashlight::Tensor& k,
                             const flashlight::Tensor& v);
// Each value less its mean.
flashlight::Tensor centred_values(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                  const flashlight::Tensor& v);
// Queries, keys and values are all computed.
flashlight::Tensor all_computed(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                const flashlight::Tensor& v);
// A second pair of points, [B, H, S, P, 3].
flashlight::Tensor points(const flashlight::Tensor& q, const flashlight::Tensor& k,
                          const flashlight::Tensor& v, const flashlight::Tensor& q_points,
                          const flashlight::Tensor& k_points);
// A layer norm of each head of the result.
flashlight::Tensor normalised(const flashlight::Tensor& q, const flashlight::Tensor& k,
                              const flashlight::Tensor& v);
