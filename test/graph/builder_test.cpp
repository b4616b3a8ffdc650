// SPDX-License-Identifier: Apache-2.0
// The Builder's normal forms: what is one Graph, what is not, and that values are kept.
#include "graph/builder.h"

#include "build_language.h"

namespace flashlight::graph::build {
namespace {

struct Spelling {
  const char* name;
  Body a, b;
};

void expect_one(const std::vector<Spelling>& table) {
  for (const Spelling& s : table) {
    EXPECT_EQ(text_of(s.a), text_of(s.b)) << s.name;
    EXPECT_NO_THROW(verify(built(s.a))) << s.name;
    EXPECT_NO_THROW(verify(built(s.b))) << s.name;
  }
}

#define BODY(...)                                                 \
  [](const Inputs& in) -> V {                                     \
    [[maybe_unused]] const auto& [x, y, w, ids, mask, i, j] = in; \
    return __VA_ARGS__;                                           \
  }

TEST(Builder, ArithmeticHasOneForm) {
  expect_one({
      {"sums commute", BODY(x + y), BODY(y + x)},
      {"sums are flat", BODY((x + y) + (w + x.t().t())), BODY(w + (x + (y + x)))},
      {"like terms", BODY(x + x), BODY(x * 2.0)},
      {"terms cancel to a coefficient", BODY(x * 3.0 - x), BODY(x * 2.0)},
      {"x * 1", BODY(exp(x * 1.0)), BODY(exp(x))},
      {"x + 0", BODY(exp(x + 0.0)), BODY(exp(x))},
      {"x ^ 1", BODY(exp(power(x, 1))), BODY(exp(x))},
      {"-(-x)", BODY(exp(-(-x))), BODY(exp(x))},
      {"x - (y - w)", BODY(x - (y - w)), BODY(x + w - y)},
      {"-(x - y)", BODY(exp(-(x - y))), BODY(exp(y - x))},
      {"scalars fold", BODY(x * 2.0 * 4.0), BODY(x * 8.0)},
      {"division by a constant", BODY(x / 8.0), BODY(x * 0.125)},
      {"division by a scalar", BODY(x / constant(real_symbol(0))),
       BODY(x * constant(divide(Sym(1), real_symbol(0))))},
      {"division by a root of a size", BODY(x / constant(make_sym(SymOp::Call, {M}, "sqrt"))),
       BODY(x * constant(make_sym(SymOp::Pow, {M, Sym(-0.5)})))},
      {"products commute", BODY(x * y * w), BODY(w * (y * x))},
      {"x * x", BODY(x * x), BODY(power(x, 2))},
      {"powers of one base", BODY(power(x, 2) * power(x, 3) * y), BODY(y * power(x, 5))},
      {"power of a power", BODY(power(power(x, 3), 2)), BODY(power(x, 6))},
      {"division by a product", BODY(x / (y * w)), BODY(x / w / y)},
      {"1 / sqrt", BODY(power(power(x, 0.5), -1)), BODY(power(x, -0.5))},
      {"(2x)^2", BODY(power(x * 2.0, 2)), BODY(power(x, 2) * 4.0)},
      {"(x - y)^2", BODY(power(x - y, 2)), BODY(power(y - x, 2))},
      {"sign of a factor", BODY((x - y) * w * -2.0), BODY((y - x) * (w * 2.0))},
      {"|x - y|", BODY(map(Fn::Abs, {x - y})), BODY(map(Fn::Abs, {y - x}))},
      {"max commutes and forgets", BODY(map(Fn::Max, {map(Fn::Max, {x, y}), x})), BODY(map(Fn::Max, {y, x}))},
      {"integers become floats", BODY(x * ids.column()), BODY(to_float(ids.column()) * x)},
      {"a sum of positions as floats", BODY(to_float(i - j) * w), BODY((to_float(i) - to_float(j)) * w)},
  });
}

TEST(Builder, ViewsSinkIntoIndices) {
  expect_one({
      {"transposed twice", BODY(x.t().t() * y), BODY(x * y)},
      {"a function of a view", BODY(exp(x.t())), BODY(exp(x).t())},
      {"a sum of views", BODY(x.t() + y.t()), BODY((x + y).t())},
      {"a flat sum through a view", BODY((x + y).t() + w.column()), BODY(x.t() + (y.t() + w.column()))},
      {"a slice of a function", BODY(exp(x.seen({N - Sym(3), M}, {Sym::axis(0) + Sym(3), Sym::axis(1)}))),
       BODY(exp(x).seen({N - Sym(3), M}, {Sym::axis(0) + Sym(3), Sym::axis(1)}))},
      {"an expanded row", BODY(x + exp(w.seen({N, M}, {Sym::axis(1)}))), BODY(x + exp(w))},
      {"a reduction of a view", BODY(sum(x.t().t())), BODY(sum(x))},
      {"the reduction of an expanded row", BODY(amax(w.seen({N, M}, {Sym::axis(1)}), true) + x),
       BODY(x + amax(w))},
      {"a sum of sums", BODY(sum(sum(x))), BODY(sum(sum(x.t())))},
      {"split and merged again",
       BODY(x.seen({M, floor_div(N, Sym(4)), Sym(4)}, {Sym::axis(1) * Sym(4) + Sym::axis(2), Sym::axis(0)})
                .seen({N, M}, {Sym::axis(1), floor_div(Sym::axis(0), Sym(4)), mod(Sym::axis(0), Sym(4))})),
       BODY(x)},
      {"a scan of a view", BODY(V::whole(V::b->scan({M, N}, 0, x.t().at(identity_index(2))), {M, N})),
       BODY(V::whole(V::b->scan({N, M}, 1, x.at(identity_index(2))), {N, M}).t())},
  });
}

V contraction(const V& a, const V& b) {  // a[i, d] b[j, d] over d, as [i, j]
  const Shape shape{a.view.shape[0], b.view.shape[0], a.view.shape[1]};
  return sum(a.seen(shape, {Sym::axis(0), Sym::axis(2)}) * b.seen(shape, {Sym::axis(1), Sym::axis(2)}));
}

TEST(Builder, ContractionsHaveOneForm) {
  expect_one({
      {"operands swapped, result transposed", BODY(contraction(x, y)), BODY(contraction(y, x).t())},
      {"operands transposed", BODY(contraction(x.t().t(), y)), BODY(contraction(x, y.t().t()))},
      {"softmax over the other axis of the other product",
       BODY(exp(contraction(x, y) - amax(contraction(x, y), true))),
       BODY(exp(contraction(y, x).t() - amax(contraction(y, x).t(), true)))},
  });
}

TEST(Builder, MasksHaveOneForm) {
  expect_one({
      {"negated", BODY(where(!mask, x, y)), BODY(where(mask, y, x))},
      {"-inf first", BODY(where(mask, kMinusInfinity, x)), BODY(where(!mask, x, kMinusInfinity))},
      {"added", BODY(x + where(mask, 0.0, kMinusInfinity)), BODY(where(mask, x, kMinusInfinity))},
      {"added before a bias", BODY(x + where(mask, 0.0, kMinusInfinity) + w),
       BODY(where(mask, x + w, kMinusInfinity))},
      {"twice", BODY(where(mask, where(j <= i, x, kMinusInfinity), kMinusInfinity)),
       BODY(where((j <= i) & mask, x, kMinusInfinity))},
      {"added twice", BODY(x + where(mask, 0.0, kMinusInfinity) + where(j <= i, 0.0, kMinusInfinity)),
       BODY(where(mask & (j <= i), x, kMinusInfinity))},
      {"scaled after", BODY(where(mask, x, kMinusInfinity) * 0.5),
       BODY(where(mask, x * 0.5, kMinusInfinity))},
      {"scaled by a root",
       BODY(where(mask, x, kMinusInfinity) / constant(make_sym(SymOp::Call, {M}, "sqrt"))),
       BODY(where(mask, x / constant(make_sym(SymOp::Call, {M}, "sqrt")), kMinusInfinity))},
      {"finite twice", BODY(where(mask, where(j <= i, x, -1e10), -1e10)),
       BODY(where(mask & (j <= i), x, -1e10))},
      {"either branch", BODY(where(j <= i, x, y)), BODY(where(j > i, y, x))},
      {"same condition below", BODY(where(mask, where(mask, x, y), w)), BODY(where(mask, x, w))},
      {"of conditions", BODY(where(where(mask, j <= i, j > i), x, 0.0)),
       BODY(where((mask & (j <= i)) | ((!mask) & (j > i)), x, 0.0))},
      {"one or zero", BODY(x * where(mask, 1.0, 0.0)), BODY(x * to_float(mask))},
  });
}

TEST(Builder, ComparisonsOfPositionsHaveOneForm) {
  auto use = [](const V& c, const Inputs& in) { return where(c, in.x, 0.0); };
  const std::vector<std::function<V(const V&, const V&)>> causal = {
      [](auto i, auto j) { return j <= i; },
      [](auto i, auto j) { return i >= j; },
      [](auto i, auto j) { return !(j > i); },
      [](auto i, auto j) { return i - j >= integer(0); },
      [](auto i, auto j) { return integer(0) <= i - j; },
      [](auto i, auto j) { return j - i < integer(1); },
      [](auto i, auto j) { return integer(2) * j <= integer(2) * i; },
      [](auto i, auto j) { return to_float(j) <= to_float(i); },
      [](auto i, auto j) { return to_float(i) - to_float(j) >= constant(0.0); },
      [](auto i, auto j) { return (j <= i) & (j <= i); },
      [](auto i, auto j) { return (j < i) | (j <= i); }};
  const std::string first = text_of([&](const Inputs& in) { return use(causal[0](in.i, in.j), in); });
  for (std::size_t k = 1; k + 1 < causal.size(); ++k)
    EXPECT_EQ(text_of([&](const Inputs& in) { return use(causal[k](in.i, in.j), in); }), first)
        << "spelling " << k;
  expect_one({
      {"window", BODY(where(i - j < constant(integer_symbol(1), Type::Int), x, y)),
       BODY(where(i - constant(integer_symbol(1), Type::Int) < j, x, y))},
      {"equality", BODY(where(i == j, x, y)), BODY(where(j - i != integer(0), y, x))},
      {"blocks",
       BODY(where(map(Fn::FloorDiv, {i, integer(16)}) == map(Fn::FloorDiv, {j, integer(16)}), x, y)),
       BODY(where(map(Fn::FloorDiv, {j, integer(16)}) == map(Fn::FloorDiv, {i, integer(16)}), x, y))},
      {"values and positions", BODY(where(ids.column() + j <= i, x, y)),
       BODY(where(i - ids.column() >= j, x, y))},
      {"shifted positions",
       BODY(where(arange(N + Sym(3)).seen({N, Sym(1)}, {Sym::axis(0) + Sym(3)}) <= j, x, y)),
       BODY(where(i + integer(3) <= j, x, y))},
      {"int of bool", BODY(where(map(Fn::ToInt, {mask}) != integer(0), x, y)), BODY(where(mask, x, y))},
      {"folded by range", BODY(where(i >= integer(0), x, y)), BODY(x)},
      {"folded by the size", BODY(where(j < constant(M, Type::Int), x, y)), BODY(x)},
  });
}

TEST(Builder, WhatDiffersStaysApart) {
  const std::vector<Spelling> table = {
      {"constants are exact", BODY(x * 0.125), BODY(x * 0.1250001)},
      {"sqrt of a square", BODY(power(power(x, 2), 0.5)), BODY(x)},
      {"a float comparison is not its negation's opposite", BODY(where(!(x < y), x, y)),
       BODY(where(y <= x, x, y))},
      {"x / x may be NaN", BODY(x / x), BODY(constant(1.0).seen({N, M}, {}))},
      {"exp and log stay", BODY(map(Fn::Log, {exp(x)})), BODY(x)},
      {"axes", BODY(x + w), BODY(x + ids.column())},
      {"the reduced axis", BODY(amax(x, true) + x), BODY(amax(x.t()) + x)},
      {"finite masks are no masks", BODY(where(mask, x, -1e10)), BODY(where(mask, x, kMinusInfinity))},
  };
  for (const Spelling& s : table) EXPECT_NE(text_of(s.a), text_of(s.b)) << s.name;
}

TEST(Builder, AMaskedMaximumIsStillSubtractedOutside) {
  // x - max(x) keeps its shape for rules on softmax, whatever x is.
  const Function f = built(BODY(where(mask, x, kMinusInfinity) - amax(where(mask, x, kMinusInfinity), true)));
  const Node& top = f.graph[f.outputs[0].value.node];
  ASSERT_EQ(top.op, Op::Map);
  EXPECT_EQ(top.fn, Fn::Add);
}

TEST(Builder, CreationOrderLeavesNoTrace) {
  const std::string a = text_of([](const Inputs& in) {
    const V e = exp(in.x), u = exp(in.y);
    return e * u + sum(u, true);
  });
  const std::string b = text_of([](const Inputs& in) {
    const V dead = in.x * in.w * 3.0, u = exp(in.y), s = sum(u, true), e = exp(in.x);
    return s + u * e;
  });
  EXPECT_EQ(a, b);
}

TEST(Builder, FinishDropsDeadNodesAndCopies) {
  const Function f = built([](const Inputs& in) {
    exp(in.y);
    return in.x.t() + 0.0;
  });
  EXPECT_EQ(f.graph.size(), 1);
  EXPECT_EQ(f.outputs[0].value.index, (std::vector<Sym>{Sym::axis(1), Sym::axis(0)}));
}

TEST(Builder, ReduceKeepsOnlyWhatItReduces) {
  Program p;
  const TensorView& x = p.inputs[0];
  const NodeId id = p.b.reduce(ReduceKind::Sum, {N}, {Sym(1), M}, {x.node, {Sym::axis(0), Sym::axis(2)}});
  EXPECT_EQ(p.b.node(id).reduced, Shape{M});
  EXPECT_EQ(p.b.reduce(ReduceKind::Max, {N, M}, {Sym(1)}, {x.node, identity_index(2)}), x.node);
  const NodeId twice = p.b.reduce(ReduceKind::Sum, {}, {N}, {id, {Sym::axis(0)}});
  EXPECT_EQ(p.b.node(twice).reduced.size(), 2u);
  EXPECT_EQ(p.b.node(twice).operands[0].node, x.node);
}

// The scores' sum over the keys stays a sum of scores; a sum of one side's products over two axes is one sum.
TEST(Builder, ASumOfScoresKeepsItsContraction) {
  Program p;
  const TensorView &q = p.inputs[0], &k = p.inputs[1], &w = p.inputs[2];
  const auto axis = [](int a) { return Sym::axis(a); };
  const auto summed = [&](const Operand& first, const Operand& second) {
    const NodeId product = p.b.map(Fn::Mul, {N, N, M}, {first, second});
    const NodeId scores = p.b.reduce(ReduceKind::Sum, {N, N}, {M}, {product, identity_index(3)});
    return p.b.reduce(ReduceKind::Sum, {N}, {N}, {scores, identity_index(2)});
  };
  const NodeId rows = summed({q.node, {axis(0), axis(2)}}, {k.node, {axis(1), axis(2)}});
  ASSERT_EQ(p.b.node(rows).reduced, Shape{N});
  const Node& scores = p.b.node(p.b.node(rows).operands[0].node);
  EXPECT_EQ(scores.op, Op::Reduce);
  EXPECT_EQ(scores.reduced, Shape{M});
  const NodeId weighted = summed({w.node, {axis(2)}}, {k.node, {axis(1), axis(2)}});
  EXPECT_EQ(p.b.node(p.b.node(weighted).operands[0].node).reduced.size(),
            2u);  // seen through a view of shape [N]
}

TEST(Builder, GatherAtKnownPositionsIsAView) {
  Program p;
  const TensorView& x = p.inputs[0];
  const NodeId iota = p.b.iota(N);
  const NodeId rows = p.b.gather({N, M}, {x.node, {Sym::datum(1), Sym::axis(1)}}, {{iota, {Sym::axis(0)}}});
  EXPECT_EQ(rows, x.node);
  const NodeId by_ids =
      p.b.gather({N, M}, {x.node, {Sym::datum(1), Sym::axis(1)}}, {{p.inputs[3].node, {Sym::axis(0)}}});
  EXPECT_EQ(p.b.node(by_ids).op, Op::Gather);
}

TEST(Builder, SegmentsAreTheirSizes) {
  Program p;
  const TensorView& x = p.inputs[0];
  const NodeId zero = p.b.scalar(Sym(0.0), Type::Float);
  const Shape shape{N, M + Sym(1)};
  const NodeId id = p.b.segment(shape, 1, {{zero, {}}, {x.node, {Sym::axis(0), Sym::axis(1) - Sym(1)}}});
  EXPECT_EQ(p.b.node(id).segments, (Shape{Sym(1), M}));
  EXPECT_EQ(p.b.node(id).operands[1].index[1], Sym::axis(1) - Sym(1));
  EXPECT_THROW(p.b.segment({N, Sym(4)}, 1, {{zero, {}}, {zero, {}}}), std::logic_error);
}

// ---- Facts

TEST(Facts, RanksAndTypesGrow) {
  Builder b{Facts()};
  const TensorView q = b.input(0, "q", "q");
  EXPECT_TRUE(q.pack);
  EXPECT_EQ(q.shape.size(), 1u);
  try {
    b.need_rank(0, {false, 2});
    FAIL();
  } catch (const NeedFacts& need) {
    Builder next(need.facts);
    const TensorView seen = next.input(0, "q", "q");
    EXPECT_TRUE(seen.pack);
    EXPECT_EQ(seen.shape, (Shape{Sym::symbol({SymbolId::Pack, 0, 0}), size_symbol(0, 1), size_symbol(0, 2)}));
    EXPECT_THROW(next.need_rank(0, {true, 1}), LoweringError) << "two axes are used";
    EXPECT_THROW(next.need_rank(0, {true, 4}), NeedFacts);
    EXPECT_THROW(next.need_rank(0, {false, 1}), std::logic_error) << "nothing new";
    EXPECT_THROW(next.need_type(0, Type::Bool), NeedFacts);
  }
  Facts typed;
  typed.types[0] = Type::Int;
  EXPECT_THROW(Builder(typed).need_type(0, Type::Bool), LoweringError);
}

Facts known_ranks(int params, int axes) {
  Facts f;
  for (int p = 0; p < params; ++p) f.ranks[p] = {true, axes};
  return f;
}

TEST(Facts, UnifiedSizesGoByTheFirstParameter) {
  Builder b(known_ranks(3, 1));
  const Sym q = b.input(0, "q", "q").shape[0], k = b.input(1, "k", "k").shape[0],
            v = b.input(2, "v", "v").shape[0];
  EXPECT_EQ(b.unify(v, k, "sizes"), k);
  EXPECT_EQ(b.unify(q, v, "sizes"), q);
  EXPECT_EQ(b.canonical(v), q);
  EXPECT_EQ(b.unify(k, Sym(64), "sizes"), Sym(64));
  EXPECT_EQ(b.canonical(q), Sym(64));
  EXPECT_THROW(b.unify(v, Sym(32), "sizes"), LoweringError);
  Facts next = b.facts();
  next.merge(b.learned());
  EXPECT_EQ(Builder(next).input(2, "v", "v").shape[0], Sym(64));
}

TEST(Facts, DerivedSizesAreCheckedAtLaunch) {
  Builder b(known_ranks(2, 2));
  const TensorView q = b.input(0, "q", "q"), k = b.input(1, "k", "k");
  const Sym groups = k.shape[0] * Sym(4);
  EXPECT_EQ(b.unify(q.shape[0], groups, "heads"), q.shape[0]);
  b.unify(groups, q.shape[0], "heads");
  EXPECT_EQ(b.unify(Sym(2) * q.shape[1], Sym(2) * k.shape[1], "dims"), q.shape[1] * Sym(2))
      << "learned as equal sizes";
  const Function f = b.finish("f", {{q, ""}});
  ASSERT_EQ(f.checks.size(), 1u);
  EXPECT_EQ(to_string(f.checks[0].condition), "size(0,0) == 4 * size(1,0)");
}

TEST(Facts, OnlyBroadcastAxesMayBeOneAtLaunch) {
  Builder first(known_ranks(3, 2));
  {
    const TensorView q = first.input(0, "q", "q"), m = first.input(1, "m", "m"), k = first.input(2, "k", "k");
    first.unify_broadcast(q.shape[0], m.shape[0], "a sum");
    first.unify_broadcast(q.shape[1], m.shape[1], "a sum");
    first.unify(q.shape[1], k.shape[1], "a contraction");
    first.reduce(ReduceKind::Sum, {}, {m.shape[0]}, {m.node, {Sym::axis(0), Sym(0)}});
    EXPECT_EQ(first.unify_broadcast(Sym(1), k.shape[0], "a sum"), k.shape[0]);
    EXPECT_THROW(first.unify_broadcast(Sym(2), Sym(3), "a sum"), LoweringError);
  }
  Facts next = first.facts();
  next.merge(first.learned());
  Builder second(next);
  const TensorView q = second.input(0, "q", "q");
  const TensorView m = second.input(1, "m", "m");
  second.input(2, "k", "k");
  EXPECT_EQ(m.shape, q.shape);
  const Function f = second.finish("f", {{q, ""}});
  EXPECT_EQ(f.tensors[0].may_broadcast, (std::vector<bool>{true, true}))
      << "of q + m is contracted, either may be 1";
  EXPECT_EQ(f.tensors[1].may_broadcast, (std::vector<bool>{false, true}))
      << "the sum over m reads its first size";
  EXPECT_EQ(f.tensors[2].may_broadcast, (std::vector<bool>{false, false}));
}

TEST(Facts, AssumptionsBecomeFactsAndChecks) {
  Builder b(known_ranks(1, 2));
  const TensorView q = b.input(0, "q", "q");
  const Sym window = b.scalar_param(0, SymType::Integer, "window", "window");
  b.assume(make_sym(SymOp::And,
                    {make_sym(SymOp::Eq, {q.shape[1], Sym(64)}), make_sym(SymOp::Lt, {Sym(0), window})}));
  EXPECT_EQ(b.canonical(q.shape[1]), Sym(64));
  EXPECT_THROW(b.assume(make_sym(SymOp::Eq, {q.shape[1], Sym(32)})), LoweringError);
  b.check(make_sym(SymOp::Le, {Sym(1), q.shape[0]}), "always so");
  EXPECT_THROW(b.check(make_sym(SymOp::Lt, {Sym(65), q.shape[1]}), "too small"), LoweringError);
  const Function f = b.finish("f", {{q, ""}});
  ASSERT_EQ(f.checks.size(), 1u) << "the window; the size is part of the parameter's shape";
  EXPECT_EQ(f.checks[0].condition, make_sym(SymOp::Le, {Sym(1), window}));
}

TEST(Builder, RebuildsAFunctionFromItsNodes) {
  const Function f = built(BODY(exp(x * 0.5 - amax(x, true)) + where(j <= i, x, kMinusInfinity)));
  EXPECT_EQ(to_string(rebuilt(f)), to_string(f));
}

}  // namespace
}  // namespace flashlight::graph::build
