// SPDX-License-Identifier: Apache-2.0
// Depfiles, as make and ninja read them.
#pragma once
#include <string>
#include <vector>

namespace flashlight::driver {

// One rule a target: `target: dependencies`, each named once.
std::string render_depfile(const std::vector<std::string>& targets,
                           const std::vector<std::vector<std::string>>& dependencies);

}  // namespace flashlight::driver
