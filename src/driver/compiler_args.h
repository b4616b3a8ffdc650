// SPDX-License-Identifier: Apache-2.0
// The compiler arguments of a source: from the command line, or from a compilation database.
#pragma once
#include <string>
#include <vector>

#include "driver/options.h"

namespace flashlight::driver {

// The arguments for `source`: those of its entry in compile_commands.json (of -p, else searched from the
// source's folder upwards unless `--` was given), then the command line's own. `database` becomes the file
// that was used, for the depfile. Throws Failure for a database that was asked for and is missing or
// malformed.
std::vector<std::string> compiler_args_for(const std::string& source, const Options&, std::string* database);

// An entry's arguments as Clang takes them: without the compiler, the source itself and what only nvcc
// understands; relative folders made absolute against `directory`. What writes files or loads code is dropped
// by the frontend, whoever gives it.
std::vector<std::string> portable_args(const std::vector<std::string>& command, const std::string& directory,
                                       const std::string& file);

}  // namespace flashlight::driver
