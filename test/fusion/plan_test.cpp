// SPDX-License-Identifier: Apache-2.0
// What becomes one kernel: sweeps, contractions, references; and the reasons where nothing does.
#include "fusion/describe.h"
#include "fusion/group.h"
#include "fusion/roles.h"
#include "planning.h"

namespace flashlight::fusion {
namespace {

using graph::softmax;

T sum(const T& x) { return x.op("sum", Sym(-1), graph::flag(true)); }
T amax(const T& x) { return x.op("amax", Sym(-1), graph::flag(true)); }
T exp(const T& x) { return x.op("exp"); }

struct Expected {
  std::string name;
  graph::Body body;
  std::size_t sweeps, contractions, references,
      accumulators;  // references and accumulators of the last sweep
  int params = 3;
};

std::ostream& operator<<(std::ostream& out, const Expected& expected) { return out << expected.name; }

class Structure : public testing::TestWithParam<Expected> {};

TEST_P(Structure, IsAsDerived) {
  const Expected& expected = GetParam();
  const Planned planned = plan(expected.params, expected.body);
  const std::string text = to_string(planned.plan, planned.function);
  ASSERT_EQ(planned.plan.status, Status::Fused) << text;
  ASSERT_EQ(planned.plan.steps.size(), 1u);
  EXPECT_EQ(planned.kernel().sweeps.size(), expected.sweeps) << text;
  EXPECT_EQ(planned.contractions(), expected.contractions) << text;
  EXPECT_EQ(planned.kernel().sweeps.back().references.size(), expected.references) << text;
  EXPECT_EQ(planned.kernel().sweeps.back().accumulators.size(), expected.accumulators) << text;
  EXPECT_EQ(text.rfind("function f: fused", 0), 0u) << text;
}

T scores(const Tensors& t) { return scores_of(t[0], t[1]); }
T positions(const T& x, bool rows) {
  T a = graph::arange(graph::size(x, -2));
  return rows ? T(a.op("unsqueeze", Sym(-1))) : a;
}

const Expected kStructures[] = {
    {"Softmax", [](const Tensors& t) -> Tensors { return {attention(t)}; }, 1, 1, 1, 2},
    {"NaiveSoftmax",
     [](const Tensors& t) -> Tensors {
       T e = exp(scores(t));
       return {graph::matmul(e / sum(e), t[2])};
     },
     1, 1, 1, 2},
    {"SafeSoftmaxDividedLast",
     [](const Tensors& t) -> Tensors {
       T s = scores(t), e = exp(s - amax(s));
       return {graph::matmul(e, t[2]) / sum(e)};
     },
     1, 1, 1, 2},
    {"Logsumexp",
     [](const Tensors& t) -> Tensors {
       return {attention(t), scores(t).op("logsumexp", Sym(-1), graph::flag(false))};
     },
     1, 1, 1, 2},
    {"Differential",
     [](const Tensors& t) -> Tensors {
       return {
           graph::matmul(softmax(scores_of(t[0], t[1])) - softmax(scores_of(t[3], t[4])) * Sym(0.5), t[2])};
     },
     1, 2, 2, 4, 5},
    {"DifferentialDistributed",
     [](const Tensors& t) -> Tensors {
       return {graph::matmul(softmax(scores_of(t[0], t[1])), t[2]) -
               graph::matmul(softmax(scores_of(t[3], t[4])), t[2]) * Sym(0.5)};
     },
     1, 2, 2, 4, 5},
    {"SumOfTwoScoreTensors",
     [](const Tensors& t) -> Tensors {
       return {graph::matmul(softmax(scores_of(t[0], t[1]) + scores_of(t[3], t[4])), t[2])};
     },
     1, 2, 1, 2, 5},
    {"Sigmoid", [](const Tensors& t) -> Tensors { return {graph::matmul(T(scores(t).op("sigmoid")), t[2])}; },
     1, 1, 0, 1},
    {"Softcap",
     [](const Tensors& t) -> Tensors {
       return {graph::matmul(softmax(T(scores(t).op("tanh")) * Sym(20.0)), t[2])};
     },
     1, 1, 1, 2},
    {"SoftmaxOfSoftmax",
     [](const Tensors& t) -> Tensors { return {graph::matmul(softmax(softmax(scores(t))), t[2])}; }, 2, 1, 1,
     2},
    {"TemperatureFromTheMaximum",
     [](const Tensors& t) -> Tensors {
       T s = scores(t);
       return {graph::matmul(softmax(s / (T(amax(s).op("abs")) + Sym(1.0))), t[2])};
     },
     2, 1, 1, 2},
    {"SoftmaxThrice",
     [](const Tensors& t) -> Tensors { return {graph::matmul(softmax(softmax(softmax(scores(t)))), t[2])}; },
     3, 1, 1, 2},
    {"Causal",
     [](const Tensors& t) -> Tensors {
       T s = graph::where(positions(t[1], false) <= positions(t[0], true), scores(t), Sym(-graph::kInf));
       return {graph::matmul(softmax(s), t[2])};
     },
     1, 1, 1, 2},
};

INSTANTIATE_TEST_SUITE_P(Programs, Structure, testing::ValuesIn(kStructures),
                         [](const testing::TestParamInfo<Expected>& info) { return info.param.name; });

TEST(Plan, ACausalMaskGuardsTheReference) {
  const Planned planned = plan(3, kStructures[12].body);
  ASSERT_EQ(planned.plan.status, Status::Fused);
  EXPECT_TRUE(planned.kernel().sweeps[0].references[0].guard);
}

// Each of -0.2 i and 0.2 j grows with the sequence, and in float32 loses digits that i - j has.
TEST(Plan, ADifferenceOfPositionsStaysOneValue) {
  const auto real = [](T x) { return x.op("to", graph::DType::Float32); };
  const Planned planned = plan(3, [&](const Tensors& t) -> Tensors {
    const T distance = T(real(positions(t[0], true)) - real(positions(t[1], false)));
    return {graph::matmul(softmax(scores(t) + distance * Sym(0.2)), t[2])};
  });
  ASSERT_EQ(planned.plan.status, Status::Fused);
  const bool kept =
      std::any_of(planned.kernel().made_of.begin(), planned.kernel().made_of.end(), [](const auto& made) {
        return algebra::collect(made.second, {algebra::Op::kLeaf}).size() == 2 &&
               made.second.is(algebra::Op::kAdd);
      });
  EXPECT_TRUE(kept) << planned.plan.steps[0].plan.explanation;
}

TEST(Plan, MaxSweepsIsRespected) {
  const graph::Body thrice = kStructures[11].body;
  EXPECT_EQ(plan(3, thrice, {.max_sweeps = 3}).plan.status, Status::Fused);
  EXPECT_FALSE(reason_of(3, thrice, {.max_sweeps = 2}).text.empty());
}

// ---- reasons

void expect_reason(const Reason& reason, const std::string& id, const std::string& mentions) {
  EXPECT_EQ(reason.id, id) << reason.text;
  EXPECT_NE(reason.text.find(mentions), std::string::npos) << reason.text;
}

TEST(Plan, ANormOfTheKeysIsLocal) {  // the scores are q k^T, whichever reduction over features is met first
  for (bool norm_first : {false, true}) {
    const FusionPlan plan = plan_fusion(graph::read(3, [&](const Tensors& t) -> Tensors {
      T norm = T(T(t[1] * t[1]).op("sum", Sym(-1), graph::flag(false))).op("unsqueeze", Sym(-2));
      return {graph::matmul(softmax(norm_first ? norm * Sym(-0.5) + scores(t) : scores(t) - norm), t[2])};
    }));
    ASSERT_EQ(plan.status, Status::Fused) << plan.reason->text;
    int contractions = 0;
    for (const Leaf& leaf : plan.steps[0].plan.leaves) contractions += leaf.kind == Leaf::Contraction;
    EXPECT_EQ(contractions, 1);
  }
}

TEST(Reasons, NoAttention) {
  const Reason reason = reason_of(2, [](const Tensors& t) -> Tensors { return {t[0] + t[1]}; });
  expect_reason(reason, "no-attention", "scores between queries and keys");
  EXPECT_NE(reason.hint.find("matmul"), std::string::npos);
}

TEST(Reasons, AProductAloneIsNoAttention) {
  expect_reason(reason_of(2, [](const Tensors& t) -> Tensors { return {graph::matmul(t[0], t[1])}; }),
                "no-attention", "reduction over keys");
}

// q (k^T v): as scores, k^T v would have heads as wide as the sequence is long. (q k^T) v is fused.
TEST(Reasons, ProductsThatBeginWithTheValuesAreNoAttention) {
  const auto transposed = [](const T& x) { return T(x.op("transpose", Sym(-2), Sym(-1))); };
  expect_reason(reason_of(3,
                          [&](const Tensors& t) -> Tensors {
                            return {graph::matmul(t[0], graph::matmul(transposed(t[1]), t[2]))};
                          }),
                "no-attention", "one product follows the other");
  const FusionPlan plan = plan_fusion(graph::read(3, [&](const Tensors& t) -> Tensors {
    return {graph::matmul(graph::matmul(t[0], transposed(t[1])), t[2])};
  }));
  EXPECT_EQ(plan.status, Status::Fused);
}

TEST(Reasons, ASoftmaxWithoutScoresIsNoAttention) {
  expect_reason(reason_of(1, [](const Tensors& t) -> Tensors { return {softmax(t[0])}; }), "no-attention",
                "");
}

TEST(Reasons, NameTheLineOfTheExpression) {
  const Reason reason = reason_of(3, [](const Tensors& t) -> Tensors {
    T::builder->at({"f.cpp", 7, 3});
    T s = scores(t), noise = T(s.op("amax", Sym(-1), graph::flag(true)));
    T::builder->at({"f.cpp", 8, 5});
    T mixed = T(softmax(s) * noise + s).op("erf");
    T::builder->at({"f.cpp", 9, 5});
    T rest = mixed.op("cumsum", Sym(-1));
    return {graph::matmul(softmax(T(softmax(T(softmax(T(softmax(T(softmax(rest))))))))), t[2])};
  });
  EXPECT_EQ(reason.where.file, "f.cpp");
  EXPECT_GT(reason.where.line, 0u);
}

// What the laws made of a program on the way may be very long.
TEST(Reasons, AreShortAndSayWhenMoreSweepsAreNeeded) {
  const Reason reason = reason_of(3, [](const Tensors& t) -> Tensors {
    T p = softmax(scores(t));
    for (int n = 0; n < 5; ++n) p = softmax(T(T(p + Sym(0.1)).op("log")));
    return {graph::matmul(p, t[2])};
  });
  expect_reason(reason, "inseparable-log", "more than 4 sweeps over the keys would be needed");
  EXPECT_LT(reason.text.size(), 260u);
}

TEST(Describe, AlgebraForReaders) {
  const std::string log1p = "f" + std::to_string(static_cast<int>(graph::Fn::Log1p)) + "(";
  EXPECT_EQ(readable("x + " + log1p + "f2) - buf2(f99)", 80), "x + log1p(f2) - buf2(f99)");
  EXPECT_EQ(readable("abcdef", 4), "abcd ...");
  EXPECT_EQ(readable("abc\xc3\xa4", 4), "abc ...");
}

// One warp would do the work of all scores.
TEST(Reasons, AGroupDoesNotSumOverPairsOfElements) {
  const graph::Function function = graph::read(2, [](const Tensors& t) -> Tensors {
    const T rows = T(scores_of(t[0], t[1])).op("sum", Sym(-1), graph::flag(false));
    return {rows.op("sum", Sym(-1), graph::flag(false))};
  });
  try {
    plan_group(function);
    FAIL() << "it was planned";
  } catch (const Refused& refused) {
    expect_reason(refused.reason, "unsupported-contraction", "pairs of elements");
  }
}

TEST(Reasons, ARunningSumAlongTheQueries) {
  const Reason reason = reason_of(3, [](const Tensors& t) -> Tensors {
    return {graph::matmul(softmax(T(scores(t).op("cumsum", Sym(-2)))), t[2])};
  });
  expect_reason(reason, "unsupported-scan", "running sum");
}

TEST(Plan, ResultsOfDifferentScoresHaveKernelsOfTheirOwn) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    return {attention(t), graph::matmul(softmax(scores_of(t[1], t[0])), t[0])};
  });
  ASSERT_EQ(planned.plan.steps.size(), 2u);
  EXPECT_EQ(planned.plan.steps[1].targets.at(0).number, 1);
  EXPECT_FALSE(planned.plan.steps[1].targets.at(0).intermediate);
}

