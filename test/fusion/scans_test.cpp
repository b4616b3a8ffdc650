// SPDX-License-Identifier: Apache-2.0
// Running sums: those of what is no score are made once and read as tensors, those of scores stay in the
// kernel.
#include <gtest/gtest.h>

#include "fusion/planning.h"
#include "graph/function.h"

namespace flashlight::fusion {
namespace {

using graph::Op;
using Kinds = std::vector<StepKind>;

Kinds kinds_of(const Planned& planned) {
  Kinds kinds;
  for (const Step& step : planned.plan.steps) kinds.push_back(step.kind);
  return kinds;
}

T running(const T& x) { return x.op("cumsum", Sym(-1)); }
T between(const T& x) { return x.op("unsqueeze", Sym(-1)) - x.op("unsqueeze", Sym(-2)); }

TEST(Scans, OfGatesThatQueriesReadIsAStep) {
  const Planned planned = plan(4, [](const Tensors& t) -> Tensors {
    return {graph::matmul(softmax(scores_of(t[0], t[1]) + between(running(t[3]))), t[2])};
  });
  ASSERT_EQ(planned.plan.status, Status::Partial) << to_string(planned.plan, planned.function);
  EXPECT_EQ(kinds_of(planned), (Kinds{StepKind::Scan, StepKind::Kernel}));
  EXPECT_EQ(planned.plan.reason->id, "running-sum");
  const Step& sum = planned.plan.steps[0];
  EXPECT_EQ(sum.function->graph[sum.function->outputs[0].value.node].op, Op::Scan);
  EXPECT_TRUE(sum.targets[0].intermediate);
  EXPECT_EQ(sum.rows.source.tensor, 3);  // as it lies
}

TEST(Scans, WhatIsSummedIsStoredWhereItIsComputed) {
  const Planned planned = plan(4, [](const Tensors& t) -> Tensors {
    return {graph::matmul(softmax(scores_of(t[0], t[1]) + between(running(t[3].op("log_sigmoid")))), t[2])};
  });
  EXPECT_EQ(kinds_of(planned), (Kinds{StepKind::Group, StepKind::Scan, StepKind::Kernel}));
}

TEST(Scans, TwoOfThemAreTwoSteps) {
  const Planned planned = plan(4, [](const Tensors& t) -> Tensors {
    return {graph::matmul(
        softmax(scores_of(t[0], t[1]) + between(running(t[3])) + between(running(running(t[3])))), t[2])};
  });
  EXPECT_EQ(kinds_of(planned), (Kinds{StepKind::Scan, StepKind::Scan, StepKind::Kernel}));
}

// A kernel has them where only keys read them: no step is made without need.
TEST(Scans, AlongTheKeysStayInTheKernel) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    const T s = scores_of(t[0], t[1]);
    return {graph::matmul(softmax(s - running(s)), t[2])};
  });
  EXPECT_NE(planned.plan.status, Status::Partial) << to_string(planned.plan, planned.function);
}

TEST(Scans, OfScoresOverTheQueriesAreLeftAlone) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    const T s = scores_of(t[0], t[1]);
    return {graph::matmul(softmax(s - s.op("cumsum", Sym(-2))), t[2])};
  });
  ASSERT_EQ(planned.plan.status, Status::Unfused);
  EXPECT_EQ(planned.plan.reason->id, "unsupported-scan");
}

TEST(Scans, WithoutAnAttentionAreLeftAlone) {
  const Planned planned = plan(1, [](const Tensors& t) -> Tensors { return {running(t[0])}; });
  ASSERT_EQ(planned.plan.status, Status::Unfused);
  EXPECT_EQ(planned.plan.reason->id, "no-attention");
}

}  // namespace
}  // namespace flashlight::fusion
