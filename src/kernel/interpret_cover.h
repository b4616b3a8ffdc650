// SPDX-License-Identifier: Apache-2.0
// Inside the interpreter: covers decided for numbers. The same decisions as the emitted loop bounds and tile
// tests.
#pragma once
#include "kernel/cover.h"
#include "kernel/interpret_points.h"

namespace flashlight::kernel {

// Rows [row0, row_last] and keys [col0, col0 + n); keys may lie past the end, of which there are `keys`.
struct TileBox {
  std::int64_t row0 = 0, row_last = 0, col0 = 0, n = 0, keys = std::int64_t{1} << 40;
};

// Half-open; a side that is not bounded is absent.
struct KeyRange {
  std::optional<std::int64_t> begin, end;
};

// Of a condition over a tile: whether it may hold somewhere, and whether it holds everywhere.
struct Kept {
  bool some = true, all = false;
};

// The least and the greatest of a value; NaN where nothing is known.
struct Span {
  double lo = 0, hi = 0;
};

// What covers read, at one point of the batch loops.
class CoverValues {
 public:
  // `loops` lives as long as this does; of it, those of rows and keys are set and restored.
  CoverValues(const Program& program, const CoverData& data, Points& points, const graph::Binding& binding,
              std::vector<std::int64_t>& loops);

  // The cover with its uniform forms as numbers.
  Cover bound(const Cover& cover) const;
  Span rows(int index, std::int64_t row0, std::int64_t row_last);
  Span key(int index, std::int64_t j);

 private:
  graph::Sym number(const graph::Sym& e) const;
  Interval bound(const Interval& x) const;
  double at(const PointSum& sum);

  const CoverData& captured_;
  Points& points_;
  const graph::Binding& binding_;
  std::vector<std::int64_t>& loops_;
  const int row_, stream_;
  std::vector<std::int64_t> uniform_;
  std::map<std::pair<int, std::int64_t>, Span> rows_, keys_;  // rows_: by the first row
};

// A cover at one point of the batch loops.
class TileCover {
 public:
  TileCover(const Cover& cover, const CoverData& data, CoverValues& values);

  bool full(const TileBox& tile) const { return kept(tile).all; }
  bool none(const TileBox& tile) const { return !kept(tile).some; }
  Kept kept(const TileBox& tile) const;
  // Keys outside the range are dropped by every row of [row0, row_last].
  KeyRange range(std::int64_t row0, std::int64_t row_last) const { return range(cover_, row0, row_last); }

 private:
  static KeyRange range(const Cover& cover, std::int64_t row0, std::int64_t row_last);
  CoverValues& values_;
  Cover cover_;  // bound
  bool intervals_, by_key_;
};

// The tiles of a sweep that a CTA visits.
class TileWalk {
 public:
  TileWalk(const Cover& live, const TileCover& bound, std::int64_t row0, std::int64_t row_last,
           std::int64_t keys, std::int64_t n);
  std::int64_t first() const { return live_from(first_); }
  std::int64_t after(std::int64_t tile) const { return live_from(tile + 1); }
  std::int64_t end() const { return tiles_; }  // one past the last tile
  // Leaves it one of `runs` equal shares of its tiles, those before and behind left out.
  void take(std::int64_t run, std::int64_t runs);
  std::int64_t begin_of(std::int64_t run, std::int64_t runs) const;

 private:
  std::int64_t live_from(std::int64_t tile) const;
  const TileCover& cover_;
  TileBox box_;
  bool tested_;
  std::int64_t first_ = 0, tiles_ = 0;
};

}  // namespace flashlight::kernel
