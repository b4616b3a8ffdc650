// SPDX-License-Identifier: Apache-2.0
// The version, from the build files.
#include "driver/version.h"

namespace flashlight::driver {

std::string version_number() { return FLASHLIGHT_VERSION; }
std::string version_text() {
  return "flashlight-translate " FLASHLIGHT_VERSION " (Clang " FLASHLIGHT_CLANG_VERSION ")";
}

}  // namespace flashlight::driver
