// SPDX-License-Identifier: Apache-2.0
// Views, slices and joins: what element lands where, what sizes and ranks follow, what is refused.
#include "dsl_reading.h"

namespace flashlight::graph {
namespace {

T with_rank(const T& x, int rank) {
  call("assume_rank", x, Sym(rank));
  return x;
}

// Applies one op to a [2, 3, 4] array that counts from 0.
template <class... A>
Array viewed(const char* name, A... args) {
  return run([&](const Tensors& t) -> Tensors { return {with_rank(t[0], 3).op(name, args...)}; },
             {counting({2, 3, 4})});
}

// The array of the given shape whose element at p is the input's at(p).
Array picked(std::vector<std::int64_t> shape, const std::function<double(const std::vector<int>&)>& at) {
  Array out{shape, {}};
  std::vector<int> p(shape.size(), 0);
  for (std::int64_t n = count_of(shape); n > 0; --n) {
    out.data.push_back(at(p));
    for (std::size_t k = shape.size(); k-- > 0 && ++p[k] == shape[k];) p[k] = 0;
  }
  return out;
}

double at(int a, int b, int c) { return 12 * a + 4 * b + c; }

using P = const std::vector<int>&;

TEST(View, MovesAxes) {
  expect_near(viewed("transpose", Sym(0), Sym(-1)),
              picked({4, 3, 2}, [](P p) { return at(p[2], p[1], p[0]); }));
  expect_near(viewed("mT"), picked({2, 4, 3}, [](P p) { return at(p[0], p[2], p[1]); }));
  expect_near(viewed("permute", sizes({2, 0, 1})),
              picked({4, 2, 3}, [](P p) { return at(p[1], p[2], p[0]); }));
  expect_near(viewed("movedim", Sym(0), Sym(2)), picked({3, 4, 2}, [](P p) { return at(p[2], p[0], p[1]); }));
  expect_near(viewed("movedim", sizes({0, 1}), sizes({-1, 0})),
              picked({3, 4, 2}, [](P p) { return at(p[2], p[0], p[1]); }));
  expect_near(viewed("unsqueeze", Sym(1)), picked({2, 1, 3, 4}, [](P p) { return at(p[0], p[2], p[3]); }));
  expect_near(viewed("contiguous"), counting({2, 3, 4}));
}

TEST(View, Squeeze) {
  auto body = [](const Tensors& t) -> Tensors { return {T(with_rank(t[0], 3).op("squeeze", Sym(1)))}; };
  expect_near(run(body, {counting({2, 1, 3})}), counting({2, 3}));
  EXPECT_THROW(run(body, {counting({2, 2, 3})}), std::invalid_argument);
  auto all = [](const Tensors&) -> Tensors { return {T(call("zeros", sizes({1, 3, 1}))).op("squeeze")}; };
  expect_near(run(all, {}), array({3}, {0, 0, 0}));
}

TEST(View, RepeatsAndExpands) {
  expect_near(viewed("repeat_interleave", Sym(2), Sym(1)),
              picked({2, 6, 4}, [](P p) { return at(p[0], p[1] / 2, p[2]); }));
  expect_near(viewed("repeat", sizes({2, 1, 1, 2})),
              picked({2, 2, 3, 8}, [](P p) { return at(p[1], p[2], p[3] % 4); }));
  auto body = [](const Tensors& t) -> Tensors {
    return {T(with_rank(t[0], 2).op("unsqueeze", Sym(1))).op("expand", sizes({5, -1, 4, -1}))};
  };
  expect_near(run(body, {counting({2, 3})}), picked({5, 2, 4, 3}, [](P p) { return 3 * p[1] + p[3]; }));
}

TEST(View, Reshapes) {
  auto like = [](std::function<std::vector<Sym>(const T&)> shape) {
    return run(
        [&](const Tensors& t) -> Tensors {
          T x = with_rank(t[0], 3);
          std::vector<Sym> wanted = shape(x);
          return {x.op("view", ArgList(wanted.begin(), wanted.end()))};
        },
        {counting({2, 3, 4})});
  };
  expect_near(like([](const T& x) { return std::vector<Sym>{size(x, 0) * size(x, 1), size(x, 2)}; }),
              counting({6, 4}));
  expect_near(like([](const T& x) { return std::vector<Sym>{-1, size(x, 2)}; }), counting({6, 4}));
  expect_near(like([](const T& x) { return std::vector<Sym>{size(x, 0), -1}; }), counting({2, 12}));
  expect_near(like([](const T& x) { return std::vector<Sym>{size(x, 0), -1, 2, floor_div(size(x, 2), 2)}; }),
              counting({2, 3, 2, 2}));
  expect_near(viewed("reshape", sizes({-1})), counting({24}));
  auto constant = [](const Tensors&) -> Tensors {
    T x = arange(Sym(24)).op("view", sizes({2, 3, 4}));
    return {x.op("view", sizes({6, 4})), x.op("view", sizes({1, 2, 3, -1, 1, 4})),
            x.op("reshape", sizes({2, 3, 2, 2}))};
  };
  auto three = evaluate(read(0, constant), {}, {});
  expect_near(three[0], counting({6, 4}));
  expect_near(three[1], counting({1, 2, 3, 1, 1, 4}));
  expect_near(three[2], counting({2, 3, 2, 2}));
  expect_near(viewed("flatten"), counting({24}));
  expect_near(viewed("flatten", Sym(-2), Sym(-1)), counting({2, 12}));
  expect_near(viewed("flatten", Sym(0), Sym(1)), counting({6, 4}));
  expect_near(viewed("unflatten", Sym(-1), sizes({2, -1})), counting({2, 3, 2, 2}));
  // Split, move, merge: heads from the last axis, and back.
  auto heads = [](const Tensors& t) -> Tensors {
    T x = with_rank(t[0], 3);
    Sym d = floor_div(size(x, 2), Sym(2));
    T split = x.op("view", sizes({size(x, 0), size(x, 1), 2, d})).op("transpose", Sym(1), Sym(2));
    T back = split.op("transpose", Sym(1), Sym(2)).op("reshape", sizes({size(x, 0), size(x, 1), size(x, 2)}));
    return {split, back};
  };
  auto got = evaluate(read(1, heads), {counting({2, 3, 4})}, {});
  expect_near(got[0], picked({2, 2, 3, 2}, [](P p) { return at(p[0], p[2], 2 * p[1] + p[3]); }));
  expect_near(got[1], counting({2, 3, 4}));
  EXPECT_THROW(evaluate(read(1, heads), {counting({2, 3, 5})}, {}), std::invalid_argument);
}

TEST(View, ReshapeOfATransposedViewReadsThroughBothMaps) {
  auto body = [](const Tensors& t) -> Tensors {
    return {with_rank(t[0], 3).op("transpose", Sym(0), Sym(1)).op("reshape", sizes({size(t[0], 1), -1}))};
  };
  expect_near(run(body, {counting({2, 3, 4})}),
              picked({3, 8}, [](P p) { return at(p[1] / 4, p[0], p[1] % 4); }));
}

TEST(View, ViewsMakeNoNodes) {
  auto body = [](const Tensors& t) -> Tensors {
    T x = with_rank(t[0], 4);
    return {x.op("view", sizes({size(x, 0), 2, floor_div(size(x, 1), Sym(2)), -1}))
                .op("permute", sizes({1, 0, 3, 2}))};
  };
  Function f = read(1, body);
  EXPECT_EQ(f.graph[f.outputs[0].value.node].op, Op::Input);
}

TEST(View, RanksFromUse) {
  auto ranks = [](const Body& body) {
    Facts facts;
    read(1, body, &facts);
    return facts.ranks[0];
  };
  using R = Facts::Rank;
  auto one = [](const char* name, std::vector<Arg> args) {
    return [=](const Tensors& t) -> Tensors {
      ArgList all{t[0]};
      all.insert(all.end(), args.begin(), args.end());
      return {apply_op(*T::builder, name, all)};
    };
  };
  EXPECT_EQ(ranks(one("exp", {})), (R{false, 0}));
  EXPECT_EQ(ranks(one("unsqueeze", {Sym(-1)})), (R{false, 0}));
  EXPECT_EQ(ranks(one("unsqueeze", {Sym(-2)})), (R{false, 1}));
  EXPECT_EQ(ranks(one("softmax", {Sym(-1)})), (R{false, 1}));
  EXPECT_EQ(ranks(one("mT", {})), (R{false, 2}));
  EXPECT_EQ(ranks(one("transpose", {Sym(1), Sym(2)})), (R{true, 4, true}));
  EXPECT_EQ(ranks(one("transpose", {Sym(0), Sym(4)})), (R{true, 5, true}));
  EXPECT_EQ(ranks(one("permute", {sizes({0, 2, 1})})), (R{true, 3, true}));
  EXPECT_EQ(ranks(one("unsqueeze", {Sym(1)})), (R{true, 3, true}));
  EXPECT_EQ(ranks(one("view", {sizes({1, -1, 1, 1})})), (R{true, 1, true, true}));
  EXPECT_EQ(ranks([](const Tensors& t) -> Tensors { return {t[0] * size(t[0], -3)}; }), (R{false, 3}));
  EXPECT_EQ(ranks([](const Tensors& t) -> Tensors { return {t[0] * size(t[0], 0)}; }), (R{true, 4, true}));
  EXPECT_EQ(ranks([](const Tensors& t) -> Tensors { return {t[0] * std::get<Sym>(call("dim", t[0]))}; }),
            (R{true, 4, true}));
  EXPECT_EQ(
      ranks([](const Tensors& t) -> Tensors { return {T(t[0].op("exp")).op("sum", Sym(-1)).op("mT")}; }),
      (R{false, 3}));
}

TEST(View, AKnownRankSpreadsToWhatMeetsIt) {
  Facts facts;
  read(
      3,
      [](const Tensors& t) -> Tensors {
        T s = einsum("bhid,bhjd->bhij", {t[0], t[1]});
        return {s + t[2]};
      },
      &facts);
  EXPECT_EQ(facts.ranks[0], (Facts::Rank{true, 4, true}));
  EXPECT_EQ(facts.ranks[2], (Facts::Rank{true, 4}));
  // Behind computed values, too.
  read(
      2,
      [](const Tensors& t) -> Tensors {
        return {matmul(T(t[0].op("exp")), transposed(t[1])) +
                with_rank(t[1], 4).op("exp").op("sum", Sym(-1), flag(true))};
      },
      &facts);
  EXPECT_EQ(facts.ranks[0], (Facts::Rank{true, 4}));
}

TEST(Slice, BoundsAreClamped) {
  for (const std::int64_t start : {-1000, -4, -3, -2, 0, 1, 3, 1000})
    for (const std::int64_t end : {-1000, -3, -1, 0, 2, 3, 4, 1000}) {
      auto clamped = [](std::int64_t p) { return std::clamp<std::int64_t>(p < 0 ? p + 3 : p, 0, 3); };
      const std::int64_t from = clamped(start), to = std::max(from, clamped(end));
      if (from == to) continue;
      SCOPED_TRACE(std::to_string(start) + ", " + std::to_string(end));
      expect_near(viewed("slice", Sym(1), Sym(start), Sym(end)), picked({2, to - from, 4}, [&](P p) {
                    return at(p[0], p[1] + static_cast<int>(from), p[2]);
                  }));
    }
  expect_near(viewed("slice", Sym(1), Sym(1), Sym(700), Sym(2)),
              picked({2, 1, 4}, [](P p) { return at(p[0], 1, p[2]); }));
}

// One position, and bounds of the last dim, are numbers when translating.
TEST(Slice, SizesOfFewAreKnown) {
  auto length = [](int dim, auto... bounds) {
    return read(1,
                [&](const Tensors& t) -> Tensors {
                  return {with_rank(t[0], 3).op("slice", Sym(dim), bounds...)};
                })
        .outputs[0]
        .value.shape[static_cast<std::size_t>(dim)];
  };
  EXPECT_EQ(length(1, Sym(2), Sym(3)), Sym(1));
  EXPECT_EQ(length(1, Sym(-1)), Sym(1));
  EXPECT_EQ(length(2, Sym(0), Sym(64)), Sym(64));
  EXPECT_NE(length(1, Sym(0), Sym(64)), Sym(64));
  EXPECT_NE(length(2, Sym(0), Sym(1000)), Sym(1000));
}

// Sizes of one tensor in views of another: the same axes, or products of them.
TEST(View, TakesSizesOfOtherTensors) {
  auto like = [](int rank, auto sizes_of, auto back) {
    return read(2, [&](const Tensors& t) -> Tensors {
      T x = with_rank(t[0], rank), y = with_rank(t[1], rank);
      return {T(y.op("view", sizes_of(x))).op("view", back(x))};
    });
  };
  auto merged = like(
      4, [](const T& x) { return sizes({size(x, 0) * size(x, 1), size(x, 2), size(x, 3)}); },
      [](const T& x) { return sizes({size(x, 0), size(x, 1), size(x, 2), size(x, 3)}); });
  EXPECT_EQ(merged.tensors[1].shape, merged.tensors[0].shape);
  EXPECT_TRUE(merged.checks.empty());
  expect_near(evaluate(merged, {counting({2, 3, 4, 5}), counting({2, 3, 4, 5})}, {})[0],
              counting({2, 3, 4, 5}));
  EXPECT_THROW(evaluate(merged, {counting({2, 3, 4, 5}), counting({2, 3, 5, 4})}, {}), std::invalid_argument);
  auto inferred = like(
      4, [](const T& x) { return sizes({Sym(-1), size(x, 2), size(x, 3)}); },
      [](const T& x) { return sizes({size(x, 0), size(x, 1), Sym(-1), size(x, 3)}); });
  expect_near(evaluate(inferred, {counting({2, 3, 4, 5}), counting({2, 3, 4, 5})}, {})[0],
              counting({2, 3, 4, 5}));
  // [T, B, C] with heads beside the batch: C is split and one part merged.
  const Sym heads(3);
  auto split = like(
      3, [&](const T& x) { return sizes({size(x, 0), size(x, 1) * heads, floor_div(size(x, 2), heads)}); },
      [](const T& x) { return sizes({size(x, 0), size(x, 1), size(x, 2)}); });
  EXPECT_EQ(split.tensors[1].shape, split.tensors[0].shape);
  expect_near(evaluate(split, {counting({2, 4, 6}), counting({2, 4, 6})}, {})[0], counting({2, 4, 6}));
  EXPECT_THROW(evaluate(split, {counting({2, 4, 5}), counting({2, 4, 5})}, {}), std::invalid_argument);
}

TEST(Slice, Parts) {
  expect_near(viewed("narrow", Sym(1), Sym(1), Sym(2)),
              picked({2, 2, 4}, [](P p) { return at(p[0], p[1] + 1, p[2]); }));
  expect_near(viewed("slice", Sym(-1), Sym(1), Sym(3)),
              picked({2, 3, 2}, [](P p) { return at(p[0], p[1], p[2] + 1); }));
  expect_near(viewed("slice", Sym(-1), Sym(-3), Sym(-1)),
              picked({2, 3, 2}, [](P p) { return at(p[0], p[1], p[2] + 1); }));
  expect_near(viewed("slice", Sym(-1), Arg(), Arg(), Sym(2)),
              picked({2, 3, 2}, [](P p) { return at(p[0], p[1], 2 * p[2]); }));
  expect_near(viewed("slice", Sym(-1), Sym(1), Arg(), Sym(2)),
              picked({2, 3, 2}, [](P p) { return at(p[0], p[1], 2 * p[2] + 1); }));
  expect_near(viewed("select", Sym(1), Sym(-1)), picked({2, 4}, [](P p) { return at(p[0], 2, p[1]); }));
  expect_near(viewed("select", Sym(0), Sym(1)), picked({3, 4}, [](P p) { return at(1, p[0], p[1]); }));
  auto second = [](const char* name, Arg how, int dim, int part) {
    return run(
        [=](const Tensors& t) -> Tensors {
          return {std::get<ArgList>(call(name, with_rank(t[0], 3), how, Sym(dim)))[std::size_t(part)]};
        },
        {counting({2, 3, 4})});
  };
  expect_near(second("chunk", Sym(2), -1, 1),
              picked({2, 3, 2}, [](P p) { return at(p[0], p[1], p[2] + 2); }));
  expect_near(second("split", sizes({1, 2}), 1, 1),
              picked({2, 2, 4}, [](P p) { return at(p[0], p[1] + 1, p[2]); }));
  EXPECT_THROW(second("chunk", Sym(3), -1, 1), std::invalid_argument);  // a size known at launch must divide
  EXPECT_THROW(second("split", sizes({1, 1}), 1, 1), std::invalid_argument);
  auto uneven = [](const Tensors&) -> Tensors {
    ArgList parts = std::get<ArgList>(call("chunk", arange(Sym(7)), Sym(3), Sym(0)));
    return {parts[0], parts[2]};
  };
  auto got = evaluate(read(0, uneven), {}, {});
  EXPECT_EQ(got[0].data, (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(got[1].data, (std::vector<double>{6}));
  EXPECT_THROW(viewed("select", Sym(0), Sym(2)), std::invalid_argument);
  EXPECT_THROW(viewed("narrow", Sym(1), Sym(2), Sym(2)), std::invalid_argument);
}

TEST(Slice, HalvesOfARotation) {
  auto body = [](const Tensors& t) -> Tensors {
    ArgList halves = std::get<ArgList>(call("chunk", t[0], Sym(2), Sym(-1)));
    return {call("cat", list({T(T(halves[1]).op("neg")), halves[0]}), Sym(-1))};
  };
  expect_near(run(body, {array({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})}),
              array({2, 4}, {-3, -4, 1, 2, -7, -8, 5, 6}));
}

TEST(Join, CatAndStack) {
  auto body = [](const Tensors& t) -> Tensors {
    return {call("cat", list({t[0], t[1]}), Sym(-1)), call("stack", list({t[0], t[0]}), Sym(-1)),
            T(call("cat", list({t[0], t[1]}), Sym(-1))).op("sum", Sym(-1))};
  };
  auto got = evaluate(read(2, body), {counting({2, 2}), counting({2, 1}, 10)}, {});
  expect_near(got[0], array({2, 3}, {0, 1, 10, 2, 3, 11}));
  expect_near(got[1], array({2, 2, 2}, {0, 0, 1, 1, 2, 2, 3, 3}));
  expect_near(got[2], array({2}, {11, 16}));
  // Constants, broadcasts and parts as segments.
  auto mixed = [](const Tensors& t) -> Tensors {
    T x = with_rank(t[0], 2);
    T zeros = call("zeros", sizes({size(x, 0), 1}));
    T column = x.op("select", Sym(1), Sym(0)).op("unsqueeze", Sym(1)).op("expand", sizes({-1, 2}));
    return {call("cat", list({zeros, column, x.op("slice", Sym(1), Sym(1), Arg())}), Sym(1)),
            call("cat", list({x, x}), Sym(0))};
  };
  got = evaluate(read(1, mixed), {counting({2, 3}, 1)}, {});
  expect_near(got[0], array({2, 5}, {0, 1, 1, 2, 3, 0, 4, 4, 5, 6}));
  expect_near(got[1], array({4, 3}, {1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}));
}

TEST(View, Misuse) {
  auto on = [](const char* name, std::vector<Arg> args, std::vector<Sym> shape = {Sym(2), Sym(3), Sym(4)}) {
    return error_of(0, [=](const Tensors&) -> Tensors {
      ArgList all{call("zeros", ArgList(shape.begin(), shape.end()))};
      all.insert(all.end(), args.begin(), args.end());
      Arg out = apply_op(*T::builder, name, all);
      return {std::holds_alternative<ArgList>(out) ? T(std::get<ArgList>(out)[0]) : T(out)};
    });
  };
  EXPECT_EQ(on("transpose", {Sym(0), Sym(3)}), "dim-out-of-range");
  EXPECT_EQ(on("permute", {sizes({0, 1})}), "shape-mismatch");
  EXPECT_EQ(on("permute", {sizes({0, 1, 1})}), "dim-out-of-range");
  EXPECT_EQ(on("movedim", {sizes({0, 1}), sizes({0})}), "shape-mismatch");
  EXPECT_EQ(on("squeeze", {Sym(1)}), "shape-mismatch");
  EXPECT_EQ(on("view", {sizes({5, 5})}), "shape-mismatch");
  EXPECT_EQ(on("view", {sizes({-1, -1})}), "shape-mismatch");
  EXPECT_EQ(on("expand", {sizes({2, 3})}), "shape-mismatch");
  EXPECT_EQ(on("expand", {sizes({2, 3, 5})}), "shape-mismatch");
  EXPECT_EQ(on("repeat", {sizes({2})}), "shape-mismatch");
  EXPECT_EQ(on("narrow", {Sym(0), Sym(1), Sym(2)}), "dim-out-of-range");
  EXPECT_EQ(on("select", {Sym(0), Sym(2)}), "dim-out-of-range");
  EXPECT_EQ(on("slice", {Sym(0), Arg(), Arg(), Sym(0)}), "dim-out-of-range");
  EXPECT_EQ(on("chunk", {Sym(0)}), "shape-mismatch");
  EXPECT_EQ(error_of(1,
                     [](const Tensors& t) -> Tensors {
                       return {std::get<ArgList>(call("split", t[0], Sym(3), Sym(-1)))[0]};
                     }),
            "not-constant");
  EXPECT_EQ(error_of(2,
                     [](const Tensors& t) -> Tensors {
                       T x = with_rank(t[0], 2), y = with_rank(t[1], 2);
                       return {x.op("view", sizes({size(y, 0), size(y, 1), size(y, 1)}))};
                     }),
            "unaligned-view");
  EXPECT_EQ(error_of(1,
                     [](const Tensors& t) -> Tensors {
                       return {with_rank(t[0], 2).op("permute", sizes({0, 1, 2}))};
                     }),
            "shape-mismatch");
  EXPECT_EQ(error_of(0,
                     [](const Tensors&) -> Tensors {
                       return {call("cat", list({call("zeros", sizes({2, 3})), call("zeros", sizes({3, 3}))}),
                                    Sym(1))};
                     }),
            "shape-mismatch");
}

}  // namespace
}  // namespace flashlight::graph
