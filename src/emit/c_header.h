// SPDX-License-Identifier: Apache-2.0
// --c-header: declarations of an emitted file's C entries, for C and for foreign function interfaces.
#pragma once
#include <string>
#include <vector>

#include "emit/unit.h"

namespace flashlight::emit {

std::string render_c_header(const std::vector<const std::vector<FusedFunction>*>& units);

}  // namespace flashlight::emit
