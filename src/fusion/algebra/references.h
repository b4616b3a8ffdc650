// SPDX-License-Identifier: Apache-2.0
// Choosing references: raw sums over the keys become accumulators that cannot overflow or cancel.
#pragma once

#include <set>
#include <vector>

#include "fusion/algebra/plan.h"
#include "fusion/algebra/separate.h"

namespace flashlight::fusion::algebra {

struct DraftReference {
  Expr node;
  ReferenceKind kind;
  Expr key;
  Expr weight;  // kRunningMean: an accumulator node, or null to count keys
};

// Fix-ups over accumulator and reference nodes, and what the references are.
struct Draft {
  std::vector<NormalForm> fixups;
  std::vector<DraftReference> references;

  const DraftReference* find(Expr node) const;
};

// `outputs` are the forms `derived` made. `recentred` are further key atoms whose powers are accumulated
// centred.
Draft choose_references(Arena& arena, const Separation& derived, const std::vector<NormalForm>& outputs,
                        const std::set<Expr>& recentred, const PlanOptions& options);

// choose_references with every atom recentred whose reference then cancels from the fix-ups.
Draft choose_references(Arena& arena, const Separation& derived, const std::vector<NormalForm>& outputs,
                        const PlanOptions& options);

// The sweep of a draft: its states, decoded, with the moves between them.
Sweep assemble(Arena& arena, const Draft& draft);

// A form's states and other leaves of interest, in canonical order.
std::vector<Expr> collect(Arena& arena, const NormalForm& a, std::initializer_list<Op> ops);

}  // namespace flashlight::fusion::algebra
