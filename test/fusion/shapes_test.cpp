// SPDX-License-Identifier: Apache-2.0
// Scores without a product, and results that are blocks, rows or parts: roles, and how kernels see what they
// write.
#include "planning.h"

namespace flashlight::fusion {
namespace {

T column(const T& x) { return x.op("unsqueeze", Sym(-1)); }
T row(const T& x) { return x.op("unsqueeze", Sym(-2)); }
T sum(const T& x) { return x.op("sum", Sym(-1), graph::flag(false)); }
T blocks(const T& x) { return x.op("unflatten", Sym(-2), graph::sizes({-1, 16})); }
T weighed(const T& scores, const T& v) { return graph::matmul(graph::softmax(scores), v); }

void expect_one_kernel(const Planned& planned) {
  ASSERT_EQ(planned.plan.status, Status::Fused) << to_string(planned.plan, planned.function);
  ASSERT_EQ(planned.plan.steps.size(), 1u) << to_string(planned.plan, planned.function);
}
const std::vector<Reshaping>& views(const Planned& planned, std::size_t step = 0) {
  return planned.plan.steps.at(step).targets.at(0).views;
}

TEST(Pairs, ASumInsideOfAFunction) {
  const Planned planned = plan(
      3, [](const Tensors& t) -> Tensors { return {weighed(T(column(t[0]) + row(t[1])).op("tanh"), t[2])}; });
  expect_one_kernel(planned);
  EXPECT_EQ(planned.roles(), "pic|j");
  EXPECT_EQ(planned.contractions(), 0u);
}

TEST(Pairs, ASumOverFeatures) {
  const Planned planned = plan(4, [](const Tensors& t) -> Tensors {
    const T both = T(T(t[0].op("unsqueeze", Sym(-2))) + T(t[1].op("unsqueeze", Sym(-3)))).op("tanh");
    return {weighed(sum(both * t[3]), t[2])};
  });
  expect_one_kernel(planned);
  EXPECT_EQ(planned.roles().substr(0, 3), "pic");
}

TEST(Pairs, ASumThatIsWeighedLinearlyIsNone) {  // sum_j (a[i] + b[j]) v[j] comes apart
  const Reason reason = reason_of(
      3, [](const Tensors& t) -> Tensors { return {graph::matmul(column(t[0]) + row(t[1]), t[2])}; });
  EXPECT_EQ(reason.id, "no-attention");
}

TEST(Pairs, PositionsAreNone) {
  const Reason reason = reason_of(2, [](const Tensors& t) -> Tensors {
    const T i = column(graph::arange(graph::size(t[0], -2))), j = graph::arange(graph::size(t[1], -2));
    return {graph::matmul(T(T(i - j).op("to", graph::DType::Float32)).op("tanh"), t[1])};
  });
  EXPECT_EQ(reason.id, "no-attention");
}

TEST(Pairs, ProductsComeFirst) {  // the sum with a bias of row and key is no score of its own
  const Planned planned = plan(5, [](const Tensors& t) -> Tensors {
    return {weighed(T(scores_of(t[0], t[1]) + column(t[3]) + row(t[4])).op("tanh"), t[2])};
  });
  expect_one_kernel(planned);
  EXPECT_EQ(planned.contractions(), 1u);
}

TEST(Shapes, BlocksOfASequence) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    return {attention({blocks(t[0]), blocks(t[1]), blocks(t[2])}).op("flatten", Sym(-3), Sym(-2))};
  });
  expect_one_kernel(planned);
  EXPECT_EQ(planned.roles(), "pbic|jd");
  ASSERT_EQ(views(planned).size(), 1u);
  EXPECT_EQ(views(planned)[0].kind, Reshaping::Split);
  EXPECT_EQ(views(planned)[0].behind, 1);
  EXPECT_EQ(views(planned)[0].second, Sym(16));
}

TEST(Shapes, ARepeatedHeadIsNoBlock) {  // h / 4 alone is how heads share keys
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    return {attention(
        {t[0], t[1].op("repeat_interleave", Sym(4), Sym(1)), t[2].op("repeat_interleave", Sym(4), Sym(1))})};
  });
  expect_one_kernel(planned);
  EXPECT_TRUE(views(planned).empty());
}

// Blocks that are cut off: no view of the result shows them as whole ones.
TEST(Shapes, APieceOfTheBlocksIsNotSplit) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    const T all = attention({blocks(t[0]), blocks(t[1]), blocks(t[2])}).op("flatten", Sym(-3), Sym(-2));
    return {all.op("slice", Sym(-2), Sym(0), graph::size(t[0], -2) - 1)};
  });
  for (const Step& step : planned.plan.steps)
    for (const Target& target : step.targets) EXPECT_TRUE(target.views.empty());
}

// A gate and a residual name the result's length otherwise than the blocks do.
TEST(Shapes, BlocksWithAResidual) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    const T all = attention({blocks(t[0]), blocks(t[1]), blocks(t[2])}).op("flatten", Sym(-3), Sym(-2));
    return {all * T(t[2].op("sigmoid")) + t[2]};
  });
  expect_one_kernel(planned);
  ASSERT_EQ(views(planned).size(), 1u);
  EXPECT_EQ(views(planned)[0].kind, Reshaping::Split);
}

// What is made of the blocks and used several times is made once.
TEST(Shapes, ManyUsesOfBlocks) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    T x = attention({blocks(t[0]), blocks(t[1]), blocks(t[2])}).op("flatten", Sym(-3), Sym(-2));
    for (int n = 0; n < 28; ++n) x = x * T(x.op("sigmoid")) + t[2];
    return {x};
  });
  EXPECT_NE(planned.plan.status, Status::Fused);
  EXPECT_EQ(planned.plan.reason->id, "input-too-complex");
}

