// SPDX-License-Identifier: Apache-2.0
// Commands of other compilers become arguments for Clang.
#include "driver/compiler_args.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "driver/failure.h"
#include "emit/compile_commands.h"

namespace flashlight::driver {
namespace {

using Args = std::vector<std::string>;

TEST(CompilerArgs, NvccFlagsGoAndHostFlagsStay) {
  Args command = {"/usr/local/cuda/bin/nvcc",
                  "-gencode",
                  "arch=compute_80,code=sm_80",
                  "-arch=sm_90a",
                  "--expt-relaxed-constexpr",
                  "-Xcompiler",
                  "-Wall,-DHOST=1",
                  "--compiler-options=-fPIC",
                  "-Xptxas",
                  "-v",
                  "-rdc=true",
                  "-lineinfo",
                  "-DX=2",
                  "-std=c++20",
                  "--threads",
                  "4",
                  "-maxrregcount=128",
                  "a.cu"};
  EXPECT_EQ(portable_args(command, "/src", "a.cu"),
            (Args{"-Wall", "-DHOST=1", "-fPIC", "-DX=2", "-std=c++20"}));
}

TEST(CompilerArgs, FoldersBecomeAbsolute) {
  Args command = {"c++", "-Iinc", "-I", "../up", "-isystem", "sys", "-include", "pre.h", "-I/abs", "a.cpp"};
  EXPECT_EQ(portable_args(command, "/src/build", "/src/build/a.cpp"),
            (Args{"-I", "/src/build/inc", "-I", "/src/up", "-isystem", "/src/build/sys", "-include",
                  "/src/build/pre.h", "-I", "/abs"}));
}

TEST(CompilerArgs, CommandsAreSplitAsAShellDoes) {
  EXPECT_EQ(emit::split_command(R"(c++ "-DA=\"x y\"" -D'B=1 2' a\ b.cpp  '')"),
            (Args{"c++", "-DA=\"x y\"", "-DB=1 2", "a b.cpp", ""}));
  EXPECT_EQ(emit::split_command("unclosed 'quote"), (Args{"unclosed", "quote"}));
}

class Database : public testing::Test {
 protected:
  Database() {
    std::string name = testing::TempDir() + "flashlight-db-XXXXXX";
    root_ = mkdtemp(name.data());
    std::filesystem::create_directories(root_ + "/src/deep");
    std::ofstream(root_ + "/src/deep/a.cpp") << "";
    std::ofstream(root_ + "/compile_commands.json")
        << R"([{"directory": ")" << root_
        << R"(/src", "command": "c++ -DFROM_DB -c deep/a.cpp -o a.o", "file": "deep/a.cpp"}])";
  }
  ~Database() override { std::filesystem::remove_all(root_); }
  std::string root_;
};

TEST_F(Database, IsFoundInTheParentsOfTheSource) {
  Options o;
  o.compiler_args = {"-DOWN"};
  std::string used;
  Args args = compiler_args_for(root_ + "/src/deep/a.cpp", o, &used);
  EXPECT_EQ(used, root_ + "/compile_commands.json");
  ASSERT_GE(args.size(), 2u);
  EXPECT_EQ(args.front(), "-DFROM_DB");
  EXPECT_EQ(args.back(), "-DOWN") << "the command line has the last word";
}

TEST_F(Database, IsNotLookedForBehindDashes) {
  Options o;
  o.fixed_command = true;
  std::string used;
  EXPECT_EQ(compiler_args_for(root_ + "/src/deep/a.cpp", o, &used), Args{});
  EXPECT_EQ(used, "");
}

TEST_F(Database, OtherFilesHaveNoArguments) {
  std::ofstream(root_ + "/src/b.cpp") << "";
  std::string used;
  EXPECT_EQ(compiler_args_for(root_ + "/src/b.cpp", Options(), &used), Args{});
}

TEST(CompileCommands, MalformedOnesAreRefusedWithAReason) {
  for (const char* text : {"", "{", "{}", "[1]", "[{}]", R"([{"directory": "/", "file": "a"}])",
                           R"([{"directory": "/", "file": "a", "arguments": [1]}])", "[[[[[[[["})
    EXPECT_THROW(emit::parse_compile_commands(text), std::invalid_argument) << text;
  std::string deep(200000, '[');
  EXPECT_THROW(emit::parse_compile_commands(deep), std::invalid_argument);
  EXPECT_THROW(emit::parse_compile_commands(deep + std::string(200000, ']')), std::invalid_argument);
}

}  // namespace
}  // namespace flashlight::driver
