// SPDX-License-Identifier: Apache-2.0
// Split keys: runs of keys swept apart and combined give what one sweep gives, whatever the runs hold.
#include "attention_programs.h"

namespace flashlight::kernel {
namespace {

// Every program of the collection, in runs that fit its tiles or not, and in more of them than there are
// tiles.
TEST(Combine, EveryProgramInRuns) {
  int combined = 0;
  for (const AttentionProgram& program : attention_programs()) {
    const Sizes sizes{program.square ? 17 : 5, 17};
    const std::vector<graph::Array> inputs = program.inputs(sizes);
    const auto lowered =
        lower(static_cast<int>(inputs.size()), program.body, false, static_cast<int>(program.scalars.size()));
    combined += lowered->program.combine.has_value();
    const auto wanted = graph::evaluate(lowered->function, inputs, program.scalars);
    for (const int runs : {2, 3, 7, 40}) {
      const auto got = interpret_all(*lowered, inputs, program.scalars, {3, 2, true, nullptr, runs});
      for (std::size_t o = 0; o < wanted.size(); ++o)
        expect_close(got[o], wanted[o], program.empty[std::min(o, program.empty.size() - 1)],
                     program.name + " in " + std::to_string(runs) + " runs");
    }
  }
  EXPECT_GE(combined, 20);
}

// Sums of integers are exact: they are the same in any runs, to the bit.
TEST(Combine, IntegersAreExact) {
  const auto lowered = lower(3, [](const graph::Tensors& t) -> graph::Tensors {
    const graph::T scores = graph::matmul(t[0], graph::transposed(t[1]));
    return {graph::matmul(scores, t[2]), scores.op("sum", graph::Sym(-1), graph::flag(false)),
            scores.op("amax", graph::Sym(-1), graph::flag(false))};
  });
  ASSERT_TRUE(lowered->program.combine.has_value());
  std::vector<graph::Array> inputs = qkv({6, 23});
  for (graph::Array& x : inputs)
    for (double& v : x.data) v = std::round(3 * v);
  const auto wanted = interpret(lowered->program, inputs, {}, {4, 3, true, nullptr});
  for (const int runs : {2, 3, 7, 30}) {
    const auto got = interpret(lowered->program, inputs, {}, {4, 3, true, nullptr, runs});
    for (std::size_t o = 0; o < wanted.size(); ++o) EXPECT_EQ(got[o].data, wanted[o].data) << runs << " runs";
  }
}

// Each row sees keys of one run only, or none at all.
TEST(Combine, RunsThatAMaskEmpties) {
  const auto lowered = lower(3, [](const graph::Tensors& t) -> graph::Tensors {
    const graph::T near = keys_of(t[1]) <= rows_of(t[0]) - graph::Sym(2),
                   far = keys_of(t[1]) >= rows_of(t[0]) - graph::Sym(3);
    const graph::T s = hidden_unless(near & far, scores_of(t));
    return {attend(s, t[2]), s.op("logsumexp", graph::Sym(-1), graph::flag(false))};
  });
  const std::vector<graph::Array> inputs = qkv({19, 12});
  const auto wanted = graph::evaluate(lowered->function, inputs, {});
  const double none[] = {0, -std::numeric_limits<double>::infinity()};
  TileCounts one, several;
  for (const int runs : {1, 2, 3, 7, 30}) {
    for (const int m : {1, 4, 0}) {
      const auto got = interpret(lowered->program, inputs, {},
                                 {m, 2, true,
                                  runs == 1   ? &one
                                  : runs == 3 ? &several
                                              : nullptr,
                                  runs});
      for (std::size_t o = 0; o < 2; ++o)
        expect_close(got[o], wanted[o], none[o], std::to_string(runs) + " runs");
    }
  }
  EXPECT_EQ(one, several);  // no tile is visited that one run leaves out
}

// What has no law keeps its keys together, with the reason.
TEST(Combine, ReasonsForOneRun) {
  const auto reason = [](const char* name) {
    const AttentionProgram& program = attention_program(name);
    const auto lowered = lower(static_cast<int>(program.inputs({}).size()), program.body, false,
                               static_cast<int>(program.scalars.size()));
    return lowered->program.combine ? std::string() : lowered->program.in_one_run;
  };
  EXPECT_EQ(reason("vanilla"), "");
  int sweeps = 0;
  for (const AttentionProgram& program : attention_programs()) {
    const std::string why = reason(program.name.c_str());
    if (program.sweeps < 2) continue;
    ++sweeps;
    EXPECT_NE(why.find("later sweep"), std::string::npos) << program.name;
  }
  EXPECT_GE(sweeps, 1);
  const auto scan = lower(3, [](const graph::Tensors& t) -> graph::Tensors {
    return {graph::matmul(graph::T(scores_of(t).op("cumsum", graph::Sym(-1))), t[2])};
  });
  EXPECT_NE(scan->program.in_one_run.find("running sum"), std::string::npos);
}

// The verifier sees a combination that leaves something out.
TEST(Combine, TamperedWith) {
  const auto complaint = [](auto&& tamper) -> std::string {
    const auto lowered = lower(3, attention_program("vanilla").body);
    tamper(*lowered->program.combine);
    try {
      verify(lowered->program);
    } catch (const std::logic_error& error) { return error.what(); }
    return "";
  };
  EXPECT_EQ(complaint([](Combine&) {}), "");
  EXPECT_NE(complaint([](Combine& c) { c.steps.pop_back(); }).find("own run's value"), std::string::npos);
  EXPECT_NE(complaint([](Combine& c) { c.steps.erase(c.steps.begin()); }).find("not defined here"),
            std::string::npos);
  EXPECT_NE(complaint([](Combine& c) { c.other.pop_back(); }).find("the sweep's states"), std::string::npos);
}

}  // namespace
}  // namespace flashlight::kernel
