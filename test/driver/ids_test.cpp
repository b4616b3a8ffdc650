// SPDX-License-Identifier: Apache-2.0
// Every diagnostic id of the sources has its section in docs/diagnostics.md, and no section speaks of an id
// that is gone.
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

// Words joined by dashes in quotes are ids, but for a few.
std::set<std::string> ids_of_sources() {
  const std::regex id(R"re("([a-z]+(?:-[a-z]+)+)")re");
  const std::set<std::string> others = {"flashlight-translate"};
  std::set<std::string> out;
  for (const char* folder : {"driver", "emit", "frontend", "fusion", "graph", "kernel", "rewrite"})
    for (const auto& entry :
         fs::recursive_directory_iterator(fs::path(FLASHLIGHT_SOURCE_DIR "/src") / folder)) {
      if (entry.path().extension() != ".cpp") continue;
      std::string text = read(entry.path());
      for (std::sregex_iterator it(text.begin(), text.end(), id), end; it != end; ++it)
        if (!others.count((*it)[1])) out.insert((*it)[1]);
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
  for (const std::string& id : sources)
    EXPECT_TRUE(page.count(id)) << id << " has no section in docs/diagnostics.md";
}

TEST(Ids, NoSectionIsLeftOver) {
  std::string all;
  for (const auto& entry : fs::recursive_directory_iterator(FLASHLIGHT_SOURCE_DIR "/src"))
    if (entry.is_regular_file()) all += read(entry.path());
  for (const std::string& id : ids_of_page())
    EXPECT_NE(all.find('"' + id + '"'), std::string::npos)
        << id << " is in docs/diagnostics.md and in no source";
}

// What cannot be reached from outside but by a fault of the translator or of Clang.
TEST(Ids, EachIsTested) {
  const std::set<std::string> unreachable = {"internal", "unknown-dtype", "bad-arguments",
                                             "false-assumption"};
  std::string all;
  for (const auto& entry : fs::recursive_directory_iterator(FLASHLIGHT_SOURCE_DIR "/test"))
    if (entry.path().extension() == ".cpp" && entry.path().filename() != "ids_test.cpp")
      all += read(entry.path());
  for (const std::string& id : ids_of_page()) {
    if (unreachable.count(id)) continue;
    EXPECT_NE(all.find(id), std::string::npos) << id << " is in no test";
  }
}

}  // namespace
}  // namespace flashlight::test
