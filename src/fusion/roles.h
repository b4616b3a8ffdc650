// SPDX-License-Identifier: Apache-2.0
// Finds the attention in a Graph: which reduction streams over keys, and what each loop of the outputs is.
#pragma once
#include "fusion/access.h"
#include "fusion/plan.h"

namespace flashlight::fusion {

// A reason not to fuse, thrown inside the fusion stage only.
struct Refused {
  Reason reason;
  // A value that stands in the way and varies with queries or with keys only: with its values in memory,
  // written by a kernel before, the rest may be fused. -1: none.
  graph::NodeId cut = -1;
};

// The loops of one kernel: the outputs' axes with their roles, then the stream. Feature loops are added by
// extraction.
struct Nest {
  std::vector<Loop> loops;
  int row = -1, stream = -1;
  std::vector<std::vector<int>> output_loops;  // per output, per axis: its loop
};

// A streamed reduction is one whose body holds a contraction between something that varies with the reduced
// axis and something that does not but varies with another axis: scores, of queries and keys. Where there is
// none, scores are what functions that are not linear make of such two (pair.h); and where there are none
// either, those of a single query. The first reduction met from the outputs fixes the stream; the rows are
// the axis that only the query side of the scores has, of a single query an axis of size 1; columns are the
// output axes that the scores do not have, and all other axes are batch. Throws Refused ("no-attention",
// "no-row-axis", ...).
Nest find_roles(const graph::Function& function, Dependence& dependence);

// The scores are those of a single query, and the output has no axis of size 1 that could be its row.
bool lacks_row(const graph::Function& function, Dependence& dependence, int output);

// The loops of the scores of plain sides that `body`, in which loop `bound` is reduced, holds along that
// loop; nothing where it holds none.
std::optional<LoopSet> loops_of_scores(const graph::Graph& graph, Dependence& dependence, const Access& body,
                                       int bound);

// True if `reduce` (at `index`, with its one reduced axis bound to loop `bound`) streams in the sense above.
// Scores other than products of plain sides count only where the reduction runs over a loop of `size`, those
// of a single query only with `one_row`.
bool is_streamed(const graph::Graph& graph, Dependence& dependence, graph::NodeId reduce, const Index& index,
                 int bound, const graph::Sym& size, bool one_row);

}  // namespace flashlight::fusion
