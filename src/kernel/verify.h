// SPDX-License-Identifier: Apache-2.0
// The invariants of tile programs.
#pragma once
#include "kernel/program.h"

namespace flashlight::kernel {

// Throws std::logic_error naming the sweep and the step, masked value, state or store that breaks an
// invariant:
//   - numbers of operands, contractions, states, loops and leaves are in range;
//   - an operand has rows (queries or keys) and columns (features or result columns), and its factors vary
//     with no other tile axis; a contraction's operands share its feature loop;
//   - a value varies with no more than its place: the tile for Reduce, Add, Product and masked values, the
//     row for Let, Set, Scale and finals, the store's axes for stores;
//   - a temporary is defined before it is read, once, and read only where it lives: what a tile defines
//     inside the sweep, a state from its sweep's steps on (in fix-ups: the states of that sweep), a final in
//     later sweeps and in stores;
//   - a value of score size reads no state: within a tile it means the same wherever it stands;
//   - a masked value is made of leaves, contractions of its sweep, finals of earlier sweeps and other masked
//     values, in no cycle; what enters a reduction over the keys reads a masked value, for the end of the keys counts;
//   - tiles are left out by `live` only where every masked value's predicate is listed there;
//   - a Fold is a final, over a column loop, of a value of the result's space;
//   - every state is read by something beyond the steps that update it; every result is stored once.
void verify(const Program&);

}  // namespace flashlight::kernel
