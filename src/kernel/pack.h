// SPDX-License-Identifier: Apache-2.0
// Grouped heads in one tile: where several heads share keys, their queries become rows of one CTA, which then
// loads keys once for all of them.
#pragma once
#include <optional>

#include "kernel/program.h"

namespace flashlight::kernel {

// The same kernel with the heads that share keys among its rows, where there are such: a batch loop on which
// nothing of a key depends, or only through its quotient by a number that is the same throughout
// (KernelPlan::Packing). Rows are queries, then heads: the positions of a tile's rows stay in order.
// `reserved`: as KernelPlan::reserved, for the program that `plan` already has.
std::optional<fusion::KernelPlan> pack_heads(const graph::Function&, const fusion::KernelPlan& plan,
                                             int reserved);

}  // namespace flashlight::kernel
