// SPDX-License-Identifier: Apache-2.0
// What this build is.
#pragma once
#include <string>

namespace flashlight::driver {

std::string version_number();  // 0.1.0
std::string version_text();    // flashlight-translate 0.1.0 (Clang 19.1.7)

}  // namespace flashlight::driver
