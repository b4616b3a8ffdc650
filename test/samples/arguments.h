// SPDX-License-Identifier: Apache-2.0
// Functions whose fused forms are called with unusual arguments.
#pragma once
#include <flashlight/flashlight.h>

#include <optional>

// q [.., Sq, D], k and v [.., Sk, D], table [T], position [Sk]: integers, negative ones count from the end.
flashlight::Tensor biased_by_table(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                   const flashlight::Tensor& v, const flashlight::Tensor& table,
                                   const flashlight::Tensor& position);
// bias: broadcastable to [.., Sq, Sk].
flashlight::Tensor biased(const flashlight::Tensor& q, const flashlight::Tensor& k,
                          const flashlight::Tensor& v, const flashlight::Tensor& bias);
// k and v of any type: converted to that of q.
flashlight::Tensor converted(const flashlight::Tensor& q, const flashlight::Tensor& k,
                             const flashlight::Tensor& v);
// Scores and weights in float32, whatever the arguments are.
flashlight::Tensor in_float32(const flashlight::Tensor& q, const flashlight::Tensor& k,
                              const flashlight::Tensor& v);
// gate: [.., Sq, Dv].
flashlight::Tensor gated(const flashlight::Tensor& q, const flashlight::Tensor& k,
                         const flashlight::Tensor& v, const flashlight::Tensor& gate);
// The scores plus `bias`, or times `factor`, both [Sq, Sk]; not both.
flashlight::Tensor optionally(const flashlight::Tensor& q, const flashlight::Tensor& k,
                              const flashlight::Tensor& v, const std::optional<flashlight::Tensor>& bias,
                              const flashlight::Optional<flashlight::Tensor>& factor);
// Keys at most W positions away; two instantiations share the body.
template <int W>
flashlight::Tensor within(const flashlight::Tensor& q, const flashlight::Tensor& k,
                          const flashlight::Tensor& v);
extern template flashlight::Tensor within<2>(const flashlight::Tensor&, const flashlight::Tensor&,
                                             const flashlight::Tensor&);
extern template flashlight::Tensor within<9>(const flashlight::Tensor&, const flashlight::Tensor&,
                                             const flashlight::Tensor&);
// An object with a bias [Sq, Sk] of its own.
struct Biased {
  flashlight::Tensor bias;
  flashlight::Tensor operator()(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                const flashlight::Tensor& v) const;
};
// The keys in [start, end), as slice() clamps them.
flashlight::Tensor of_part(const flashlight::Tensor& q, const flashlight::Tensor& k,
                           const flashlight::Tensor& v, std::int64_t start, std::int64_t end);
// Those of the first thousand keys that are there, without the three at either end.
flashlight::Tensor of_inner(const flashlight::Tensor& q, const flashlight::Tensor& k,
                            const flashlight::Tensor& v);
// q, k, v [B, H, S, D], of which batch and heads are one axis while it attends.
flashlight::Tensor merged_heads(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                const flashlight::Tensor& v);
// q, k, v [S, B, heads * D].
flashlight::Tensor split_heads(const flashlight::Tensor& q, const flashlight::Tensor& k,
                               const flashlight::Tensor& v, std::int64_t heads);
// keep: [Sq, Sk], kBool.
flashlight::Tensor kept(const flashlight::Tensor& q, const flashlight::Tensor& k, const flashlight::Tensor& v,
                        const flashlight::Tensor& keep);
// The same for any numbers.
flashlight::Tensor kept_where_not_zero(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                       const flashlight::Tensor& v, const flashlight::Tensor& keep);
// length: integers [].
flashlight::Tensor shorter(const flashlight::Tensor& q, const flashlight::Tensor& k,
                           const flashlight::Tensor& v, const flashlight::Tensor& length);
// size: [Sk]; of each key the pages of that many positions that it shares with queries.
flashlight::Tensor paged(const flashlight::Tensor& q, const flashlight::Tensor& k,
                         const flashlight::Tensor& v, const flashlight::Tensor& size);
// id: integers [Sk].
flashlight::Tensor numbered(const flashlight::Tensor& q, const flashlight::Tensor& k,
                            const flashlight::Tensor& v, const flashlight::Tensor& id);
// Keys less than `width` positions away, and no more than `ahead`.
flashlight::Tensor near(const flashlight::Tensor& q, const flashlight::Tensor& k, const flashlight::Tensor& v,
                        std::int64_t width, int ahead);
// Keys up to the least of `width`, the number of keys and 11 positions away.
flashlight::Tensor within_least(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                const flashlight::Tensor& v, std::int64_t width);
// memory: [M, D], keys and values of all batch elements before their own.
flashlight::Tensor with_memory(const flashlight::Tensor& q, const flashlight::Tensor& k,
                               const flashlight::Tensor& v, const flashlight::Tensor& memory);
