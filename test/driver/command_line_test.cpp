// SPDX-License-Identifier: Apache-2.0
// Every bad command line or input ends with its exit code and its id, and leaves every file as it was.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "program.h"

namespace flashlight::test {
namespace {

constexpr const char* kBroken = "#include <flashlight/flashlight.h>\nint f() { return undeclared_name; }\n";

void fill(const Folder& folder) {
  folder.write("a.cpp", kAttention);
  folder.write("b.cpp", kAttention);
  folder.write("sub/a.cpp", kAttention);
  folder.write("none.cpp", kPointwise);
  folder.write("unmet.cpp", kUnmet);
  folder.write("broken.cpp", kBroken);
  folder.write("old.cu", "the user's own\n");
  folder.write("out/keep.txt", "");
  folder.write("file", "");
  folder.write("bad.json", "{\"schema_version\": 1, ");
  folder.write("wrong.json", "{\"schema_version\": 1, \"functions\": [{\"name\": 3}]}");
  folder.write("future.json", "{\"schema_version\": 2, \"functions\": []}");
  folder.write(
      "other.json",
      R"({"schema_version": 1, "functions": [{"name": "f", "status": "fused", "location": {"file": "z.cpp"}}]})");
  folder.write(
      "lost.json",
      R"({"schema_version": 1, "functions": [{"name": "doubled", "status": "fused", "location": {"file": "none.cpp"}}]})");
  folder.write("db/compile_commands.json", "[{\"directory\": 3}]");
  mkfifo((folder / "fifo.cpp").c_str(), 0666);
}

struct Case {
  const char* name;
  std::vector<std::string> arguments;
  int exit_code;
  const char* id;
};

class BadCommandLine : public testing::TestWithParam<Case> {};

TEST_P(BadCommandLine, EndsWithItsCodeAndIdAndTouchesNothing) {
  Folder folder;
  fill(folder);
  auto before = folder.snapshot();
  Ended run = folder.translate(GetParam().arguments, "timeout 100");
  EXPECT_EQ(run.exit_code, GetParam().exit_code) << run.err;
  EXPECT_NE(run.err.find(std::string("[") + GetParam().id + "]"), std::string::npos) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(folder.snapshot(), before);
}

INSTANTIATE_TEST_SUITE_P(
    Usage, BadCommandLine,
    testing::Values(
        Case{"NoSource", {"-o", "x.cu"}, 2, "no-source"}, Case{"NoOutput", {"a.cpp"}, 2, "no-output"},
        Case{"UnknownOption", {"a.cpp", "-o", "x.cu", "--frobnicate"}, 2, "unknown-option"},
        Case{"UnknownShortOption", {"a.cpp", "-o", "x.cu", "-Z"}, 2, "unknown-option"},
        Case{"MissingValue", {"a.cpp", "-o"}, 2, "bad-usage"},
        Case{"OutputTwice", {"a.cpp", "-o", "x.cu", "-o", "y.cu"}, 2, "bad-usage"},
        Case{"EmptyValue", {"a.cpp", "-o", "x.cu", "--report", ""}, 2, "bad-value"},
        Case{"UnknownArch", {"a.cpp", "-o", "x.cu", "--arch", "sm_13"}, 2, "bad-value"},
        Case{"ArchTwice", {"a.cpp", "-o", "x.cu", "--arch", "sm_80,sm_80"}, 2, "bad-value"},
        Case{"HeadDimNoNumber", {"a.cpp", "-o", "x.cu", "--head-dims", "64,wide"}, 2, "bad-value"},
        Case{"TileNotByRows", {"a.cpp", "-o", "x.cu", "--tile", "64"}, 2, "bad-value"},
        Case{"TileNoMultiple", {"a.cpp", "-o", "x.cu", "--tile", "128x40"}, 2, "bad-value"},
        Case{"HeadDimTooLarge", {"a.cpp", "-o", "x.cu", "--head-dims", "512"}, 2, "bad-value"},
        Case{"UnknownDType", {"a.cpp", "-o", "x.cu", "--dtypes", "fp4"}, 2, "bad-value"},
        Case{"UnknownDump", {"a.cpp", "--dump=soul"}, 2, "bad-value"},
        Case{"BadRegex", {"a.cpp", "-o", "x.cu", "-Rpass=("}, 2, "bad-value"},
        Case{"NegativeTime", {"a.cpp", "-o", "x.cu", "--max-seconds", "-1"}, 2, "bad-value"},
        Case{"RulesMissing", {"a.cpp", "-o", "x.cu", "--rules", "r.cpp"}, 74, "cannot-read"},
        Case{"RulesWithoutRule", {"a.cpp", "-o", "x.cu", "--rules", "a.cpp"}, 1, "malformed-rule"},
        Case{"Precise", {"a.cpp", "-o", "x.cu", "--precise"}, 2, "not-available"},
        Case{"Split", {"a.cpp", "-o", "x.cu", "--split"}, 2, "not-available"},
        Case{
            "HeaderWithoutOutput", {"a.cpp", "--report-only", "--c-header", "x.h"}, 2, "conflicting-options"},
        Case{"ReportOnlyWithOutput", {"a.cpp", "-o", "x.cu", "--report-only"}, 2, "conflicting-options"},
        Case{"DepfileWithoutMD", {"a.cpp", "-o", "x.cu", "-MF", "x.d"}, 2, "conflicting-options"},
        Case{"DepfileOfStdout", {"a.cpp", "-o", "-", "-MD"}, 2, "conflicting-options"},
        Case{"TwoOnStdout", {"a.cpp", "-o", "-", "--report", "-"}, 2, "conflicting-options"},
        Case{"DumpAndStdout", {"a.cpp", "-o", "-", "--dump=graph"}, 2, "conflicting-options"},
        Case{"UnknownFunction", {"a.cpp", "-o", "x.cu", "--function", "zip"}, 2, "no-such-function"},
        Case{"ExplainUnknown", {"a.cpp", "--explain", "zip"}, 2, "no-such-function"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Places, BadCommandLine,
    testing::Values(
        Case{"MissingFile", {"nowhere.cpp", "-o", "x.cu"}, 74, "cannot-read"},
        Case{"SourceIsFolder", {"out", "-o", "x.cu"}, 74, "cannot-read"},
        Case{"SourceIsFifo", {"fifo.cpp", "-o", "x.cu"}, 74, "cannot-read"},
        Case{"SourceIsDevice", {"/dev/zero", "-o", "x.cu"}, 74, "cannot-read"},
        Case{"SecondSourceMissing", {"a.cpp", "nowhere.cpp", "-o", "out"}, 74, "cannot-read"},
        Case{"OutputFolderMissing", {"a.cpp", "-o", "no/x.cu"}, 74, "cannot-write"},
        Case{"OutputFolderToBe", {"a.cpp", "-o", "no/"}, 74, "cannot-write"},
        Case{"OutputNameTooLong", {"a.cpp", "-o", std::string(5000, 'x')}, 74, "cannot-write"},
        Case{"OutputBelowFile", {"a.cpp", "-o", "file/x.cu"}, 74, "cannot-write"},
        Case{"ReportFolderMissing", {"a.cpp", "-o", "x.cu", "--report", "no/r.json"}, 74, "cannot-write"},
        Case{"ReportIsFolder", {"a.cpp", "-o", "x.cu", "--report", "out"}, 74, "cannot-write"},
        Case{"ReportToFullDevice", {"a.cpp", "-o", "x.cu", "--report", "/dev/full"}, 74, "cannot-write"},
        Case{"OutputToFullDevice", {"a.cpp", "-o", "/dev/full", "--report", "r.json"}, 74, "cannot-write"},
        Case{"DepfileFolderMissing", {"a.cpp", "-o", "x.cu", "-MD", "-MF", "no/x.d"}, 74, "cannot-write"},
        Case{"OutputIsInput", {"a.cpp", "-o", "./sub/../a.cpp"}, 2, "output-is-input"},
        Case{"ReportIsInput", {"a.cpp", "-o", "x.cu", "--report", "a.cpp"}, 2, "output-is-input"},
        Case{"ReportIsBaseline",
             {"a.cpp", "-o", "x.cu", "--check", "other.json", "--report", "other.json"},
             2,
             "output-is-input"},
        Case{"ReportIsOutput", {"a.cpp", "-o", "x.cu", "--report", "./x.cu"}, 2, "one-output-for-many"},
        Case{"TwoInputsOneOutput", {"a.cpp", "b.cpp", "-o", "x.cu"}, 2, "one-output-for-many"},
        Case{"TwoInputsStdout", {"a.cpp", "b.cpp", "-o", "-"}, 2, "one-output-for-many"},
        Case{"TwoInputsOfOneName", {"a.cpp", "sub/a.cpp", "-o", "out"}, 2, "one-output-for-many"},
        Case{"NoIncludeDir", {"a.cpp", "-o", "x.cu", "--include-dir", "out"}, 74, "no-include-dir"},
        Case{"NoResourceDir", {"a.cpp", "-o", "x.cu", "--resource-dir", "out"}, 74, "no-resource-dir"},
        Case{"NoDatabase", {"a.cpp", "-o", "x.cu", "-p", "out"}, 74, "cannot-read"},
        Case{"MalformedDatabase", {"a.cpp", "-o", "x.cu", "-p", "db"}, 2, "bad-compile-commands"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Inputs, BadCommandLine,
    testing::Values(
        Case{"DoesNotCompile", {"broken.cpp", "-o", "x.cu", "--report", "r.json"}, 1, "does-not-compile"},
        Case{"OneOfTwoDoesNotCompile", {"a.cpp", "broken.cpp", "-o", "out"}, 1, "does-not-compile"},
        Case{"UnknownCompilerArgument", {"a.cpp", "-o", "x.cu", "--", "-frobnicate"}, 1, "does-not-compile"},
        Case{"SourceAmongCompilerArguments", {"a.cpp", "-o", "x.cu", "--", "b.cpp"}, 1, "does-not-compile"},
        Case{"UnmetAndDoesNotCompile", {"unmet.cpp", "broken.cpp", "-o", "out"}, 1, "does-not-compile"},
        Case{"FuseUnmet", {"unmet.cpp", "-o", "x.cu", "-MD"}, 3, "fuse-unmet"},
        Case{"OneOfTwoUnmet", {"a.cpp", "unmet.cpp", "-o", "out"}, 3, "fuse-unmet"},
        Case{"BaselineLost", {"none.cpp", "-o", "x.cu", "--check", "lost.json"}, 3, "baseline-lost"},
        Case{"BaselineMissing", {"a.cpp", "-o", "x.cu", "--check", "nowhere.json"}, 74, "cannot-read"},
        Case{"BaselineMalformed", {"a.cpp", "-o", "x.cu", "--check", "bad.json"}, 2, "bad-baseline"},
        Case{"BaselineOfWrongTypes", {"a.cpp", "-o", "x.cu", "--check", "wrong.json"}, 2, "bad-baseline"},
        Case{"BaselineOfTheFuture", {"a.cpp", "-o", "x.cu", "--check", "future.json"}, 2, "bad-baseline"},
        Case{"BaselineOfOtherFiles", {"a.cpp", "-o", "x.cu", "--check", "other.json"}, 2, "bad-baseline"}),
    [](const auto& info) { return info.param.name; });

TEST(CommandLine, SaysWhatItIs) {
  Folder folder;
  Ended help = folder.translate({"--help"}), version = folder.translate({"--version"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* option : {"--report", "-MD", "-Rpass-missed=REGEX", "--check", "Exit codes"})
    EXPECT_NE(help.out.find(option), std::string::npos) << option;
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.out.rfind("flashlight-translate ", 0), 0u) << version.out;
}

TEST(CommandLine, HelpToAFullDiskIsAFailure) {
  Folder folder;
  EXPECT_EQ(folder.shell(quoted(FLASHLIGHT_TRANSLATE) + " --help >/dev/full").exit_code, 74);
}

}  // namespace
}  // namespace flashlight::test
