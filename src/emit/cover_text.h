// SPDX-License-Identifier: Apache-2.0
// Loop bounds and tile tests of a sweep, as text: which tiles are visited, and which need the mask.
#pragma once
#include "emit/span_text.h"

namespace flashlight::emit {

class CoverText {
 public:
  // With `bets`, tiles are left out on the sweep's bet while the variable `bets` is true.
  CoverText(const kernel::Program& program, const kernel::Sweep& sweep, PointPrinter& points,
            bool bets = false);

  // Declares `tiles`, one past the last tile to visit, and what the tests below need. Needs `row0`; what it
  // declares is the same in every warp, and warps do not wait for each other in it. With `run`, the number of
  // one of p.states.runs runs of keys, of its share of the tiles.
  void write_bounds(Writer& w, const std::string& run = {});
  std::string first() const;                 // the first tile to visit
  std::string next() const;                  // the tile to visit after `tile`
  bool searches() const { return tested_; }  // the next tile is searched for
  // It is searched for by whole warps, or by formulas that take many registers.
  bool searches_at_length() const { return kernel::has_intervals(covers_.live); }
  // Kernels for sm_90a, where one warp finds the tiles and tells the others of them in notes
  // (device/hopper/notes.h): from here on the text is theirs. A note is twice the tile's number, and one more
  // where the sweep's own mask keeps all of it.
  void take_notes() { takes_notes_ = true; }
  // Until then it is the loader's, which has few registers.
  void is_by_loader() { by_loader_ = true; }
  // What write_bounds declares before it finds tiles; for those who take notes as well.
  void write_rows(Writer& w);
  std::string note() const;  // of `tile`
  // In the loop, where `tile` and `col0` are known and before next() is evaluated: what full() refers to.
  void write_tile(Writer& w);
  // True where a tile [col0, col0 + N) is kept whole by `predicate` (null: by the end of the keys alone),
  // that of a masked value of the sweep.
  std::string full(kernel::Expr predicate);
  // The predicate that only the elements of a tile decide; null: none does.
  kernel::Expr elements() const { return covers_.elements; }
  // Whether the first rows have more keys than the last, so that their tiles should start first.
  bool uneven() const { return kernel::uneven_rows(covers_.live) != kernel::Uneven::Unknown; }
  bool earlier_rows_first() const { return kernel::uneven_rows(covers_.live) == kernel::Uneven::Earlier; }
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
  void write_functions(Writer& w);
  void write_search(Writer& w);
  const std::string* function_of(const kernel::Cover& cover) const;
  bool notes_whole() const;  // spans decide the sweep's own mask, so that its note says more than a number

  const kernel::Program& program_;
  const kernel::Sweep& sweep_;
  PointPrinter& points_;
  kernel::SweepCovers covers_;
  SpanText spans_;
  std::vector<std::pair<kernel::Cover, std::string>> functions_;  // what decides a cover by spans
  bool bets_ = false, takes_notes_ = false, by_loader_ = false;
  bool begins_ = false;  // at a first_tile
  bool bounded_below_ = false, bounded_ = false, tested_ = false, marked_ = false;
};

}  // namespace flashlight::emit
