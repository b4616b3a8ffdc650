// SPDX-License-Identifier: Apache-2.0
// Gathers, created tensors and contractions against plain loops.
#include "dsl_reading.h"

namespace flashlight::graph {
namespace {

T with_rank(const T& x, int rank) {
  call("assume_rank", x, Sym(rank));
  return x;
}

bool has_gather(const Function& f) {
  for (NodeId id = 0; id < f.graph.size(); ++id)
    if (f.graph[id].op == Op::Gather) return true;
  return false;
}

TEST(Index, ByOneAndSeveralTensors) {
  auto one = [](const Tensors& t) -> Tensors { return {t[0].op("index", list({t[1]}))}; };
  expect_near(run(one, {array({4}, {5, 6, 7, 8}), array({3}, {2, 0, -1})}), array({3}, {7, 5, 8}));
  auto pair = [](const Tensors& t) -> Tensors {
    return {t[0].op("index", list({t[1].op("unsqueeze", Sym(-1)), t[2]}))};
  };
  expect_near(run(pair, {counting({3, 4}), array({2}, {2, 0}), array({3}, {1, 1, 3})}),
              array({2, 3}, {9, 9, 11, 1, 1, 3}));
  auto rows = [](const Tensors& t) -> Tensors {
    return {with_rank(t[0], 2).op("index", list({with_rank(t[1], 2)}))};
  };
  expect_near(run(rows, {counting({3, 2}), array({1, 2}, {2, 0})}), array({1, 2, 2}, {4, 5, 0, 1}));
  EXPECT_THROW(run(one, {array({2}, {5, 6}), array({1}, {2})}), std::invalid_argument);
  EXPECT_THROW(run(one, {array({2}, {5, 6}), array({1}, {-3})}), std::invalid_argument);
}

TEST(Index, OfAViewCountsNegativePositionsFromItsOwnEnd) {
  auto body = [](const Tensors& t) -> Tensors {
    return {with_rank(t[0], 1).op("slice", Sym(0), Sym(1), Sym(4)).op("index", list({t[1]})),
            with_rank(t[0], 1).op("slice", Sym(0), Sym(0), Sym(4)).op("index", list({t[1]}))};
  };
  auto got = evaluate(read(2, body), {counting({6}), array({2}, {0, -1})}, {});
  expect_near(got[0], array({2}, {1, 3}));
  expect_near(got[1], array({2}, {0, 3}));
}

TEST(Index, PositionsOfIotasAreIndexMaps) {
  auto plain = [](const Tensors& t) -> Tensors {
    T x = with_rank(t[0], 2);
    T i = arange(size(x, 0)).op("unsqueeze", Sym(-1)), j = arange(size(x, 1));
    return {x.op("index", list({i, j})), x.op("index", list({i.op("floor_divide", Sym(2)), j}))};
  };
  Function f = read(1, plain);
  EXPECT_FALSE(has_gather(f));
  EXPECT_TRUE(f.checks.empty()) << to_string(f);
  auto got = evaluate(f, {counting({3, 2})}, {});
  expect_near(got[0], counting({3, 2}));
  expect_near(got[1], array({3, 2}, {0, 1, 0, 1, 2, 3}));
  // Not provably in range: checked at launch. Possibly negative: a gather, which wraps.
  auto shifted = [](const Tensors& t) -> Tensors {
    return {t[0].op("index", list({arange(Sym(3)) + Sym(2)}))};
  };
  Function g = read(1, shifted);
  EXPECT_FALSE(has_gather(g));
  ASSERT_EQ(g.checks.size(), 1u);
  expect_near(run(shifted, {counting({5})}), array({3}, {2, 3, 4}));
  EXPECT_THROW(run(shifted, {counting({4})}), std::invalid_argument);
  auto negative = [](const Tensors& t) -> Tensors {
    return {t[0].op("index", list({arange(Sym(3)) - Sym(1)}))};
  };
  EXPECT_TRUE(has_gather(read(1, negative)));
  expect_near(run(negative, {counting({5})}), array({3}, {4, 0, 1}));
}

TEST(Index, RelativeBiasByAClampedDistance) {
  auto body = [](const Tensors& t) -> Tensors {
    T h = arange(size(t[0], 0)).op("view", sizes({-1, 1, 1}));
    T i = arange(Sym(3)).op("unsqueeze", Sym(-1)), j = arange(Sym(4));
    return {t[0].op("index", list({h, T((j - i).op("clamp", Sym(-1), Sym(1))) + Sym(1)}))};
  };
  auto known = [&](const Tensors& t) -> Tensors { return body({with_rank(t[0], 2)}); };
  Array got = run(known, {array({2, 3}, {1, 2, 3, 4, 5, 6})});
  ASSERT_EQ(got.shape, (std::vector<std::int64_t>{2, 3, 4}));
  for (int h = 0; h < 2; ++h)
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 4; ++j)
        EXPECT_EQ(got.data[std::size_t((h * 3 + i) * 4 + j)], h * 3 + std::clamp(j - i, -1, 1) + 2);
}

TEST(Index, SelectAndGather) {
  auto body = [](const Tensors& t) -> Tensors {
    return {t[0].op("index_select", Sym(-1), t[1]), t[0].op("gather", Sym(-1), t[2])};
  };
  auto got = evaluate(read(3, body),
                      {counting({2, 3}), array({2}, {2, 0}), array({2, 4}, {0, 1, 2, 2, 1, 1, 0, 2})}, {});
  expect_near(got[0], array({2, 2}, {2, 0, 5, 3}));
  expect_near(got[1], array({2, 4}, {0, 1, 2, 2, 4, 4, 3, 5}));
  auto first = [](const Tensors& t) -> Tensors {
    return {with_rank(t[0], 2).op("index_select", Sym(0), t[1])};
  };
  expect_near(run(first, {counting({3, 2}), array({2}, {2, 1})}), array({2, 2}, {4, 5, 2, 3}));
}

TEST(Index, Misuse) {
  EXPECT_EQ(error_of(1,
                     [](const Tensors& t) -> Tensors {
                       return {with_rank(t[0], 1).op("index", list({arange(Sym(2)), arange(Sym(2))}))};
                     }),
            "shape-mismatch");
  EXPECT_EQ(
      error_of(
          1, [](const Tensors& t) -> Tensors { return {t[0].op("index", list({arange(Sym(2)) < Sym(1)}))}; }),
      "unsupported-op");
  EXPECT_EQ(
      error_of(2, [](const Tensors& t) -> Tensors { return {t[0].op("index", list({t[1].op("exp")}))}; }),
      "type-mismatch");
}

TEST(Create, Ranges) {
  auto body = [](const Tensors&) -> Tensors {
    return {arange(Sym(3)),
            call("arange", Sym(2), Sym(5)),
            call("arange", Sym(1), Sym(8), Sym(3)),
            call("arange", Sym(5), Sym(0), Sym(-2)),
            call("arange", real(0.5), real(2.4), real(0.5)),
            call("arange", Sym(3), DType::Float32),
            call("arange", Sym(1))};
  };
  Function f = read(0, body);
  auto got = evaluate(f, {}, {});
  const std::vector<std::vector<double>> wanted = {{0, 1, 2},        {2, 3, 4}, {1, 4, 7}, {5, 3, 1},
                                                   {0.5, 1, 1.5, 2}, {0, 1, 2}, {0}};
  for (std::size_t k = 0; k < wanted.size(); ++k) EXPECT_EQ(got[k].data, wanted[k]) << k;
  EXPECT_EQ(f.outputs[0].value.dtype, (DTypeRule{{}, DType::Int64}));
  EXPECT_EQ(f.outputs[4].value.dtype, (DTypeRule{{}, DType::Float32}));
  EXPECT_EQ(f.outputs[5].value.type, Type::Float);
}

TEST(Create, ConstantsAndTriangles) {
  auto body = [](const Tensors& t) -> Tensors {
    return {call("full", sizes({2, 2}), real(1.5)),
            T(call("ones_like", t[0])),
            T(call("full_like", t[0], Sym(3))),
            t[0].op("tril"),
            t[0].op("triu", Sym(1)),
            call("eye", Sym(2), Sym(3)),
            call("tensor", list({Sym(4), Sym(5), Sym(4)})),
            call("tensor", list({list({real(1), real(2)}), list({real(3), real(4)})})),
            call("tensor", real(2.5)),
            T(call("ones", sizes({2, 3}))).op("tril", Sym(-1))};
  };
  Function f = read(1, body);
  auto got = evaluate(f, {array({2, 2}, {1, 2, 3, 4})}, {});
  expect_near(got[0], array({2, 2}, {1.5, 1.5, 1.5, 1.5}));
  expect_near(got[1], array({2, 2}, {1, 1, 1, 1}));
  expect_near(got[2], array({2, 2}, {3, 3, 3, 3}));
  expect_near(got[3], array({2, 2}, {1, 0, 3, 4}));
  expect_near(got[4], array({2, 2}, {0, 2, 0, 0}));
  expect_near(got[5], array({2, 3}, {1, 0, 0, 0, 1, 0}));
  expect_near(got[6], array({3}, {4, 5, 4}));
  expect_near(got[7], array({2, 2}, {1, 2, 3, 4}));
  expect_near(got[8], array({}, {2.5}));
  expect_near(got[9], array({2, 3}, {0, 0, 0, 1, 0, 0}));
  EXPECT_EQ(f.outputs[2].value.dtype, (DTypeRule{{0}, {}}));
  ArgList many(65, Sym(1));
  EXPECT_EQ(error_of(0, [&](const Tensors&) -> Tensors { return {call("tensor", many)}; }), "unsupported-op");
  EXPECT_EQ(error_of(0,
                     [](const Tensors&) -> Tensors {
                       return {call("tensor", list({list({Sym(1)}), list({Sym(1), Sym(2)})}))};
                     }),
            "shape-mismatch");
}

Array product(const Array& a, const Array& b) {  // [m, k] [k, n]
  std::int64_t m = a.shape[0], d = a.shape[1], n = b.shape[1];
  Array out{{m, n}, std::vector<double>(std::size_t(m * n), 0)};
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t k = 0; k < d; ++k)
        out.data[std::size_t(i * n + j)] += a.data[std::size_t(i * d + k)] * b.data[std::size_t(k * n + j)];
  return out;
}

