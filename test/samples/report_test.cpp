// SPDX-License-Identifier: Apache-2.0
// Every function of every sample is fused, and the report says so.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace {

using nlohmann::json;

std::vector<std::string> samples() {
  std::istringstream names(FLASHLIGHT_SAMPLE_NAMES);
  return {std::istream_iterator<std::string>(names), {}};
}

class Report : public testing::TestWithParam<std::string> {
 protected:
  static std::string read(const std::string& path) {
    std::ifstream in(path);
    EXPECT_TRUE(in) << path << " is missing";
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static std::string source() { return read(FLASHLIGHT_SOURCE_DIR "/samples/" + GetParam() + ".cpp"); }
  static json report() { return json::parse(read(FLASHLIGHT_SAMPLES_DIR "/" + GetParam() + ".json")); }
};

// How often the mark stands before a function.
std::size_t marks(const std::string& text) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find("\nFLASHLIGHT_FUSE ", at)) != std::string::npos; ++at) ++count;
  return count;
}

TEST_P(Report, SaysFusedForEveryMarkedFunction) {
  const json r = report();
  const std::size_t marked = marks(source());
  EXPECT_GT(marked, 0u);
  EXPECT_EQ(r["summary"]["fused"], marked);
  EXPECT_EQ(r["summary"]["partial"], 0);
  EXPECT_EQ(r["summary"]["unfused"], 0) << "a helper of the sample is left unfused";
  for (const json& f : r["functions"]) {
    EXPECT_EQ(f["status"], "fused") << f["name"] << ": " << f.value("reason", json()).dump();
    EXPECT_EQ(f["kernels"].size(), 1u) << f["name"];
  }
}

INSTANTIATE_TEST_SUITE_P(Samples, Report, testing::ValuesIn(samples()), [](const auto& p) { return p.param; });

}  // namespace
