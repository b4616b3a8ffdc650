// SPDX-License-Identifier: Apache-2.0
// Functions around their matrix products: which contractions a library makes, what is stored between steps,
// and that the steps compute the function.
#include <cmath>
#include <random>

#include "placing.h"
#include "planning.h"

namespace flashlight::fusion {
namespace {

using graph::Array;
using graph::softmax;
using graph::transposed;

std::string kinds(const FusionPlan& plan) {
  std::string text;
  for (const Step& step : plan.steps) text += "kpog"[static_cast<int>(step.kind)];
  return text;
}

T norm(const T& x) {
  const T mean = T(T(x * x).op("mean", Sym(-1), graph::flag(true)));
  return x * T(T(mean + Sym(1e-6)).op("rsqrt"));
}

Array random_array(std::vector<std::int64_t> shape, std::mt19937& random) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  std::normal_distribution<double> normal;
  Array array{std::move(shape), {}};
  for (std::int64_t k = 0; k < count; ++k) array.data.push_back(normal(random));
  return array;
}

// The results by the steps' functions, one after the other, in float64.
std::vector<Array> run(const Planned& planned, std::vector<Array> tensors) {
  std::vector<Array> results(planned.function.outputs.size());
  const std::vector<Array> arguments = tensors;
  const graph::Binding binding(planned.function, arguments, {});
  for (const Step& step : planned.plan.steps) {
    graph::verify(*step.function);
    std::vector<Array> given = tensors;
    given.resize(step.function->tensors.size());
    // Tensors that later steps write stand there with no more than their rank.
    for (std::size_t t = tensors.size(); t < given.size(); ++t)
      if (given[t].shape.empty()) given[t] = Array{{}, {0}};
    graph::Function f = *step.function;
    std::vector<bool> read(f.tensors.size(), false);
    for (graph::NodeId id = 0; id < f.graph.size(); ++id)
      if (f.graph[id].op == graph::Op::Input) read[static_cast<std::size_t>(f.graph[id].input)] = true;
    for (std::size_t t = planned.function.tensors.size(); t < f.tensors.size(); ++t)
      if (!read[t])
        f.tensors[t].shape.clear(), f.tensors[t].may_broadcast.clear(), f.tensors[t].pack = false,
                                                                        given[t] = Array{{}, {0}};
    const std::vector<Array> made = graph::evaluate(f, given, {});
    for (std::size_t o = 0; o < made.size(); ++o) {
      const Target& target = step.targets[o];
      const auto number = static_cast<std::size_t>(target.number);
      if (!target.intermediate) lay(planned.function, binding, target, made[o], results[number]);
      else {
        if (tensors.size() <= number) tensors.resize(number + 1);
        tensors[number] = {};
        lay(*step.function, binding, target, made[o], tensors[number]);
      }
    }
  }
  return results;
}

void expect_same(const Planned& planned, const std::vector<std::vector<std::int64_t>>& shapes) {
  std::mt19937 random(7);
  std::vector<Array> tensors;
  for (const auto& shape : shapes) tensors.push_back(random_array(shape, random));
  const std::vector<Array> expected = graph::evaluate(planned.function, tensors, {});
  const std::vector<Array> actual = run(planned, tensors);
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t r = 0; r < expected.size(); ++r) {
    ASSERT_EQ(actual[r].data.size(), expected[r].data.size());
    for (std::size_t k = 0; k < expected[r].data.size(); ++k)
      EXPECT_NEAR(actual[r].data[k], expected[r].data[k], 1e-9 * (1 + std::abs(expected[r].data[k])));
  }
}

TEST(Products, AProjectionOfTheKeysIsMadeBefore) {
  const Planned planned = plan(4, [](const Tensors& t) -> Tensors {
    return {graph::matmul(softmax(scores_of(t[0], graph::matmul(t[1], t[3]))), t[2])};
  });
  ASSERT_EQ(planned.plan.status, Status::Partial);
  EXPECT_EQ(planned.plan.reason->id, "matrix-product");
  EXPECT_EQ(kinds(planned.plan), "pk");
  expect_same(planned, {{2, 3, 4}, {2, 5, 6}, {2, 5, 7}, {6, 4}});
}

