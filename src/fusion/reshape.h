// SPDX-License-Identifier: Apache-2.0
// Results as kernels write them: views of the tensors that the function returns.
#pragma once
#include "fusion/piece.h"

namespace flashlight::fusion {

// The piece with each result that is a concatenation as one output a part, which writes straight into its
// place.
Piece taken_apart(const Piece& whole);

// An axis that a result reads in two parts, s / b and s % b, as the two: blocks of a sequence, which the
// program flattens.
void split_axes(Piece& piece);

// An axis of size 1 in each result of a single query that has none, as its row.
void add_rows(Piece& piece);

// Axes of columns side by side as one. Throws Refused where they do not lie so.
void merge_columns(Piece& piece);

}  // namespace flashlight::fusion
