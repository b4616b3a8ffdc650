// SPDX-License-Identifier: Apache-2.0
// Functions that compute with positions, and with a number for each key. All: q [.., Sq, D], k [.., Sk, D], v
// [.., Sk, D].
#pragma once
#include <flashlight/flashlight.h>

// Scores less rate * (i - j)^2, which does not fit 32 bits beyond 46,340 positions.
flashlight::Tensor squared_distance(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                    const flashlight::Tensor& v, double rate);
// Key j where its place in a table of all pairs, i * Sk + j, is below `most`.
flashlight::Tensor flat(const flashlight::Tensor& q, const flashlight::Tensor& k, const flashlight::Tensor& v,
                        std::int64_t most);
// Two-sided windows of a width that no sequence reaches.
flashlight::Tensor within_int(const flashlight::Tensor& q, const flashlight::Tensor& k,
                              const flashlight::Tensor& v);
flashlight::Tensor within_long(const flashlight::Tensor& q, const flashlight::Tensor& k,
                               const flashlight::Tensor& v);
// Keys j with 3 j below lengths [B].
flashlight::Tensor thirds(const flashlight::Tensor& q, const flashlight::Tensor& k,
                          const flashlight::Tensor& v, const flashlight::Tensor& lengths);
// Every step-th key.
flashlight::Tensor strided(const flashlight::Tensor& q, const flashlight::Tensor& k,
                           const flashlight::Tensor& v, std::int64_t step);
// Steps at every third and every 41st distance: divisions must be exact there.
flashlight::Tensor stepped(const flashlight::Tensor& q, const flashlight::Tensor& k,
                           const flashlight::Tensor& v);
// A window, of a tensor whose name an emitted kernel might use itself.
flashlight::Tensor window(const flashlight::Tensor& first, const flashlight::Tensor& k,
                          const flashlight::Tensor& v, std::int64_t width);
// Scores plus a tenth of the running sum of |k_j| up to the query: a sum over keys that needs no scores.
flashlight::Tensor with_norms(const flashlight::Tensor& q, const flashlight::Tensor& k,
                              const flashlight::Tensor& v);