TEST(Products, ANormThatThreeProjectionsReadIsWrittenOnce) {
  const Planned planned = plan(4, [](const Tensors& t) -> Tensors {
    const T x = norm(t[0]);
    return {graph::matmul(softmax(scores_of(graph::matmul(x, t[1]), graph::matmul(x, t[2]))),
                          graph::matmul(x, t[3]))};
  });
  ASSERT_EQ(planned.plan.status, Status::Partial);
  EXPECT_EQ(kinds(planned.plan), "gpppk");
  for (const Step& step : planned.plan.steps) {
    if (step.kind != StepKind::Product) continue;
    EXPECT_EQ(step.product.left.tensor == 4 || step.product.right.tensor == 4,
              true);  // what the norm has left
  }
  expect_same(planned, {{2, 5, 6}, {6, 4}, {6, 4}, {6, 3}});
}

TEST(Products, WhatComesBehindTheAttentionReadsItsHeadsUnflattened) {
  const Planned planned = plan(4, [](const Tensors& t) -> Tensors {
    T heads = attention(t);  // [.., H, S, D]
    T flat = T(T(heads.op("transpose", Sym(-3), Sym(-2))).op("flatten", Sym(-2), Sym(-1)));
    return {t[0].op("sum", Sym(-1), graph::flag(false))
                .op("sum", Sym(-2), graph::flag(false))
                .op("unsqueeze", Sym(-1)) +
            graph::matmul(flat, t[3])};
  });
  ASSERT_EQ(planned.plan.status, Status::Partial) << planned.plan.reason->text;
  EXPECT_EQ(kinds(planned.plan), "kpg");
  EXPECT_EQ(planned.plan.steps[1].product.extents.size(),
            5u);  // pack, rows, columns; heads and their columns
  expect_same(planned, {{2, 3, 5, 4}, {2, 3, 6, 4}, {2, 3, 6, 4}, {12, 7}});
}

TEST(Products, ScoresAreNeverStored) {  // between computed queries and plain keys
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    return {graph::matmul(softmax(scores_of(attention(t), t[1])), t[2])};
  });
  for (const Step& step : planned.plan.steps) EXPECT_EQ(step.kind, StepKind::Kernel);
}

TEST(Products, WithoutAttentionAFunctionStaysAsItWas) {
  EXPECT_EQ(reason_of(2, [](const Tensors& t) -> Tensors { return {graph::matmul(norm(t[0]), t[1])}; }).id,
            "no-attention");
}

// ---- what is made of an attention's result

TEST(Groups, AMeanOverTheRows) {
  const Planned planned = plan(
      3, [](const Tensors& t) -> Tensors { return {attention(t).op("mean", Sym(-2), graph::flag(false))}; });
  EXPECT_EQ(kinds(planned.plan), "kg") << to_string(planned.plan, planned.function);
  ASSERT_EQ(planned.plan.status, Status::Partial);
  EXPECT_EQ(planned.plan.reason->id, "generated-kernel");
  EXPECT_NE(planned.plan.reason->text.find("a sum over the attention's rows"), std::string::npos);
  EXPECT_FALSE(planned.plan.reason->hint.empty());
  expect_same(planned, {{2, 5, 4}, {2, 6, 4}, {2, 6, 3}});
}

TEST(Groups, ASumOverTheHeads) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    graph::call("assume_rank", t[0], Sym(4));
    return {attention(t).op("sum", Sym(1), graph::flag(false))};
  });
  EXPECT_EQ(kinds(planned.plan), "kg") << to_string(planned.plan, planned.function);
  expect_same(planned, {{2, 3, 5, 4}, {2, 3, 6, 4}, {2, 3, 6, 3}});
}

