// SPDX-License-Identifier: Apache-2.0
// The one dense product that all contractions use.
#pragma once

#include <cstdint>

namespace flashlight::detail {

// c [m, n] = a [m, k] * b [k, n], all row-major and contiguous. T: float, double, std::int64_t (wrapping).
template <class T> void gemm(const T* a, const T* b, T* c, std::int64_t m, std::int64_t n, std::int64_t k);

}  // namespace flashlight::detail
