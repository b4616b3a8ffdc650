// SPDX-License-Identifier: Apache-2.0
// Writes a rule's replacement where its pattern was found.
#pragma once
#include "rewrite/match.h"

namespace flashlight::rewrite {

// The function with the match's root replaced, in normal form. Sources and labels are kept; nodes of the
// replacement have the root's source.
graph::Function instantiate(const graph::Function&, const Rule&, const Match&);

}  // namespace flashlight::rewrite
