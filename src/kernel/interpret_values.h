// SPDX-License-Identifier: Apache-2.0
// Inside the interpreter: row-program values over one tile.
#pragma once
#include <functional>

#include "kernel/interpret_points.h"
#include "kernel/program.h"

namespace flashlight::kernel {

// Values over the tile axes of a space: rows, then keys or columns. Axes a space lacks are not stored.
struct TileValues {
  Space space = kUniform;
  std::int64_t columns = 1;  // keys or columns, where the space has them
  std::vector<double> data;

  TileValues() = default;
  TileValues(Space s, std::int64_t rows, std::int64_t cols, double fill = 0)
      : space(s), columns(s & (kKey | kColumn) ? cols : 1), data((s & kRow ? rows : 1) * columns, fill) {}
  std::int64_t offset(std::int64_t row, std::int64_t column) const {
    return (space & kRow ? row * columns : 0) + (space & (kKey | kColumn) ? column : 0);
  }
  double at(std::int64_t row, std::int64_t column) const { return data[offset(row, column)]; }
  double& at(std::int64_t row, std::int64_t column) { return data[offset(row, column)]; }
};

// NaN where either is, as on the device.
double greatest(double a, double b);
double least(double a, double b);

// Where the CTA stands. Point values past the last row or key repeat it.
struct TilePlace {
  std::vector<std::int64_t> loops;  // by loop; row, key, column and feature are set while values are computed
  std::int64_t row0 = 0, rows = 0, row_end = 0;  // rows of the tile, and one past the last row there is
  std::int64_t col0 = 0, keys = 0, key_end = 0;
  int row_loop = -1, inner_loop = -1;  // of the rows, and of the heads among them
  std::int64_t group = 1;              // of how many heads each query has its rows

  void stand_at(std::int64_t row) {
    loops[static_cast<std::size_t>(row_loop)] = row / group;
    if (inner_loop >= 0) loops[static_cast<std::size_t>(inner_loop)] = row % group;
  }
  std::int64_t query_of(std::int64_t row) const { return row / group; }
};

// Values of expressions at a place. Variables (states, temporaries, masked values, contractions) are looked
// up first.
class TileEvaluator {
 public:
  // `variable`: null where the expression is no variable.
  using Variables = std::function<const TileValues*(Expr)>;
  TileEvaluator(const Program& program, Points& points, TilePlace& place, Variables variable);

  // One value, with the space it varies with. `column_loop` gives the columns of values that vary with one.
  TileValues value(Expr e, int column_loop = -1);
  // A point value at (row, key or column) of the tile.
  double point(const PointCode& code, Space space, std::int64_t row, std::int64_t column, int column_loop);
  void column_extent(int loop, std::int64_t extent) { extents_[loop] = extent; }
  void forget_tile() { leaves_.clear(); }

 private:
  const TileValues& memoised(Expr e, int column_loop, std::map<Expr, TileValues>& memo);
  TileValues compute(Expr e, int column_loop, std::map<Expr, TileValues>& memo);
  TileValues leaf(Expr e, int column_loop);

  const Program& program_;
  Points& points_;
  TilePlace& place_;
  Variables variable_;
  std::map<int, std::int64_t> extents_;
  std::map<Expr, TileValues> leaves_;  // of this tile
};

}  // namespace flashlight::kernel
