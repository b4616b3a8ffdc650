// SPDX-License-Identifier: Apache-2.0
// Renders depfiles.
#include "driver/depfile.h"

#include <set>

namespace flashlight::driver {

namespace {

std::string escaped(const std::string& path) {
  std::string out;
  for (char c : path) {
    if (c == ' ' || c == '#' || c == '\\') out += '\\';
    if (c == '$') out += '$';
    out += c;
  }
  return out;
}

}  // namespace

std::string render_depfile(const std::vector<std::string>& targets,
                           const std::vector<std::vector<std::string>>& dependencies) {
  std::string out;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    out += escaped(targets[i]) + ":";
    std::set<std::string> named;
    for (const std::string& d : dependencies[i])
      if (named.insert(d).second) out += " \\\n  " + escaped(d);
    out += "\n";
  }
  return out;
}

}  // namespace flashlight::driver
