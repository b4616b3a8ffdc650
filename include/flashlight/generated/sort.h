// SPDX-License-Identifier: Apache-2.0
// Brings rows into order: a CTA a row, one after another. Included by emitted files that have orders.
#pragma once

#include "flashlight/device/order.h"
#include "flashlight/generated/launch.h"
#include "flashlight/generated/row_places.h"

namespace flashlight::generated {
namespace {

template <bool SHARED> FL_KERNEL(device::kOrderThreads) sort_sm80(FL_PARAMS(Ordering) p) {
  using Row = device::OrderedRow<SHARED>;
  FL_SHARED_MEMORY(shared);
  unsigned char* const memory =
      SHARED ? shared : static_cast<unsigned char*>(p.scratch) + device::block_index() * Row::bytes(p.length);
  const Row elements{memory, p.length};
  const device::AuxTensor source{p.source, p.source_type};
  for (long long row = device::block_index(); row < p.rows; row += device::grid_size()) {
    const RowPlaces at = places_of(p, row);
    for (int i = device::thread_index(); i < p.length; i += device::kOrderThreads)
      elements.set(i, device::order_key(source, at.source + i * p.element.source, p.descending), i);
    device::sync_threads();
    if (p.count == 1) elements.find_first();
    else elements.sort();
    for (int i = device::thread_index(); i < p.count; i += device::kOrderThreads) {
      const int place = elements.place(i);
      if (p.values)
        device::copy_element(p.values, p.values_type, at.values + i * p.element.values, source,
                             at.source + place * p.element.source);
      if (p.positions)
        device::store_int(p.positions, p.positions_type, at.positions + i * p.element.positions, place);
    }
    device::sync_threads();  // before the next row takes its place
  }
}

inline void run(const Launch& launch, const Ordering& p) {
  const bool shared = p.length <= Ordering::kMostShared;
  const Cta cta{1, device::kOrderThreads,
                shared ? static_cast<int>(device::OrderedRow<true>::bytes(p.length)) : 0};
  start_grid(shared ? sort_sm80<true> : sort_sm80<false>, launch, p, p.ctas, cta, "sort_sm80");
}

}  // namespace
}  // namespace flashlight::generated
