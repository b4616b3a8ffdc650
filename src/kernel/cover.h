// SPDX-License-Identifier: Apache-2.0
// What a mask keeps of a tile, by interval analysis: none, some or all of it.
#pragma once
#include "fusion/access.h"
#include "kernel/program.h"

namespace flashlight::kernel {

// A mask as far as it can be decided for a whole tile of rows [i0, i1] and keys [j0, j1]. Leaves compare an affine form
//   form = a * i + b * j + rest        (rest: uniform in the tile; Datum(k) in it is data[k])
// with zero; what is not affine is Unknown and never proves a tile empty or full.
struct Cover {
  enum Kind : std::uint8_t { Unknown, AtMostZero, Zero, NotZero, And, Or, Constant } kind = Unknown;
  std::vector<Cover> args;
  std::int64_t a = 0, b = 0;
  graph::Sym rest;
  bool value = false;  // Constant
};

struct CoverOf {
  Cover cover;
  std::vector<fusion::Access> data;  // uniform captured integers
};

// The cover of a condition of the row program.
CoverOf cover_of(const Program&, Expr condition);
// Any of several conditions; a null entry among them is always true.
CoverOf cover_of_any(const Program&, const std::vector<Expr>& conditions);

// True if the keys a row keeps are one interval, so that loop bounds skip every empty tile.
bool is_interval(const Cover&);
bool has_unknown(const Cover&);

}  // namespace flashlight::kernel
