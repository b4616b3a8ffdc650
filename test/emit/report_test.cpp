// SPDX-License-Identifier: Apache-2.0
// The report follows its published schema, word for word the same each time; baselines are compared as
// promised.
#include "emit/report.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "emit/baseline.h"
#include "emit/explain.h"
#include "schema.h"

namespace flashlight::emit {
namespace {

using fusion::Status;
using nlohmann::json;
using test::Validator;

struct Fixture {
  Fixture() {
    sources.resize(3);
    const char* names[] = {"attention", "ns::other", "helper"};
    for (int i = 0; i < 3; ++i) {
      sources[i].qualified_name = names[i];
      sources[i].name = names[i];
      sources[i].location = {"dir/a.cpp", 10u * (i + 1), 3};
      functions.emplace_back().source = &sources[i];
    }
    functions[0].status = Status::Fused;
    sources[0].template_tag = "N == 2";
    functions[0].numerics = {"rounding of P"};
    functions[0].rules.push_back({"stable-softmax", "softmax.cpp:3", 2});
    KernelFacts k;
    k.name = "attention_1";
    k.arch = "sm_80";
    k.tile = "128x64";
    k.ops = {"matmul", "softmax"};
    k.bytes_fused = "4*B*S*D";
    k.bytes_unfused = "B*S*S";
    k.explanation = "m: running maximum\nl: sum\n";
    k.variant = "causal";
    k.why = "on sm_90a, tensors that TMA cannot address";
    functions[0].kernels.push_back(k);
    functions[1].reason = fusion::Reason{"inseparable-log", "a logarithm", "a hint", {"inc.h", 5, 6}};
    frontend::Diagnostic refusal;
    refusal.id = "unsupported-call";
    refusal.where = {"dir/a.cpp", 31, 9};
    refusal.text = "printf is not followed";
    sources[2].refusal = refusal;
  }
  std::vector<ReportUnit> units() const {
    return {{"dir/a.cpp", "out.cu", &functions}, {"b.cpp", "", &none}};
  }
  std::string report() const {
    ReportHeader h{"1.2.3", {"sm_80"}, {"bf16"}, {64, 128}, {}, {"attention"}, true};
    return render_report(h, units());
  }
  std::vector<frontend::FunctionSource> sources;
  std::vector<FusedFunction> functions, none;
};

json schema() { return json::parse(std::ifstream(FLASHLIGHT_SOURCE_DIR "/docs/report.schema.json")); }

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& l : lines) out += l + "\n";
  return out;
}

TEST(Report, FollowsItsSchema) {
  EXPECT_EQ(joined(Validator(schema()).errors(json::parse(Fixture().report()))), "");
}

TEST(Report, TheSchemaRefusesWhatIsNoReport) {
  Validator v(schema());
  json good = json::parse(Fixture().report());
  auto broken = [&](auto change) {
    json bad = good;
    change(bad);
    return !v.errors(bad).empty();
  };
  EXPECT_TRUE(broken([](json& r) { r.erase("tool"); }));
  EXPECT_TRUE(broken([](json& r) { r["schema_version"] = 2; }));
  EXPECT_TRUE(broken([](json& r) { r["functions"][0]["status"] = "melted"; }));
  EXPECT_TRUE(broken([](json& r) { r["functions"][0]["location"]["line"] = "ten"; }));
  EXPECT_TRUE(broken([](json& r) { r["summary"]["fused"] = -1; }));
  EXPECT_TRUE(broken([](json& r) { r["time"] = "now"; }));
}

TEST(Report, TellsEveryFunction) {
  json r = json::parse(Fixture().report());
  EXPECT_EQ(r["summary"], json({{"fused", 1}, {"partial", 0}, {"unfused", 2}}));
  EXPECT_FALSE(r["functions"][0].contains("reason"));
  EXPECT_EQ(r["functions"][1]["reason"]["location"], json({{"file", "inc.h"}, {"line", 5}, {"column", 6}}));
  EXPECT_EQ(r["functions"][2]["reason"]["id"], "unsupported-call");
  EXPECT_EQ(r["inputs"][1], json({{"file", "b.cpp"}, {"output", nullptr}}));
}

TEST(Report, TheSameBytesEachTimeAndKeysInOrder) {
  Fixture f;
  EXPECT_EQ(f.report(), Fixture().report());
  std::string text = f.report();
  std::size_t last = 0;
  for (const char* key : {"\"schema_version\"", "\"tool\"", "\"inputs\"", "\"options\"",
                          "\"functions\": [\n    {", "\"summary\""}) {
    std::size_t at = text.find(key);
    ASSERT_NE(at, std::string::npos) << key;
    EXPECT_GT(at, last) << key;
    last = at;
  }
}

TEST(Report, BytesThatAreNoUtf8StayHarmless) {
  Fixture f;
  f.functions[1].reason->text = "bad \xff\xfe bytes";
  EXPECT_NO_THROW(json::parse(f.report()));
}

