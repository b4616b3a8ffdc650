// SPDX-License-Identifier: Apache-2.0
// The text of tile programs.
#include "attention_programs.h"

namespace flashlight::kernel {
namespace {

TEST(Print, Causal) { EXPECT_EQ(to_string(lower(3, attention_program("causal").body)->program), ""); }

TEST(Print, IsTheSameForEqualPrograms) {
  for (const AttentionProgram& program : attention_programs()) {
    const auto params = static_cast<int>(program.inputs({}).size()), scalars = static_cast<int>(program.scalars.size());
    EXPECT_EQ(to_string(lower(params, program.body, false, scalars)->program), to_string(lower(params, program.body, false, scalars)->program));
  }
}

// No two things share a name, and nothing is left without one.
TEST(Print, NamesEverything) {
  for (const AttentionProgram& program : attention_programs()) {
    const auto params = static_cast<int>(program.inputs({}).size()), scalars = static_cast<int>(program.scalars.size());
    const std::string text = to_string(lower(params, program.body, false, scalars)->program);
    EXPECT_EQ(text.find('?'), text.find(" ? ") == std::string::npos ? std::string::npos : text.find(" ? ") + 1) << text;
  }
}

}  // namespace
}  // namespace flashlight::kernel
