// SPDX-License-Identifier: Apache-2.0
// Tile programs mean what their functions mean: the interpreter against the evaluator, whatever the sizes and the tiles.
#include "attention_programs.h"

namespace flashlight::kernel {
namespace {

struct Tile {
  int m, n;
};
constexpr Tile kTiles[] = {{1, 1}, {2, 3}, {16, 8}, {0, 0}};
constexpr std::int64_t kSizes[] = {1, 3, 7, 17};

class EveryProgram : public testing::TestWithParam<std::string> {};

TEST_P(EveryProgram, AgreesWithTheEvaluator) {
  const AttentionProgram& program = attention_program(GetParam());
  const auto params = static_cast<int>(program.inputs({}).size());
  const auto lowered = lower(params, program.body, false, static_cast<int>(program.scalars.size()));
  EXPECT_EQ(lowered->program.sweeps.size(), static_cast<std::size_t>(program.sweeps)) << to_string(lowered->program);
  for (std::int64_t sq : kSizes) {
    for (std::int64_t sk : kSizes) {
      if (program.square && sq != sk) continue;
      const std::vector<graph::Array> inputs = program.inputs({sq, sk});
      const auto wanted = graph::evaluate(lowered->function, inputs, program.scalars);
      for (const Tile& tile : kTiles) {
        InterpretOptions options{tile.m, tile.n, true, nullptr};
        const auto got = interpret(lowered->program, inputs, program.scalars, options);
        ASSERT_EQ(got.size(), wanted.size());
        for (std::size_t o = 0; o < wanted.size(); ++o) {
          expect_close(got[o], wanted[o], program.empty[o],
                       "result " + std::to_string(o) + ", " + std::to_string(sq) + " x " + std::to_string(sk) + " in tiles of " +
                           std::to_string(tile.m) + " x " + std::to_string(tile.n));
          if (HasFatalFailure()) GTEST_FAIL() << to_string(lowered->program);
        }
      }
    }
  }
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const AttentionProgram& program : attention_programs()) all.push_back(program.name);
  return all;
}

std::string identifier(const testing::TestParamInfo<std::string>& info) {
  std::string name;
  bool upper = true;
  for (char c : info.param) {
    if (std::isalnum(static_cast<unsigned char>(c))) name += upper ? static_cast<char>(std::toupper(c)) : c;
    upper = !std::isalnum(static_cast<unsigned char>(c));
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Programs, EveryProgram, testing::ValuesIn(names()), identifier);

}  // namespace
}  // namespace flashlight::kernel
