// SPDX-License-Identifier: Apache-2.0
// Inside the interpreter: covers decided for numbers. The same decisions as the emitted loop bounds and tile
// tests.
#pragma once
#include "kernel/cover.h"
#include "kernel/interpret_points.h"

namespace flashlight::kernel {

// Rows [row0, row_last] and keys [col0, col0 + n); keys may lie past the end.
struct TileBox {
  std::int64_t row0 = 0, row_last = 0, col0 = 0, n = 0;
};

// Half-open; a side that is not bounded is absent.
struct KeyRange {
  std::optional<std::int64_t> begin, end;
};

// A cover at one point of the batch loops.
class TileCover {
 public:
  // `rest` of the cover's leaves is evaluated with every symbol bound and with data[k] for Datum(k).
  TileCover(const Cover& cover, const graph::Binding& binding, const std::int64_t* loops,
            const std::vector<std::int64_t>& data);

  bool full(const TileBox& tile) const;
  bool none(const TileBox& tile) const;
  // Keys outside the range are dropped by every row of [row0, row_last].
  KeyRange range(std::int64_t row0, std::int64_t row_last) const;

 private:
  // The least or greatest value of the form over the tile.
  std::int64_t form(const TileBox& tile, bool upper) const;
  std::int64_t over_rows(std::int64_t row0, std::int64_t row_last, bool upper) const;
  Cover::Kind kind_;
  std::int64_t a_, b_, rest_ = 0;
  bool value_;
  std::vector<TileCover> args_;
};

// The tiles of a sweep that a CTA visits.
class TileWalk {
 public:
  TileWalk(const Cover& live, const TileCover& bound, std::int64_t row0, std::int64_t row_last,
           std::int64_t keys, std::int64_t n);
  std::int64_t first() const { return live_from(first_); }
  std::int64_t after(std::int64_t tile) const { return live_from(tile + 1); }
  std::int64_t end() const { return tiles_; }  // one past the last tile

 private:
  std::int64_t live_from(std::int64_t tile) const;
  const TileCover& cover_;
  TileBox box_;
  bool tested_;
  std::int64_t first_ = 0, tiles_ = 0;
};

}  // namespace flashlight::kernel
