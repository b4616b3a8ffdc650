// SPDX-License-Identifier: Apache-2.0
// Where a run reads and writes: every path checked before any work is done.
#pragma once
#include <string>
#include <vector>

#include "driver/options.h"

namespace flashlight::driver {

struct Places {
  std::vector<std::string> units;     // per source: its .cu, "-" or empty for none
  std::string report;                 // file, "-" or empty for none
  std::string c_header;               // file or empty for none
  std::vector<std::string> depfiles;  // none, one for all (-MF), or one for each source
};

// Names the outputs and rejects what could not end well: sources that are no regular files, outputs that name
// one file twice or name an input, folders that do not exist. Throws Failure; touches nothing.
Places find_places(const Options&);

// Files that became known as inputs while translating (headers) must not be outputs either. Throws Failure.
void check_outputs_against(const Places&, const std::vector<std::vector<std::string>>& dependencies);

}  // namespace flashlight::driver