TEST(Contract, MatmulOfAllRanks) {
  Array a = random({3, 4}, 1), b = random({4, 5}, 2), v = random({4}, 3), ab = product(a, b);
  auto body = [](const Tensors& t) -> Tensors { return {matmul(t[0], t[1])}; };
  expect_near(run(body, {a, b}), ab);
  auto vectors = [](const Tensors& t) -> Tensors {
    T v = with_rank(t[2], 1);
    return {matmul(t[0], v), matmul(v, t[1]), matmul(v, v)};
  };
  auto got = evaluate(read(3, vectors), {a, b, v}, {});
  Array column = v, row = v;
  column.shape = {4, 1}, row.shape = {1, 4};
  expect_near(got[0], array({3}, product(a, column).data));
  expect_near(got[1], array({5}, product(row, b).data));
  expect_near(got[2], array({}, product(row, column).data));
  Array a2 = random({2, 3, 4}, 4), wanted{{2, 3, 5}, {}};
  for (int k = 0; k < 2; ++k) {
    Array slice{{3, 4}, {a2.data.begin() + 12 * k, a2.data.begin() + 12 * (k + 1)}};
    Array part = product(slice, b);
    wanted.data.insert(wanted.data.end(), part.data.begin(), part.data.end());
  }
  expect_near(run(body, {a2, b}), wanted);
}

