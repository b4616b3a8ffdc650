// SPDX-License-Identifier: Apache-2.0
// Functions cut at their orders: what is stored, what is made again, and what reads which.
#include <gtest/gtest.h>

#include <algorithm>

#include "fusion/planning.h"
#include "graph/function.h"

namespace flashlight::fusion {
namespace {

using graph::ArgList;
using graph::Op;

T first_of(const graph::Arg& pair) { return std::get<ArgList>(pair)[0]; }
T second_of(const graph::Arg& pair) { return std::get<ArgList>(pair)[1]; }

std::vector<StepKind> kinds_of(const Planned& planned) {
  std::vector<StepKind> kinds;
  for (const Step& step : planned.plan.steps) kinds.push_back(step.kind);
  return kinds;
}
using Kinds = std::vector<StepKind>;

int count(const graph::Function& f, Op op) {
  int n = 0;
  for (graph::NodeId id = 0; id < f.graph.size(); ++id) n += f.graph[id].op == op;
  return n;
}

// Whether something of the function is made of the tensor of this name.
bool reads(const graph::Function& f, const std::string& name) {
  for (graph::NodeId id = 0; id < f.graph.size(); ++id) {
    const graph::Node& node = f.graph[id];
    if (node.op == Op::Input && f.tensors[static_cast<std::size_t>(node.input)].name == name) return true;
  }
  return false;
}

Planned threshold_of_scores() {
  return plan(3, [](const Tensors& t) -> Tensors {
    T s = scores_of(t[0], t[1]) * Sym(0.25),
      least = first_of(graph::call("topk", s, Sym(4))).op("amin", Sym(-1), graph::flag(true));
    T::builder->label(s.view.node, "scores");
    return {graph::matmul(softmax(graph::where(s >= least, s, Sym(-graph::kInf))), t[2])};
  });
}

TEST(Orders, ScoresAreStoredForTheOrderAndMadeAgainByTheKernel) {
  const Planned planned = threshold_of_scores();
  ASSERT_EQ(planned.plan.status, Status::Partial) << to_string(planned.plan, planned.function);
  EXPECT_EQ(kinds_of(planned),
            (Kinds{StepKind::Product, StepKind::Group, StepKind::Order, StepKind::Kernel}));
  EXPECT_EQ(planned.plan.reason->id, "opaque");
  const Step &order = planned.plan.steps[2], &kernel = planned.plan.steps[3];
  EXPECT_EQ(order.function->graph[order.function->outputs[0].value.node].op, Op::Sort);
  EXPECT_TRUE(order.rows.count.is_integer(4));
  EXPECT_TRUE(order.rows.descending);
  EXPECT_GT(kernel.plan.sweeps.size(), 0u);
  EXPECT_TRUE(reads(*kernel.function, "a") && reads(*kernel.function, "b"));  // scores of its own
  EXPECT_TRUE(reads(*kernel.function, "scores"));                             // for the comparison
}

// The comparison's two sides are what was ordered and what came out; nothing that is computed again.
TEST(Orders, ComparisonsReadWhatWasOrdered) {
  const Planned planned = threshold_of_scores();
  ASSERT_EQ(planned.plan.steps.size(), 4u);
  const graph::Function& f = *planned.plan.steps[3].function;
  int comparisons = 0;
  for (graph::NodeId id = 0; id < f.graph.size(); ++id) {
    const graph::Node& node = f.graph[id];
    if (node.op != Op::Map || node.fn != graph::Fn::Le) continue;
    ++comparisons;
    std::vector<graph::NodeId> open;
    for (const graph::Operand& o : node.operands) open.push_back(o.node);
    while (!open.empty()) {
      const graph::Node& below = f.graph[open.back()];
      open.pop_back();
      EXPECT_FALSE(below.op == Op::Reduce && below.reduce == graph::ReduceKind::Sum) << to_string(f);
      for (const graph::Operand& o : below.operands) open.push_back(o.node);
    }
  }
  EXPECT_EQ(comparisons, 1);
}

TEST(Orders, AParameterIsOrderedWhereItLies) {
  const Planned planned = plan(4, [](const Tensors& t) -> Tensors {
    T bias =
        first_of(graph::call("sort", t[3].op("transpose", Sym(-1), Sym(-2)), Sym(-1), graph::flag(true)));
    return {graph::matmul(softmax(scores_of(t[0], t[1]) + bias), t[2])};
  });
  EXPECT_EQ(kinds_of(planned), (Kinds{StepKind::Order, StepKind::Kernel}));
}

TEST(Orders, ElementsAndPositionsAreOneStep) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    const graph::Arg pair = graph::call("sort", attention(t));
    return {first_of(pair), second_of(pair)};
  });
  EXPECT_EQ(kinds_of(planned), (Kinds{StepKind::Kernel, StepKind::Order}));
  const Step& order = planned.plan.steps.back();
  ASSERT_EQ(order.targets.size(), 2u);
  for (const Target& target : order.targets) EXPECT_FALSE(target.intermediate);
}

