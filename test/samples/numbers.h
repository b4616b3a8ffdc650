// SPDX-License-Identifier: Apache-2.0
// Functions whose numbers are extreme: large ones that are added and taken away again, host arithmetic that
// must be exact. All: q [.., Sq, D], k [.., Sk, D], v [.., Sk, Dv].
#pragma once
#include <flashlight/flashlight.h>

using flashlight::Tensor;

// Scores where keep [Sk] is 1, and 1e9 less where it is 0, in three spellings.
Tensor added_mask(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& keep);
Tensor subtracted_mask(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& keep);
Tensor flattened_mask(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& keep);
// The same with a number of the caller's.
Tensor flattened_by(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& keep, double much);
// The smallest float where keep [Sk] is false; as a bias; by a number of the caller's; and a double beyond
// float.
Tensor filled_with_lowest(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& keep);
Tensor with_bias(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias);
Tensor filled_with(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& keep, double fill);
Tensor filled_beyond_float(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& keep);
// Five keys, as the program says.
Tensor few_keys(const Tensor& q, const Tensor& k, const Tensor& v);
Tensor last_keys(const Tensor& q, const Tensor& k, const Tensor& v);
// The keys below n / m + n % m, as C++ divides.
Tensor divided(const Tensor& q, const Tensor& k, const Tensor& v, int n, int m);
// The keys below a share r of ten, in float; scores times a narrowed number; the keys below n - 5, of which
// unsigned knows no negative ones; scores times what is left of x beside 1e17.
Tensor share_of_ten(const Tensor& q, const Tensor& k, const Tensor& v, float r);
Tensor narrowed(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t n);
Tensor less_five(const Tensor& q, const Tensor& k, const Tensor& v, unsigned n);
Tensor at_least_five(const Tensor& q, const Tensor& k, const Tensor& v, unsigned n);
Tensor cancelled(const Tensor& q, const Tensor& k, const Tensor& v, double x);
// By distances that are 0 where q and k are equal: minus their roots as scores, and their reciprocals as weights.
Tensor by_root(const Tensor& q, const Tensor& k, const Tensor& v);
Tensor by_reciprocal(const Tensor& q, const Tensor& k, const Tensor& v);
