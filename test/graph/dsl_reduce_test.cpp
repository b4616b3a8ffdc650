// SPDX-License-Identifier: Apache-2.0
// Reductions, softmax, normalisations and running sums against plain loops.
#include "dsl_reading.h"

namespace flashlight::graph {
namespace {

const Array x = random({2, 3, 4}, 7);

// Reduces axis `axis` of a [2, 3, 4] array by f over the values along it.
Array along(int axis, const std::function<double(const std::vector<double>&)>& f, bool keepdim = false) {
  std::int64_t n[3] = {2, 3, 4}, stride[3] = {12, 4, 1};
  Array out;
  for (int k = 0; k < 3; ++k)
    if (k != axis) out.shape.push_back(n[k]);
    else if (keepdim) out.shape.push_back(1);
  for (int p = 0; p < 24; ++p) {
    if (p / stride[axis] % n[axis] != 0) continue;
    std::vector<double> values;
    for (int i = 0; i < n[axis]; ++i) values.push_back(x.data[std::size_t(p + i * stride[axis])]);
    out.data.push_back(f(values));
  }
  return out;
}

double total(const std::vector<double>& v) {
  double s = 0;
  for (double e : v) s += e;
  return s;
}

struct Row {
  const char* name;
  double (*f)(const std::vector<double>&);
};
const Row kRows[] = {
    {"sum", total},
    {"mean", [](const std::vector<double>& v) { return total(v) / double(v.size()); }},
    {"prod",
     [](const std::vector<double>& v) {
       double p = 1;
       for (double e : v) p *= e;
       return p;
     }},
    {"amax", [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); }},
    {"amin", [](const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); }},
    {"logsumexp",
     [](const std::vector<double>& v) {
       double s = 0;
       for (double e : v) s += std::exp(e);
       return std::log(s);
     }},
    {"var",
     [](const std::vector<double>& v) {
       double m = total(v) / double(v.size()), s = 0;
       for (double e : v) s += (e - m) * (e - m);
       return s / double(v.size() - 1);
     }},
    {"argmax",
     [](const std::vector<double>& v) { return double(std::max_element(v.begin(), v.end()) - v.begin()); }},
};

TEST(Reduce, OverOneDim) {
  for (const Row& row : kRows)
    for (int axis = 0; axis < 3; ++axis)
      for (bool keepdim : {false, true}) {
        SCOPED_TRACE(row.name);
        auto body = [&](const Tensors& t) -> Tensors {
          call("assume_rank", t[0], Sym(3));
          if (std::string(row.name) == "var")
            return {t[0].op("var", Sym(axis - 3), flag(true), flag(keepdim))};
          return {t[0].op(row.name, Sym(axis - 3), flag(keepdim))};
        };
        expect_near(run(body, {x}), along(axis, row.f, keepdim));
      }
}

TEST(Reduce, OverAllDimsAndSeveral) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    auto body = [&](const Tensors& t) -> Tensors { return {t[0].op(row.name)}; };
    expect_near(run(body, {x}), array({}, {row.f(x.data)}));
  }
  auto body = [](const Tensors& t) -> Tensors { return {t[0].op("sum", sizes({-1, -3}), flag(false))}; };
  Array wanted = array({3}, {0, 0, 0});
  for (std::size_t p = 0; p < 24; ++p) wanted.data[p / 4 % 3] += x.data[p];
  expect_near(run(body, {x}), wanted);
  auto biased = [](const Tensors& t) -> Tensors { return {t[0].op("var", Sym(-1), flag(false))}; };
  expect_near(run(biased, {array({2}, {1, 4})}), array({}, {2.25}));
}

