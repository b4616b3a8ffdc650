// SPDX-License-Identifier: Apache-2.0
// What program.cpp and second_program.cpp define. All: q [.., Sq, D], k [.., Sk, D], v [.., Sk, Dv].
#pragma once
#include <flashlight/flashlight.h>

flashlight::Tensor attention(const flashlight::Tensor& q, const flashlight::Tensor& k,
                             const flashlight::Tensor& v);
flashlight::Tensor attention(const flashlight::Tensor& q, const flashlight::Tensor& k,
                             const flashlight::Tensor& v, double scale, std::int64_t window);
flashlight::Tensor two_streams(const flashlight::Tensor& q, const flashlight::Tensor& k,
                               const flashlight::Tensor& v);
flashlight::Tensor of_64(const flashlight::Tensor& q, const flashlight::Tensor& k,
                         const flashlight::Tensor& v);
flashlight::Tensor biased(const flashlight::Tensor& q, const flashlight::Tensor& k,
                          const flashlight::Tensor& v, const flashlight::Optional<flashlight::Tensor>& bias);
// Keys are shared out among the queries; two kernels.
flashlight::Tensor slots(const flashlight::Tensor& q, const flashlight::Tensor& k,
                         const flashlight::Tensor& v);
namespace other {
flashlight::Tensor attention(const flashlight::Tensor& q, const flashlight::Tensor& k,
                             const flashlight::Tensor& v);
}
namespace second {
flashlight::Tensor attention(const flashlight::Tensor& q, const flashlight::Tensor& k,
                             const flashlight::Tensor& v);
}
