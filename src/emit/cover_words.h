// SPDX-License-Identifier: Apache-2.0
// By which rule a sweep skips tiles, for the report: in words and as a formula.
#pragma once
#include "kernel/cover.h"

namespace flashlight::emit {

// `bounded`: the loop begins or ends where the mask does; `tested`: tiles between its bounds are tested too.
std::string sparsity_in_words(const kernel::Program& program, const kernel::SweepCovers& covers, bool bounded,
                              bool tested);

}  // namespace flashlight::emit
