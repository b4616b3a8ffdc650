// SPDX-License-Identifier: Apache-2.0
// Values in words, for explanations, comments and reports; never for code.
#pragma once
#include "fusion/plan.h"

namespace flashlight::fusion {

// A host value with the user's names: "q.size(-1)", "lam"; the batch pack's size is "batch".
std::string describe(const graph::Function& function, const graph::Sym& value);
// A leaf: "j <= i", "<q, k>", "v", "slope[b1]"; rows are i, keys j, other axes b<k>. Long ones are cut.
std::string describe(const graph::Function& function, const KernelPlan& plan, const Leaf& leaf);
// A line of the algebra for a reader: functions by their names (log1p for f17), and what is longer than
// `longest` bytes cut.
std::string readable(const std::string& text, std::size_t longest);

}  // namespace flashlight::fusion