// A statistic of all scores of a head: each row's comes from a kernel, and the scores are never stored.
TEST(Groups, ATemperatureFromAllScores) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    graph::call("assume_rank", t[0], Sym(4));
    const T s = scores_of(t[0], t[1]);
    const T largest = T(s.op("abs")).op("amax", graph::sizes({-2, -1}), graph::flag(true));
    return {graph::matmul(softmax(s / (largest + Sym(1.0))), t[2])};
  });
  EXPECT_EQ(kinds(planned.plan), "kgk") << to_string(planned.plan, planned.function);
  const graph::Function& last = *planned.plan.steps.back().function;
  for (std::size_t t = 3; t < last.tensors.size(); ++t)
    for (const Sym& size : last.tensors[t].shape)
      EXPECT_FALSE(size == planned.function.tensors[1].shape[2]) << "stored for each key";
  expect_same(planned, {{2, 3, 5, 4}, {2, 3, 6, 4}, {2, 3, 6, 3}});
}

TEST(Groups, ConcatenationsAreWrittenInTheirPlaces) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    return {graph::call("cat", graph::list({t[2], attention(t)}), Sym(-2))};
  });
  EXPECT_EQ(kinds(planned.plan), "gk") << to_string(planned.plan, planned.function);
  EXPECT_EQ(planned.plan.reason->id, "generated-kernel");
  for (const Step& step : planned.plan.steps) EXPECT_TRUE(step.targets.at(0).is_part());
  expect_same(planned, {{2, 5, 4}, {2, 6, 4}, {2, 6, 3}});
}

// The whole is cheaper than its parts where one of these needs the attention that is another.
TEST(Groups, AConcatenationWithAMeanOfTheAttention) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    const T o = attention(t);
    return {graph::call("cat", graph::list({o, o.op("mean", Sym(-2), graph::flag(true))}), Sym(-2))};
  });
  EXPECT_EQ(kinds(planned.plan), "kg") << to_string(planned.plan, planned.function);
  EXPECT_EQ(planned.plan.reason->id, "generated-kernel");
  expect_same(planned, {{2, 5, 4}, {2, 6, 4}, {2, 6, 3}});
}

TEST(Groups, StackedResults) {
  const Planned planned = plan(4, [](const Tensors& t) -> Tensors {
    return {graph::call("stack", graph::list({attention(t), attention({t[0], t[1], t[3]})}), Sym(-1))};
  });
  for (const Step& step : planned.plan.steps) EXPECT_EQ(step.kind, StepKind::Kernel);
  expect_same(planned, {{2, 5, 4}, {2, 6, 4}, {2, 6, 3}, {2, 6, 3}});
}

TEST(Groups, PartsOfColumnsOfTwoAxes) {
  const Planned planned = plan(4, [](const Tensors& t) -> Tensors {
    for (int n = 0; n < 2; ++n) graph::call("assume_rank", t[n], Sym(4));
    for (int n = 2; n < 4; ++n) graph::call("assume_rank", t[n], Sym(5));
    const T weights = softmax(scores_of(t[0], t[1]));
    const auto points = [&](const T& v) { return graph::einsum("bhij,bhjpc->bhipc", {weights, v}); };
    return {graph::call("cat", graph::list({points(t[2]), points(t[3])}), Sym(-1))};
  });
  ASSERT_EQ(planned.plan.status, Status::Partial) << to_string(planned.plan, planned.function);
  expect_same(planned, {{2, 3, 5, 4}, {2, 3, 6, 4}, {2, 3, 6, 2, 3}, {2, 3, 6, 2, 4}});
}

// One result has no second one that could have other rows.
TEST(Groups, APartWithoutAttentionIsNoOtherResult) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    const T o = attention(t);
    return {graph::call("cat", graph::list({o, T(o.op("slice", Sym(-2), Sym(0), Sym(1))).op("zeros_like")}),
                        Sym(-2))};
  });
  ASSERT_EQ(planned.plan.status, Status::Partial) << to_string(planned.plan, planned.function);
  EXPECT_EQ(planned.plan.reason->id, "generated-kernel");
  expect_same(planned, {{2, 5, 4}, {2, 6, 4}, {2, 6, 3}});
}

// What a group does is not why there is one.
TEST(Groups, TheTrueReasonIsGiven) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    T x = attention(t);
    for (int n = 0; n < 18; ++n) x = x * T(x.op("sigmoid")) + t[2];
    return {x};
  });
  ASSERT_EQ(planned.plan.status, Status::Partial) << to_string(planned.plan, planned.function);
  EXPECT_EQ(planned.plan.reason->id, "input-too-complex");
}

