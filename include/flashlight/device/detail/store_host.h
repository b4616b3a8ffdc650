// SPDX-License-Identifier: Apache-2.0
// Stores on the emulated device.
#pragma once

#include "flashlight/device/store.h"

namespace flashlight::device {

template <template <class> class Matrix, class T, int MI, int DV>
void store_tile(Matrix<T> out, const Acc<MI, DV>& c, int row0, int warp, int first_col = 0 FL_AND_WHERE) {
  for_each_element<MI, DV>(
      [&](const Element& e) {
        const int row = row0 + row_of<MI>(warp, e), col = first_col + col_of(e);
        if (!out.contains(row, col)) return;
        const T x = from_float<T>(c[e]);
        emulator::global_store(out.at(row, col), &x, sizeof x, where);
      },
      where);
}

template <template <class> class Matrix, class T, int MI>
void store_rows(Matrix<T> out, const RowVec<MI>& r, int row0, int warp FL_AND_WHERE) {
  for_each_row<MI>(
      [&](const Row& i) {
        const int row = row0 + row_of<MI>(warp, i);
        if ((lane_index() & 3) != 0 || !out.contains(row, 0)) return;
        const T x = from_float<T>(r[i]);
        emulator::global_store(out.at(row, 0), &x, sizeof x, where);
      },
      where);
}

}  // namespace flashlight::device
