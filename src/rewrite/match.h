// SPDX-License-Identifier: Apache-2.0
// Finds a rule's pattern in a function.
#pragma once
#include <map>

#include "rewrite/rule.h"

namespace flashlight::rewrite {

// What a tensor parameter of the pattern stands for: one value, or several joined by `fn`. Their indices are
// over the match's extra axes, then over the parameter's own axes (the pack left out).
struct Bound {
  std::vector<graph::Operand> parts;  // empty: not bound yet
  graph::Fn fn = graph::Fn::Add;      // joins more than one part
};

// A node of the function that computes what the pattern does, with everything that the pattern leaves open.
struct Match {
  graph::NodeId root = -1;
  std::vector<int> extra;  // axes of the root that the pattern does not name: its pack
  std::vector<int>
      named;  // per axis of the pattern's output: the root's axis; -1 for the pack and for size 1
  std::vector<graph::Operand>
      rest;  // operands of an associative root that are no part of the pattern, over its axes
  std::vector<Bound> inputs;                      // per tensor parameter
  std::map<graph::SymbolId, graph::Sym> symbols;  // sizes and scalar parameters
};

// Matching is exact in constants, and free in the order of commutative operands and in the number of leading
// axes. The pattern's assumptions must follow from the function's own facts.
std::optional<Match> find_match(const Rule&, const graph::Function&, graph::NodeId root);

// The pattern's symbols written as the function's; nullopt if one is not bound.
std::optional<graph::Sym> translated(const Match&, const graph::Sym&);

// The axes of a pattern's node that are not the batch pack.
std::vector<int> own_axes(const graph::Shape&);

}  // namespace flashlight::rewrite
