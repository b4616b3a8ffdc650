// SPDX-License-Identifier: Apache-2.0
// Where a kernel's numbers are not those of the eager program, in words for the report.
#pragma once
#include <string>
#include <vector>

#include "emit/unit.h"
#include "kernel/program.h"

namespace flashlight::emit {

std::vector<std::string> numerics_of(const kernel::Program& program, const EmitOptions& options);

}  // namespace flashlight::emit