TEST(Groups, AMeanOverHeadsAndRows) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    for (int n = 0; n < 3; ++n) graph::call("assume_rank", t[n], Sym(4));
    return {attention(t).op("mean", graph::sizes({1, 2}), graph::flag(false))};
  });
  EXPECT_EQ(kinds(planned.plan), "kg") << to_string(planned.plan, planned.function);
  expect_same(planned, {{2, 3, 5, 4}, {2, 3, 6, 4}, {2, 3, 6, 2}});
}

// ---- scores without a product

// A layer of graph attention: the scores are sums of a number of each node of its projection.
TEST(Products, GraphAttentionOfAProjection) {
  const Planned planned = plan(4, [](const Tensors& t) -> Tensors {
    graph::call("assume_rank", t[0], Sym(3));
    graph::call("assume_rank", t[1], Sym(2));
    for (int n = 2; n < 4; ++n) graph::call("assume_rank", t[n], Sym(1));
    const T h = graph::matmul(t[0], t[1]);
    const auto number = [&](const T& a) { return T(h * a).op("sum", Sym(-1), graph::flag(false)); };
    const T s = T(number(t[2]).op("unsqueeze", Sym(-1))) + T(number(t[3]).op("unsqueeze", Sym(-2)));
    return {graph::matmul(softmax(T(s.op("tanh"))), h)};
  });
  EXPECT_EQ(kinds(planned.plan), "pk") << to_string(planned.plan, planned.function);
  expect_same(planned, {{2, 5, 4}, {4, 3}, {3}, {3}});
}

// The sum with the weights is none of the scores of a linear attention, though what follows is a product of
// it.
TEST(Products, AdditiveAttentionOfProjections) {
  const Planned planned = plan(6, [](const Tensors& t) -> Tensors {
    graph::call("assume_rank", t[0], Sym(3));
    for (int n = 1; n < 5; ++n) graph::call("assume_rank", t[n], Sym(2));
    graph::call("assume_rank", t[5], Sym(1));
    const T q = graph::matmul(t[0], t[1]), k = graph::matmul(t[0], t[2]), v = graph::matmul(t[0], t[3]);
    const T both = T(T(q.op("unsqueeze", Sym(-2))) + T(k.op("unsqueeze", Sym(-3)))).op("tanh");
    const T s = T(both * t[5]).op("sum", Sym(-1), graph::flag(false));
    return {graph::matmul(graph::matmul(softmax(s), v), t[4])};
  });
  EXPECT_EQ(kinds(planned.plan), "pppkp") << to_string(planned.plan, planned.function);
  expect_same(planned, {{2, 5, 4}, {4, 3}, {4, 3}, {4, 2}, {2, 4}, {3}});
}

// A hidden layer has its features on both sides of the sum with a bias.
TEST(Products, AHiddenLayerHasNoScores) {
  const Planned planned = plan(6, [](const Tensors& t) -> Tensors {
    for (int n = 3; n < 5; ++n) graph::call("assume_rank", t[n], Sym(2));
    graph::call("assume_rank", t[5], Sym(1));
    const T hidden = T(graph::matmul(attention(t), t[3]) + t[5]).op("relu");
    return {graph::matmul(hidden, t[4])};
  });
  EXPECT_EQ(kinds(planned.plan), "kpgp") << to_string(planned.plan, planned.function);
  expect_same(planned, {{2, 5, 4}, {2, 6, 4}, {2, 6, 3}, {3, 7}, {7, 2}, {7}});
}

// keys and values projected along the sequence: q (e^T k)^T is no contraction over features and keys at once.
TEST(Products, KeysAlongTheSequence) {
  const Planned planned = plan(4, [](const Tensors& t) -> Tensors {
    graph::call("assume_rank", t[3], Sym(2));
    const T along = transposed(t[3]);
    return {attention({t[0], graph::matmul(along, t[1]), graph::matmul(along, t[2])})};
  });
  EXPECT_EQ(kinds(planned.plan), "ppk") << to_string(planned.plan, planned.function);
  expect_same(planned, {{2, 5, 4}, {2, 6, 4}, {2, 6, 3}, {6, 2}});
}

}  // namespace
}  // namespace flashlight::fusion
