// SPDX-License-Identifier: Apache-2.0
// Host values as C++ of the launcher.
#pragma once
#include "emit/text.h"
#include "graph/function.h"

namespace flashlight::emit {

// Names the launcher gives to the symbols of a function: q_size1, lam.
std::string symbol_name(const graph::Function& function, const graph::SymbolId& id);
// A host expression over these names, in long long or double arithmetic.
Code host_code(const graph::Function& function, const graph::Sym& e);

}  // namespace flashlight::emit
