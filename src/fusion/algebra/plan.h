// SPDX-License-Identifier: Apache-2.0
// From outputs to sweeps: the entry point of the fusion algebra.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "fusion/algebra/refusal.h"
#include "fusion/algebra/sweep.h"

namespace flashlight::fusion::algebra {

struct PlanOptions {
  int max_sweeps = 4;
  // A constant reference where interval analysis bounds the exponent within 60: no running maximum, no
  // rescale.
  bool static_references = true;
  // Running maxima that may lag behind (fewer rescales); exact ones that the user asks for become states of
  // their own.
  bool lazy = false;
  // The mean a column leaf is centred by is taken over all keys and is the same for every row, so that its
  // powers stay operands of a contraction. Otherwise it is weighted by the row, which is more exact where one
  // key has it all.
  bool column_means = true;
  // A row that sees no key is to yield NaN wherever the program as written does: conditions of the row alone
  // stay inside the sums they empty, so that 0/0 is met. Otherwise they leave them, and such a row costs
  // nothing for each key.
  bool strict_nan = false;
};

struct Plan {
  std::vector<Sweep> sweeps;         // the last one computes the outputs
  std::vector<std::string> because;  // for each sweep but the last: why there is not one fewer, "id: text"
};

// A sweep may keep so many accumulators with output columns. Where it keeps more, and more than twice as many
// as with one sweep before it that makes the row's statistics known, there are two: exp(x - max x) of a known
// maximum needs no reference, and sums that share their column factor become one.
inline constexpr int kMostColumnSums = 3;

// Derives the sweeps that compute `outputs` (row-level values: no free key leaf outside a reduction).
std::variant<Plan, Refusal> plan(Arena& arena, const std::vector<Expr>& outputs,
                                 const PlanOptions& options = {});

// References, states, moves and fix-ups as text, one item per line.
std::string explain(const Plan& plan);
std::string explain(const Sweep& sweep);

}  // namespace flashlight::fusion::algebra
