// SPDX-License-Identifier: Apache-2.0
// Translates, compiles and runs programs, and says of each how that went.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "source.h"

namespace flashlight::sources {

// Command lines; `link` holds the libraries. Those of the build tree, unless given.
struct Tools {
  Tools();
  std::string translator, compiler, link;
  std::string folder = ".";
};

enum class Kind { Passed, Refused, NotTranslated, NotCompiled, Disagrees };
const char* kind_name(Kind);

struct Outcome {
  Kind kind = Kind::Passed;
  std::string text;  // the id of a refusal; what the tool said of a failure
};

// By the programs' names. A file that the translator or the compiler rejects is tried again program by
// program.
std::map<std::string, Outcome> check(const std::vector<Source>&, const Tools&);

}  // namespace flashlight::sources