TEST(Report, AFunctionWithoutAReasonSaysSo) {
  Fixture f;
  f.functions[1].reason.reset();
  EXPECT_EQ(json::parse(f.report())["functions"][1]["reason"]["id"], "unfused");
}

TEST(Report, SaysWhyAKernelIsTakenWhereThereIsAChoice) {
  Fixture f;
  EXPECT_EQ(json::parse(f.report())["functions"][0]["kernels"][0]["why"],
            "on sm_90a, tensors that TMA cannot address");
  f.functions[0].kernels[0].why.clear();
  EXPECT_FALSE(json::parse(f.report())["functions"][0]["kernels"][0].contains("why"));
}

TEST(Explain, SaysTheSameAsTheReport) {
  Fixture f;
  std::string fused = explain(f.functions[0]), unfused = explain(f.functions[1]);
  EXPECT_EQ(fused.rfind("attention (dir/a.cpp:10:3) with N == 2 is fused.\n", 0), 0u) << fused;
  for (const char* part : {"Kernel attention_1 for sm_80", "folds: matmul, softmax",
                           "4*B*S*D bytes instead of B*S*S", "    of calls with: causal\n", "    l: sum\n",
                           "    why: on sm_90a, tensors that TMA cannot address\n",
                           "Rule stable-softmax (softmax.cpp:3) applied 2 times", "Numerics: rounding of P"})
    EXPECT_NE(fused.find(part), std::string::npos) << part << "\n" << fused;
  EXPECT_NE(unfused.find("Why: a logarithm [inseparable-log], at inc.h:5:6."), std::string::npos) << unfused;
}

TEST(Baseline, ItsOwnReportHolds) {
  Fixture f;
  auto baseline = parse_baseline(f.report());
  EXPECT_EQ(baseline.size(), 3u);
  EXPECT_TRUE(covers(baseline, f.units()));
  EXPECT_TRUE(compare_to_baseline(baseline, f.units()).empty());
}

TEST(Baseline, ALostFusionIsAnError) {
  Fixture f;
  auto baseline = parse_baseline(f.report());
  f.functions[0].status = Status::Unfused;
  f.functions[0].reason = fusion::Reason{"inseparable-max", "a maximum", "", {}};
  auto lost = compare_to_baseline(baseline, f.units());
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].id, "baseline-lost");
  EXPECT_EQ(lost[0].where.line, 10u);
  EXPECT_NE(lost[0].text.find("a maximum"), std::string::npos);
}

TEST(Baseline, AFusionThatIsOnlyPartialNowIsLostToo) {
  Fixture f;
  auto baseline = parse_baseline(f.report());
  f.functions[0].status = Status::Partial;
  EXPECT_EQ(compare_to_baseline(baseline, f.units()).size(), 1u);
}

TEST(Baseline, AFunctionThatIsGoneIsLost) {
  Fixture f;
  auto baseline = parse_baseline(f.report());
  f.functions.erase(f.functions.begin());
  EXPECT_EQ(compare_to_baseline(baseline, f.units()).size(), 1u);
}

TEST(Baseline, MoreFusionIsWelcome) {
  Fixture f;
  auto baseline = parse_baseline(f.report());
  f.functions[1].status = Status::Fused;
  EXPECT_TRUE(compare_to_baseline(baseline, f.units()).empty());
}

TEST(Baseline, OverloadsAreCountedNotConfused) {
  Fixture f;
  f.sources[1].qualified_name = "attention";
  f.functions[1].status = Status::Fused;
  auto baseline = parse_baseline(f.report());
  EXPECT_TRUE(compare_to_baseline(baseline, f.units()).empty());
  f.functions[0].status = Status::Unfused;
  EXPECT_EQ(compare_to_baseline(baseline, f.units()).size(), 1u);
}

TEST(Baseline, OtherFilesDoNotCount) {
  Fixture f;
  auto baseline = parse_baseline(f.report());
  for (auto& b : baseline) b.file = "elsewhere.cpp";
  EXPECT_TRUE(compare_to_baseline(baseline, f.units()).empty());
  EXPECT_FALSE(covers(baseline, f.units()));
}

TEST(Baseline, MalformedOnesAreRefusedWithAReason) {
  for (std::string text :
       {"", "null", "[]", "{}", "{\"schema_version\": 1}", "{\"schema_version\": \"1\", \"functions\": []}",
        "{\"schema_version\": 1, \"functions\": {\"a\": 1}}", "{\"schema_version\": 1, \"functions\": [{}]}",
        "{\"schema_version\": 1e400, \"functions\": []}",
        "{\"schema_version\": 1, \"functions\": []} trailing"})
    EXPECT_THROW(parse_baseline(text), std::invalid_argument) << text;
  EXPECT_THROW(parse_baseline(std::string(1000000, '[')), std::invalid_argument);
  std::string good = Fixture().report();
  for (std::size_t size = 0; size + 2 < good.size(); size += 7)
    EXPECT_THROW(parse_baseline(good.substr(0, size)), std::invalid_argument);
}

}  // namespace
}  // namespace flashlight::emit
