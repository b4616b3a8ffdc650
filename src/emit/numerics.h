// SPDX-License-Identifier: Apache-2.0
// Where a kernel's numbers are not those of the eager program, in words for the report.
#pragma once
#include <string>
#include <vector>

#include "emit/variant.h"

namespace flashlight::emit {

std::vector<std::string> numerics_of(const PartText& part, const EmitOptions& options);

}  // namespace flashlight::emit
