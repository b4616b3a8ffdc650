// SPDX-License-Identifier: Apache-2.0
// Runs a tile program in float64 on the host, tile by tile in the order of the emitted code: what tile
// programs mean.
#pragma once
#include "graph/evaluate.h"
#include "kernel/program.h"

namespace flashlight::kernel {

// What became of the tiles of all sweeps of all CTAs.
struct TileCounts {
  std::int64_t visited = 0;  // steps ran
  std::int64_t full = 0;     // visited, and no masked value needed its predicate or the end of the keys
  std::int64_t skipped = 0;  // left out by loop bounds or by the test per tile
  bool operator==(const TileCounts&) const = default;
};

struct InterpretOptions {
  int tile_m = 16, tile_n = 8;  // rows and keys of a tile; 0: all of them
  // Evaluates the predicates where the cover spares it: throws std::logic_error where a tile is taken for
  // full although a predicate is false in it, or skipped although the predicate of some masked value is true.
  bool check_cover = false;
  TileCounts* counts = nullptr;  // if given: added to
  int runs = 1;  // of the keys, each swept by itself and then combined, where the program says how
};

// The function's results, as graph::evaluate gives them. Inputs as for graph::evaluate, whose exceptions it
// throws; besides std::logic_error for a program that verify() rejects. Contractions and sums are in float64
// and in order of the keys; rows and keys past the end repeat the last one in point values and are 0 in
// operands, as in the emitted code. A gather outside its table is NaN.
std::vector<graph::Array> interpret(const Program&, const std::vector<graph::Array>& tensors,
                                    const std::vector<double>& scalars, const InterpretOptions& = {});

}  // namespace flashlight::kernel
