// SPDX-License-Identifier: Apache-2.0
// Loop bounds and tile tests of a sweep, as text: which tiles are visited, and which need the mask.
#pragma once
#include "emit/point.h"
#include "kernel/cover.h"

namespace flashlight::emit {

class CoverText {
 public:
  CoverText(const kernel::Program& program, const kernel::Sweep& sweep, PointPrinter& points);

  // Declares `tiles`, one past the last tile to visit, and what the tests below need.
  void write_bounds(Writer& w);
  std::string first() const;  // the first tile to visit
  std::string next() const;   // the tile after `tile`
  bool searches() const { return tested_; }  // the next tile is searched for
  // True where a tile [col0, col0 + N) is kept whole by `predicate` (null: by the end of the keys alone).
  std::string full(kernel::Expr predicate);
  std::string in_words() const;

 private:
  struct Range {
    std::string begin, end;  // keys; empty: unbounded
  };
  Range range(const kernel::Cover& cover);
  std::vector<Code> form(const kernel::Cover& cover, bool upper);
  std::string full(const kernel::Cover& cover);
  std::string none(const kernel::Cover& cover);
  std::vector<Code> rest(const kernel::Cover& cover, bool upper);

  const kernel::Program& program_;
  PointPrinter& points_;
  const bool masked_;  // some value of the sweep has a mask
  kernel::CoverOf live_;
  std::vector<fusion::Access> data_;
  bool bounded_below_ = false, bounded_ = false, tested_ = false;
};

}  // namespace flashlight::emit
