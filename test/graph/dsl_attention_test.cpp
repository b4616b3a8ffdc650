// SPDX-License-Identifier: Apache-2.0
// Attention programs as users write them, read at DSL level, against plain loops; ranks and sizes inferred on
// the way.
#include "dsl_reading.h"

namespace flashlight::graph {
namespace {

// softmax(score(b, h, i, j)) v by plain loops; score gives q.k and may add to it, -inf hides j.
using Score = std::function<double(int b, int h, int i, int j, double dot)>;
Array attention(const Array& q, const Array& k, const Array& v, const Score& score, int group = 1) {
  int B = int(q.shape[0]), H = int(q.shape[1]), M = int(q.shape[2]), D = int(q.shape[3]), N = int(k.shape[2]),
      Dv = int(v.shape[3]);
  Array out{{B, H, M, Dv}, std::vector<double>(std::size_t(B * H * M * Dv), 0)};
  for (int b = 0; b < B; ++b)
    for (int h = 0; h < H; ++h)
      for (int i = 0; i < M; ++i) {
        int kv = b * (H / group) + h / group;
        std::vector<double> p(std::size_t(N), 0);
        double l = 0;
        for (int j = 0; j < N; ++j) {
          double dot = 0;
          for (int d = 0; d < D; ++d)
            dot += q.data[std::size_t(((b * H + h) * M + i) * D + d)] *
                   k.data[std::size_t((kv * N + j) * D + d)];
          l += p[std::size_t(j)] = std::exp(score(b, h, i, j, dot));
        }
        for (int j = 0; j < N; ++j)
          for (int d = 0; d < Dv; ++d)
            out.data[std::size_t(((b * H + h) * M + i) * Dv + d)] +=
                p[std::size_t(j)] / l * v.data[std::size_t((kv * N + j) * Dv + d)];
      }
  return out;
}

Sym root(const T& q) { return host("sqrt", size(q, -1)); }

T scores_of(const Tensors& t) { return matmul(t[0], transposed(t[1])) / root(t[0]); }

const Array q = random({2, 3, 5, 4}, 1), k = random({2, 3, 7, 4}, 2), v = random({2, 3, 7, 6}, 3);

TEST(Attention, Vanilla) {
  auto body = [](const Tensors& t) -> Tensors { return {matmul(softmax(scores_of(t)), t[2])}; };
  expect_near(run(body, {q, k, v}), attention(q, k, v, [](int, int, int, int, double s) { return s / 2; }));
}

TEST(Attention, LeadingDimsAreAPackOfAnyNumber) {
  Facts facts;
  Function f =
      read(3, [](const Tensors& t) -> Tensors { return {matmul(softmax(scores_of(t)), t[2])}; }, &facts);
  for (int p = 0; p < 3; ++p) EXPECT_EQ(facts.ranks.at(p), (Facts::Rank{false, 2}));
  Array wanted = evaluate(f, {q, k, v}, {})[0];
  auto reshaped = [](Array x, std::vector<std::int64_t> leading) {
    leading.insert(leading.end(), x.shape.end() - 2, x.shape.end());
    x.shape = leading;
    return x;
  };
  for (std::vector<std::int64_t> leading : {std::vector<std::int64_t>{6}, {1, 2, 3}, {2, 1, 3}})
    expect_near(evaluate(f, {reshaped(q, leading), reshaped(k, leading), reshaped(v, leading)}, {})[0],
                reshaped(wanted, leading));
  // Keys that all heads share.
  Array k1 = random({2, 1, 7, 4}, 2), v1 = random({1, 1, 7, 6}, 3), k3 = k1, v6 = v1;
  k3.shape = {2, 3, 7, 4}, v6.shape = {2, 3, 7, 6};
  k3.data.clear(), v6.data.clear();
  for (int b = 0; b < 2; ++b)
    for (int h = 0; h < 3; ++h) {
      k3.data.insert(k3.data.end(), k1.data.begin() + b * 28, k1.data.begin() + (b + 1) * 28);
      v6.data.insert(v6.data.end(), v1.data.begin(), v1.data.end());
    }
  expect_near(evaluate(f, {q, k1, v1}, {})[0],
              attention(q, k3, v6, [](int, int, int, int, double s) { return s / 2; }));
  EXPECT_THROW(evaluate(f, {q, random({2, 2, 7, 4}, 1), v}, {}), std::invalid_argument);
  EXPECT_THROW(evaluate(f, {q, random({2, 3, 7, 3}, 1), v}, {}), std::invalid_argument);
}

T causal(const T& x, const T& s) {
  return where(arange(size(x, -2)) <= T(arange(size(s, -2)).op("unsqueeze", Sym(-1))), s, real(-kInf));
}

TEST(Attention, Causal) {
  auto body = [](const Tensors& t) -> Tensors { return {matmul(softmax(causal(t[1], scores_of(t))), t[2])}; };
  expect_near(run(body, {q, k, v}),
              attention(q, k, v, [](int, int, int i, int j, double s) { return j <= i ? s / 2 : -kInf; }));
}

TEST(Attention, AlibiWithSlopesAsAVector) {
  auto body = [](const Tensors& t) -> Tensors {
    T i = arange(size(t[0], -2)).op("unsqueeze", Sym(-1)), j = arange(size(t[1], -2));
    T slopes = t[3].op("view", sizes({-1, 1, 1}));
    return {matmul(softmax(scores_of(t) + slopes * (j - i)), t[2])};
  };
  Facts facts;
  Function f = read(4, body, &facts);
  EXPECT_EQ(facts.ranks.at(3), (Facts::Rank{true, 1, true, true}));
  EXPECT_EQ(facts.ranks.at(0), (Facts::Rank{false, 3}));  // the head axis is met, the batch stays a pack
  EXPECT_FALSE(facts.types.contains(3));
  Array slopes = random({3}, 9);
  expect_near(evaluate(f, {q, k, v, slopes}, {})[0],
              attention(q, k, v, [&](int, int h, int i, int j, double s) {
                return s / 2 + slopes.data[std::size_t(h)] * (j - i);
              }));
}

TEST(Attention, AlibiWithSlopesComputedFromPositions) {
  auto body = [](const Tensors& t) -> Tensors {
    T i = arange(size(t[0], -2)).op("unsqueeze", Sym(-1)), j = arange(size(t[1], -2));
    Sym heads = size(t[0], 1);
    T h = arange(heads).op("view", sizes({-1, 1, 1}));
    T slopes = T((h + Sym(1)) * Sym(-8.0) / heads).op("exp2");
    return {matmul(softmax(scores_of(t) + slopes * (j - i)), t[2])};
  };
  Facts facts;
  Function f = read(3, body, &facts);
  for (int p = 0; p < 3; ++p) EXPECT_TRUE(facts.ranks.at(p).known && facts.ranks.at(p).axes == 4) << p;
  expect_near(evaluate(f, {q, k, v}, {})[0], attention(q, k, v, [](int, int h, int i, int j, double s) {
                return s / 2 + std::exp2(-8.0 * (h + 1) / 3) * (j - i);
              }));
}

TEST(Attention, Softcap) {
  auto body = [](const Tensors& t) -> Tensors {
    return {matmul(softmax(T(scores_of(t) / Sym(30.0)).op("tanh") * Sym(30.0)), t[2])};
  };
  expect_near(run(body, {q, k, v}),
              attention(q, k, v, [](int, int, int, int, double s) { return 30 * std::tanh(s / 60); }));
}

const Array q6 = random({2, 6, 5, 4}, 1);

TEST(Attention, GroupedHeadsInBothSpellings) {
  auto repeated = [](const Tensors& t) -> Tensors {
    Sym group = floor_div(size(t[0], 1), size(t[1], 1));
    T keys = t[1].op("repeat_interleave", group, Sym(1)),
      values = t[2].op("repeat_interleave", group, Sym(1));
    return {matmul(softmax(matmul(t[0], transposed(keys)) / root(t[0])), values)};
  };
  auto grouped = [](const Tensors& t) -> Tensors {
    Sym b = size(t[0], 0), h = size(t[0], 1), kv = size(t[1], 1), m = size(t[0], 2), d = size(t[0], 3);
    T queries = t[0].op("view", sizes({b, kv, floor_div(h, kv), m, d}));
    T keys = t[1].op("unsqueeze", Sym(2)), values = t[2].op("unsqueeze", Sym(2));
    T out = matmul(softmax(matmul(queries, transposed(keys)) / root(t[0])), values);
    return {out.op("reshape", sizes({b, h, m, -1}))};
  };
  Array wanted = attention(q6, k, v, [](int, int, int, int, double s) { return s / 2; }, 2);
  expect_near(run(repeated, {q6, k, v}), wanted);
  expect_near(run(grouped, {q6, k, v}), wanted);
  EXPECT_THROW(run(repeated, {random({2, 5, 5, 4}, 1), k, v}),
               std::invalid_argument);  // 5 heads are no multiple of 3
}

TEST(Attention, Differential) {
  auto body = [](const Tensors& t) -> Tensors {
    T p1 = softmax(matmul(t[0], transposed(t[1])) / root(t[0])),
      p2 = softmax(matmul(t[2], transposed(t[3])) / root(t[0]));
    return {matmul(p1 - scalar(0) * p2, t[4])};
  };
  Array q2 = random({2, 3, 5, 4}, 11), k2 = random({2, 3, 7, 4}, 12);
  Array got = evaluate(read(5, body, nullptr, 1), {q, k, q2, k2, v}, {0.3})[0];
  auto plain = [](int, int, int, int, double s) { return s / 2; };
  Array first = attention(q, k, v, plain), second = attention(q2, k2, v, plain);
  for (std::size_t i = 0; i < first.data.size(); ++i) first.data[i] -= 0.3 * second.data[i];
  expect_near(got, first);
}

TEST(Attention, DocumentIdsAreIntegers) {
  auto body = [](const Tensors& t) -> Tensors {
    T id = t[3].op("unsqueeze", Sym(1));  // [B, 1, S]
    T same = T(id.op("unsqueeze", Sym(-1))) == T(id.op("unsqueeze", Sym(-2)));
    return {matmul(softmax(where(same, scores_of(t), real(-kInf))), t[2])};
  };
  // The rank of an id tensor is not in the program unless it says so.
  auto assumed = [&](const Tensors& t) -> Tensors {
    call("assume_rank", t[3], Sym(2));
    return body(t);
  };
  Facts facts;
  Function f = read(4, assumed, &facts);
  EXPECT_EQ(facts.types.at(3), Type::Int);
  Array x = random({2, 3, 7, 4}, 5), ids = array({2, 7}, {0, 0, 1, 1, 1, 2, 2, 0, 1, 1, 1, 1, 1, 2});
  expect_near(evaluate(f, {x, k, v, ids}, {})[0], attention(x, k, v, [&](int b, int, int i, int j, double s) {
                return ids.data[std::size_t(b * 7 + i)] == ids.data[std::size_t(b * 7 + j)] ? s / 2 : -kInf;
              }));
}

TEST(Attention, PaddingLengthsPerBatchAreIntegers) {
  auto body = [](const Tensors& t) -> Tensors {
    T mask = arange(size(t[1], -2)) < T(t[3].op("view", sizes({-1, 1, 1, 1})));
    return {matmul(softmax(where(mask, scores_of(t), real(-kInf))), t[2])};
  };
  Facts facts;
  Function f = read(4, body, &facts);
  EXPECT_EQ(facts.types.at(3), Type::Int);
  Array lengths = array({2}, {3, 7});
  expect_near(evaluate(f, {q, k, v, lengths}, {})[0],
              attention(q, k, v, [&](int b, int, int, int j, double s) {
                return j < lengths.data[std::size_t(b)] ? s / 2 : -kInf;
              }));
}

TEST(Attention, SinkByCatAndSlice) {
  auto body = [](const Tensors& t) -> Tensors {
    T s = scores_of(t);
    T sink = t[3].op("view", sizes({1, -1, 1, 1}))
                 .op("expand", sizes({size(t[0], 0), size(t[0], 1), size(t[0], 2), 1}));
    T p = softmax(T(call("cat", list({s, sink}), Sym(-1))));
    return {matmul(p.op("slice", Sym(-1), Sym(0), size(t[1], -2)), t[2])};
  };
  Array sink = random({3}, 8), got = run(body, {q, k, v, sink});
  Array with = attention(q, k, v, [](int, int, int, int, double s) { return s / 2; });
  // Each row is scaled by l / (l + e^sink).
  for (int r = 0; r < 30; ++r) {
    double l = 0;
    int bh = r / 5;
    for (int j = 0; j < 7; ++j) {
      double dot = 0;
      for (int d = 0; d < 4; ++d)
        dot += q.data[std::size_t(r * 4 + d)] * k.data[std::size_t((bh * 7 + j) * 4 + d)];
      l += std::exp(dot / 2);
    }
    for (int d = 0; d < 6; ++d)
      with.data[std::size_t(r * 6 + d)] *= l / (l + std::exp(sink.data[std::size_t(bh % 3)]));
  }
  expect_near(got, with);
}

TEST(Attention, ScaledDotProductAttentionIsItsDefinition) {
  auto op = [](Arg options) {
    return [options](const Tensors& t) -> Tensors {
      Arg given = options;
      if (t.size() > 3) given = list({t[3]});
      return {call("scaled_dot_product_attention", t[0], t[1], t[2], given)};
    };
  };
  auto plain = [](int, int, int, int, double s) { return s / 2; };
  expect_near(run(op(list({})), {q, k, v}), attention(q, k, v, plain));
  expect_near(run(op(list({Arg(), flag(true), Arg(), flag(false)})), {q, k, v}),
              attention(q, k, v, [](int, int, int i, int j, double s) { return j <= i ? s / 2 : -kInf; }));
  expect_near(run(op(list({Arg(), flag(false), real(0.25), flag(true)})), {q6, k, v}),
              attention(q6, k, v, [](int, int, int, int, double s) { return s / 4; }, 2));
  Array bias = random({1, 3, 5, 7}, 4);
  expect_near(run(op(Arg()), {q, k, v, bias}), attention(q, k, v, [&](int, int h, int i, int j, double s) {
                return s / 2 + bias.data[std::size_t((h * 5 + i) * 7 + j)];
              }));
}

}  // namespace
}  // namespace flashlight::graph
