// SPDX-License-Identifier: Apache-2.0
// Findings of the running launch, and the numbers of the source lines they name.
#pragma once

#include <source_location>
#include <string>
#include <vector>

#include "emulator/shadow.h"
#include "flashlight/emulator/emulator.h"

namespace flashlight::emulator {

// Source lines by number, so that shadow cells stay small. Number 0 is unknown.
class Sites {
 public:
  struct Line {
    const char* file = "?";
    unsigned line = 0;
  };

  Site number(const std::source_location& where);
  const Line& operator[](Site site) const { return lines_[site]; }

 private:
  struct Recent {
    const char* file = nullptr;
    unsigned line = 0;
    Site site = 0;
  };
  std::vector<Line> lines_{Line{}};
  Recent recent_[256];
};

// "f.cu:12"
std::string to_string(const Sites::Line& line);

// "name" out of "void ns::name(const Params&)" or "void name(const P&) [with T = int]".
std::string function_name(const char* pretty);

// Findings since the last take(); equal kind, kernel and line are counted, not repeated.
class FindingLog {
 public:
  void add(Finding finding, std::size_t limit);
  std::vector<Finding> take();

 private:
  std::vector<Finding> findings_;
};

}  // namespace flashlight::emulator
