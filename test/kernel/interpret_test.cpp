// SPDX-License-Identifier: Apache-2.0
// Tile programs mean what their functions mean: the interpreter against the evaluator, whatever the sizes and
// the tiles.
#include "attention_programs.h"

namespace flashlight::kernel {
namespace {

struct Tile {
  int m, n;
};
constexpr Tile kTiles[] = {{1, 1}, {2, 3}, {16, 8}, {0, 0}};
constexpr std::int64_t kSizes[] = {1, 3, 7, 17};

constexpr double kHidden = std::numeric_limits<double>::infinity();

class EveryProgram : public testing::TestWithParam<std::string> {};

TEST_P(EveryProgram, AgreesWithTheEvaluator) {
  const AttentionProgram& program = attention_program(GetParam());
  const auto params = static_cast<int>(program.inputs({}).size());
  const auto lowered = lower(params, program.body, false, static_cast<int>(program.scalars.size()));
  EXPECT_EQ(lowered->program.sweeps.size(), static_cast<std::size_t>(program.sweeps))
      << to_string(lowered->program);
  for (std::int64_t sq : kSizes) {
    for (std::int64_t sk : kSizes) {
      if (program.square && sq != sk) continue;
      const std::vector<graph::Array> inputs = program.inputs({sq, sk});
      const auto wanted = graph::evaluate(lowered->function, inputs, program.scalars);
      for (const Tile& tile : kTiles) {
        InterpretOptions options{tile.m, tile.n, true, nullptr};
        const auto got = interpret_all(*lowered, inputs, program.scalars, options);
        ASSERT_EQ(got.size(), wanted.size());
        for (std::size_t o = 0; o < wanted.size(); ++o) {
          expect_close(got[o], wanted[o], program.empty[o],
                       "result " + std::to_string(o) + ", " + std::to_string(sq) + " x " +
                           std::to_string(sk) + " in tiles of " + std::to_string(tile.m) + " x " +
                           std::to_string(tile.n));
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

// A softmax without keys is 0 where a larger expression holds it.
TEST(Interpret, AnInnerSoftmaxWithoutKeysIsNothing) {
  auto twice = [](bool guarded) {
    return [guarded](const graph::Tensors& t) -> graph::Tensors {
      graph::T p = graph::softmax(hidden_unless(keys_of(t[1]) < rows_of(t[0]), scores_of(t)));
      if (guarded) p = graph::where(rows_of(t[0]) > graph::Sym(0), p, graph::Sym(0.0));
      return {attend(p, t[2])};
    };
  };
  const std::vector<graph::Array> inputs = qkv({7, 5});
  const auto wanted = graph::evaluate(graph::read(3, twice(true)), inputs, {});
  expect_close(interpret(lower(3, twice(false))->program, inputs, {}, {2, 3, true, nullptr})[0], wanted[0], 0,
               "");
}

// Row 0 sees no key of the softmax, but one of the weights beside it and of the second result.
TEST(Interpret, EachResultHasItsOwnRowsWithoutKeys) {
  auto difference = [](bool guarded) {
    return [guarded](const graph::Tensors& t) -> graph::Tensors {
      const graph::T i = rows_of(t[0]), j = keys_of(t[1]), s = scores_of({t[0], t[1]});
      const graph::T weights = graph::where(j <= i, s.op("sigmoid"), graph::Sym(0.0));
      graph::T p = graph::softmax(hidden_unless(j < i, scores_of({t[3], t[4]})));
      if (guarded) p = graph::where(i > graph::Sym(0), p, graph::Sym(0.0));
      const graph::T greatest = hidden_unless(j <= i, s).op("amax", graph::Sym(-1), graph::flag(false));
      return {graph::matmul(weights - p, t[2]), greatest};
    };
  };
  std::vector<graph::Array> inputs = qkv({7, 7});
  inputs.push_back(graph::random(inputs[0].shape, 8));
  inputs.push_back(graph::random(inputs[1].shape, 9));
  const auto wanted = graph::evaluate(graph::read(5, difference(true)), inputs, {});
  const auto got = interpret(lower(5, difference(false))->program, inputs, {}, {2, 3, true, nullptr});
  for (std::size_t o = 0; o < 2; ++o) expect_close(got[o], wanted[o], 0, std::to_string(o));
}

// A weight of nothing stays nothing, whatever it multiplies: the expected score of a row with hidden keys.
TEST(Interpret, HiddenKeysWeighNothingBesideInfiniteFactors) {
  auto expectation = [](bool guarded) {
    return [guarded](const graph::Tensors& t) -> graph::Tensors {
      const graph::T seen = keys_of(t[1]) <= rows_of(t[0]), s = hidden_unless(seen, scores_of(t)),
                     p = graph::softmax(s);
      graph::T weighed = p / t[3];  // 1 / 0 at the last key
      if (guarded) weighed = graph::where(seen, weighed, graph::Sym(0.0));
      return {graph::matmul(weighed, t[2])};
    };
  };
  std::vector<graph::Array> inputs = qkv({6, 7});
  inputs.push_back({{7}, {1, 2, 3, 4, 5, 6, 0}});
  const auto wanted = graph::evaluate(graph::read(4, expectation(true)), inputs, {});
  for (double x : wanted[0].data) ASSERT_TRUE(std::isfinite(x));
  expect_close(interpret(lower(4, expectation(false))->program, inputs, {}, {2, 4, false, nullptr})[0],
               wanted[0], 0, "");
}

// Two streams, each with a mask of its own: row 0 sees a key in the first one only.
TEST(Interpret, AStreamWithoutKeysCountsAsNothing) {
  auto difference = [](bool guarded) {
    return [guarded](const graph::Tensors& t) -> graph::Tensors {
      const graph::T i = rows_of(t[0]), j = keys_of(t[1]);
      const graph::T first = graph::softmax(hidden_unless(j <= i, scores_of({t[0], t[1]})));
      graph::T second = graph::softmax(hidden_unless(j < i, scores_of({t[3], t[4]})));
      if (guarded) second = graph::where(i > graph::Sym(0), second, graph::Sym(0.0));
      return {graph::matmul(first - second * graph::Sym(0.5), t[2])};
    };
  };
  std::vector<graph::Array> inputs = qkv({7, 7});
  inputs.push_back(graph::random(inputs[0].shape, 8));
  inputs.push_back(graph::random(inputs[1].shape, 9));
  const auto wanted = graph::evaluate(graph::read(5, difference(true)), inputs, {});
  expect_close(interpret(lower(5, difference(false))->program, inputs, {}, {2, 3, true, nullptr})[0],
               wanted[0], 0, "");
}

// What eager code gives, NaN, where that is asked for.
TEST(Interpret, StrictNan) {
  for (const char* name : {"no key at all", "late rows only", "greatest score beside it",
                           "softcap, first row without keys", "key lengths"}) {
    const AttentionProgram& program = attention_program(name);
    const std::vector<graph::Array> inputs = program.inputs({7, 7});
    const auto lowered = lower(static_cast<int>(inputs.size()), program.body, true);
    const auto wanted = graph::evaluate(lowered->function, inputs, {});
    EXPECT_TRUE(std::isnan(wanted[0].data[0])) << name;
    expect_close(interpret(lowered->program, inputs, {}, {2, 3, true, nullptr})[0], wanted[0], std::nan(""),
                 name);
  }
}

// Rows hidden by a condition or a bias of the row alone, which no key has a part in.
struct HiddenRows {
  const char* name;
  std::function<graph::T(const graph::T& s, const graph::Tensors& t)>
      hide;  // t[3]: a value of the row, -inf for some
};

std::vector<HiddenRows> hidden_rows() {
  const auto row = [](const graph::Tensors& t) { return graph::T(t[3].op("view", graph::sizes({-1, 1}))); };
  const auto later = [](const graph::Tensors& t) { return rows_of(t[0]) >= graph::Sym(3); };
  return {{"positions", [=](const auto& s, const auto& t) { return hidden_unless(later(t), s); }},
          {"positions under a causal mask",
           [=](const auto& s, const auto& t) {
             return hidden_unless(later(t) & (keys_of(t[1]) <= rows_of(t[0])), s);
           }},
          {"data", [=](const auto& s, const auto& t) { return hidden_unless(row(t) > graph::Sym(-5.0), s); }},
          {"a bias", [=](const auto& s, const auto& t) { return s + row(t); }},
          {"a bias behind a mask",
           [=](const auto& s, const auto& t) {
             return hidden_unless(keys_of(t[1]) <= rows_of(t[0]), s) + row(t);
           }},
          {"a bias of squashed scores",
           [=](const auto& s, const auto& t) { return graph::T(s.op("tanh")) + row(t); }},
          {"a bias and its key", [=](const auto& s, const auto& t) {
             return s + (row(t) - graph::T(t[4].op("view", graph::sizes({1, -1}))));
           }}};
}

graph::Tensors softmax_and_its_sums(const graph::T& s, const graph::Tensors& t) {
  const graph::T p = graph::softmax(s);
  return {graph::matmul(p, t[2]), s.op("amax", graph::Sym(-1), graph::flag(false)),
          s.op("logsumexp", graph::Sym(-1), graph::flag(false)),
          graph::matmul(p - graph::softmax(s * graph::Sym(0.0) + scores_of({t[0], t[1]})) * graph::Sym(0.5),
                        t[2])};
}

TEST(Interpret, HiddenRows) {
  for (const HiddenRows& hidden : hidden_rows()) {
    for (const bool strict : {false, true}) {
      const graph::Body body = [&](graph::Tensors t) {
        for (std::size_t k : {3, 4})
          t[k] = t[k].op("permute", graph::ArgList{graph::Sym(0)});  // used or not, of rank 1
        return softmax_and_its_sums(hidden.hide(scores_of(t), t), t);
      };
      const auto lowered = lower(5, body, strict);
      std::vector<graph::Array> inputs = qkv({7, 7});
      inputs.push_back({{7}, {-kHidden, 0.5, -2, -kHidden, 3, -kHidden, 1}});
      inputs.push_back(graph::random({7}, 5));
      const auto wanted = graph::evaluate(lowered->function, inputs, {});
      EXPECT_TRUE(std::isnan(wanted[0].data[0])) << hidden.name;
      const double none[] = {0, -kHidden, -kHidden, std::nan("")};
      for (std::size_t o = 0; o < wanted.size(); ++o) {
        if (o == 3 && !strict) continue;  // which of two streams has keys
        const auto got = interpret(lowered->program, inputs, {}, {2, 3, true, nullptr});
        expect_close(got[o], wanted[o], strict ? std::nan("") : none[o],
                     std::string(hidden.name) + (strict ? ", strict" : ""));
        for (std::size_t k = 0; strict && k < got[o].data.size(); ++k)
          EXPECT_EQ(std::isnan(got[o].data[k]), std::isnan(wanted[o].data[k]))
              << hidden.name << ", result " << o << ", element " << k;
      }
    }
  }
}

// A NaN that is added to a row's scores is seen, though a softmax does not see what is finite.
TEST(Interpret, ABiasOfNanPoisonsItsRow) {
  for (const bool strict : {false, true}) {
    const auto lowered = lower(
        4,
        [](const graph::Tensors& t) -> graph::Tensors {
          return {attend(scores_of(t) + graph::T(t[3].op("view", graph::sizes({-1, 1}))), t[2])};
        },
        strict);
    std::vector<graph::Array> inputs = qkv({4, 5});
    inputs.push_back({{4}, {0.5, std::nan(""), -2, kHidden}});
    const auto wanted = graph::evaluate(lowered->function, inputs, {});
    expect_close(interpret(lowered->program, inputs, {}, {2, 3, true, nullptr})[0], wanted[0], std::nan(""),
                 strict ? "strict" : "");
  }
}

// Scores of +-1e4: the reference keeps exponentials in range.
TEST(Interpret, LargeScores) {
  for (const char* name : {"vanilla", "causal", "logsumexp beside it", "naive softmax", "off by one",
                           "sliding window", "negative scale"}) {
    const AttentionProgram& program = attention_program(name);
    std::vector<graph::Array> inputs = program.inputs({7, 17});
    const auto lowered = lower(static_cast<int>(inputs.size()), program.body);
    const auto small = graph::evaluate(lowered->function, inputs, {});
    for (double& x : inputs[0].data) x *= 1e4;
    const auto got = interpret(lowered->program, inputs, {}, {2, 3, true, nullptr});
    for (double x : got[0].data) ASSERT_TRUE(std::isfinite(x)) << name;
    if (std::string(name) == "naive softmax" || std::string(name) == "off by one")
      continue;  // eager code overflows
    expect_close(got[0], graph::evaluate(lowered->function, inputs, {})[0], 0, name);
  }
}

// A bias of the row hides it where it is -inf, and is nothing to a softmax elsewhere.
TEST(Interpret, ARowConstantMayHideItsRow) {
  const auto lowered = lower(4, [](const graph::Tensors& t) -> graph::Tensors {
    return {attend(scores_of(t) + graph::T(t[3].op("view", graph::sizes({-1, 1}))), t[2])};
  });
  std::vector<graph::Array> inputs = qkv({4, 5});
  inputs.push_back({{4}, {0.5, -INFINITY, -2, -INFINITY}});
  const auto wanted = graph::evaluate(lowered->function, inputs, {});
  EXPECT_TRUE(std::isnan(wanted[0].data[2]));
  expect_close(interpret(lowered->program, inputs, {}, {2, 3, true, nullptr})[0], wanted[0], 0, "");
}

// A finite fill keeps its meaning: a row whose every score is filled attends uniformly.
TEST(Interpret, FiniteFill) {
  const graph::Body body = [](const graph::Tensors& t) -> graph::Tensors {
    return {attend(graph::where(keys_of(t[1]) < rows_of(t[0]), scores_of(t), graph::Sym(-1e10)), t[2])};
  };
  const auto lowered = lower(3, body);
  const std::vector<graph::Array> inputs = qkv({7, 7});
  expect_close(interpret(lowered->program, inputs, {}, {2, 3, true, nullptr})[0],
               graph::evaluate(lowered->function, inputs, {})[0], 0, "");
}

// NaN in one query row stays in that row.
TEST(Interpret, NanPoisonsItsRowOnly) {
  const auto lowered = lower(3, attention_program("causal").body);
  std::vector<graph::Array> inputs = qkv({7, 7});
  const auto clean = interpret(lowered->program, inputs, {}, {4, 4, false, nullptr})[0];
  inputs[0].data[4 * 3] = std::nan("");  // b 0, h 0, i 4
  const auto got = interpret(lowered->program, inputs, {}, {4, 4, false, nullptr})[0];
  for (std::size_t k = 0; k < got.data.size(); ++k) {
    if (k / 2 == 4) EXPECT_TRUE(std::isnan(got.data[k])) << k;
    else EXPECT_EQ(got.data[k], clean.data[k]) << k;
  }
}

TEST(Interpret, LeadingAxesBroadcast) {
  const auto lowered = lower(3, attention_program("causal").body);
  for (const std::vector<std::int64_t>& leading : {std::vector<std::int64_t>{}, {3}, {2, 1, 2}}) {
    std::vector<graph::Array> inputs{graph::random({4, 3}, 1), graph::random({5, 3}, 2),
                                     graph::random({5, 2}, 3)};
    inputs[0].shape.insert(inputs[0].shape.begin(), leading.begin(), leading.end());
    inputs[0] = graph::random(inputs[0].shape, 1);
    const auto wanted = graph::evaluate(lowered->function, inputs, {});
    expect_close(interpret(lowered->program, inputs, {}, {3, 2, true, nullptr})[0], wanted[0], 0,
                 std::to_string(leading.size()));
  }
}

TEST(Interpret, WrongInputsAreNamed) {
  const auto lowered = lower(3, attention_program("vanilla").body);
  std::vector<graph::Array> inputs = qkv({4, 4});
  inputs[1] = graph::random({2, 2, 4, 5}, 1);
  EXPECT_THROW(interpret(lowered->program, inputs, {}), std::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Programs, EveryProgram, testing::ValuesIn(names()), identifier);

}  // namespace
}  // namespace flashlight::kernel
