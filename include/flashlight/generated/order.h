// SPDX-License-Identifier: Apache-2.0
// Rows of a tensor brought into order: what a launch of the kernel is told.
#pragma once

#include "flashlight/types.h"

namespace flashlight::generated {

// An axis that tells rows apart, or that of their elements: its size, and the distances in elements that a
// step along it takes in each tensor.
struct OrderAxis {
  long long size;
  long long source, values, positions;
};

// The first `count` of each row's elements go to `values`, and where they stood in the row to `positions`;
// either may be null.
struct Ordering {
  static constexpr int kMostAxes = 12;
  static constexpr long long kMostShared = 4096;  // elements of a row that lies in shared memory
  const void* source = nullptr;
  void *values = nullptr, *positions = nullptr;
  int source_type = 0, values_type = 0, positions_type = 0;  // DType
  int axes = 0;
  OrderAxis axis[kMostAxes] = {};  // outermost first
  OrderAxis element = {};
  long long rows = 1;
  int length = 0, count = 0;
  bool descending = false;
  int ctas = 0;             // each takes row after row
  void* scratch = nullptr;  // of each CTA, where rows are longer than kMostShared
};

// Of each row the running sums, all of them, go to `rows.values`.
struct RunningSum {
  Ordering rows;
  bool integers = false;
};

}  // namespace flashlight::generated
