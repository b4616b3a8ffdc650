// SPDX-License-Identifier: Apache-2.0
// Reads a dense array through an index map, a row of the last iteration axis at a time.
#pragma once
#include <cstdint>
#include <vector>

#include "graph/sym.h"

namespace flashlight::graph {

// One index expression with all symbols bound, as a tree of machine integers.
struct IndexCode {
  SymOp op = SymOp::Integer;
  std::int64_t constant = 0;  // Integer; k of Axis and Datum
  std::vector<IndexCode> args;

  explicit IndexCode(const Sym& bound);
  std::int64_t run(const std::int64_t* axes, const std::int64_t* data) const;
};

// An index map over iteration axes of known extents. An index that is a sum of functions of one axis each is
// kept as a table an axis (an affine map is the common case); any other is evaluated point by point.
class RowReader {
 public:
  // `index`: bound expressions, one per axis of the array of the given extents. Throws std::invalid_argument
  // where the map leaves the array.
  RowReader(const std::vector<double>& array, const std::vector<std::int64_t>& extents,
            const std::vector<Sym>& index, const std::vector<std::int64_t>& iteration);

  // Reads the points (prefix.., 0 .. last) where `point` holds the iteration axes; row has the last extent's
  // length.
  void read(const std::int64_t* point, double* row) const;

 private:
  struct General {  // an index that no tables hold
    IndexCode code;
    std::int64_t stride, extent;
  };
  const double* array_;
  std::int64_t base_ = 0;
  std::vector<std::vector<std::int64_t>> tables_;  // per iteration axis: offset; empty: the axis is not used
  std::vector<General> general_;
  std::int64_t row_length_;
};

// Runs over the points of `extents` row by row: calls row(point, flat) with the last axis at 0 and the row's
// flat position.
template <class F>
void for_each_row(const std::vector<std::int64_t>& extents, F&& row) {
  std::int64_t total = 1;
  for (std::int64_t e : extents) total *= e;
  if (total == 0) return;
  std::vector<std::int64_t> point(extents.size() + 1, 0);
  std::int64_t length = extents.empty() ? 1 : extents.back();
  for (std::int64_t flat = 0; flat < total; flat += length) {
    row(point.data(), flat);
    for (std::size_t k = extents.size(); k-- > 1 && ++point[k - 1] == extents[k - 1];) point[k - 1] = 0;
  }
}

}  // namespace flashlight::graph