TEST(Plan, AResultWithoutAttentionIsAGroup) {  // neither kernel of the first's kind, nor one of its own
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors { return {attention(t), t[0] * t[0]}; });
  ASSERT_EQ(planned.plan.status, Status::Partial);
  expect_reason(*planned.plan.reason, "outputs-differ", "result 2");
  ASSERT_EQ(planned.plan.steps.size(), 2u);
  EXPECT_EQ(planned.plan.steps[1].kind, StepKind::Group);
  EXPECT_EQ(planned.plan.steps[1].targets.at(0).number, 1);
}

TEST(Plan, WhatIsNormalisedOverTheQueriesComesFromAKernelBefore) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    T p = graph::call("softmax", scores_of(t[0], t[1]), Sym(-2));
    return {graph::matmul(p, t[2])};
  });
  ASSERT_EQ(planned.plan.steps.size(), 2u) << to_string(planned.plan, planned.function);
  const Step& before = planned.plan.steps[0];
  for (const Target& target :
       before.targets) {  // a maximum and a sum for each key, read as parameters 3 and 4
    EXPECT_TRUE(target.intermediate);
    EXPECT_GE(target.number, 3);
  }
  EXPECT_EQ(before.function->tensors.size(), 3 + before.targets.size());
}

TEST(Plan, AChainOfAttentionsIsNotCut) {  // what the second contracts is as large as a result, and no
                                          // statistic of rows
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    const T first = attention(t);
    return {graph::matmul(softmax(scores_of(first, t[1])), t[2])};
  });
  for (const Step& kernel : planned.plan.steps) EXPECT_EQ(kernel.plan.sweeps.size(), 1u);
}

TEST(Reasons, NothingButColumnsOfKeys) {  // softmax over the queries: one value per key remains
  const Reason reason = reason_of(2, [](const Tensors& t) -> Tensors {
    return {T(T(scores_of(t[0], t[1]).op("logsumexp", Sym(-1), graph::flag(false)))
                  .op("sum", Sym(-1), graph::flag(false)))};
  });
  EXPECT_FALSE(reason.id.empty());
  EXPECT_FALSE(reason.text.empty());
}

}  // namespace
}  // namespace flashlight::fusion
