// SPDX-License-Identifier: Apache-2.0
// Two spellings, one Graph: programs that say the same in different words read into equal Graphs.
#include "dsl_reading.h"

namespace flashlight::graph {
namespace {

// The nodes and the results: a check's text and which axes may have size 1 at launch are another matter (a
// contraction refuses what a product followed by a sum broadcasts).
std::string nodes_of(const Function& f) {
  std::string text = to_string(f), out;
  for (std::size_t from = 0; from < text.size();) {
    std::size_t end = text.find('\n', from);
    std::string line = text.substr(from, end - from);
    if (line.starts_with("  %") || line.starts_with("  result")) out += line + "\n";
    from = end + 1;
  }
  return out;
}

void expect_one_graph(int params, const Body& f, const Body& g) {
  std::string a = nodes_of(read(params, f, nullptr, 1)), b = nodes_of(read(params, g, nullptr, 1));
  EXPECT_NE(a, "");
  EXPECT_EQ(a, b);
}

T with_rank(const T& x, int rank) {
  call("assume_rank", x, Sym(rank));
  return x;
}

T mask(const Sym& rows, const Sym& columns) {
  return arange(columns) <= T(arange(rows).op("unsqueeze", Sym(-1)));
}

Body scores_with(std::function<T(const T& s, const T& m)> masked) {
  return [=](const Tensors& t) -> Tensors {
    T s = matmul(t[0], transposed(t[1]));
    return {softmax(masked(s, mask(size(t[0], -2), size(t[1], -2))))};
  };
}

TEST(Spelling, ContractionsByMatmulEinsumBmmAndSums) {
  auto by_matmul = [](const Tensors& t) -> Tensors {
    return {matmul(with_rank(t[0], 3), transposed(with_rank(t[1], 3)))};
  };
  expect_one_graph(2, by_matmul,
                   [](const Tensors& t) -> Tensors { return {einsum("bid,bjd->bij", {t[0], t[1]})}; });
  expect_one_graph(2, by_matmul,
                   [](const Tensors& t) -> Tensors { return {call("bmm", t[0], t[1].op("mT"))}; });
  expect_one_graph(2, by_matmul, [](const Tensors& t) -> Tensors {
    return {call("bmm", t[0], t[1].op("permute", sizes({0, 2, 1})))};
  });
  expect_one_graph(2, by_matmul, [](const Tensors& t) -> Tensors {
    T q = with_rank(t[0], 3).op("unsqueeze", Sym(-2)), k = with_rank(t[1], 3).op("unsqueeze", Sym(-3));
    return {T(q * k).op("sum", Sym(-1))};
  });
  // The sum in the middle, over weights and values.
  expect_one_graph(
      2, [](const Tensors& t) -> Tensors { return {matmul(with_rank(t[0], 3), with_rank(t[1], 3))}; },
      [](const Tensors& t) -> Tensors {
        T p = with_rank(t[0], 3).op("unsqueeze", Sym(-1)), v = with_rank(t[1], 3).op("unsqueeze", Sym(-3));
        return {T(p * v).op("sum", Sym(-2))};
      });
  expect_one_graph(
      2,
      [](const Tensors& t) -> Tensors {
        return {matmul(with_rank(t[0], 3), transposed(with_rank(t[1], 2)))};
      },
      [](const Tensors& t) -> Tensors { return {call("linear", with_rank(t[0], 3), t[1])}; });
}

TEST(Spelling, HeadsSplitBeforeOrByPermutedViews) {
  auto split = [](const Tensors& t) -> Tensors {
    T x = with_rank(t[0], 3);
    T heads = x.op("unflatten", Sym(-1), sizes({4, -1})).op("transpose", Sym(1), Sym(2));
    return {matmul(heads, transposed(heads))};
  };
  auto viewed = [](const Tensors& t) -> Tensors {
    T x = with_rank(t[0], 3);
    T heads = x.op("view", sizes({size(x, 0), size(x, 1), 4, -1})).op("permute", sizes({0, 2, 1, 3}));
    return {einsum("bhid,bhjd->bhij", {heads, heads})};
  };
  expect_one_graph(1, split, viewed);
}

TEST(Spelling, HidingBehindAMask) {
  Body where_ = scores_with([](const T& s, const T& m) { return where(m, s, real(-kInf)); });
  expect_one_graph(2, where_, scores_with([](const T& s, const T& m) {
                     return T(s.op("masked_fill", T(m.op("~")), real(-kInf)));
                   }));
  expect_one_graph(2, where_, scores_with([](const T& s, const T& m) {
                     return T(call("where", m.op("logical_not"), real(-kInf), s));
                   }));
  expect_one_graph(2, where_, scores_with([](const T& s, const T& m) {
                     return s + T(call("where", m, real(0), real(-kInf)));
                   }));
  expect_one_graph(2, where_, scores_with([](const T& s, const T& m) {
                     return s + T(T(call("zeros_like", s)).op("masked_fill", T(m.op("~")), real(-kInf)));
                   }));
}

TEST(Spelling, Constants) {
  auto divided = [](const Tensors& t) -> Tensors { return {t[0] / Sym(30.0)}; };
  expect_one_graph(1, divided, [](const Tensors& t) -> Tensors { return {t[0] * Sym(1.0 / 30)}; });
  auto root = [](const T& q) { return host("sqrt", size(q, -1)); };
  expect_one_graph(
      1, [=](const Tensors& t) -> Tensors { return {t[0] / root(t[0])}; },
      [=](const Tensors& t) -> Tensors { return {t[0] * divide(Sym(1.0), root(t[0]))}; });
  expect_one_graph(
      1, [](const Tensors& t) -> Tensors { return {T(t[0] * Sym(2.0)) * Sym(3.0)}; },
      [](const Tensors& t) -> Tensors { return {Sym(6.0) * t[0]}; });
  expect_one_graph(
      2, [](const Tensors& t) -> Tensors { return {t[0] - t[1]}; },
      [](const Tensors& t) -> Tensors { return {T(t[1].op("neg")) + t[0]}; });
  expect_one_graph(
      1, [](const Tensors& t) -> Tensors { return {t[0].op("sqrt").op("reciprocal")}; },
      [](const Tensors& t) -> Tensors { return {t[0].op("rsqrt")}; });
  expect_one_graph(
      1, [](const Tensors& t) -> Tensors { return {t[0].op("square")}; },
      [](const Tensors& t) -> Tensors { return {t[0] * t[0]}; });
}

TEST(Spelling, SoftmaxByHand) {
  expect_one_graph(
      1, [](const Tensors& t) -> Tensors { return {softmax(t[0])}; },
      [](const Tensors& t) -> Tensors {
        T e = T(t[0] - T(t[0].op("amax", Sym(-1), flag(true)))).op("exp");
        return {e / T(e.op("sum", Sym(-1), flag(true)))};
      });
  expect_one_graph(
      1, [](const Tensors& t) -> Tensors { return {t[0].op("mean", Sym(-1))}; },
      [](const Tensors& t) -> Tensors { return {T(t[0].op("sum", Sym(-1))) / size(t[0], -1)}; });
}

TEST(Spelling, ViewsAroundPointwiseOpsAndReductions) {
  expect_one_graph(
      1, [](const Tensors& t) -> Tensors { return {t[0].op("exp").op("mT")}; },
      [](const Tensors& t) -> Tensors { return {t[0].op("mT").op("exp")}; });
  expect_one_graph(
      1, [](const Tensors& t) -> Tensors { return {t[0].op("mT").op("sum", Sym(-2))}; },
      [](const Tensors& t) -> Tensors { return {t[0].op("mT").op("mT").op("sum", Sym(-1))}; });
  expect_one_graph(
      1,
      [](const Tensors& t) -> Tensors {
        return {T(t[0].op("repeat_interleave", Sym(2), Sym(-1))) * Sym(3.0)};
      },
      [](const Tensors& t) -> Tensors {
        return {T(t[0] * Sym(3.0)).op("repeat_interleave", Sym(2), Sym(-1))};
      });
  auto slopes = [](const Tensors& t, bool first) -> Tensors {
    T x = first ? T(t[0] * Sym(-2.0)) : t[0];
    T y = x.op("view", sizes({-1, 1, 1}));
    return {T(first ? y : y * Sym(-2.0)) * mask(Sym(3), Sym(4))};
  };
  expect_one_graph(
      1, [&](const Tensors& t) { return slopes({with_rank(t[0], 1)}, true); },
      [&](const Tensors& t) { return slopes(t, false); });
}

TEST(Spelling, RepeatedHeadsByInterleavingOrBroadcasting) {
  auto interleaved = [](const Tensors& t) -> Tensors {
    return {with_rank(t[0], 3).op("repeat_interleave", Sym(4), Sym(0))};
  };
  auto broadcast = [](const Tensors& t) -> Tensors {
    T k = with_rank(t[0], 3);
    T wide = k.op("unsqueeze", Sym(1)).op("expand", sizes({-1, 4, -1, -1}));
    return {wide.op("reshape", sizes({size(k, 0) * Sym(4), size(k, 1), size(k, 2)}))};
  };
  expect_one_graph(1, interleaved, broadcast);
}

TEST(Spelling, ScaledDotProductAttentionWrittenOut) {
  auto op = [](const Tensors& t) -> Tensors {
    return {call("scaled_dot_product_attention", t[0], t[1], t[2])};
  };
  auto written = [](const Tensors& t) -> Tensors {
    return {matmul(softmax(matmul(t[0], transposed(t[1])) / host("sqrt", size(t[0], -1))), t[2])};
  };
  expect_one_graph(3, op, written);
}

}  // namespace
}  // namespace flashlight::graph
