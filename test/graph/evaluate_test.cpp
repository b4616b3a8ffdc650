// SPDX-License-Identifier: Apache-2.0
// The evaluator on Graphs built node by node: functions at their edges, index maps, launch conditions, large
// contractions.
#include "dsl_reading.h"

namespace flashlight::graph {
namespace {

// A function of [n] inputs a, b, .. whose one result is what `build` makes.
Function built(int params, const std::function<NodeId(Builder&, const std::vector<TensorView>&)>& build,
               int rank = 1) {
  Facts facts;
  for (int p = 0; p < params; ++p) facts.ranks[p] = {true, rank};
  Builder b(facts);
  std::vector<TensorView> in;
  for (int p = 0; p < params; ++p) in.push_back(b.input(p, std::string(1, char('a' + p)), "x"));
  NodeId id = build(b, in);
  TensorView out{id, {}, b.node(id).shape, false, b.node(id).type, {}};
  for (std::size_t k = 0; k < out.shape.size(); ++k) out.index.push_back(Sym::axis(int(k)));
  return b.finish("f", {{out, ""}});
}

const double kNan = std::nan("");

TEST(Evaluate, MaximumPropagatesNan) {
  for (Fn fn : {Fn::Max, Fn::Min}) {
    Function f = built(2, [&](Builder& b, auto& in) {
      Sym n = in[0].shape[0];
      return b.map(fn, {n},
                   {{in[0].node, {Sym::axis(0)}},
                    {in[1].node, {b.unify(in[1].shape[0], n, "n").is_constant() ? Sym(0) : Sym::axis(0)}}});
    });
    Array got = evaluate(f, {array({4}, {kNan, 1, 2, kInf}), array({4}, {1, kNan, 3, -kInf})}, {})[0];
    EXPECT_TRUE(std::isnan(got.data[0]));
    EXPECT_TRUE(std::isnan(got.data[1]));
    EXPECT_EQ(got.data[2], fn == Fn::Max ? 3 : 2);
    EXPECT_EQ(got.data[3], fn == Fn::Max ? kInf : -kInf);
  }
  auto body = [](const Tensors& t) -> Tensors {
    return {t[0].op("amax", Sym(-1)), t[0].op("argmax", Sym(-1))};
  };
  auto got = evaluate(read(1, body), {array({2, 3}, {1, kNan, 3, 4, 5, 5})}, {});
  EXPECT_TRUE(std::isnan(got[0].data[0]));
  EXPECT_EQ(got[0].data[1], 5);
  EXPECT_EQ(got[1].data, (std::vector<double>{1, 1}));
}

TEST(Evaluate, FloorDivisionAndRemainderRoundDown) {
  auto body = [](const Tensors& t) -> Tensors { return {t[0].op("floor_divide", t[1]), t[0] % t[1]}; };
  auto got = evaluate(
      read(2, body), {array({6}, {7, -7, 7, -7, 6, 9007199254740991}), array({6}, {2, 2, -2, -2, 3, 3})}, {});
  EXPECT_EQ(got[0].data, (std::vector<double>{3, -4, -4, 3, 2, 3002399751580330}));
  EXPECT_EQ(got[1].data, (std::vector<double>{1, 1, -1, -1, 0, 1}));
}

TEST(Evaluate, WhereDoesNotMixInTheOtherBranch) {
  auto body = [](const Tensors& t) -> Tensors { return {where(t[0] > Sym(0), T(t[0].op("log")), real(0))}; };
  EXPECT_EQ(run(body, {array({3}, {-1, 0, 1})}).data, (std::vector<double>{0, 0, 0}));
}

TEST(Evaluate, IndexMapsOfSeveralAxes) {
  // out[i, j] = a[(2 i + j) div 3] needs both axes at once.
  Function f = built(1, [](Builder& b, auto& in) {
    Sym e = floor_div(Sym(2) * Sym::axis(0) + Sym::axis(1), Sym(3));
    return b.map(Fn::Exp, {Sym(3), Sym(4)}, {{in[0].node, {e}}});
  });
  Array got = evaluate(f, {array({3}, {0, std::log(2.0), std::log(3.0)})}, {})[0];
  ASSERT_EQ(got.data.size(), 12u);
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 4; ++j) EXPECT_NEAR(got.data[std::size_t(i * 4 + j)], (2 * i + j) / 3 + 1, 1e-12);
  EXPECT_THROW(evaluate(f, {array({2}, {0, 0})}, {}), std::invalid_argument);
}

TEST(Evaluate, AnIndexPastTheEndIsCaught) {
  for (Sym shift : {Sym(1), Sym(-1)}) {
    Function f = built(1, [&](Builder& b, auto& in) {
      return b.map(Fn::Exp, {Sym(4), Sym(5)}, {{in[0].node, {Sym::axis(0) + shift}}});
    });
    EXPECT_THROW(evaluate(f, {array({4}, {0, 0, 0, 0})}, {}), std::invalid_argument);
    if (shift == Sym(1)) EXPECT_EQ(evaluate(f, {array({5}, {0, 0, 0, 0, 0})}, {})[0].data.size(), 20u);
  }
}

TEST(Evaluate, ScansAlongAnyAxis) {
  Function f = built(
      1,
      [](Builder& b, auto& in) { return b.scan(in[0].shape, 0, {in[0].node, {Sym::axis(0), Sym::axis(1)}}); },
      2);
  expect_near(evaluate(f, {array({3, 2}, {1, 2, 3, 4, 5, 6})}, {})[0], array({3, 2}, {1, 2, 4, 6, 9, 12}));
}

TEST(Evaluate, LaunchConditionsNameTheParameter) {
  auto body = [](const Tensors& t) -> Tensors { return {matmul(t[0], t[1])}; };
  Function f = read(2, body);
  auto message = [&](const std::vector<Array>& in) -> std::string {
    try {
      evaluate(f, in, {});
    } catch (const std::invalid_argument& e) { return e.what(); }
    return "";
  };
  EXPECT_NE(message({random({2, 3}, 1), random({4, 2}, 1)}).find("parameter b"), std::string::npos);
  EXPECT_NE(message({random({2, 3}, 1), random({3}, 1)}).find("parameter b"), std::string::npos);
  EXPECT_NE(message({random({2, 2, 3}, 1), random({3, 3, 2}, 1)}).find("leading dims"), std::string::npos);
  EXPECT_EQ(message({random({2, 2, 3}, 1), random({1, 3, 2}, 1)}), "");
  EXPECT_NE(message({random({2, 3}, 1)}), "");
  EXPECT_NE(message({{{2, 3}, {1, 2}}, random({3, 2}, 1)}).find("parameter a"), std::string::npos);
}

TEST(Evaluate, ASizeThatTheProgramReadsDoesNotBroadcast) {
  auto body = [](const Tensors& t) -> Tensors { return {T(t[0] + t[1]) * size(t[1], -1)}; };
  Function f = read(2, body);
  EXPECT_EQ(evaluate(f, {array({2}, {5, 6}), array({2}, {1, 2})}, {})[0].data, (std::vector<double>{12, 16}));
  EXPECT_THROW(evaluate(f, {array({2}, {1, 2}), array({1}, {5})}, {}), std::invalid_argument);
}

TEST(Evaluate, TensorsOfFewerDimsBroadcast) {
  auto body = [](const Tensors& t) -> Tensors { return {T(t[0].op("softmax", Sym(-1))) * t[1]}; };
  Array x = random({2, 3, 4}, 1), w = array({4}, {1, 2, 3, 4});
  auto alone = [](const Tensors& t) -> Tensors { return {t[0].op("softmax", Sym(-1))}; };
  Array wanted = run(alone, {x});
  for (std::size_t i = 0; i < wanted.data.size(); ++i) wanted.data[i] *= w.data[i % 4];
  expect_near(run(body, {x, w}), wanted);
}

TEST(Evaluate, ContractionsOfUsualSizesTakeNoTime) {
  auto body = [](const Tensors& t) -> Tensors {
    T s = where(arange(size(t[1], -2)) <= T(arange(size(t[0], -2)).op("unsqueeze", Sym(-1))),
                matmul(t[0], transposed(t[1])), real(-kInf));
    return {matmul(softmax(s), t[2])};
  };
  Array q = random({1, 2, 257, 64}, 1), v = counting({1, 2, 257, 64});
  for (double& e : v.data) e = 1;
  Array got = run(body, {q, q, v});
  for (double e : got.data) ASSERT_NEAR(e, 1, 1e-12);
}

TEST(Evaluate, EmptySizes) {
  auto body = [](const Tensors& t) -> Tensors { return {t[0].op("exp"), t[0].op("sum", Sym(-1))}; };
  auto got = evaluate(read(1, body), {array({2, 0}, {})}, {});
  EXPECT_EQ(got[0].shape, (std::vector<std::int64_t>{2, 0}));
  EXPECT_EQ(got[1].data, (std::vector<double>{0, 0}));
}

}  // namespace
}  // namespace flashlight::graph
