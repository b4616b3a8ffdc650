// SPDX-License-Identifier: Apache-2.0
// Running sums along rows: a CTA a row, one after another. Included by emitted files that have them apart
// from their kernels.
#pragma once

#include <type_traits>

#include "flashlight/device/running_sum.h"
#include "flashlight/generated/launch.h"
#include "flashlight/generated/row_places.h"

namespace flashlight::generated {
namespace {

// Integers are added in 64 bits, all else in float64, as the eager library does.
template <bool INTEGERS> FL_KERNEL(device::kSumThreads) running_sum_sm80(FL_PARAMS(Ordering) p) {
  using T = std::conditional_t<INTEGERS, unsigned long long, double>;
  FL_SHARED_MEMORY(shared);
  const device::CtaSums<T> sums{shared};
  const device::AuxTensor source{p.source, p.source_type};
  for (long long row = device::block_index(); row < p.rows; row += device::grid_size()) {
    const RowPlaces at = places_of(p, row);
    const auto element = [&](int i) {
      return device::detail::with_aux<T>(source, at.source + i * p.element.source, [](auto x) {
        if constexpr (INTEGERS) return static_cast<unsigned long long>(static_cast<long long>(x));
        else return static_cast<double>(x);
      });
    };
    device::running_sum(sums, p.length, element, [&](int i, T sum) {
      const long long to = at.values + i * p.element.values;
      if constexpr (INTEGERS) device::store_int(p.values, p.values_type, to, static_cast<long long>(sum));
      else device::store_float(p.values, p.values_type, to, static_cast<float>(sum));
    });
  }
}

inline void run(const Launch& launch, const RunningSum& p) {
  const Cta cta{1, device::kSumThreads, device::CtaSums<double>::bytes};
  start_grid(p.integers ? running_sum_sm80<true> : running_sum_sm80<false>, launch, p.rows, p.rows.ctas, cta,
             "running_sum_sm80");
}

}  // namespace
}  // namespace flashlight::generated
