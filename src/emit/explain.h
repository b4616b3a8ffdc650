// SPDX-License-Identifier: Apache-2.0
// --explain: the report on one function as prose.
#pragma once
#include <string>

#include "emit/unit.h"

namespace flashlight::emit {

std::string explain(const FusedFunction&);

}  // namespace flashlight::emit
