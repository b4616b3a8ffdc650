// SPDX-License-Identifier: Apache-2.0
// Files as input: errors as data, nothing executed, nothing written, nothing but regular files read.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support.h"

namespace flashlight::frontend::test {
namespace {

TEST(Input, ErrorsAreStructured) {
  Program p = read(
      "Tensor f(const Tensor& q) {\n  return q + nothing;\n}\nTensor g(const Tensor& q) { return q + q; }");
  EXPECT_FALSE(p.parsed);
  EXPECT_TRUE(p.functions.empty());
  ASSERT_GE(p.diagnostics.size(), 1u);
  const Diagnostic& d = p.diagnostics[0];
  EXPECT_EQ(d.severity, Severity::Error);
  EXPECT_EQ(d.where.file, p.path);
  EXPECT_EQ(d.where.line, 4u);
  EXPECT_EQ(d.where.column, 14u);
  EXPECT_EQ(d.source_line, "  return q + nothing;");
  EXPECT_NE(d.text.find("nothing"), std::string::npos);
}

// Clang places "expected ';'" behind the last token of the line.
TEST(Input, APlaceAtTheEndOfALineShowsThatLine) {
  for (const char* end : {"\n", "\r\n"}) {
    Program p = read_raw(std::string("int a = 1;") + end + "int b = 2" + end + "int c = 3;" + end);
    ASSERT_FALSE(p.diagnostics.empty());
    EXPECT_EQ(p.diagnostics[0].where.line, 2u);
    EXPECT_EQ(p.diagnostics[0].source_line, "int b = 2");
  }
  Program p = read_raw("int a = 1");
  ASSERT_FALSE(p.diagnostics.empty());
  EXPECT_EQ(p.diagnostics[0].source_line, "int a = 1");
}

TEST(Input, WarningsAreNotOurs) {
  Program p =
      read("int g() { int x = 3.5; return 1; }\n#warning hello\nTensor f(const Tensor& q) { return q + 1; }",
           {"-Wall", "-Wconversion"});
  EXPECT_TRUE(p.parsed) << said(p);
  EXPECT_TRUE(p.diagnostics.empty()) << said(p);
}

TEST(Input, EmptyAndWithoutTheDsl) {
  EXPECT_TRUE(read_raw("").parsed);
  Program p = read_raw("int main() { return 0; }\n");
  EXPECT_TRUE(p.parsed);
  EXPECT_TRUE(p.functions.empty());
}

TEST(Input, MissingFile) {
  Program p = read_program("/nonexistent/a.cpp", {});
  EXPECT_FALSE(p.parsed);
  ASSERT_EQ(p.diagnostics.size(), 1u);
  EXPECT_EQ(p.diagnostics[0].id, "cannot-read");
}

TEST(Input, PipesAndDevicesAreNotRead) {
  char pattern[] = "/tmp/flashlight_fifo_XXXXXX";
  std::string folder = mkdtemp(pattern);
  ASSERT_EQ(mkfifo((folder + "/pipe.h").c_str(), 0600), 0);
  EXPECT_EQ(read_program(folder + "/pipe.h", {}).diagnostics.at(0).id, "cannot-read");
  Program p = read_raw("#include \"" + folder + "/pipe.h\"\n#include \"/dev/zero\"\n");  // must not hang
  EXPECT_FALSE(p.parsed);
  std::filesystem::remove_all(folder);
}

TEST(Input, ArgumentsReachTheCompiler) {
  Program p = read("Tensor f(const Tensor& q) { return q * SCALE; }", {"-DSCALE=3"});
  EXPECT_EQ(function(p, "f").variants.size(), 1u) << said(p);
  EXPECT_FALSE(read("Tensor f(const Tensor& q) { return q * SCALE; }").parsed);
}

TEST(Input, BadArgumentsAreAnError) {
  Program p = read("Tensor f(const Tensor& q) { return q * 2; }", {"--no-such-option-at-all"});
  EXPECT_FALSE(p.parsed);
  EXPECT_FALSE(p.diagnostics.empty());
}

TEST(Input, ArgumentsThatWriteOrLoadAreDropped) {
  char pattern[] = "/tmp/flashlight_out_XXXXXX";
  std::string folder = mkdtemp(pattern);
  Program p = read("Tensor f(const Tensor& q) { return q * 2; }", {"-o",
                                                                   folder + "/out.o",
                                                                   "-MD",
                                                                   "-MF",
                                                                   folder + "/out.d",
                                                                   "-c",
                                                                   "-S",
                                                                   "-save-temps=" + folder,
                                                                   "-fplugin=/nonexistent.so",
                                                                   "-Xclang",
                                                                   "-load",
                                                                   "-Xclang",
                                                                   "/nonexistent.so",
                                                                   "-ftime-trace=" + folder + "/t.json",
                                                                   "-mllvm",
                                                                   "-help",
                                                                   "-fprofile-generate=" + folder,
                                                                   "-E",
                                                                   "-emit-llvm",
                                                                   "-o" + folder + "/x.o"});
  EXPECT_EQ(function(p, "f").variants.size(), 1u) << said(p);
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  std::filesystem::remove_all(folder);
}

TEST(Input, DependenciesAreTheFilesRead) {
  Program p = read("Tensor f(const Tensor& q) { return q * 2; }");
  bool main = false, dsl = false;
  for (const std::string& d : p.dependencies) {
    main |= d == p.path;
    dsl |= d.find("flashlight/tensor.h") != std::string::npos;
  }
  EXPECT_TRUE(main);
  EXPECT_TRUE(dsl);
}

TEST(Input, DeepNestingEndsInAMessage) {
  std::string sum = "q";
  for (int i = 0; i < 6000; ++i) sum += " + q";
  Program p = read("Tensor f(const Tensor& q) { return " + sum + "; }");
  const FunctionSource& f = function(p, "f");
  ASSERT_TRUE(f.refusal);
  EXPECT_EQ(f.refusal->id, "too-large");
  EXPECT_TRUE(f.refusal->source_line.empty());  // nobody reads a line of this length
}

TEST(Input, HeadersOfTheUser) {
  char pattern[] = "/tmp/flashlight_hdr_XXXXXX";
  std::string folder = mkdtemp(pattern);
  std::ofstream(folder + "/mine.h")
      << "#pragma once\n#include <flashlight/flashlight.h>\n"
         "inline flashlight::Tensor half(const flashlight::Tensor& x) { return x * 0.5; }\n"
         "inline flashlight::Tensor other(const flashlight::Tensor& x) { return x * 0.5; }\n";
  Program p = read(
      "#include \"mine.h\"\nTensor f(const Tensor& q) { return half(q) + 1; }\nint main() { return "
      "other(ones({2})).dim(); }",
      {"-I" + folder});
  EXPECT_EQ(function(p, "f").variants.size(), 1u) << said(p);
  ASSERT_EQ(p.functions.size(), 2u);
  EXPECT_EQ(p.functions[1].name, "other");  // called by code that is not translated itself
  EXPECT_FALSE(p.functions[1].in_main_file);
  EXPECT_EQ(p.functions[1].body_offset, 0u);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace flashlight::frontend::test