TEST(Orders, AnAttentionThatIsOrderedIsNotMadeTwice) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    T out = attention(t);
    return {first_of(graph::call("sort", out)), out * Sym(2.0)};
  });
  EXPECT_EQ(kinds_of(planned), (Kinds{StepKind::Kernel, StepKind::Order, StepKind::Group}));
}

TEST(Orders, AnArgmaxIsTheFirstOfAnOrder) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    return {attention(t), T(scores_of(t[0], t[1])).op("argmax", Sym(-1), graph::flag(false))};
  });
  EXPECT_EQ(kinds_of(planned), (Kinds{StepKind::Product, StepKind::Order, StepKind::Kernel}));
  EXPECT_TRUE(planned.plan.steps[1].rows.count.is_integer(1));
}

TEST(Orders, AProjectionIsOrderedBeforeTheAttention) {
  const Planned planned = plan(4, [](const Tensors& t) -> Tensors {
    T sorted = first_of(graph::call("sort", graph::matmul(t[0], t[3]), Sym(-1)));
    return {graph::matmul(softmax(scores_of(sorted, t[1])), t[2])};
  });
  EXPECT_EQ(kinds_of(planned), (Kinds{StepKind::Product, StepKind::Order, StepKind::Kernel}));
}

TEST(Orders, OrderedScoresNeedNoKernel) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    return {graph::matmul(softmax(first_of(graph::call("sort", scores_of(t[0], t[1])))), t[2])};
  });
  ASSERT_EQ(planned.plan.status, Status::Partial) << to_string(planned.plan, planned.function);
  EXPECT_EQ(kinds_of(planned),
            (Kinds{StepKind::Product, StepKind::Order, StepKind::Group, StepKind::Product}));
}

TEST(Orders, StepsHoldNoOrderButTheirOwn) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    T s = scores_of(t[0], t[1]),
      least = first_of(graph::call("topk", s, Sym(4))).op("amin", Sym(-1), graph::flag(true));
    T out = graph::matmul(softmax(graph::where(s >= least, s, Sym(-graph::kInf))), t[2]);
    return {second_of(graph::call("sort", out))};
  });
  EXPECT_EQ(kinds_of(planned),
            (Kinds{StepKind::Product, StepKind::Order, StepKind::Kernel, StepKind::Order}));
  for (const Step& step : planned.plan.steps)
    EXPECT_EQ(count(*step.function, Op::Sort) + count(*step.function, Op::Order),
              step.kind == StepKind::Order);
}

TEST(Orders, WithoutAttentionAFunctionStaysAsItWas) {
  EXPECT_EQ(
      reason_of(1, [](const Tensors& t) -> Tensors { return {first_of(graph::call("sort", t[0]))}; }).id,
      "no-attention");
}

}  // namespace
}  // namespace flashlight::fusion
