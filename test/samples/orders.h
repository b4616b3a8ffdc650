// SPDX-License-Identifier: Apache-2.0
// Functions with a sort, a top-k or an argmax before, inside or after their attention.
#pragma once
#include <flashlight/flashlight.h>

#include <utility>

// q, k, v: [B, H, S, D]   ids: [B, S], sorted before queries see the keys of their document
flashlight::Tensor sorted_documents(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                    const flashlight::Tensor& v, const flashlight::Tensor& ids);
// Keys and values in the order of ids: [S]; causal in that order.
flashlight::Tensor reordered_keys(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                  const flashlight::Tensor& v, const flashlight::Tensor& ids);
// The keys of the largest norm.
flashlight::Tensor largest_keys(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                const flashlight::Tensor& v);
// The rows of the result in order, and where their elements stood.
std::pair<flashlight::Tensor, flashlight::Tensor> sorted_result(const flashlight::Tensor& q,
                                                                const flashlight::Tensor& k,
                                                                const flashlight::Tensor& v);
// The attention's result and, for each query, its best key.
std::pair<flashlight::Tensor, flashlight::Tensor> with_best_key(const flashlight::Tensor& q,
                                                                const flashlight::Tensor& k,
                                                                const flashlight::Tensor& v);
struct Best {
  flashlight::Tensor result, values, keys;
};
// A causal attention to each query's best keys, these and their scores.
Best best_keys(const flashlight::Tensor& q, const flashlight::Tensor& k, const flashlight::Tensor& v,
               std::int64_t best);
// The attention to the values at each query's best key, one more than it, as integers.
std::pair<flashlight::Tensor, flashlight::Tensor> next_of_best(const flashlight::Tensor& q,
                                                               const flashlight::Tensor& k,
                                                               const flashlight::Tensor& v);
// Attention to all keys but the best, and the value of the second best. q, k, v as above; bias [Sq, Sk].
flashlight::Tensor all_but_best(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                const flashlight::Tensor& v, const flashlight::Tensor& bias);
flashlight::Tensor second_best(const flashlight::Tensor& q, const flashlight::Tensor& k,
                               const flashlight::Tensor& v);
// Queries are sorted projections: x [B, S, E], w [E, D], k, v [B, Sk, D].
flashlight::Tensor sorted_projections(const flashlight::Tensor& x, const flashlight::Tensor& w,
                                      const flashlight::Tensor& k, const flashlight::Tensor& v);
