// SPDX-License-Identifier: Apache-2.0
// The whole program.
#pragma once

namespace flashlight::driver {

// Runs flashlight-translate and returns its exit code (failure.h). Never throws.
int run(int argc, const char* const* argv);

}  // namespace flashlight::driver
