// SPDX-License-Identifier: Apache-2.0
// Every pointwise op against its scalar definition; promotion, storage types, categories of parameters.
#include "dsl_reading.h"

namespace flashlight::graph {
namespace {

struct Unary {
  const char* name;
  double (*f)(double);
};

TEST(Pointwise, UnaryOps) {
  const Unary table[] = {
      {"neg", [](double x) { return -x; }},
      {"unary-", [](double x) { return -x; }},
      {"abs", [](double x) { return std::fabs(x); }},
      {"square", [](double x) { return x * x; }},
      {"relu", [](double x) { return x < 0 ? 0 : x; }},
      {"sign", [](double x) { return double((x > 0) - (x < 0)); }},
      {"floor", [](double x) { return std::floor(x); }},
      {"ceil", [](double x) { return std::ceil(x); }},
      {"reciprocal", [](double x) { return 1 / x; }},
      {"sqrt", [](double x) { return std::sqrt(x); }},
      {"rsqrt", [](double x) { return 1 / std::sqrt(x); }},
      {"exp", [](double x) { return std::exp(x); }},
      {"exp2", [](double x) { return std::exp2(x); }},
      {"expm1", [](double x) { return std::expm1(x); }},
      {"log", [](double x) { return std::log(x); }},
      {"log2", [](double x) { return std::log2(x); }},
      {"log1p", [](double x) { return std::log1p(x); }},
      {"sin", [](double x) { return std::sin(x); }},
      {"cos", [](double x) { return std::cos(x); }},
      {"tanh", [](double x) { return std::tanh(x); }},
      {"erf", [](double x) { return std::erf(x); }},
      {"sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"silu", [](double x) { return x / (1 + std::exp(-x)); }},
      {"gelu", [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }},
      {"softplus", [](double x) { return std::log1p(std::exp(x)); }},
      {"log_sigmoid", [](double x) { return -std::log1p(std::exp(-x)); }},
      {"logical_not", [](double x) { return double(x == 0); }},
      {"isnan", [](double x) { return double(std::isnan(x)); }},
      {"isinf", [](double x) { return double(std::isinf(x)); }},
  };
  const Array x = array({2, 5}, {0.5, -1.25, 2, 3.75, -0.1, 1, 0, 7, -2.5, 0.25});
  for (const Unary& u : table) {
    SCOPED_TRACE(u.name);
    // The relu of a condition's complement needs a number: logical_not makes the raw parameter a kBool one.
    auto body = [&](const Tensors& t) -> Tensors { return {T(t[0] * Sym(1.5)).op(u.name)}; };
    Array wanted = x;
    for (double& v : wanted.data) v = u.f(1.5 * v);
    expect_near(run(body, {x}), wanted, 1e-11);
  }
}

TEST(Pointwise, NanAndInfinity) {
  const Array x = array({5}, {std::nan(""), kInf, -kInf, 1, -2});
  auto body = [](const char* name) {
    return [name](const Tensors& t) -> Tensors { return {t[0].op(name)}; };
  };
  expect_near(run(body("isnan"), {x}), array({5}, {1, 0, 0, 0, 0}));
  expect_near(run(body("isinf"), {x}), array({5}, {0, 1, 1, 0, 0}));
  expect_near(run(body("relu"), {x}), array({5}, {std::nan(""), kInf, 0, 1, 0}));
  auto replaced = [](const Tensors& t) -> Tensors {
    return {t[0].op("nan_to_num", real(7), real(8), real(-9))};
  };
  expect_near(run(replaced, {x}), array({5}, {7, 8, -9, 1, -2}));
  auto defaults = [](const Tensors& t) -> Tensors { return {t[0].op("nan_to_num")}; };
  EXPECT_EQ(run(defaults, {x}).data[1], 3.4028234663852886e38);
}

struct Binary {
  const char* name;
  double (*f)(double, double);
};

double floor_mod(double x, double y) { return x - std::floor(x / y) * y; }

TEST(Pointwise, BinaryOpsOfTensorsAndScalars) {
  const Binary table[] = {
      {"+", [](double x, double y) { return x + y; }},
      {"add", [](double x, double y) { return x + y; }},
      {"-", [](double x, double y) { return x - y; }},
      {"sub", [](double x, double y) { return x - y; }},
      {"*", [](double x, double y) { return x * y; }},
      {"/", [](double x, double y) { return x / y; }},
      {"%", floor_mod},
      {"remainder", floor_mod},
      {"floor_divide", [](double x, double y) { return std::floor(x / y); }},
      {"pow", [](double x, double y) { return std::pow(x, y); }},
      {"maximum", [](double x, double y) { return std::max(x, y); }},
      {"minimum", [](double x, double y) { return std::min(x, y); }},
      {"logaddexp", [](double x, double y) { return std::log(std::exp(x) + std::exp(y)); }},
      {"<", [](double x, double y) { return double(x < y); }},
      {"<=", [](double x, double y) { return double(x <= y); }},
      {">", [](double x, double y) { return double(x > y); }},
      {">=", [](double x, double y) { return double(x >= y); }},
      {"==", [](double x, double y) { return double(x == y); }},
      {"!=", [](double x, double y) { return double(x != y); }},
      {"lt", [](double x, double y) { return double(x < y); }},
      {"ge", [](double x, double y) { return double(x >= y); }},
  };
  const Array x = array({6}, {0.5, -1.25, 2, 3.5, -0.5, 1}), y = array({6}, {0.5, 2, -3, 2, 0.75, -1.5});
  for (const Binary& op : table) {
    SCOPED_TRACE(op.name);
    auto both = [&](const Tensors& t) -> Tensors {
      return {T(t[0] * Sym(1.0)).op(op.name, t[1] * Sym(2.0)), t[0].op(op.name, real(2)),
              call(op.name, real(2), t[0])};
    };
    auto got = evaluate(read(2, both), {x, y}, {});
    Array wanted[3] = {x, x, x};
    for (std::size_t i = 0; i < 6; ++i) {
      wanted[0].data[i] = op.f(x.data[i], 2 * y.data[i]);
      wanted[1].data[i] = op.f(x.data[i], 2);
      wanted[2].data[i] = op.f(2, x.data[i]);
    }
    for (int k = 0; k < 3; ++k) expect_near(got[std::size_t(k)], wanted[k]);
  }
}

TEST(Pointwise, IntegersAndBools) {
  auto body = [](const Tensors&) -> Tensors {
    T i = arange(Sym(6));
    T odd = (i % Sym(2)) == Sym(1), small = i < Sym(3);
    return {i / Sym(4),
            i.op("floor_divide", Sym(4)),
            (i - Sym(3)) % Sym(4),
            odd & small,
            odd | small,
            odd ^ small,
            odd.op("~"),
            odd + small,
            i * i,
            i * Sym(0.5),
            odd.op("logical_and", i)};
  };
  Function f = read(0, body);
  auto got = evaluate(f, {}, {});
  const std::vector<std::vector<double>> wanted = {{0, 0.25, 0.5, 0.75, 1, 1.25},
                                                   {0, 0, 0, 0, 1, 1},
                                                   {1, 2, 3, 0, 1, 2},
                                                   {0, 1, 0, 0, 0, 0},
                                                   {1, 1, 1, 1, 0, 1},
                                                   {1, 0, 1, 1, 0, 1},
                                                   {1, 0, 1, 0, 1, 0},
                                                   {1, 2, 1, 1, 0, 1},
                                                   {0, 1, 4, 9, 16, 25},
                                                   {0, 0.5, 1, 1.5, 2, 2.5},
                                                   {0, 1, 0, 1, 0, 1}};
  const Type types[] = {Type::Float, Type::Int, Type::Int, Type::Bool,  Type::Bool, Type::Bool,
                        Type::Bool,  Type::Int, Type::Int, Type::Float, Type::Bool};
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    EXPECT_EQ(got[k].data, wanted[k]) << k;
    EXPECT_EQ(f.outputs[k].value.type, types[k]) << k;
  }
}

TEST(Pointwise, WhereMaskedFillAndClamp) {
  const Array x = array({4}, {-2, -1, 1, 2}), y = array({4}, {10, 20, 30, 40});
  auto body = [](const Tensors& t) -> Tensors {
    T positive = t[0] > Sym(0);
    return {where(positive, t[0], t[1]),
            where(positive, t[0], real(-kInf)),
            T(call("where", positive, real(1), real(0))),
            t[1].op("masked_fill", positive, real(5)),
            t[0].op("clamp", real(-1.5), real(1.5)),
            t[0].op("clamp", Arg(), real(0)),
            t[0].op("clamp_min", t[1] * Sym(0.0)),
            t[0].op("clamp_max", real(1))};
  };
  auto got = evaluate(read(2, body), {x, y}, {});
  EXPECT_EQ(got[0].data, (std::vector<double>{10, 20, 1, 2}));
  EXPECT_EQ(got[1].data, (std::vector<double>{-kInf, -kInf, 1, 2}));
  EXPECT_EQ(got[2].data, (std::vector<double>{0, 0, 1, 1}));
  EXPECT_EQ(got[3].data, (std::vector<double>{10, 20, 5, 5}));
  EXPECT_EQ(got[4].data, (std::vector<double>{-1.5, -1, 1, 1.5}));
  EXPECT_EQ(got[5].data, (std::vector<double>{-2, -1, 0, 0}));
  EXPECT_EQ(got[6].data, (std::vector<double>{0, 0, 1, 2}));
  EXPECT_EQ(got[7].data, (std::vector<double>{-2, -1, 1, 1}));
}

TEST(Pointwise, BroadcastingAlignsTrailingAxes) {
  auto body = [](const Tensors& t) -> Tensors { return {T(t[0].op("unsqueeze", Sym(-1))) + t[1]}; };
  expect_near(run(body, {array({2}, {1, 2}), array({3}, {10, 20, 30})}),
              array({2, 3}, {11, 21, 31, 12, 22, 32}));
  // A parameter's axis of size 1 broadcasts at launch.
  auto sum = [](const Tensors& t) -> Tensors { return {T(t[0].op("exp")) + T(t[1].op("mT"))}; };
  Array x = array({2, 1}, {0, 0}), y = array({3, 2}, {1, 2, 3, 4, 5, 6});
  expect_near(run(sum, {x, y}), array({2, 3}, {2, 4, 6, 3, 5, 7}));
}

DTypeRule rule(std::vector<int> inputs, std::optional<DType> constant = {}) {
  return {std::move(inputs), constant};
}

TEST(Pointwise, StorageTypesFollowPromotion) {
  auto body = [](const Tensors& t) -> Tensors {
    T i = arange(Sym(3));
    T narrow = t[0].op("to", DType::Float16);
    return {t[0] + t[1],
            t[0] * Sym(2.0),
            t[0] + i,
            t[0] < t[1] * Sym(2.0),
            i + Sym(1),
            i * Sym(1.5),
            narrow,
            narrow * t[1],
            T(narrow.op("to", DType::BFloat16)) + narrow,
            i / Sym(2),
            t[0].op("sum"),
            i.op("sum"),
            where(i < Sym(2), t[0], real(-kInf)),
            t[0].op("to", Arg((t[1] * Sym(1.0)).view))};
  };
  Function f = read(2, body);
  const DTypeRule wanted[] = {rule({0, 1}),
                              rule({0}),
                              rule({0}),
                              rule({}, DType::Bool),
                              rule({}, DType::Int64),
                              rule({}, DType::Float32),
                              rule({}, DType::Float16),
                              rule({1}, DType::Float16),
                              rule({}, DType::Float32),
                              rule({}, DType::Float32),
                              rule({0}),
                              rule({}, DType::Int64),
                              rule({0}),
                              rule({1})};
  for (std::size_t k = 0; k < std::size(wanted); ++k) EXPECT_EQ(f.outputs[k].value.dtype, wanted[k]) << k;
}

std::map<int, Type> types_of(int params, const Body& body) {
  Facts facts;
  read(params, body, &facts);
  return facts.types;
}

TEST(Pointwise, InPlaceOpsKeepTheStorageType) {
  auto body = [](const Tensors& t) -> Tensors {
    T x = t[0].op("to", DType::Float16);
    return {x.op("+=", t[1]), x.op("*=", real(2)), x.op("-=", t[1]), x.op("/=", real(4))};
  };
  Function f = read(2, body);
  for (const Output& out : f.outputs) EXPECT_EQ(out.value.dtype, rule({}, DType::Float16));
  auto got = evaluate(f, {array({2}, {1, 2}), array({2}, {10, 20})}, {});
  EXPECT_EQ(got[0].data, (std::vector<double>{11, 22}));
  EXPECT_EQ(got[1].data, (std::vector<double>{2, 4}));
  EXPECT_EQ(got[2].data, (std::vector<double>{-9, -18}));
  EXPECT_EQ(got[3].data, (std::vector<double>{0.25, 0.5}));
}

TEST(Pointwise, UseTellsTheCategoryOfAParameter) {
  using Types = std::map<int, Type>;
  EXPECT_EQ(types_of(2, [](const Tensors& t) -> Tensors { return {t[0] + t[1]}; }), Types{});
  EXPECT_EQ(types_of(1, [](const Tensors& t) -> Tensors { return {arange(Sym(4)) < t[0]}; }),
            (Types{{0, Type::Int}}));
  EXPECT_EQ(types_of(1, [](const Tensors& t) -> Tensors { return {arange(Sym(4)) < t[0] + Sym(1)}; }),
            (Types{{0, Type::Int}}));
  EXPECT_EQ(types_of(2, [](const Tensors& t) -> Tensors { return {t[0] == t[1]}; }),
            (Types{{0, Type::Int}, {1, Type::Int}}));
  EXPECT_EQ(types_of(1, [](const Tensors& t) -> Tensors { return {t[0] % Sym(2)}; }),
            (Types{{0, Type::Int}}));
  EXPECT_EQ(types_of(1, [](const Tensors& t) -> Tensors { return {t[0] % Sym(2.0)}; }), Types{});
  EXPECT_EQ(types_of(2, [](const Tensors& t) -> Tensors { return {where(t[0], t[1], real(0))}; }),
            (Types{{0, Type::Bool}}));
  EXPECT_EQ(types_of(2, [](const Tensors& t) -> Tensors { return {t[1].op("masked_fill", t[0], real(0))}; }),
            (Types{{0, Type::Bool}}));
  EXPECT_EQ(types_of(1, [](const Tensors& t) -> Tensors { return {(arange(Sym(4)) < Sym(2)) | t[0]}; }),
            (Types{{0, Type::Bool}}));
  EXPECT_EQ(types_of(1, [](const Tensors& t) -> Tensors { return {t[0].op("~")}; }),
            (Types{{0, Type::Bool}}));
  EXPECT_EQ(types_of(2, [](const Tensors& t) -> Tensors { return {t[0].op("index", list({t[1]}))}; }),
            (Types{{1, Type::Int}}));
  EXPECT_EQ(types_of(1, [](const Tensors& t) -> Tensors { return {t[0].op("to", DType::Int64)}; }),
            (Types{{0, Type::Int}}));
  // Distances from a document's start are compared: the table of starts holds integers.
  auto inside = [](const Tensors& t) -> Tensors {
    T i = arange(Sym(4)).op("unsqueeze", Sym(-1)), j = arange(Sym(4));
    auto position = [&](const T& x) { return x - t[0].op("index", list({t[1].op("index", list({x}))})); };
    return {position(j) <= position(i)};
  };
  EXPECT_EQ(types_of(2, inside), (Types{{0, Type::Int}, {1, Type::Int}}));
  // What an exponential makes is no integer, and neither is what it is compared with.
  auto grown = [](const Tensors& t) -> Tensors { return {T(t[0].op("exp")) * arange(Sym(4)) > t[1]}; };
  EXPECT_EQ(types_of(2, grown), Types{});
  // Slopes times distances are no integers.
  auto far = [](const Tensors& t) -> Tensors { return {t[0] * arange(Sym(4)) > Sym(-5.0)}; };
  EXPECT_EQ(types_of(1, far), Types{});
}

TEST(Pointwise, Misuse) {
  EXPECT_EQ(error_of(0, [](const Tensors&) -> Tensors { return {arange(Sym(3)) + arange(Sym(4))}; }),
            "shape-mismatch");
  EXPECT_EQ(error_of(2, [](const Tensors& t) -> Tensors { return {where(t[0] * Sym(2.0), t[1], real(0))}; }),
            "type-mismatch");
  EXPECT_EQ(error_of(0, [](const Tensors&) -> Tensors { return {arange(Sym(3)) & arange(Sym(3))}; }),
            "unsupported-op");
  EXPECT_EQ(error_of(1, [](const Tensors& t) -> Tensors { return {t[0].op("clamp")}; }), "type-mismatch");
  EXPECT_EQ(error_of(1, [](const Tensors& t) -> Tensors { return {t[0].op("frobnicate")}; }),
            "unsupported-op");
  EXPECT_EQ(error_of(0,
                     [](const Tensors&) -> Tensors {
                       return {arange(Sym(3)).op("masked_fill", arange(Sym(3)) < Sym(2), real(0.5))};
                     }),
            "type-mismatch");
  EXPECT_EQ(error_of(1,
                     [](const Tensors& t) -> Tensors {
                       return {T(t[0].op("sum")).op("+=", t[0].op("to", DType::Float32))};
                     }),
            "shape-mismatch");
  EXPECT_EQ(error_of(1, [](const Tensors& t) -> Tensors { return {t[0].op("randn")}; }), "unsupported-op");
  EXPECT_TRUE(is_op("masked_fill"));
  EXPECT_FALSE(is_op("frobnicate"));
}

}  // namespace
}  // namespace flashlight::graph
