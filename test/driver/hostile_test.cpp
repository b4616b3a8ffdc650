// SPDX-License-Identifier: Apache-2.0
// Input made to hang, crash or misuse the translator ends with a diagnostic, in time, and writes nothing.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>

#include "program.h"

namespace flashlight::test {
namespace {

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

// Neither success nor a signal nor a hang; the source stays the only file.
void expect_refused(const Folder& folder, const std::vector<std::string>& arguments, const std::string& id) {
  auto before = folder.snapshot();
  Ended run = folder.translate(arguments, "timeout 60");
  EXPECT_TRUE(run.exit_code == 1 || run.exit_code == 74) << run.exit_code << "\n" << run.err.substr(0, 2000);
  EXPECT_NE(run.err.find("[" + id + "]"), std::string::npos) << run.err.substr(0, 2000);
  EXPECT_EQ(folder.snapshot(), before);
}

TEST(Hostile, IncludeOfAFifoOrDevice) {
  Folder folder;
  mkfifo((folder / "pipe.h").c_str(), 0666);
  folder.write("a.cpp", "#include \"pipe.h\"\n");
  folder.write("b.cpp", "#include \"/dev/zero\"\n");
  expect_refused(folder, {"a.cpp", "-o", "x.cu"}, "does-not-compile");
  expect_refused(folder, {"b.cpp", "-o", "x.cu"}, "does-not-compile");
}

TEST(Hostile, IncludeOfItself) {
  Folder folder;
  folder.write("a.cpp", "#include \"a.cpp\"\n");
  expect_refused(folder, {"a.cpp", "-o", "x.cu"}, "does-not-compile");
}

TEST(Hostile, BracketsNestedDeeply) {
  Folder folder;
  folder.write("a.cpp", "int x = " + repeated("(", 100000) + "1" + repeated(")", 100000) + ";\n");
  expect_refused(folder, {"a.cpp", "-o", "x.cu"}, "does-not-compile");
}

// A sum is nested without any bracket. Either it is translated or refused as too complex; it never crashes
// the program.
TEST(Hostile, ExpressionOfAHundredThousandTerms) {
  Folder folder;
  folder.write(
      "a.cpp",
      "#include <flashlight/flashlight.h>\nflashlight::Tensor f(const flashlight::Tensor& x) { return x" +
          repeated(" + x", 100000) + "; }\n");
  Ended run = folder.translate({"a.cpp", "-o", "x.cu", "--max-seconds", "20"}, "timeout 60");
  if (run.exit_code == 1)
    EXPECT_NE(run.err.find("[input-too-complex]"), std::string::npos) << run.err.substr(0, 2000);
  else EXPECT_EQ(run.exit_code, 0) << run.err.substr(0, 2000);
}

// Sixty steps that each use the last one twice: its function is refused, others are not.
TEST(Hostile, ValuesThatGrowWithoutMeasure) {
  Folder folder;
  std::string text = kAttention;
  text +=
      "flashlight::Tensor growing(const flashlight::Tensor& q, const flashlight::Tensor& k) {\n"
      "  flashlight::Tensor s = matmul(q, k.mT());\n  for (int n = 0; n < 60; ++n) s = s * s + s;\n"
      "  return matmul(softmax(s, -1), k);\n}\n";
  folder.write("a.cpp", text);
  const Ended run = folder.translate({"a.cpp", "-o", "x.cu", "-Rpass-missed=.*"}, "timeout 30");
  EXPECT_EQ(run.exit_code, 0) << run.err.substr(0, 2000);
  EXPECT_NE(run.err.find("[input-too-complex"), std::string::npos) << run.err.substr(0, 2000);
  EXPECT_TRUE(folder.has("x.cu"));
}

TEST(Hostile, MacrosThatGrowWithoutMeasure) {
  Folder folder;
  std::string text = "#define X0 1+\n";
  for (int i = 1; i <= 30; ++i)
    text +=
        "#define X" + std::to_string(i) + " X" + std::to_string(i - 1) + " X" + std::to_string(i - 1) + "\n";
  folder.write("a.cpp", text + "int x = X30 1;\n");
  expect_refused(folder, {"a.cpp", "-o", "x.cu", "--max-seconds", "10", "--max-memory", "1000"},
                 "input-too-complex");
}

TEST(Hostile, TimeLimitHolds) {
  Folder folder;
  std::string text =
      "template <int A, int B> struct F { static constexpr int v = F<A - 1, 2 * B>::v + F<A - 1, 2 * B + "
      "1>::v; };\n"
      "template <int B> struct F<0, B> { static constexpr int v = B; };\nint x = F<24, 0>::v;\n";
  folder.write("a.cpp", text);
  auto begin = std::chrono::steady_clock::now();
  expect_refused(folder, {"a.cpp", "-o", "x.cu", "--max-seconds", "1"}, "input-too-complex");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(Hostile, CompilerArgumentsThatWriteOrLoad) {
  Folder folder;
  folder.write("a.cpp", kAttention);
  folder.write("args.txt", "-o evil\n");
  for (std::vector<std::string> extra : {std::vector<std::string>{"-o", "evil"},
                                         {"-MD", "-MF", "evil"},
                                         {"-fplugin=./evil.so"},
                                         {"-Xclang", "-load", "-Xclang", "./evil.so"},
                                         {"-save-temps"},
                                         {"-ftime-trace=evil"},
                                         {"--serialize-diagnostics", "evil"},
                                         {"@args.txt"},
                                         {"-fmodules", "-fmodules-cache-path=evil"},
                                         {"-c"},
                                         {"-E"},
                                         {"-x", "cuda"}}) {
    std::vector<std::string> arguments = {"a.cpp", "-o", "x.cu", "--"};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    Ended run = folder.translate(arguments, "timeout 60");
    EXPECT_EQ(run.exit_code, 0) << extra[0] << "\n" << run.err;
    EXPECT_EQ(folder.snapshot().size(), 3u) << extra[0];
  }
}

TEST(Hostile, BytesThatAreNoText) {
  Folder folder;
  std::string bytes;
  for (int i = 0; i < 4096; ++i) bytes += static_cast<char>(i * 37 + i / 256);
  folder.write("a.cpp", bytes);
  expect_refused(folder, {"a.cpp", "-o", "x.cu"}, "does-not-compile");
}

TEST(Hostile, ControlCharactersNeverReachTheTerminal) {
  Folder folder;
  folder.write("a.cpp", "int x = \033]0;owned\007 ;\n");
  Ended run = folder.translate({"a.cpp", "-o", "x.cu"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.err.find('\033'), std::string::npos);
  EXPECT_EQ(run.err.find('\007'), std::string::npos);
}

}  // namespace
}  // namespace flashlight::test
