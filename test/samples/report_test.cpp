// SPDX-License-Identifier: Apache-2.0
// Every function of every sample is fused, or runs whole around its matrix products, and the report says so.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "../emit/schema.h"

namespace {

using nlohmann::json;

std::vector<std::string> samples() {
  std::istringstream names(FLASHLIGHT_SAMPLE_NAMES);
  return {std::istream_iterator<std::string>(names), {}};
}

std::vector<json> kernels_for(const json& function, const std::string& arch) {
  std::vector<json> found;
  for (const json& kernel : function["kernels"])
    if (kernel["arch"] == arch) found.push_back(kernel);
  return found;
}

// Leaves out those for few queries, which stand beside another.
std::vector<json> kernels_for_many(const json& function, const std::string& arch) {
  std::vector<json> found;
  for (const json& kernel : kernels_for(function, arch)) {
    const std::string name = kernel["name"];
    if (name.find("_few_sm80") == std::string::npos && name.find("_combine_sm80") == std::string::npos)
      found.push_back(kernel);
  }
  return found;
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

// The names of the functions that the sample marks.
std::vector<std::string> marked(const std::string& text) {
  static const std::regex mark("(?:^|\\n)FLASHLIGHT_FUSE [^;(]*?(\\w+)\\(");
  std::vector<std::string> names;
  for (std::sregex_iterator at(text.begin(), text.end(), mark), end; at != end; ++at)
    names.push_back((*at)[1]);
  return names;
}

// Modules, and the steps that they take: f a fused kernel, p a matrix product, g a generated kernel, o an
// order, s running sums.
const std::map<std::string, std::string> kModules{{"transformer_block", "gpppfpg"},
                                                  {"row_attention", "gppgpppfpg"},
                                                  {"topk_attention", "pgof"},
                                                  {"kept_keys", "of"},
                                                  {"forget_by_gates", "gsf"},
                                                  {"documents_by_ends", "sf"},
                                                  {"state_space", "gsf"}};

std::string steps_of(const json& function) {
  std::string text;
  for (const json& kernel : kernels_for_many(function, "sm_80")) text += kernel["kind"].get<std::string>()[0];
  return text;
}

TEST_P(Report, SaysWhatBecameOfEveryMarkedFunction) {
  const json r = report();
  const std::vector<std::string> names = marked(source());
  ASSERT_FALSE(names.empty());
  std::map<std::string, json> functions;
  for (const json& f : r["functions"]) functions[f["name"]] = f;
  std::size_t modules = 0;
  for (const std::string& name : names) {
    ASSERT_TRUE(functions.count(name)) << name;
    const json& f = functions[name];
    if (const auto module = kModules.find(name); module != kModules.end()) {
      ++modules;
      EXPECT_EQ(f["status"], "partial") << name;
      const auto has = [&](char step) { return module->second.find(step) != std::string::npos; };
      EXPECT_EQ(f["reason"]["id"], has('o') ? "opaque" : has('s') ? "running-sum" : "matrix-product") << name;
      EXPECT_EQ(steps_of(f), module->second) << name;
      EXPECT_EQ(f["totals"]["kernels_fused"], module->second.size());
      EXPECT_GT(f["totals"]["kernels_unfused"], module->second.size());
      continue;
    }
    EXPECT_EQ(f["status"], "fused") << name << ": " << f.value("reason", json()).dump();
    static const std::set<std::string> kTwo{"over_queries", "slot_attention", "invariant_point_attention"};
    EXPECT_EQ(kernels_for_many(f, "sm_80").size(), kTwo.count(name) ? 2u : 1u) << name;
  }
  EXPECT_EQ(r["summary"]["partial"], modules);
  EXPECT_GE(r["summary"]["fused"], names.size() - modules);  // helpers of theirs may be, too
}

// sm_90a has a kernel of its own, or there is a reason; float32 has none there.
TEST_P(Report, SaysWhatSm90aRuns) {
  const json r = report();
  for (const json& f : r["functions"]) {
    if (f["status"] != "fused") continue;
    const json elder = kernels_for(f, "sm_80").at(0);
    const std::string why = elder.value("why", ""), tile = elder["tile"];
    if (tile.find("float D=") != std::string::npos)
      EXPECT_NE(why.find("float D="), std::string::npos) << f["name"] << ": " << why;
    const std::vector<json> hopper = kernels_for(f, "sm_90a");
    if (hopper.empty()) {
      EXPECT_NE(why.find("bfloat16 D="), std::string::npos)
          << f["name"] << " has neither a kernel nor a reason: " << why;
    } else {
      EXPECT_NE(hopper[0].value("why", "").find("registers"), std::string::npos) << f["name"];
    }
  }
}

// What splits keys says when, and has what combines them; what has the form and does not split them says why.
TEST_P(Report, SaysWhenKeysAreSplit) {
  const json r = report();
  for (const json& f : r["functions"]) {
    std::size_t few = 0, combine = 0, whole = 0;
    for (const json& kernel : f["kernels"]) {
      const std::string name = kernel["name"], why = kernel.value("why", "");
      combine += name.find("_combine_sm80") != std::string::npos;
      if (name.find("_few_sm80") == std::string::npos) continue;
      ++few;
      whole += why.find("its keys are one run, since ") != std::string::npos;
      EXPECT_EQ(why.rfind("for few queries: ", 0), 0u) << name << ": " << why;
    }
    EXPECT_EQ(few, combine + whole) << f["name"];
    for (const char* name : {"decode", "append", "paged", "packed"})
      if (f["name"] == name) EXPECT_EQ(combine, 1u) << name;
  }
}

TEST_P(Report, FollowsItsSchema) {
  flashlight::test::Validator validator(json::parse(read(FLASHLIGHT_SOURCE_DIR "/docs/report.schema.json")));
  for (const std::string& error : validator.errors(report())) ADD_FAILURE() << error;
}

// A kernel is never the eager program to the bit, and a reader is told where they part.
TEST_P(Report, SaysWhereNumbersDiffer) {
  const json r = report();
  for (const json& f : r["functions"])
    EXPECT_EQ(f["numerics"].empty(), f["status"] == "unfused") << f["name"];
  if (GetParam() == "causal_bottom_right") {
    EXPECT_NE(r["functions"][0]["numerics"].dump().find("gives 0, where the eager program gives NaN"),
              std::string::npos)
        << r["functions"][0];
  }
  if (GetParam() == "unnormalised") { EXPECT_EQ(r["functions"].dump().find("gives NaN"), std::string::npos); }
}

INSTANTIATE_TEST_SUITE_P(Samples, Report, testing::ValuesIn(samples()),
                         [](const auto& p) { return p.param; });

}  // namespace
