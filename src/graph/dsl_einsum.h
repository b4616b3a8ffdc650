// SPDX-License-Identifier: Apache-2.0
// einsum: reads an equation and lays its letters on the operands' axes.
#pragma once
#include "graph/dsl_contract.h"

namespace flashlight::graph {

// "bhid,bhjd->bhij", also with "..." for leading (batch) axes, repeated letters and no "->" (letters that
// occur once, sorted).
TensorView einsum(Builder&, std::string_view equation, const std::vector<TensorView>& operands, const Args&);

}  // namespace flashlight::graph
