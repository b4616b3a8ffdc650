// SPDX-License-Identifier: Apache-2.0
// Diagnostics as text, in the form that editors and people know from compilers.
#pragma once
#include <string>

#include "frontend/program.h"

namespace flashlight::driver {

// `file:line:column: error: text [id]`, the source line with a caret, `hint:`. Control characters of file
// names and source lines are replaced, so that no input can drive the terminal.
std::string render(const frontend::Diagnostic&, bool colours);

// True when standard error is a terminal and NO_COLOR is unset.
bool wants_colours();

}  // namespace flashlight::driver
