// SPDX-License-Identifier: Apache-2.0
// Results from registers to global memory.
#pragma once

#include "flashlight/device/mma.h"

// Matrix: GlobalMatrix or GroupedMatrix.
//
// store_tile(Matrix<T> out, const Acc<MI, DV>& c, int row0, int warp, int first_col = 0)
//     out[row0 + row of the CTA's tile][first_col + column] = c; what lies outside `out` is not written.
//     `row0` is the first row of the CTA's tile, `warp` places the warp inside it.
// store_rows(Matrix<T> out, const RowVec<MI>& r, int row0, int warp)
//     out[row0 + row][0] = r, written by the first lane of each quad.
#if FL_LANES
#include "flashlight/device/detail/store_lanes.h"
#else
#include "flashlight/device/detail/store_host.h"
#endif
