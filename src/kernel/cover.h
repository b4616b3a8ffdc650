// SPDX-License-Identifier: Apache-2.0
// What a mask keeps of a tile, by interval analysis: none, some or all of it.
#pragma once
#include "fusion/access.h"
#include "kernel/program.h"

namespace flashlight::kernel {

struct Cover;

// sum of factor * value, and form: of rows alone or of keys alone. Factors are uniform in a tile; the form
// may hold the loop of the rows. A bool counts as 0 or 1; a float stands alone.
struct PointSum {
  struct Term {
    graph::Sym factor{1};
    fusion::Access value;
    bool operator==(const Term&) const = default;
  };
  graph::Type type = graph::Type::Int;
  std::vector<Term> terms;
  graph::Sym form;
  bool uniform = false;  // the same for the whole tile after all
  bool operator==(const PointSum&) const = default;
};

// A value over a tile, as what its least and greatest are computed from.
struct Interval {
  enum Kind : std::uint8_t {
    Form,   // a * i + b * j + form, `form` uniform
    Rows,   // CoverData::rows[index]: of it, least and greatest over the tile's rows are taken once for a CTA
    Key,    // CoverData::keys[index]: looked up at every key
    Sum,    // of args
    Times,  // args[0] * form, `form` uniform
    Product,   // args[0] * args[1]
    FloorDiv,  // args[0] / form, rounded down
    Mod,       // args[0] mod form, with the sign of form
    Least,     // of args
    Greatest,
    Magnitude,  // |args[0]|
    Truth,      // 1 where conditions[0] holds, else 0
    Choice,     // args[0] where conditions[0] holds, else args[1]
    Real,       // args[0], an integer, as a float
    Number,     // a float
  } kind = Form;
  double number = 0;
  std::int64_t a = 0, b = 0;
  graph::Sym form;
  int index = -1;
  std::vector<Interval> args;
  std::vector<Cover> conditions;
  bool operator==(const Interval&) const;
};

// A mask as far as it can be decided for a whole tile of rows [i0, i1] and keys [j0, j1]. The first leaves
// compare an affine form
//   form = a * i + b * j + rest        (rest: uniform in the tile; Datum(k) in it is CoverData::uniform[k])
// with zero, and loop bounds come from them. Any other comparison is decided by the intervals of its sides,
// for the tile or, where it reads captured values of keys, for one key after another. What has no interval is
// Unknown and never proves a tile empty or full. A NaN in a float interval decides nothing.
struct Cover {
  enum Kind : std::uint8_t {
    Unknown,
    AtMostZero,
    Zero,
    NotZero,
    And,
    Or,
    Constant,
    Not,  // args[0]
    AtMost,
    Below,
    Equal,  // left against right
    Holds,  // left != 0
  } kind = Unknown;
  std::vector<Cover> args;
  std::int64_t a = 0, b = 0;
  graph::Sym rest;
  bool value = false;  // Constant
  bool real = false;   // AtMost, Below, Equal: of floats
  Interval left, right;
  bool operator==(const Cover&) const = default;
};

// What covers read.
struct CoverData {
  std::vector<fusion::Access> uniform;  // captured integers that are the same for the whole tile
  std::vector<PointSum> rows, keys;     // keys: also floats and bools that are the same for the whole tile
  bool operator==(const CoverData&) const = default;
};

struct CoverOf {
  Cover cover;
  CoverData data;
};

// The covers of a sweep: where a tile counts at all, and of each masked value the predicate's. They share
// their data.
struct SweepCovers {
  Cover live;
  std::vector<Cover> masked;  // always true where there is no predicate
  CoverData data;
  // The predicate that all masked values share, if it does not depend on scores and no interval decides it:
  // it is evaluated for the elements of a tile before the tile's products are. Else null.
  Expr elements;
};

// The cover of a condition of the row program.
CoverOf cover_of(const Program&, Expr condition);
// With `bets`, `live` is that of the sweep's bet, where it has one.
SweepCovers covers_of(const Program&, const Sweep&, bool bets = false);
// Known before the sweep computes anything, point by point.
bool is_given(const Program&, Expr condition);

// True if the keys a row keeps are one interval, so that loop bounds skip every empty tile.
bool is_interval(const Cover&);
// Has comparisons of intervals: it is decided by them, and no longer by its affine forms alone.
bool has_intervals(const Cover&);
// Which rows keep the most keys, as far as the affine forms of a mask tell.
enum class Uneven : std::uint8_t { Unknown, Later, Earlier };
Uneven uneven_rows(const Cover&);

// left and right of left - right = form, an affine Form: what is negative in it stands on the right.
std::pair<Interval, Interval> sides_of(const Interval& form);
// Reads captured values of keys: it is decided for one key after another.
bool reads_keys(const CoverData&, const Cover&);

}  // namespace flashlight::kernel
