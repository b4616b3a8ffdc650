// SPDX-License-Identifier: Apache-2.0
// Which axis is what: batch, rows, columns and the streamed keys, however a program orders and names them.
#include "planning.h"

namespace flashlight::fusion {
namespace {

void expect_fused(const Planned& planned) {
  ASSERT_EQ(planned.plan.status, Status::Fused) << to_string(planned.plan, planned.function);
  ASSERT_EQ(planned.plan.steps.size(), 1u);
}

Sym extent(const Planned& planned, Role role) {
  for (const Loop& loop : planned.kernel().loops) {
    if (loop.role == role) return loop.size;
  }
  return Sym(-1);
}
Sym param_size(const Planned& planned, int tensor, int axis) {
  return planned.function.tensors[tensor].shape[axis];
}

TEST(Roles, LeadingAxesAreOneBatchPack) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors { return {attention(t)}; });
  expect_fused(planned);
  EXPECT_EQ(planned.roles(), "pic|jd");
  EXPECT_EQ(extent(planned, Role::Row), param_size(planned, 0, 1));
  EXPECT_EQ(extent(planned, Role::Stream), param_size(planned, 1, 1));
  EXPECT_EQ(extent(planned, Role::Column), param_size(planned, 2, 2));
  EXPECT_EQ(extent(planned, Role::Feature), param_size(planned, 0, 2));
}

TEST(Roles, MatricesWithoutABatch) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    return {graph::einsum("ij,je->ie", {graph::softmax(graph::einsum("id,jd->ij", {t[0], t[1]})), t[2]})};
  });
  expect_fused(planned);
  EXPECT_EQ(planned.roles(), "ic|jd");
}

TEST(Roles, SequenceBeforeHeads) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    T p = graph::softmax(graph::einsum("bihd,bjhd->bhij", {t[0], t[1]}));
    return {graph::einsum("bhij,bjhe->bihe", {p, t[2]})};
  });
  expect_fused(planned);
  EXPECT_EQ(planned.roles(), "bibc|jd");
}

TEST(Roles, ResultTransposedBack) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    auto heads_first = [](const T& x) -> T { return x.op("transpose", Sym(1), Sym(2)); };
    T out = graph::matmul(graph::softmax(scores_of(heads_first(t[0]), heads_first(t[1]))), heads_first(t[2]));
    return {out.op("transpose", Sym(1), Sym(2))};
  });
  expect_fused(planned);
  EXPECT_EQ(planned.roles(), "bibc|jd");
}

TEST(Roles, ColumnsBeforeRows) {
  const Planned planned =
      plan(3, [](const Tensors& t) -> Tensors { return {graph::transposed(attention(t))}; });
  expect_fused(planned);
  EXPECT_EQ(planned.roles(), "pci|jd");
}

TEST(Roles, KeysInColumns) {  // k is [.., d, j] already
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    return {graph::matmul(graph::softmax(graph::matmul(t[0], t[1])), t[2])};
  });
  expect_fused(planned);
  EXPECT_EQ(planned.roles(), "pic|jd");
  EXPECT_EQ(extent(planned, Role::Stream), param_size(planned, 1, 2));
}

TEST(Roles, ScoresTransposed) {  // s[j, i], softmax over its first axis
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    T p = graph::call("softmax", graph::einsum("bjd,bid->bji", {t[1], t[0]}), Sym(1));
    return {graph::einsum("bji,bje->bie", {p, t[2]})};
  });
  expect_fused(planned);
  EXPECT_EQ(planned.roles(), "bic|jd");
  EXPECT_EQ(extent(planned, Role::Row), param_size(planned, 0, 1));
}

TEST(Roles, GroupedHeadsSplitTheHeadAxis) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    const Sym group = floor_div(graph::size(t[0], 1), graph::size(t[1], 1));
    return {attention(
        {t[0], t[1].op("repeat_interleave", group, Sym(1)), t[2].op("repeat_interleave", group, Sym(1))})};
  });
  expect_fused(planned);
  EXPECT_EQ(planned.roles(), "bbic|jd");
}

TEST(Roles, ARowStatisticIsAResultToo) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    T s = scores_of(t[0], t[1]);
    return {graph::matmul(graph::softmax(s), t[2]), s.op("logsumexp", Sym(-1), graph::flag(false)),
            s.op("amax", Sym(-1), graph::flag(true))};
  });
  expect_fused(planned);
  EXPECT_EQ(planned.roles(0), "pic|jd");
  EXPECT_EQ(planned.roles(1), "pi|jd");
}

TEST(Roles, TheStatisticMayComeFirst) {
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    T s = scores_of(t[0], t[1]);
    return {s.op("logsumexp", Sym(-1), graph::flag(false)), graph::matmul(graph::softmax(s), t[2])};
  });
  expect_fused(planned);
  EXPECT_EQ(planned.roles(0), "pi|jd");
  EXPECT_EQ(planned.roles(1), "pic|jd");
}

TEST(Roles, BatchAxisOfOneTensorOnly) {  // keys that all heads share
  const Planned planned = plan(3, [](const Tensors& t) -> Tensors {
    T p = graph::softmax(graph::einsum("bhid,bjd->bhij", {t[0], t[1]}));
    return {graph::einsum("bhij,bje->bhie", {p, t[2]})};
  });
  expect_fused(planned);
  EXPECT_EQ(planned.roles(), "bbic|jd");
}

}  // namespace
}  // namespace flashlight::fusion
