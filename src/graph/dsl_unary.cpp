// SPDX-License-Identifier: Apache-2.0
// Ops of one tensor, point by point. Composites are expanded here, so that rules and update laws meet few
// functions.
#include <cmath>
#include <numbers>

#include "graph/dsl_ops.h"

namespace flashlight::graph {
namespace {

template <Fn fn>
Arg float_function(Builder& b, const Args& a) {
  return Math{b, a}.apply(fn, to_float(b, a.tensor(0)));
}

// Ops that keep the category; Bool counts as Int.
TensorView number(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  return convert(b, x, number_kind(std::vector{x}));
}

template <Fn fn>
Arg same_function(Builder& b, const Args& a) {
  return Math{b, a}.apply(fn, number(b, a));
}

template <Fn fn>
Arg rounding(Builder& b, const Args& a) {
  TensorView x = number(b, a);
  return x.type == Type::Int ? x : Math{b, a}.apply(fn, x);
}

template <Fn fn>
Arg classify(Builder& b, const Args& a) {
  return map(b, fn, {to_float(b, a.tensor(0))}, default_rule(Type::Bool), a);
}

Arg neg(Builder& b, const Args& a) { return Math{b, a}.mul(number(b, a), -1); }
Arg square(Builder& b, const Args& a) { return Math{b, a}.pow(number(b, a), 2); }
Arg relu(Builder& b, const Args& a) {
  Math m{b, a};
  TensorView x = number(b, a);
  return m.apply(Fn::Max, x, m.number(x, 0));
}
Arg reciprocal(Builder& b, const Args& a) { return Math{b, a}.pow(to_float(b, a.tensor(0)), -1); }
Arg square_root(Builder& b, const Args& a) { return Math{b, a}.pow(to_float(b, a.tensor(0)), 0.5); }
Arg rsqrt(Builder& b, const Args& a) { return Math{b, a}.pow(to_float(b, a.tensor(0)), -0.5); }

Arg exp2(Builder& b, const Args& a) {
  Math m{b, a};
  return m.apply(Fn::Exp, m.mul(to_float(b, a.tensor(0)), std::numbers::ln2));
}
Arg log2(Builder& b, const Args& a) {
  Math m{b, a};
  return m.mul(m.apply(Fn::Log, to_float(b, a.tensor(0))), 1 / std::numbers::ln2);
}

Arg silu(Builder& b, const Args& a) {
  Math m{b, a};
  TensorView x = to_float(b, a.tensor(0));
  return m.mul(x, m.apply(Fn::Sigmoid, x));
}

// x/2 (1 + erf(x / sqrt 2))
Arg gelu(Builder& b, const Args& a) {
  Math m{b, a};
  TensorView x = to_float(b, a.tensor(0));
  return m.mul(m.mul(x, 0.5), m.add(m.apply(Fn::Erf, m.mul(x, std::numbers::sqrt2 / 2)), 1));
}

// log(1 + e^x) = max(x, 0) + log1p(e^-|x|)
TensorView log1p_of_exp_minus_abs(const Math& m, const TensorView& x) {
  return m.apply(Fn::Log1p, m.apply(Fn::Exp, m.mul(m.apply(Fn::Abs, x), -1)));
}
Arg softplus(Builder& b, const Args& a) {
  Math m{b, a};
  TensorView x = to_float(b, a.tensor(0));
  return m.add(m.apply(Fn::Max, x, m.number(x, 0)), log1p_of_exp_minus_abs(m, x));
}
Arg log_sigmoid(Builder& b, const Args& a) {
  Math m{b, a};
  TensorView x = to_float(b, a.tensor(0));
  return m.sub(m.apply(Fn::Min, x, m.number(x, 0)), log1p_of_exp_minus_abs(m, x));
}

Arg logical_not(Builder& b, const Args& a) {
  return map(b, Fn::Not, {to_bool(b, a.tensor(0), a, true)}, default_rule(Type::Bool), a);
}
Arg bitwise_not(Builder& b, const Args& a) {
  return map(b, Fn::Not, {to_bool(b, a.tensor(0), a)}, default_rule(Type::Bool), a);
}

// The largest float32 stands for an infinity unless another number is given.
Arg nan_to_num(Builder& b, const Args& a) {
  Math m{b, a};
  TensorView x = a.tensor(0);
  if (x.type != Type::Float) return x;
  constexpr double kLargest = 3.4028234663852886e38;
  auto number_or = [&](int i, double otherwise) {
    return convert(b, scalar_view(b, a.sym_or(i, Sym(otherwise))), Type::Float);
  };
  TensorView infinite = map(b, Fn::IsInf, {x}, default_rule(Type::Bool), a);
  TensorView positive = map(b, Fn::Lt, {m.number(x, 0), x}, default_rule(Type::Bool), a);
  TensorView bound = m.where(positive, number_or(2, kLargest), number_or(3, -kLargest));
  bound.dtype = {};
  TensorView finite = m.where(infinite, bound, x);
  return m.where(map(b, Fn::IsNan, {x}, default_rule(Type::Bool), a), number_or(1, 0), finite);
}

constexpr OpRow kRows[] = {
    {"unary-", neg},
    {"neg", neg},
    {"abs", same_function<Fn::Abs>},
    {"sign", same_function<Fn::Sign>},
    {"floor", rounding<Fn::Floor>},
    {"ceil", rounding<Fn::Ceil>},
    {"square", square},
    {"relu", relu},
    {"reciprocal", reciprocal},
    {"sqrt", square_root},
    {"rsqrt", rsqrt},
    {"exp", float_function<Fn::Exp>},
    {"exp2", exp2},
    {"expm1", float_function<Fn::Expm1>},
    {"log", float_function<Fn::Log>},
    {"log2", log2},
    {"log1p", float_function<Fn::Log1p>},
    {"sin", float_function<Fn::Sin>},
    {"cos", float_function<Fn::Cos>},
    {"tanh", float_function<Fn::Tanh>},
    {"erf", float_function<Fn::Erf>},
    {"sigmoid", float_function<Fn::Sigmoid>},
    {"silu", silu},
    {"gelu", gelu},
    {"softplus", softplus},
    {"log_sigmoid", log_sigmoid},
    {"isnan", classify<Fn::IsNan>},
    {"isinf", classify<Fn::IsInf>},
    {"nan_to_num", nan_to_num},
    {"~", bitwise_not},
    {"bitwise_not", bitwise_not},
    {"!", logical_not},
    {"logical_not", logical_not},
};

}  // namespace

std::span<const OpRow> unary_ops() { return kRows; }

}  // namespace flashlight::graph
