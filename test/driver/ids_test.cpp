// SPDX-License-Identifier: Apache-2.0
// Every diagnostic id of the sources has its section in docs/diagnostics.md, and no section speaks of an id that is gone.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace flashlight::test {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// An id is the first literal of the calls and tables that make diagnostics.
std::set<std::string> ids_of_sources() {
  const std::regex made(
      R"re((?:Refusal\{|Refused\{+|Reason\{|LoweringError\(|refuse(?:_at)?\((?:[\w>.()-]+, )?|fail\((?:program, )?|usage\(|Failure\(\w+, (?:[\w ]+\? )?|\bid = (?:\w+ \? )?|return |: |remark\([^"]*?)"([a-z]+(?:-[a-z]+)+|internal|opaque|unfused)")re");
  std::set<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(FLASHLIGHT_SOURCE_DIR "/src")) {
    std::string name = entry.path().string();
    if (entry.path().extension() != ".cpp" && entry.path().extension() != ".h") continue;
    if (name.find("/tensor/") != std::string::npos || name.find("/emulator/") != std::string::npos) continue;
    std::string text = read(entry.path());
    for (std::sregex_iterator it(text.begin(), text.end(), made), end; it != end; ++it) out.insert((*it)[1]);
  }
  return out;
}

std::set<std::string> ids_of_page() {
  std::set<std::string> out;
  std::istringstream lines(read(FLASHLIGHT_SOURCE_DIR "/docs/diagnostics.md"));
  for (std::string line; std::getline(lines, line);)
    if (line.rfind("### ", 0) == 0) out.insert(line.substr(4));
  return out;
}

TEST(Ids, EachHasItsSection) {
  std::set<std::string> page = ids_of_page(), sources = ids_of_sources();
  EXPECT_GT(sources.size(), 30u) << "the pattern no longer finds the ids";
  for (const std::string& id : sources) EXPECT_TRUE(page.count(id)) << id << " has no section in docs/diagnostics.md";
}

TEST(Ids, NoSectionIsLeftOver) {
  std::string all;
  for (const auto& entry : fs::recursive_directory_iterator(FLASHLIGHT_SOURCE_DIR "/src"))
    if (entry.is_regular_file()) all += read(entry.path());
  for (const std::string& id : ids_of_page())
    EXPECT_NE(all.find('"' + id + '"'), std::string::npos) << id << " is in docs/diagnostics.md and in no source";
}

}  // namespace
}  // namespace flashlight::test