// Groups of queries in the model's layout: the row stays the position, the group is a batch.
TEST(Shapes, HeadsThatShareKeysAreNoBlocks) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    for (int n = 0; n < 3; ++n) graph::call("assume_rank", t[n], Sym(4));
    const auto heads = [](const T& x) { return x.op("transpose", Sym(1), Sym(2)); };
    const T q = heads(t[0]).op("unflatten", Sym(1), graph::sizes({graph::size(t[1], 2), -1}));
    const T k = heads(t[1]).op("unsqueeze", Sym(2)), v = heads(t[2]).op("unsqueeze", Sym(2));
    return {heads(attention({q, k, v}).op("flatten", Sym(1), Sym(2)))};
  });
  expect_one_kernel(planned);
  EXPECT_TRUE(views(planned).empty());
  EXPECT_EQ(planned.roles(), "bibc|jd");
  EXPECT_EQ(planned.kernel().loops.at(planned.kernel().row).size, planned.function.tensors[0].shape[1]);
}

TEST(Shapes, FlattenedHeadsAreSplit) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    for (int n = 0; n < 3; ++n) graph::call("assume_rank", t[n], Sym(4));
    return {T(attention(t).op("transpose", Sym(1), Sym(2))).op("flatten", Sym(2), Sym(3))};
  });
  expect_one_kernel(planned);
  EXPECT_EQ(planned.roles(), "bibc|jd");
}

// A gate of each head that lies as [groups, heads of a group]: any kernel reads it there.
TEST(Shapes, ArgumentsThatAreReadInTwoPartsSplitNothing) {
  const Planned planned = plan(4, [](const Tensors& t) -> Tensors {
    for (int n = 0; n < 3; ++n) graph::call("assume_rank", t[n], Sym(4));
    graph::call("assume_rank", t[3], Sym(2));
    return {attention(t) * column(column(t[3].op("flatten", Sym(0), Sym(1))))};
  });
  expect_one_kernel(planned);
  EXPECT_TRUE(views(planned).empty());
}

// [.., i, p, c] of parts side by side along c: p and c do not lie as one axis of columns.
TEST(Shapes, PartsOfColumnsAreNotMerged) {
  const Planned planned = plan(4, [](const Tensors& t) -> Tensors {
    for (int n = 0; n < 2; ++n) graph::call("assume_rank", t[n], Sym(4));
    for (int n = 2; n < 4; ++n) graph::call("assume_rank", t[n], Sym(5));
    const T weights = graph::softmax(scores_of(t[0], t[1]));
    const auto points = [&](const T& v) { return graph::einsum("bhij,bhjpc->bhipc", {weights, v}); };
    return {graph::call("cat", graph::list({points(t[2]), points(t[3])}), Sym(-1))};
  });
  EXPECT_EQ(planned.plan.status, Status::Partial) << to_string(planned.plan, planned.function);
  for (const Step& step : planned.plan.steps)
    for (const Target& target : step.targets)
      for (std::size_t v = 1; v < target.views.size(); ++v)
        EXPECT_FALSE(target.views[v].kind == Reshaping::Merge && target.is_part());
}

TEST(Shapes, OneRow) {
  const Planned planned =
      plan(3, [](const Tensors& t) -> Tensors { return {attention(t).op("select", Sym(-2), Sym(0))}; });
  expect_one_kernel(planned);
  EXPECT_EQ(planned.roles().substr(0, 3), "pic");  // scores of one query are a number per key
  EXPECT_EQ(planned.kernel().loops.at(planned.kernel().row).size, Sym(1));
  ASSERT_EQ(views(planned).size(), 1u);
  EXPECT_EQ(views(planned)[0].kind, Reshaping::One);
}

TEST(Shapes, FirstRows) {
  const Planned planned = plan(
      3, [](const Tensors& t) -> Tensors { return {attention(t).op("slice", Sym(-2), Sym(0), Sym(4))}; });
  expect_one_kernel(planned);
  EXPECT_FALSE(planned.kernel().loops.at(planned.kernel().row).size == planned.function.tensors[0].shape[1]);
}

// The keys are shared: heads are one more axis of what is summed over.
TEST(Shapes, ScoresThatAreSummedOverHeads) {
  const auto read = [](bool weighed_heads) {
    return plan(4, [=](const Tensors& t) -> Tensors {
      graph::call("assume_rank", t[0], Sym(4));
      for (int n = 1; n < 3; ++n) graph::call("assume_rank", t[n], Sym(3));
      graph::call("assume_rank", t[3], Sym(1));
      const T s = weighed_heads ? graph::einsum("h,bhid,bjd->bij", {t[3], t[0], t[1]})
                                : graph::einsum("bhid,bjd->bij", {t[0], t[1]});
      return {weighed(s, t[2])};
    });
  };
  expect_one_kernel(read(false));
  expect_one_kernel(read(true));
}

TEST(Shapes, PartsOfOneResult) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    return {graph::call(
        "cat", graph::list({attention(t), weighed(T(scores_of(t[0], t[1]).op("tanh")), t[2])}), Sym(-1))};
  });
  ASSERT_EQ(planned.plan.status, Status::Fused) << to_string(planned.plan, planned.function);
  for (const Step& step : planned.plan.steps)
    for (const Target& target : step.targets) {
      EXPECT_EQ(target.number, 0);
      EXPECT_TRUE(target.is_part());
    }
}

}  // namespace
}  // namespace flashlight::fusion