TEST(Reduce, AnyAllAndIntegers) {
  auto body = [](const Tensors& t) -> Tensors {
    T positive = t[0] > Sym(0);
    return {positive.op("any", Sym(-1)), positive.op("all", Sym(-1)), positive.op("sum", Sym(-1)),
            positive.op("amax", Sym(-1)), t[0].op("argmax", Sym(-1))};
  };
  Function f = read(1, body);
  auto got = evaluate(f, {array({3, 2}, {-1, -2, 3, -4, 5, 5})}, {});
  EXPECT_EQ(got[0].data, (std::vector<double>{0, 1, 1}));
  EXPECT_EQ(got[1].data, (std::vector<double>{0, 0, 1}));
  EXPECT_EQ(got[2].data, (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(got[3].data, (std::vector<double>{0, 1, 1}));
  EXPECT_EQ(got[4].data, (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(f.outputs[2].value.type, Type::Int);
  EXPECT_EQ(f.outputs[3].value.type, Type::Bool);
  EXPECT_EQ(f.outputs[4].value.type, Type::Int);
}

TEST(Reduce, ConstantsAndBroadcastsCountTheirPoints) {
  auto body = [](const Tensors& t) -> Tensors {
    T ones = call("ones", sizes({3, size(t[0], -1)}));
    T wide = t[0].op("unsqueeze", Sym(0)).op("expand", sizes({3, -1}));
    return {ones.op("sum"),           ones.op("mean", Sym(0)), wide.op("sum", Sym(0)),
            wide.op("sum", Sym(1)),   wide.op("amax", Sym(0)), wide.op("prod", Sym(0)),
            wide.op("argmax", Sym(0))};
  };
  auto with_rank = [&](const Tensors& t) -> Tensors {
    call("assume_rank", t[0], Sym(1));
    return body(t);
  };
  auto got = evaluate(read(1, with_rank), {array({4}, {1, 2, 3, 4})}, {});
  EXPECT_EQ(got[0].data, (std::vector<double>{12}));
  EXPECT_EQ(got[1].data, (std::vector<double>{1, 1, 1, 1}));
  EXPECT_EQ(got[2].data, (std::vector<double>{3, 6, 9, 12}));
  EXPECT_EQ(got[3].data, (std::vector<double>{10, 10, 10}));
  EXPECT_EQ(got[4].data, (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(got[5].data, (std::vector<double>{1, 8, 27, 64}));
  EXPECT_EQ(got[6].data, (std::vector<double>{0, 0, 0, 0}));
}

TEST(Reduce, SoftmaxOverAnyDim) {
  for (int axis = 0; axis < 3; ++axis) {
    auto body = [&](const Tensors& t) -> Tensors {
      call("assume_rank", t[0], Sym(3));
      return {t[0].op("softmax", Sym(axis)), t[0].op("log_softmax", Sym(axis)),
              T(t[0].op("softmax", Sym(axis))).op("sum", Sym(axis))};
    };
    auto got = evaluate(read(1, body), {x}, {});
    for (std::size_t i = 0; i < 24; ++i) EXPECT_NEAR(std::log(got[0].data[i]), got[1].data[i], 1e-12);
    for (double s : got[2].data) EXPECT_NEAR(s, 1, 1e-12);
    Array lse = along(axis, [](const std::vector<double>& v) {
      double s = 0;
      for (double e : v) s += std::exp(e);
      return std::log(s);
    });
    EXPECT_NEAR(got[1].data[0], x.data[0] - lse.data[0], 1e-12);
  }
  auto body = [](const Tensors& t) -> Tensors { return {t[0].op("softmax", Sym(-1), DType::Float32)}; };
  Function f = read(1, body);
  EXPECT_EQ(f.outputs[0].value.dtype, (DTypeRule{{}, DType::Float32}));
  expect_near(evaluate(f, {array({2}, {1e4, 1e4})}, {})[0], array({2}, {0.5, 0.5}));
}

TEST(Reduce, Cumsum) {
  auto body = [](const Tensors& t) -> Tensors {
    return {t[0].op("cumsum", Sym(-1)), t[0].op("cumsum", Sym(-2)),
            T(call("ones", sizes({3}))).op("cumsum", Sym(0))};
  };
  auto got = evaluate(read(1, body), {array({2, 3}, {1, 2, 3, 4, 5, 6})}, {});
  expect_near(got[0], array({2, 3}, {1, 3, 6, 4, 9, 15}));
  expect_near(got[1], array({2, 3}, {1, 2, 3, 5, 7, 9}));
  expect_near(got[2], array({3}, {1, 2, 3}));
}

TEST(Reduce, Normalisations) {
  auto body = [](const Tensors& t) -> Tensors {
    return {t[0].op("rms_norm", t[1], real(1e-3)), t[0].op("layer_norm", t[1], t[2], real(1e-3)),
            t[0].op("rms_norm")};
  };
  Facts facts;
  Function f = read(3, body, &facts);
  EXPECT_EQ(facts.ranks.at(1), (Facts::Rank{true, 1, true}));
  Array a = array({2, 2}, {1, 3, -2, 4}), w = array({2}, {2, 5}), bias = array({2}, {10, 20});
  auto got = evaluate(f, {a, w, bias}, {});
  for (std::size_t r = 0; r < 2; ++r) {
    double u = a.data[2 * r], v = a.data[2 * r + 1], m = (u + v) / 2,
           s2 = ((u - m) * (u - m) + (v - m) * (v - m)) / 2;
    double rms = std::sqrt((u * u + v * v) / 2 + 1e-3), sd = std::sqrt(s2 + 1e-3);
    EXPECT_NEAR(got[0].data[2 * r], u / rms * 2, 1e-12);
    EXPECT_NEAR(got[0].data[2 * r + 1], v / rms * 5, 1e-12);
    EXPECT_NEAR(got[1].data[2 * r], (u - m) / sd * 2 + 10, 1e-12);
    EXPECT_NEAR(got[2].data[2 * r], u / std::sqrt((u * u + v * v) / 2 + 1e-6), 1e-12);
  }
}

TEST(Reduce, EqualElementsKeepTheirOrderAndNaNIsTheLargest) {
  const double nan = std::nan("");
  const Array rows = array({2, 5}, {2, -kInf, 2, nan, 0, 0, -0.0, kInf, nan, nan});
  const auto sorted = [&](const char* op, std::initializer_list<Arg> args) {
    auto body = [&](const Tensors& t) -> Tensors {
      ArgList all{t[0].view};
      all.insert(all.end(), args.begin(), args.end());
      const ArgList pair = std::get<ArgList>(apply_op(*T::builder, op, all));
      return {pair[0], pair[1]};
    };
    const Function f = read(1, body);
    EXPECT_EQ(f.outputs[1].value.type, Type::Int);
    return evaluate(f, {rows}, {});
  };
  auto up = sorted("sort", {});
  expect_near(up[0], array({2, 5}, {-kInf, 0, 2, 2, nan, 0, 0, kInf, nan, nan}));
  expect_near(up[1], array({2, 5}, {1, 4, 0, 2, 3, 0, 1, 2, 3, 4}));
  auto down = sorted("sort", {Sym(-1), flag(true)});
  expect_near(down[1], array({2, 5}, {3, 0, 2, 4, 1, 3, 4, 2, 0, 1}));
  auto most = sorted("topk", {Sym(2)});
  expect_near(most[0], array({2, 2}, {nan, 2, nan, nan}));
  expect_near(most[1], array({2, 2}, {3, 0, 3, 4}));
  auto least = sorted("topk", {Sym(3), Sym(-1), flag(false)});
  expect_near(least[1], array({2, 3}, {1, 4, 0, 0, 1, 2}));
  EXPECT_EQ(sorted("topk", {Sym(0)})[1].data.size(), 0u);
}

TEST(Reduce, SortsAlongAnyDim) {
  for (int axis = 0; axis < 3; ++axis) {
    auto body = [&](const Tensors& t) -> Tensors {
      call("assume_rank", t[0], Sym(3));
      const ArgList pair = std::get<ArgList>(call("sort", t[0].op("transpose", Sym(0), Sym(1)), Sym(axis)));
      return {pair[0], T(pair[0]) - T(t[0].op("transpose", Sym(0), Sym(1))).op("gather", Sym(axis), pair[1])};
    };
    auto got = evaluate(read(1, body), {x}, {});
    const std::int64_t length = got[0].shape[static_cast<std::size_t>(axis)];
    std::int64_t inner = 1;
    for (std::size_t k = static_cast<std::size_t>(axis) + 1; k < 3; ++k) inner *= got[0].shape[k];
    for (std::size_t i = 0; i < got[0].data.size(); ++i)
      if (static_cast<std::int64_t>(i) / inner % length > 0)
        EXPECT_LE(got[0].data[i - static_cast<std::size_t>(inner)], got[0].data[i]);
    for (double difference : got[1].data) EXPECT_EQ(difference, 0);
  }
}

TEST(Reduce, AsManyAsThereAre) {
  auto first = [](int k) {
    return [k](const Tensors&) -> Tensors {
      return {std::get<ArgList>(call("topk", call("zeros", sizes({2, 3})), Sym(k)))[0]};
    };
  };
  EXPECT_EQ(error_of(0, first(3)), "");
  EXPECT_EQ(error_of(0, first(4)), "shape-mismatch");
  EXPECT_EQ(error_of(0, first(-1)), "shape-mismatch");
  auto body = [](const Tensors& t) -> Tensors { return {std::get<ArgList>(call("topk", t[0], Sym(5)))[0]}; };
  EXPECT_THROW(evaluate(read(1, body), {counting({2, 4})}, {}), std::invalid_argument);  // checked at launch
}

TEST(Reduce, Misuse) {
  auto over = [](Arg dims) {
    return [dims](const Tensors&) -> Tensors { return {T(call("zeros", sizes({2, 3}))).op("sum", dims)}; };
  };
  EXPECT_EQ(error_of(0, over(Sym(2))), "dim-out-of-range");
  EXPECT_EQ(error_of(0, over(Sym(-3))), "dim-out-of-range");
  EXPECT_EQ(error_of(0, over(sizes({0, -2}))), "dim-out-of-range");
}

}  // namespace
}  // namespace flashlight::graph
