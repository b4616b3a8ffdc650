// SPDX-License-Identifier: Apache-2.0
// Finds what the translator needs beside itself: the DSL's headers and Clang's builtin headers.
#pragma once
#include <string>

#include "driver/options.h"

namespace flashlight::driver {

// The folder that holds flashlight/flashlight.h: --include-dir, else beside the installed executable, else
// the source tree of the build. Throws Failure if there is none.
std::string find_include_dir(const Options&);

// The text of a header that an emitted file includes, from this folder or, for DLPack's, the system's. Throws
// Failure.
std::string read_header(const std::string& name, const std::string& include_dir);

// Clang's resource folder: --resource-dir, else the one of the build, else relative to the executable. Throws
// Failure.
std::string find_resource_dir(const Options&);

}  // namespace flashlight::driver
