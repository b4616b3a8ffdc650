// SPDX-License-Identifier: Apache-2.0
// Where a row of an order or of running sums begins in each of its tensors.
#pragma once

#include "flashlight/device/base.h"
#include "flashlight/generated/order.h"

namespace flashlight::generated {
namespace {

struct RowPlaces {
  long long source = 0, values = 0, positions = 0;  // elements
};

FL_DEVICE RowPlaces places_of(const Ordering& p, long long row) {
  RowPlaces at;
  for (int k = p.axes; k-- > 0;) {
    const OrderAxis& axis = p.axis[k];
    const long long step = row % axis.size;
    at.source += step * axis.source;
    at.values += step * axis.values;
    at.positions += step * axis.positions;
    row /= axis.size;
  }
  return at;
}

}  // namespace
}  // namespace flashlight::generated
