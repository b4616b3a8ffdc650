// SPDX-License-Identifier: Apache-2.0
// Whole attention programs: the Graph that is read computes what the program says.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "graph/evaluate.h"
#include "support.h"

namespace flashlight::frontend::test {
namespace {

using graph::Array;

Array random(std::vector<std::int64_t> shape, unsigned seed) {
  Array a{std::move(shape), {}};
  std::size_t n = 1;
  for (auto s : a.shape) n *= static_cast<std::size_t>(s);
  std::mt19937 engine(seed);
  for (std::size_t i = 0; i < n; ++i) a.data.push_back(static_cast<int>(engine() % 2001) / 1000.0 - 1);
  return a;
}

struct Problem {
  int b = 2, h = 3, sq = 4, sk = 5, d = 8, dv = 6;
  Array q = random({b, h, sq, d}, 1), k = random({b, h, sk, d}, 2), v = random({b, h, sk, dv}, 3);
  double at(const Array& x, int bi, int hi, int r, int c) const {
    return x.data[static_cast<std::size_t>(((bi * x.shape[1] + hi) * x.shape[2] + r) * x.shape[3] + c)];
  }
};

// Softmax weights over j of score(b, h, i, j).
using Score = std::function<double(int, int, int, int)>;
std::vector<double> weights(const Problem& p, const Score& s, int b, int h, int i) {
  std::vector<double> w;
  double m = -INFINITY, sum = 0;
  for (int j = 0; j < p.sk; ++j) w.push_back(s(b, h, i, j)), m = std::max(m, w.back());
  for (double& x : w) sum += x = std::exp(x - m);
  for (double& x : w) x /= sum;
  return w;
}

void expect_attention(const Problem& p, const Array& out,
                      const std::function<std::vector<double>(int, int, int)>& row) {
  ASSERT_EQ(out.shape, (std::vector<std::int64_t>{p.b, p.h, p.sq, p.dv}));
  for (int b = 0; b < p.b; ++b)
    for (int h = 0; h < p.h; ++h)
      for (int i = 0; i < p.sq; ++i) {
        auto w = row(b, h, i);
        for (int c = 0; c < p.dv; ++c) {
          double expected = 0;
          for (int j = 0; j < p.sk; ++j) expected += w[static_cast<std::size_t>(j)] * p.at(p.v, b, h, j, c);
          ASSERT_NEAR(p.at(out, b, h, i, c), expected, 1e-12) << b << h << i << c;
        }
      }
}

double dot(const Problem& p, int b, int h, int i, int j, int from, int to) {
  double s = 0;
  for (int d = from; d < to; ++d) s += p.at(p.q, b, h, i, d) * p.at(p.k, b, h, j, d);
  return s;
}

const graph::Function& only_variant(const Program& p, const std::string& name) {
  static const graph::Function none;
  const FunctionSource& f = function(p, name);
  EXPECT_EQ(f.variants.size(), 1u) << said(p);
  return f.variants.size() == 1 ? f.variants[0].function : none;
}

TEST(Attention, Causal) {
  Program program = read(R"(
// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]
FLASHLIGHT_FUSE Tensor causal_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  scores = where(j <= i, scores, -INFINITY);
  return matmul(softmax(scores, -1), v);
}
)");
  Problem p;
  auto out = graph::evaluate(only_variant(program, "causal_attention"), {p.q, p.k, p.v}, {});
  ASSERT_EQ(out.size(), 1u);
  auto score = [&](int b, int h, int i, int j) {
    return j <= i ? dot(p, b, h, i, j, 0, p.d) / std::sqrt(8.0) : -INFINITY;
  };
  expect_attention(p, out[0], [&](int b, int h, int i) { return weights(p, score, b, h, i); });
  EXPECT_TRUE(function(program, "causal_attention").must_fuse);
}

TEST(Attention, DifferentialWithTwoStreams) {
  Program program = read(R"(
Tensor stream(const Tensor& q, const Tensor& k, double scale) { return softmax(matmul(q, k.mT()) * scale, -1); }
FLASHLIGHT_FUSE Tensor differential(const Tensor& q, const Tensor& k, const Tensor& v, float lambda) {
  auto [q1, q2] = q.chunk<2>(-1);
  auto [k1, k2] = k.chunk<2>(-1);
  double scale = 1.0 / std::sqrt(double(q1.size(-1)));
  return matmul(stream(q1, k1, scale) - lambda * stream(q2, k2, scale), v);
}
)");
  Problem p;
  auto out = graph::evaluate(only_variant(program, "differential"), {p.q, p.k, p.v}, {0.375});
  ASSERT_EQ(out.size(), 1u);
  expect_attention(p, out[0], [&](int b, int h, int i) {
    auto w1 = weights(p, [&](int b, int h, int i, int j) { return dot(p, b, h, i, j, 0, 4) / 2; }, b, h, i);
    auto w2 = weights(p, [&](int b, int h, int i, int j) { return dot(p, b, h, i, j, 4, 8) / 2; }, b, h, i);
    for (std::size_t j = 0; j < w1.size(); ++j) w1[j] -= 0.375 * w2[j];
    return w1;
  });
}

TEST(Attention, FlexWithDocumentsAndAWindow) {
  Program program = read(R"(
Tensor f(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& ids, int window) {
  auto bias = [](const Tensor& s, const Tensor&, const Tensor& h, const Tensor& i, const Tensor& j) { return s - (i - j) * 0.25 * (h + 1); };
  auto mask = [&](auto b, auto, auto i, auto j) { return (j <= i) & (i - j < window) & (ids.index({b, i}) == ids.index({b, j})); };
  return flex_attention(q, k, v, bias, mask, {.scale = 0.5});
}
)");
  Problem p;
  Array ids{{2, 5}, {0, 0, 1, 1, 1, 2, 2, 2, 3, 3}};
  auto out = graph::evaluate(only_variant(program, "f"), {p.q, p.k, p.v, ids}, {3});
  ASSERT_EQ(out.size(), 1u);
  auto score = [&](int b, int h, int i, int j) {
    bool in = j <= i && i - j < 3 &&
              ids.data[static_cast<std::size_t>(b * 5 + i)] == ids.data[static_cast<std::size_t>(b * 5 + j)];
    return in ? dot(p, b, h, i, j, 0, p.d) * 0.5 - (i - j) * 0.25 * (h + 1) : -INFINITY;
  };
  expect_attention(p, out[0], [&](int b, int h, int i) { return weights(p, score, b, h, i); });
}

TEST(Attention, TwoResults) {
  Program program = read(R"(
#include <utility>
std::pair<Tensor, Tensor> f(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor s = matmul(q, k.mT());
  Tensor lse = s.logsumexp(-1, true);
  return {matmul(exp(s - lse), v), lse.squeeze(-1)};
}
)");
  Problem p;
  auto out = graph::evaluate(only_variant(program, "f"), {p.q, p.k, p.v}, {});
  ASSERT_EQ(out.size(), 2u);
  auto score = [&](int b, int h, int i, int j) { return dot(p, b, h, i, j, 0, p.d); };
  expect_attention(p, out[0], [&](int b, int h, int i) { return weights(p, score, b, h, i); });
  EXPECT_EQ(out[1].shape, (std::vector<std::int64_t>{2, 3, 4}));
}

TEST(Attention, NodesKnowTheirPlaceAndName) {
  Program program = read(
      "Tensor f(const Tensor& q, const Tensor& k) {\n  Tensor s = matmul(q, k.mT());\n  Tensor weights = "
      "softmax(s, -1);\n  return weights * 2;\n}");
  const graph::Function& f = only_variant(program, "f");
  bool found = false;
  for (graph::NodeId id = 0; id < f.graph.size(); ++id)
    if (f.graph[id].op == graph::Op::Reduce && f.graph.label(id) == "s") {
      found = true;
      EXPECT_EQ(f.graph.source(id).line, 4u);
      EXPECT_EQ(f.graph.source(id).file, program.path);
    }
  EXPECT_TRUE(found) << graph::to_string(f);
}

}  // namespace
}  // namespace flashlight::frontend::test
