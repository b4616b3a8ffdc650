// SPDX-License-Identifier: Apache-2.0
// Covers of conditions in any form, also such as normal forms do not leave: never wrong about a tile, exact
// for one comparison.
#include <gtest/gtest.h>

#include <random>

#include "kernel/interpret_cover.h"

namespace flashlight::kernel {
namespace {

using graph::Fn;
using graph::NodeId;
using graph::Op;
using graph::Sym;
using graph::Type;

constexpr int kRows = 7, kKeys = 9;

// Conditions over i and j, taken as they are written.
class Conditions {
 public:
  Conditions() {
    for (int size : {kRows, kKeys}) {
      graph::Node iota;
      iota.op = Op::Iota;
      iota.type = Type::Int;
      iota.shape = {Sym(size)};
      nodes_.push_back(iota);
    }
  }

  NodeId i() { return map(Fn::Add, Type::Int, {0}); }
  NodeId j() { return map(Fn::Add, Type::Int, {1}); }
  NodeId number(int value) {
    graph::Node node;
    node.op = Op::Scalar;
    node.type = Type::Int;
    node.value = Sym(value);
    nodes_.push_back(node);
    return static_cast<NodeId>(nodes_.size()) - 1;
  }
  NodeId map(Fn fn, Type type, std::vector<NodeId> args) {
    graph::Node node;
    node.op = Op::Map;
    node.fn = fn;
    node.type = type;
    node.shape = {Sym(kRows), Sym(kKeys)};
    for (NodeId arg : args) {
      const std::size_t rank = nodes_[arg].shape.size();
      node.operands.push_back({arg, rank == 0   ? std::vector<Sym>{}
                                    : rank == 1 ? std::vector<Sym>{Sym::axis(arg)}
                                                : std::vector<Sym>{Sym::axis(0), Sym::axis(1)}});
    }
    nodes_.push_back(node);
    return static_cast<NodeId>(nodes_.size()) - 1;
  }

  void finish() {
    function_.name = "conditions";
    function_.graph = graph::Graph::assemble(nodes_);
    plan_.loops = {{fusion::Role::Row, Sym(kRows)}, {fusion::Role::Stream, Sym(kKeys)}};
    plan_.row = 0;
    plan_.stream = 1;
    plan_.arena = std::make_shared<fusion::algebra::Arena>();
    program_.function = &function_;
    program_.plan = &plan_;
  }

  Expr leaf(NodeId condition) {
    fusion::Leaf leaf;
    leaf.node = condition;
    leaf.index = {Sym::axis(0), Sym::axis(1)};
    leaf.loops = 3;
    plan_.leaves.push_back(leaf);
    return plan_.arena->leaf(static_cast<int>(plan_.leaves.size()) - 1, {.streamed = true, .is_bool = true});
  }

  // What the cover says of every tile against `holds`; `exact`: it must decide each of them.
  void expect_sound(Expr condition, const std::function<bool(int i, int j)>& holds, bool exact,
                    const std::string& what) const {
    const graph::Binding binding(function_, {}, {});
    const CoverOf cover = cover_of(program_, condition);
    Points points(function_, binding);
    std::vector<std::int64_t> loops(kLoops, 0);
    CoverValues values(program_, cover.data, points, binding, loops);
    const TileCover bound(cover.cover, cover.data, values);
    for (int i0 = 0; i0 < kRows; ++i0) {
      for (int i1 = i0; i1 < kRows; ++i1) {
        const KeyRange range = bound.range(i0, i1);
        for (int j0 = 0; j0 < kKeys; ++j0) {
          for (int n = 1; j0 + n <= kKeys; ++n) {
            bool any = false, all = true;
            for (int i = i0; i <= i1; ++i) {
              for (int j = j0; j < j0 + n; ++j) (holds(i, j) ? any : all) = holds(i, j);
            }
            const TileBox box{i0, i1, j0, n};
            ASSERT_FALSE(bound.full(box) && !all) << what;
            ASSERT_FALSE(bound.none(box) && any) << what;
            ASSERT_FALSE(range.begin && j0 + n <= *range.begin && any) << what;
            ASSERT_FALSE(range.end && j0 >= *range.end && any) << what;
            if (!exact) continue;
            ASSERT_EQ(bound.full(box), all) << what;
            ASSERT_EQ(bound.none(box), !any) << what;
          }
        }
      }
    }
  }

  std::function<bool(int, int)> truth(NodeId condition) const {
    auto binding =
        std::make_shared<graph::Binding>(function_, std::vector<graph::Array>{}, std::vector<double>{});
    auto points = std::make_shared<Points>(function_, *binding);
    return [binding, points, condition](int i, int j) {
      const std::int64_t loops[2] = {i, j};
      return points->compile({condition, {Sym::axis(0), Sym::axis(1)}}).run(loops) != 0;
    };
  }

