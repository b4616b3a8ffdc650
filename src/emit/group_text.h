// SPDX-License-Identifier: Apache-2.0
// The kernel of a group: a value computed element by element, a warp a row.
#pragma once
#include "emit/kernel_text.h"
#include "fusion/plan.h"

namespace flashlight::emit {

// Fills name, params, declaration and body. The reductions inside of the value are made by the row's warp
// together; then each lane makes every 32nd column, or where there is no column the first one makes the
// element.
KernelText write_group(const fusion::Step& step, const std::string& name, Parameters& parameters);

// Rows a CTA has, and its threads.
inline constexpr int kGroupRows = 8, kGroupThreads = 32 * kGroupRows;

// The loop that is the column; -1: none.
int column_of(const fusion::KernelPlan& plan);

}  // namespace flashlight::emit
