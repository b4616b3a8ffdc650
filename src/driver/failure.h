// SPDX-License-Identifier: Apache-2.0
// How a run ends: the exit codes, and the one exception that the driver's own checks throw.
#pragma once
#include <string>
#include <utility>

#include "frontend/program.h"

namespace flashlight::driver {

// Exit codes of the program; users' scripts rely on them.
enum ExitCode : int {
  kExitDone = 0,
  kExitInput = 1,         // errors in the input
  kExitUsage = 2,         // the command line, or a file it names, makes no sense
  kExitCheck = 3,         // a check failed: --check, --fail-on-unfused, FLASHLIGHT_FUSE
  kExitInternal = 70,     // a fault of the translator
  kExitInputOutput = 74,  // a file could not be read or written
};

// Ends the run before anything is written. `file` is empty where the fault is the command line's.
struct Failure {
  Failure(int code, std::string id, std::string text, std::string hint = {}, std::string file = {})
      : exit_code(code) {
    diagnostic.id = std::move(id);
    diagnostic.text = std::move(text);
    diagnostic.hint = std::move(hint);
    diagnostic.where.file = std::move(file);
  }
  int exit_code;
  frontend::Diagnostic diagnostic;
};

}  // namespace flashlight::driver