TEST(Contract, LinearAndBmm) {
  Array x = random({2, 3}, 1), w = random({4, 3}, 2), bias = random({4}, 3);
  auto body = [](const Tensors& t) -> Tensors {
    return {call("linear", t[0], t[1], t[2]), call("linear", t[0], t[1])};
  };
  Facts facts;
  Function f = read(3, body, &facts);
  EXPECT_EQ(facts.ranks[1], (Facts::Rank{true, 2, true}));
  EXPECT_EQ(facts.ranks[2], (Facts::Rank{true, 1, true}));
  auto got = evaluate(f, {x, w, bias}, {});
  Array wt{{3, 4}, {}};
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 4; ++j) wt.data.push_back(w.data[j * 3 + i]);
  Array wanted = product(x, wt);
  expect_near(got[1], wanted);
  for (std::size_t i = 0; i < 8; ++i) wanted.data[i] += bias.data[i % 4];
  expect_near(got[0], wanted);
  auto bmm = [](const Tensors& t) -> Tensors { return {call("bmm", t[0], t[1])}; };
  Array p = random({1, 2, 3}, 4), r = random({1, 3, 2}, 5);
  Array p0{{2, 3}, p.data}, r0{{3, 2}, r.data};
  expect_near(run(bmm, {p, r}), array({1, 2, 2}, product(p0, r0).data));
}

