// SPDX-License-Identifier: Apache-2.0
// See standalone.h.
#include "emit/standalone.h"

#include <cctype>
#include <regex>
#include <sstream>

namespace flashlight::emit {

namespace {

const std::regex kInclude(R"(^\s*#\s*include\s*[<"]((flashlight|dlpack)/[^>"]+)[>"].*)");
const std::regex kHasInclude(R"re(__has_include\s*\(\s*[<"](flashlight|dlpack)/[^>"]+[>"]\s*\))re");
const std::regex kOpens(R"(^\s*#\s*if.*)"), kCloses(R"(^\s*#\s*endif.*)"),
    kOnce(R"(^\s*#\s*pragma\s+once.*)");

std::string macro_of(const std::string& name) {
  std::string macro = "FLASHLIGHT_INLINED_";
  for (char c : name)
    macro += std::isalnum(static_cast<unsigned char>(c))
                 ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
                 : '_';
  return macro;
}

// Tables of rows for macros are included several times, with other macros each time.
bool is_table(const std::string& name) {
  return name.size() > 4 && name.compare(name.size() - 4, 4, ".def") == 0;
}

}  // namespace

std::string Inliner::header(const std::string& name, bool conditional) {
  if (is_table(name)) return inlined(read_(name), true);
  if (done_.contains(name) || !open_.insert(name).second) return {};
  const std::string text = inlined(read_(name), conditional), macro = macro_of(name);
  open_.erase(name);
  // What stands inside a condition may be left out there and wanted later.
  if (!conditional) done_.insert(name);
  return "#ifndef " + macro + "\n#define " + macro + "\n" + text + "#endif\n";
}

std::string Inliner::inlined(const std::string& text, bool conditional) {
  std::istringstream lines(text);
  std::string result;
  int depth = 0;
  for (std::string line; std::getline(lines, line);) {
    std::smatch found;
    if (std::regex_match(line, found, kInclude)) {
      result += header(found[1], conditional || depth > 0);
      continue;
    }
    if (std::regex_match(line, kOnce)) continue;
    if (std::regex_match(line, kOpens)) ++depth;
    if (std::regex_match(line, kCloses)) --depth;
    result += std::regex_replace(line, kHasInclude, "1") + "\n";
  }
  return result;
}

std::string Inliner::without_includes(const std::string& text, std::vector<std::string>& names) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    std::smatch found;
    if (std::regex_match(line, found, kInclude)) {
      names.push_back(found[1]);
      line.clear();
    }
    result += line + "\n";
  }
  return result;
}

}  // namespace flashlight::emit
