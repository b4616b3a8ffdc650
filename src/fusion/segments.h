// SPDX-License-Identifier: Apache-2.0
// Concatenations inside a loop: which segment an access reads, and where a loop passes from one to the next.
#pragma once
#include "fusion/access.h"

namespace flashlight::fusion {

// The operand that a concatenation reads at this index, where it is one for all values of the loops (of these
// sizes).
std::optional<Access> segment_at(const graph::Graph& graph, const Access& access,
                                 const std::vector<graph::Sym>& sizes);

// The parts of loop `bound`, of this size, in which every concatenation of reductions below `access` reads
// one segment: a reduction over the loop combines the parts' reductions. One part where there is none.
// Nothing where the order of the boundaries is not known when translating.
struct Part {
  graph::Sym start, size;
};
std::optional<std::vector<Part>> parts_of_loop(const graph::Graph& graph, Dependence& dependence,
                                               const Access& access, int bound, const graph::Sym& size);

}  // namespace flashlight::fusion
