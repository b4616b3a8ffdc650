// SPDX-License-Identifier: Apache-2.0
// What a translation hands back: everything rendered, nothing written. It crosses from the confined child as
// bytes.
#pragma once
#include <string>
#include <vector>

#include "driver/options.h"
#include "frontend/program.h"

namespace flashlight::driver {

struct Translation {
  int exit_code = 0;
  std::vector<frontend::Diagnostic> diagnostics;
  std::vector<std::string> units;                      // per source: the text of the .cu
  std::vector<std::vector<std::string>> dependencies;  // per source: files read
  std::string report;                                  // JSON; empty if not asked for
  std::string c_header;                                // empty if not asked for
  std::string printed;                                 // dumps and explanations
};

std::string to_bytes(const Translation&);
// Throws std::runtime_error for bytes that to_bytes did not make.
Translation from_bytes(const std::string&);

// Translates all sources; `outputs` names each one's .cu for the report (empty: none). A Failure becomes its
// diagnostic.
Translation translate(const Options&, const std::vector<std::string>& outputs);

}  // namespace flashlight::driver
