// SPDX-License-Identifier: Apache-2.0
// What a run writes: the outputs asked for and no others, the same bytes anywhere, old files whole until the
// new are.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include <sstream>

#include "program.h"

namespace flashlight::test {
namespace {

using nlohmann::json;

TEST(Outputs, UnitReportAndDepfile) {
  Folder folder;
  folder.write("my file.cpp", kAttention);
  Ended run = folder.translate({"my file.cpp", "-o", "x.cu", "--report", "r.json", "-MD"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err, "");
  EXPECT_NE(folder.read("x.cu").find("attention"), std::string::npos);
  EXPECT_EQ(folder.read("x.d").rfind("x.cu: \\\n  my\\ file.cpp", 0), 0u) << folder.read("x.d");
  json report = json::parse(folder.read("r.json"));
  EXPECT_EQ(report["inputs"][0], json({{"file", "my file.cpp"}, {"output", "x.cu"}}));
  EXPECT_EQ(report["functions"][0]["name"], "attention");
  EXPECT_EQ(report["functions"][0]["status"], "fused");
  EXPECT_EQ(report["functions"][0]["location"], json({{"file", "my file.cpp"}, {"line", 4}, {"column", 24}}));
  EXPECT_EQ(report["summary"], json({{"fused", 1}, {"partial", 0}, {"unfused", 0}}));
}

TEST(Outputs, StandardOutputHoldsWhatTheFileWould) {
  Folder folder;
  folder.write("a.cpp", kAttention);
  Ended run = folder.translate({"a.cpp", "-o", "-"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  ASSERT_EQ(folder.translate({"a.cpp", "-o", "a.cu"}).exit_code, 0);
  EXPECT_EQ(run.out, folder.read("a.cu"));
}

// Unrolled, the loop over the features would stand in the kernel once for every register of a score tile.
TEST(Outputs, ScoresThatTakeALoopEachAreComputedInTurn) {
  Folder folder;
  folder.write("a.cpp", R"(#include <flashlight/flashlight.h>
using namespace flashlight;
FLASHLIGHT_FUSE Tensor additive(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias) {
  return matmul(softmax(tanh(q.unsqueeze(-2) + k.unsqueeze(-3)).sum(-1) + bias, -1), v);
}
)");
  Ended run = folder.translate({"a.cpp", "-o", "-", "--arch", "sm_80,sm_90a"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  std::istringstream lines(run.out);
  std::string loop;
  int sums = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("for_each_") != std::string::npos || line.find("fill_in_turn(") != std::string::npos)
      loop = line;
    if (line.find("sum_of<float>(") == std::string::npos) continue;
    ++sums;
    EXPECT_NE(loop.find("fill_in_turn("), std::string::npos) << loop << '\n' << line;
  }
  EXPECT_EQ(sums, 3);  // for sm_80, for sm_90a and for few queries
}

TEST(Outputs, TilesAskedForAreTakenWhereTheyFit) {
  Folder folder;
  folder.write("a.cpp", kAttention);
  Ended run = folder.translate({"a.cpp", "-o", "a.cu", "--report", "r.json", "--dtypes", "bf16", "--arch",
                                "sm_80,sm_90a", "--tile", "192x256,64x128"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const json report = json::parse(folder.read("r.json"));
  EXPECT_EQ(report["options"]["tiles"], json({"192x256", "64x128"}));
  int asked = 0;
  for (const json& kernel : report["functions"][0]["kernels"]) {
    if (kernel["name"].get<std::string>().find("_1_sm") == std::string::npos) continue;  // for few queries
    ++asked;
    EXPECT_NE(kernel["tile"].get<std::string>().find(": 64x128, "), std::string::npos) << kernel["tile"];
    EXPECT_NE(kernel["tile"].get<std::string>().find(", as asked for"), std::string::npos) << kernel["tile"];
  }
  EXPECT_EQ(asked, 2);
  run = folder.translate({"a.cpp", "-o", "a.cu", "--report", "r.json", "--tile", "256x256"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(folder.read("r.json").find("where 256x256 does not fit"), std::string::npos);
}

TEST(Outputs, NothingToFuseLeavesTheProgramAsItIs) {
  Folder folder;
  folder.write("none.cpp", kPointwise);
  Ended run = folder.translate({"none.cpp", "-o", "none.cu", "--report", "r.json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(folder.read("none.cu"), kPointwise);
  json report = json::parse(folder.read("r.json"));
  EXPECT_EQ(report["summary"]["fused"], 0);
  EXPECT_EQ(report["functions"][0]["status"], "unfused");
  EXPECT_NE(report["functions"][0]["reason"]["id"], "");
}

TEST(Outputs, AFileWithoutTheDslPassesThrough) {
  Folder folder;
  folder.write("plain.cpp", "int main() { return 0; }\n");
  Ended run = folder.translate({"plain.cpp", "-o", "plain.cu", "--report", "-"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(folder.read("plain.cu"), "int main() { return 0; }\n");
  EXPECT_EQ(json::parse(run.out)["functions"], json::array());
}

TEST(Outputs, ReportOnlyWritesNoUnit) {
  Folder folder;
  folder.write("a.cpp", kAttention);
  Ended run = folder.translate({"a.cpp", "--report-only"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(json::parse(run.out)["inputs"][0]["output"], nullptr);
  EXPECT_EQ(folder.snapshot().size(), 1u);
}

// It says what became of the functions, and is all that a failed check writes.
TEST(Outputs, AFailedCheckWritesTheReportAlone) {
  Folder folder;
  folder.write("a.cpp", kUnmet);
  const std::vector<std::vector<std::string>> outputs{{"-o", "x.cu", "-MD"}, {"--report-only"}};
  for (const std::vector<std::string>& output : outputs) {
    std::vector<std::string> command{"a.cpp", "--report", "r.json"};
    command.insert(command.end(), output.begin(), output.end());
    Ended run = folder.translate(command);
    EXPECT_EQ(run.exit_code, 3) << run.err;
    EXPECT_EQ(json::parse(folder.read("r.json"))["summary"]["unfused"], 1);
    EXPECT_EQ(folder.snapshot().size(), 2u);
    folder.write("r.json", "old");
  }
  EXPECT_EQ(json::parse(folder.translate({"a.cpp", "--report-only"}).out)["summary"]["unfused"], 1);
  EXPECT_EQ(folder.translate({"a.cpp", "-o", "x.cu"}).out, "");
}

TEST(Outputs, SeveralSourcesGoToAFolder) {
  Folder folder;
  folder.write("a.cpp", kAttention);
  folder.write("b.cpp", kPointwise);
  folder.write("out/keep", "");
  ASSERT_EQ(folder.translate({"a.cpp", "b.cpp", "-o", "out", "-MD", "-MF", "all.d"}).exit_code, 0);
  EXPECT_EQ(folder.read("out/b.cu"), kPointwise);
  EXPECT_TRUE(folder.has("out/a.cu"));
  EXPECT_NE(folder.read("all.d").find("\nout/b.cu:"), std::string::npos) << folder.read("all.d");
  ASSERT_EQ(folder.translate({"a.cpp", "b.cpp", "-o", "out", "-MD"}).exit_code, 0);
  EXPECT_EQ(folder.read("out/b.d").rfind("out/b.cu:", 0), 0u);
}

TEST(Outputs, ExplainSaysWhatTheReportSays) {
  Folder folder;
  folder.write("a.cpp", kAttention);
  Ended run = folder.translate({"a.cpp", "--explain", "attention"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out.rfind("attention (a.cpp:4:24) is fused.\n  Kernel ", 0), 0u) << run.out;
  EXPECT_EQ(folder.snapshot().size(), 1u);
}

TEST(Outputs, NumericsAreThoseOfTheOptions) {
  Folder folder;
  folder.write("a.cpp", kAttention);
  const auto numerics = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"a.cpp", "--report-only"});
    return json::parse(folder.translate(options).out)["functions"][0]["numerics"].dump();
  };
  EXPECT_NE(numerics({}).find("bf16 and fp16: between load and store everything is float32"),
            std::string::npos);
  EXPECT_NE(numerics({}).find("a row whose every score is -inf gives 0"), std::string::npos);
  EXPECT_EQ(numerics({}).find("TF32"), std::string::npos);
  EXPECT_EQ(numerics({"--strict-nan"}).find("gives 0"), std::string::npos);
  EXPECT_NE(numerics({"--dtypes", "fp32"}).find("TF32"), std::string::npos);
  EXPECT_EQ(numerics({"--dtypes", "fp32"}).find("rounded once"), std::string::npos);
}

TEST(Outputs, DumpPrintsAStage) {
  Folder folder;
  folder.write("a.cpp", kAttention);
  for (const char* stage : {"graph", "plan", "kernel"}) {
    Ended run = folder.translate({"a.cpp", "--dump", stage});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_EQ(run.out.rfind("// attention\n", 0), 0u) << run.out;
    EXPECT_GT(run.out.size(), 200u) << run.out;
  }
  Ended ast = folder.translate({"a.cpp", "--dump=ast"});
  EXPECT_EQ(ast.out.rfind("a.cpp:4:24: ", 0), 0u) << ast.out;
  EXPECT_NE(ast.out.find("attention("), std::string::npos) << ast.out;
}

constexpr const char* kVariants = R"(#include <flashlight/flashlight.h>
using namespace flashlight;
Tensor masked(const Tensor& q, const Tensor& k, const Tensor& v, const Optional<Tensor>& mask) {
  Tensor s = matmul(q, k.mT());
  if (mask.has_value()) s = s + *mask;
  return matmul(softmax(s, -1), v);
}
)";

TEST(Outputs, KernelsOfVariantsSayWhichCallsTakeThem) {
  Folder folder;
  folder.write("a.cpp", kVariants);
  Ended run = folder.translate({"a.cpp", "-o", "a.cu", "--report", "r.json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const json kernels = json::parse(folder.read("r.json"))["functions"][0]["kernels"];
  EXPECT_EQ(kernels.front()["variant"], "mask.has_value()");
  EXPECT_EQ(kernels.back()["variant"], "!mask.has_value()");
  const std::string text = folder.read("a.cu");
  EXPECT_NE(text.find("\n// Of calls with mask.has_value():\n"), std::string::npos);
  EXPECT_NE(text.find("\n// Of calls with !mask.has_value():\n"), std::string::npos);
}

// Instantiations of a template have C entries of their own, which their comments tell apart.
TEST(Outputs, TheHeaderSaysWhichInstantiationAnEntryIs) {
  Folder folder;
  folder.write("a.cpp", R"(#include <flashlight/flashlight.h>
using namespace flashlight;
template <int N> Tensor scaled(const Tensor& q, const Tensor& k, const Tensor& v) {
  return matmul(softmax(matmul(q, k.mT()) * (1.0 / N), -1), v);
}
template Tensor scaled<2>(const Tensor&, const Tensor&, const Tensor&);
template Tensor scaled<4>(const Tensor&, const Tensor&, const Tensor&);
)");
  Ended run = folder.translate({"a.cpp", "-o", "a.cu", "--c-header", "a.h"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  for (const char* entry : {"/* scaled where N == 2. in: q, k, v;", "/* scaled where N == 4. in: q, k, v;"})
    EXPECT_NE(folder.read("a.h").find(entry), std::string::npos) << folder.read("a.h");
}

TEST(Outputs, RemarksFollowTheirOptions) {
  Folder folder;
  folder.write("a.cpp", kAttention);
  folder.write("none.cpp", kPointwise);
  EXPECT_NE(folder.translate({"a.cpp", "-o", "x.cu", "-Rpass=flash"})
                .err.find("remark: 'attention' became 1 kernel [-Rpass=flashlight]"),
            std::string::npos);
  EXPECT_EQ(folder.translate({"a.cpp", "-o", "x.cu", "-Rpass=inline"}).err, "");
  folder.write("variants.cpp", kVariants);
  EXPECT_NE(
      folder.translate({"variants.cpp", "-o", "x.cu", "-Rpass=.*"})
          .err.find("remark: 'masked' became 1 kernel (2 variants, chosen by mask) [-Rpass=flashlight]"),
      std::string::npos);
  EXPECT_NE(
      folder.translate({"none.cpp", "-o", "x.cu", "-Rpass-missed=.*"}).err.find(",-Rpass-missed=flashlight]"),
      std::string::npos);
  EXPECT_EQ(folder.translate({"none.cpp", "-o", "x.cu", "-Rno-pass-missed"}).err, "");
}

constexpr const char* kRules = R"(#include <flashlight/rule.h>
using namespace flashlight;
namespace fold {
// log exp x = x
struct log_of_exp {
  static Tensor pattern(Tensor x) { return log(exp(x)); }
  static Tensor replacement(Tensor x) { return REPLACEMENT; }
};
}
)";

TEST(Outputs, RulesOfTheUserAreAppliedReportedAndDependedOn) {
  Folder folder;
  std::string source = kAttention;
  source.replace(source.find("softmax(scores, -1)"), 19, "softmax(log(exp(scores)), -1)");
  folder.write("a.cpp", source);
  folder.write("r.cpp", "#define REPLACEMENT x\n" + std::string(kRules));
  Ended run = folder.translate({"a.cpp", "-o", "x.cu", "--report", "r.json", "-MD", "--rules", "r.cpp"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(folder.read("r.json").find("\"name\": \"log_of_exp\""), std::string::npos);
  EXPECT_NE(folder.read("r.json").find("\"location\": \"r.cpp:6\""), std::string::npos);
  EXPECT_NE(folder.read("x.d").find("r.cpp"), std::string::npos);
  Ended plain = folder.translate({"a.cpp", "--dump=rewritten"});
  EXPECT_NE(plain.out.find("log("), std::string::npos);
  EXPECT_EQ(folder.translate({"a.cpp", "--rules", "r.cpp", "--dump=rewritten"}).out.find("log("),
            std::string::npos);
}

TEST(Outputs, AWrongRuleEndsTheRunWithItsCounterexample) {
  Folder folder;
  folder.write("a.cpp", kAttention);
  folder.write("r.cpp", "#define REPLACEMENT x + 1\n" + std::string(kRules));
  folder.write("x.cu", "old");
  Ended run = folder.translate({"a.cpp", "-o", "x.cu", "--rules", "r.cpp"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.err.find("r.cpp:6:1: error: the pattern and the replacement of 'log_of_exp' differ: for x ="),
            std::string::npos)
      << run.err;
  EXPECT_NE(run.err.find("[wrong-rule]"), std::string::npos);
  EXPECT_EQ(folder.read("x.cu"), "old");
}

TEST(Outputs, RulesAreListedWithTheirMathematics) {
  Folder folder;
  folder.write("r.cpp", "#define REPLACEMENT x\n" + std::string(kRules));
  Ended run = folder.translate({"--list-rules", "--rules", "r.cpp"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("fold  log_of_exp  (r.cpp:6)\n    log exp x = x\n"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("stabilise  stable_softmax  (rules/softmax.cpp:"), std::string::npos);
}

// What a fused caller has inlined needs no remark; by itself it says what it is.
TEST(Outputs, HelpersThatAreInlinedDrawNoRemark) {
  Folder folder;
  const std::string head = "#include <flashlight/flashlight.h>\nusing namespace flashlight;\n";
  const std::string helper =
      "Tensor weights(const Tensor& q, const Tensor& k) { return softmax(matmul(q, k.mT()), -1); }\n";
  folder.write("both.cpp", head + helper +
                               "FLASHLIGHT_FUSE Tensor f(const Tensor& q, const Tensor& k, const Tensor& v) "
                               "{ return matmul(weights(q, k), v); }\n");
  EXPECT_EQ(folder.translate({"both.cpp", "-o", "x.cu", "--fail-on-unfused"}).err, "");
  folder.write("alone.cpp", head + helper);
  EXPECT_NE(folder.translate({"alone.cpp", "-o", "x.cu"}).err.find("as large as the scores"),
            std::string::npos);
}

TEST(Outputs, ABaselineThatStillHoldsPasses) {
  Folder folder;
  folder.write("a.cpp", kAttention);
  ASSERT_EQ(folder.translate({"a.cpp", "--report-only", "--report", "base.json"}).exit_code, 0);
  Ended run = folder.translate({"a.cpp", "--check", "base.json", "--fail-on-unfused"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
}

TEST(Outputs, UnchangedOnesKeepTheirTimeStamp) {
  Folder folder;
  folder.write("a.cpp", kAttention);
  std::vector<std::string> command = {"a.cpp", "-o", "a.cu", "--report", "r.json", "-MD"};
  ASSERT_EQ(folder.translate(command).exit_code, 0);
  auto before = folder.snapshot();
  ASSERT_EQ(folder.translate(command).exit_code, 0);
  EXPECT_EQ(folder.snapshot(), before);
}

TEST(Outputs, AFullDiskLeavesTheOldFilesWhole) {
  Folder folder;
  folder.write("a.cpp", kAttention);
  folder.write("a.cu", "old unit\n");
  folder.write("r.json", "old report\n");
  auto before = folder.snapshot();
  // A limit on the size of files fails in the middle of a write, as a full disk does.
  Ended run = folder.translate({"a.cpp", "-o", "a.cu", "--report", "r.json"}, "ulimit -f 1;");
  EXPECT_EQ(run.exit_code, 74);
  EXPECT_NE(run.err.find("[cannot-write]"), std::string::npos) << run.err;
  EXPECT_EQ(folder.snapshot(), before);
}

TEST(Outputs, AClosedStandardOutputIsAFailure) {
  Folder folder;
  folder.write("a.cpp", kAttention);
  std::string command = quoted(FLASHLIGHT_TRANSLATE) + " a.cpp -o -";
  EXPECT_EQ(folder.shell(command + " >&-").exit_code, 74);
  EXPECT_EQ(folder.shell(command + " >&- 2>&-").exit_code, 74);
  EXPECT_EQ(folder.shell(command + " >&- 2>&- <&-").exit_code, 74);
  EXPECT_EQ(folder.shell(command + " >/dev/full").exit_code, 74);
}

// An installed translator finds the headers beside itself, whatever tree it was built in.
TEST(Outputs, HeadersAreFoundBesideTheExecutable) {
  Folder folder;
  folder.write("prefix/include/flashlight/flashlight.h", "#error the installed header\n");
  folder.write("prefix/bin/keep", "");
  folder.write("a.cpp", kAttention);
  Ended run = folder.shell("cp " + quoted(FLASHLIGHT_TRANSLATE) +
                           " prefix/bin && prefix/bin/flashlight-translate a.cpp -o x.cu");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.err.find("the installed header"), std::string::npos) << run.err;
}

TEST(Outputs, CompilerArgumentsComeFromTheDatabase) {
  Folder folder;
  folder.write("src/a.cpp", "#ifndef FROM_DATABASE\n#error no database\n#endif\n");
  EXPECT_EQ(folder.translate({"src/a.cpp", "-o", "a.cu"}).exit_code, 1);
  folder.write("build/compile_commands.json", "[{\"directory\": \"" + folder.path() +
                                                  "\", \"file\": \"src/a.cpp\", \"command\": \"nvcc "
                                                  "-arch=sm_80 -DFROM_DATABASE -c src/a.cpp -o a.o\"}]");
  Ended run = folder.translate({"src/a.cpp", "-o", "a.cu", "-p", "build", "-MD"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(folder.read("a.d").find("compile_commands.json"), std::string::npos);
  EXPECT_EQ(folder.translate({"src/a.cpp", "-o", "a.cu", "--", "-DFROM_DATABASE"}).exit_code, 0);
}

TEST(Outputs, TheSameBytesEverywhere) {
  Folder one, other;
  one.write("deep/er/a.cpp", kAttention);
  other.write("a.cpp", kAttention);
  auto run = [](const Folder& folder, const std::string& in, const std::string& environment) {
    std::string line = "cd " + quoted(folder / in) + " && " + environment + " " +
                       quoted(FLASHLIGHT_TRANSLATE) +
                       " a.cpp -o a.cu --report r.json && cat a.cu r.json && rm a.cu r.json";
    Ended r = folder.shell(line);
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return r.out;
  };
  std::string first = run(one, "deep/er", "env");
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(first, run(other, ".", "env -i"));
  EXPECT_EQ(first, run(other, ".", "env LC_ALL=de_DE.UTF-8 LANG=tr_TR.UTF-8 TZ=Asia/Tokyo TERM=dumb"));
  EXPECT_EQ(first, run(other, ".", "env LC_ALL=C HOME=/nowhere TMPDIR=/nowhere"));
  EXPECT_EQ(first.find(one.path()), std::string::npos) << "an absolute path in an output";
}

}  // namespace
}  // namespace flashlight::test