TEST(Contract, Einsum) {
  Array a = random({2, 3, 4}, 1), b = random({2, 5, 4}, 2), s = random({3, 3}, 3);
  auto at = [](const Array& x, int i, int j, int k) {
    return x.data[std::size_t((i * x.shape[1] + j) * x.shape[2] + k)];
  };
  auto body = [](const Tensors& t) -> Tensors {
    return {einsum("bid,bjd->bij", {t[0], t[1]}),
            einsum("bid,bjd", {t[0], t[1]}),
            einsum("...id,...jd->...ji", {t[0], t[1]}),
            einsum("bid->b", {t[0]}),
            einsum("bid->dib", {t[0]}),
            einsum("ii->i", {t[2]}),
            einsum("ii", {t[2]}),
            einsum("bid,ij,bje->bde", {t[0], t[2], t[0]})};
  };
  auto got = evaluate(read(3, body), {a, b, s}, {});
  for (int n = 0; n < 2; ++n)
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 5; ++j) {
        double dot = 0;
        for (int d = 0; d < 4; ++d) dot += at(a, n, i, d) * at(b, n, j, d);
        EXPECT_NEAR(at(got[0], n, i, j), dot, 1e-12);
        EXPECT_NEAR(at(got[2], n, j, i), dot, 1e-12);
      }
  EXPECT_EQ(got[1].shape, (std::vector<std::int64_t>{3, 5}));  // b and d occur twice
  EXPECT_NEAR(got[3].data[1], std::accumulate(a.data.begin() + 12, a.data.end(), 0.0), 1e-12);
  EXPECT_EQ(at(got[4], 1, 2, 0), at(a, 0, 2, 1));
  expect_near(got[5], array({3}, {s.data[0], s.data[4], s.data[8]}));
  EXPECT_NEAR(got[6].data[0], s.data[0] + s.data[4] + s.data[8], 1e-12);
  double entry = 0;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) entry += at(a, 1, i, 2) * s.data[std::size_t(i * 3 + j)] * at(a, 1, j, 3);
  EXPECT_NEAR(at(got[7], 1, 2, 3), entry, 1e-12);
}

TEST(Contract, Misuse) {
  auto zeros = [](std::initializer_list<Sym> shape) { return call("zeros", sizes(shape)); };
  EXPECT_EQ(
      error_of(0, [&](const Tensors&) -> Tensors { return {call("matmul", zeros({2, 3}), zeros({4, 2}))}; }),
      "shape-mismatch");
  EXPECT_EQ(
      error_of(
          0, [&](const Tensors&) -> Tensors { return {call("matmul", zeros({2, 2, 3}), zeros({3, 3, 2}))}; }),
      "shape-mismatch");
  EXPECT_EQ(
      error_of(0, [&](const Tensors&) -> Tensors { return {call("bmm", zeros({2, 3}), zeros({3, 2}))}; }),
      "shape-mismatch");
  EXPECT_EQ(error_of(0, [&](const Tensors&) -> Tensors { return {einsum("ij,jk->ik", {zeros({2, 3})})}; }),
            "bad-equation");
  EXPECT_EQ(error_of(0, [&](const Tensors&) -> Tensors { return {einsum("ij->iq", {zeros({2, 3})})}; }),
            "bad-equation");
  EXPECT_EQ(error_of(0, [&](const Tensors&) -> Tensors { return {einsum("i!->i", {zeros({2, 3})})}; }),
            "bad-equation");
  EXPECT_EQ(error_of(0, [&](const Tensors&) -> Tensors { return {einsum("ijk->i", {zeros({2, 3})})}; }),
            "shape-mismatch");
}

}  // namespace
}  // namespace flashlight::graph