 private:
  std::vector<graph::Node> nodes_;
  graph::Function function_;
  fusion::KernelPlan plan_;
  Program program_;
};

struct Comparison {
  Fn fn;
  int a, b, c;  // fn(a * i + b * j, c)
};

NodeId compare(Conditions& all, const Comparison& x) {
  auto times = [&](int factor, NodeId value) {
    return all.map(Fn::Mul, Type::Int, {all.number(factor), value});
  };
  const NodeId sum = all.map(Fn::Add, Type::Int, {times(x.a, all.i()), times(x.b, all.j())});
  return all.map(x.fn, Type::Bool, {sum, all.number(x.c)});
}

// An equality over a slanted form may skip values that lie inside its interval; an order never does.
constexpr Comparison kComparisons[] = {
    {Fn::Le, 1, -1, 0},  {Fn::Lt, 1, -1, 0}, {Fn::Le, -1, 1, 2}, {Fn::Lt, -1, 1, -3}, {Fn::Le, 0, 1, 4},
    {Fn::Lt, 0, -1, -2}, {Fn::Le, 1, 0, 3},  {Fn::Le, 2, 3, 11}, {Fn::Lt, -3, 2, -1}, {Fn::Eq, 1, -1, 0},
    {Fn::Ne, 1, -1, 1},  {Fn::Eq, 0, 1, 5},  {Fn::Ne, 0, 1, 5},  {Fn::Eq, 1, 0, 2},   {Fn::Ne, 1, 1, 6},
};

TEST(CoverForm, OneComparisonIsDecidedExactly) {
  Conditions all;
  std::vector<NodeId> plain, negated;
  for (const Comparison& x : kComparisons) {
    plain.push_back(compare(all, x));
    negated.push_back(all.map(Fn::Not, Type::Bool, {plain.back()}));
  }
  all.finish();
  for (std::size_t k = 0; k < plain.size(); ++k) {
    const auto holds = all.truth(plain[k]);
    const auto not_holds = [&](int i, int j) { return !holds(i, j); };
    all.expect_sound(all.leaf(plain[k]), holds, true, "comparison " + std::to_string(k));
    all.expect_sound(all.leaf(negated[k]), not_holds, true, "negated comparison " + std::to_string(k));
    all.expect_sound(fusion::algebra::not_of(all.leaf(plain[k])), not_holds, true,
                     "not of comparison " + std::to_string(k));
  }
}

TEST(CoverForm, AMagnitudeIsTwoComparisons) {
  Conditions all;
  std::vector<NodeId> conditions;
  const NodeId distance =
      all.map(Fn::Add, Type::Int, {all.i(), all.map(Fn::Mul, Type::Int, {all.number(-1), all.j()})});
  const NodeId magnitude = all.map(Fn::Abs, Type::Int, {distance}), three = all.number(3);
  for (Fn fn : {Fn::Le, Fn::Lt}) {
    conditions.push_back(all.map(fn, Type::Bool, {magnitude, three}));
    conditions.push_back(all.map(fn, Type::Bool, {three, magnitude}));
    conditions.push_back(all.map(Fn::Not, Type::Bool, {conditions[conditions.size() - 2]}));
    conditions.push_back(all.map(Fn::Not, Type::Bool, {conditions[conditions.size() - 2]}));
  }
  all.finish();
  for (NodeId condition : conditions)
    all.expect_sound(all.leaf(condition), all.truth(condition), true, std::to_string(condition));
}

// And, Or and Not of comparisons, in the Graph and in the row program.
TEST(CoverForm, RandomConditionsAreNeverMisjudged) {
  std::mt19937 random(7);
  auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int round = 0; round < 40; ++round) {
    Conditions all;
    std::vector<NodeId> pool;
    for (int k = 0; k < 4; ++k) {
      const Fn fns[] = {Fn::Le, Fn::Lt, Fn::Eq, Fn::Ne};
      pool.push_back(compare(all, {fns[below(4)], below(5) - 2, below(5) - 2, below(9) - 4}));
    }
    for (int k = 0; k < 5; ++k) {
      const NodeId a = pool[below(static_cast<int>(pool.size()))],
                   b = pool[below(static_cast<int>(pool.size()))];
      const int which = below(3);
      pool.push_back(which == 2 ? all.map(Fn::Not, Type::Bool, {a})
                                : all.map(which ? Fn::And : Fn::Or, Type::Bool, {a, b}));
    }
    all.finish();
    const NodeId x = pool.back(), y = pool[pool.size() - 2];
    const auto in_x = all.truth(x), in_y = all.truth(y);
    const Expr ex = all.leaf(x), ey = all.leaf(y);
    const std::string what = "round " + std::to_string(round);
    namespace alg = fusion::algebra;
    all.expect_sound(ex, in_x, false, what);
    all.expect_sound(
        alg::all_of({ex, alg::not_of(ey)}), [&](int i, int j) { return in_x(i, j) && !in_y(i, j); }, false,
        what);
    all.expect_sound(
        alg::not_of(alg::any_of({ex, ey})), [&](int i, int j) { return !in_x(i, j) && !in_y(i, j); }, false,
        what);
    all.expect_sound(
        alg::not_of(alg::all_of({ex, ey})), [&](int i, int j) { return !(in_x(i, j) && in_y(i, j)); }, false,
        what);
    if (HasFatalFailure()) return;
  }
}

TEST(CoverForm, WhatIsNotAffineDecidesNothing) {
  Conditions all;
  const NodeId product = all.map(Fn::Mul, Type::Int, {all.i(), all.j()});
  const NodeId condition = all.map(Fn::Le, Type::Bool, {product, all.number(4)});
  all.finish();
  Expr leaf = all.leaf(condition);
  all.expect_sound(leaf, all.truth(condition), false, "i * j <= 4");
}

}  // namespace
}  // namespace flashlight::kernel
