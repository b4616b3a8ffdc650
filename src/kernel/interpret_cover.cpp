// SPDX-License-Identifier: Apache-2.0
// See interpret_cover.h.
#include "kernel/interpret_cover.h"

#include <algorithm>

namespace flashlight::kernel {

namespace {

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

}  // namespace

TileCover::TileCover(const Cover& cover, const graph::Binding& binding, const std::int64_t* loops,
                     const std::vector<std::int64_t>& data)
    : kind_(cover.kind), a_(cover.a), b_(cover.b), value_(cover.value) {
  for (const Cover& arg : cover.args) args_.emplace_back(arg, binding, loops, data);
  if (kind_ == Cover::AtMostZero || kind_ == Cover::Zero || kind_ == Cover::NotZero) {
    rest_ = graph::IndexCode(binding.bound(cover.rest)).run(loops, data.data());
  }
}

std::int64_t TileCover::over_rows(std::int64_t row0, std::int64_t row_last, bool upper) const {
  return a_ * ((a_ > 0) == upper ? row_last : row0) + rest_;
}

std::int64_t TileCover::form(const TileBox& tile, bool upper) const {
  return b_ * ((b_ > 0) == upper ? tile.col0 + tile.n - 1 : tile.col0) +
         over_rows(tile.row0, tile.row_last, upper);
}

bool TileCover::full(const TileBox& tile) const {
  auto holds = [&](const TileCover& c) { return c.full(tile); };
  switch (kind_) {
    case Cover::AtMostZero: return form(tile, true) <= 0;
    case Cover::Zero: return form(tile, false) == 0 && form(tile, true) == 0;
    case Cover::NotZero: return form(tile, false) > 0 || form(tile, true) < 0;
    case Cover::Constant: return value_;
    case Cover::And: return std::all_of(args_.begin(), args_.end(), holds);
    case Cover::Or: return std::any_of(args_.begin(), args_.end(), holds);
    case Cover::Unknown: return false;
  }
  return false;
}

bool TileCover::none(const TileBox& tile) const {
  auto empty = [&](const TileCover& c) { return c.none(tile); };
  switch (kind_) {
    case Cover::AtMostZero: return form(tile, false) > 0;
    case Cover::Zero: return form(tile, false) > 0 || form(tile, true) < 0;
    case Cover::NotZero: return form(tile, false) == 0 && form(tile, true) == 0;
    case Cover::Constant: return !value_;
    case Cover::And: return std::any_of(args_.begin(), args_.end(), empty);
    case Cover::Or: return std::all_of(args_.begin(), args_.end(), empty);
    case Cover::Unknown: return false;
  }
  return false;
}

KeyRange TileCover::range(std::int64_t row0, std::int64_t row_last) const {
  KeyRange result;
  if (kind_ == Cover::And || kind_ == Cover::Or) {
    // Of an intersection the inner bounds hold, of a union the outer ones, where all parts have one.
    const bool both = kind_ == Cover::And;
    auto join = [&](std::optional<std::int64_t>& side, const std::optional<std::int64_t>& other,
                    bool greatest) {
      if (!side || !other) {
        side = !both ? std::nullopt : side ? side : other;
      } else {
        side = greatest ? std::max(*side, *other) : std::min(*side, *other);
      }
    };
    for (std::size_t k = 0; k < args_.size(); ++k) {
      const KeyRange r = args_[k].range(row0, row_last);
      if (k == 0) {
        result = r;
        continue;
      }
      join(result.begin, r.begin, both);
      join(result.end, r.end, !both);
    }
    return result;
  }
  if ((kind_ != Cover::AtMostZero && kind_ != Cover::Zero) || b_ == 0) return result;
  // b * j + lo <= 0 with lo the least of the rest over the rows; for an equality also b * j + hi >= 0.
  auto bound = [&](std::int64_t b, std::int64_t lo) {
    if (b > 0) result.end = floor_div(-lo, b) + 1;
    else result.begin = -floor_div(-lo, -b);
  };
  bound(b_, over_rows(row0, row_last, false));
  if (kind_ == Cover::Zero) bound(-b_, -over_rows(row0, row_last, true));
  return result;
}

TileWalk::TileWalk(const Cover& live, const TileCover& bound, std::int64_t row0, std::int64_t row_last,
                   std::int64_t keys, std::int64_t n)
    : cover_(bound), box_{row0, row_last, 0, n}, tested_(!is_interval(live)) {
  const KeyRange range = bound.range(row0, row_last);
  const std::int64_t end = range.end ? std::max<std::int64_t>(0, std::min(keys, *range.end)) : keys;
  tiles_ = (end + n - 1) / n;
  if (range.begin) first_ = std::max<std::int64_t>(0, *range.begin) / n;
}

std::int64_t TileWalk::live_from(std::int64_t tile) const {
  if (!tested_) return tile;
  TileBox box = box_;
  for (; tile < tiles_; ++tile) {
    box.col0 = tile * box.n;
    if (!cover_.none(box)) break;
  }
  return tile;
}

}  // namespace flashlight::kernel
