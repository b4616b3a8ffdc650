// SPDX-License-Identifier: Apache-2.0
// Ops of two and three tensors or Scalars, point by point: arithmetic, comparisons, logic, where and
// clamping.
#include <algorithm>

#include "graph/dsl_ops.h"

namespace flashlight::graph {
namespace {

using Views = std::vector<TensorView>;

Views both(Builder& b, const Args& a) { return {operand(b, a, 0), operand(b, a, 1)}; }

Views converted(Builder& b, Views views, const Kind& kind) {
  for (TensorView& v : views) v = convert(b, v, kind);
  return views;
}

template <Fn fn>
Arg arithmetic(Builder& b, const Args& a) {
  Views v = both(b, a);
  Kind kind = number_kind(v);
  return map(b, fn, converted(b, v, kind), kind.dtype, a);
}

Arg subtract(Builder& b, const Args& a) {
  Views v = both(b, a);
  Kind kind = number_kind(v);
  v = converted(b, v, kind);
  v[1] = Math{b, a}.mul(v[1], -1);
  return map(b, Fn::Add, v, kind.dtype, a);
}

// x / c for a host value c is x * (1 / c): one division at launch, and one form for both spellings.
Arg divide(Builder& b, const Args& a) {
  Views v = both(b, a);
  Kind kind = float_kind(v);
  v = converted(b, v, kind);
  if (a.is_sym(1)) v[1] = scalar_view(b, divide(Sym(1.0), make_sym(SymOp::ToReal, {a.sym(1)})));
  else v[1] = Math{b, a}.pow(v[1], -1);
  return map(b, Fn::Mul, v, kind.dtype, a);
}

// Rounded division and its remainder: beside an integer, a parameter is one too.
template <Fn fn>
Arg integer_division(Builder& b, const Args& a) {
  Views v = both(b, a);
  if (v[1].type == Type::Int) need_int(b, v[0]);
  if (v[0].type == Type::Int) need_int(b, v[1]);
  Kind kind = number_kind(v);
  return map(b, fn, converted(b, v, kind), kind.dtype, a);
}

template <Fn fn, Fn on_bool>
Arg extremum(Builder& b, const Args& a) {
  Views v = both(b, a);
  Kind kind = promote(v);
  return map(b, kind.type == Type::Bool ? on_bool : fn, converted(b, v, kind), kind.dtype, a);
}

Arg logaddexp(Builder& b, const Args& a) {
  Views v = both(b, a);
  Math m{b, a};
  Kind kind = float_kind(v);
  v = converted(b, v, kind);
  return m.apply(Fn::Log, m.add(m.apply(Fn::Exp, v[0]), m.apply(Fn::Exp, v[1])));
}

// Whether two Float values that are compared must be integers: two parameters as they came, or integer
// arithmetic around them with an iota on either side (j - offset[id] <= i - offset[id]).
void infer_compared(Builder& b, const Args& a, const Views& v) {
  for (int k = 0; k < 2; ++k)
    if (v[k].type == Type::Int && a.is_tensor(k)) need_int(b, v[1 - k]);
  if (!a.is_tensor(0) || !a.is_tensor(1) || v[0].type != Type::Float || v[1].type != Type::Float) return;
  bool raw = raw_parameter(b, v[0]) >= 0 && raw_parameter(b, v[1]) >= 0;
  bool positions = looks_like_int(b, v[0]) && looks_like_int(b, v[1]);
  for (int k = 0; k < 2; ++k)
    positions = positions || (looks_like_int(b, v[k]) && raw_parameter(b, v[1 - k]) >= 0);
  if (raw || positions) need_int(b, v[0]), need_int(b, v[1]);
}

enum class Order { Direct, Swapped };

template <Fn fn, Order order = Order::Direct>
Arg compare(Builder& b, const Args& a) {
  Views v = both(b, a);
  infer_compared(b, a, v);
  v = converted(b, v, number_kind(v));
  if (order == Order::Swapped) std::swap(v[0], v[1]);
  return map(b, fn, v, default_rule(Type::Bool), a);
}

// x.dtype() == kBool: the category is known when translating, the width is not.
std::optional<bool> same_dtype(const Args& a) {
  auto marker = std::get_if<TensorView>(&a.at(0));
  auto dtype = std::get_if<DType>(&a.at(1));
  if (!marker) marker = std::get_if<TensorView>(&a.at(1)), dtype = std::get_if<DType>(&a.at(0));
  if (auto left = std::get_if<DType>(&a.at(0)), right = std::get_if<DType>(&a.at(1)); left && right)
    return *left == *right;
  if (!marker || marker->node >= 0 || !dtype) return std::nullopt;
  if (marker->type != category(*dtype)) return false;
  if (marker->type == Type::Bool) return true;
  a.fail("not-constant", "the storage type of a tensor is not known when translating",
         "compare its category only, or write one function per dtype");
}

Arg equal(Builder& b, const Args& a) {
  if (auto same = same_dtype(a)) return Sym::boolean(*same);
  return compare<Fn::Eq>(b, a);
}
Arg not_equal(Builder& b, const Args& a) {
  if (auto same = same_dtype(a)) return Sym::boolean(!*same);
  return compare<Fn::Ne>(b, a);
}

template <Fn fn>
Arg bitwise(Builder& b, const Args& a) {
  Views v = both(b, a);
  for (int k = 0; k < 2; ++k) {
    int param = raw_parameter(b, v[k]);
    if (v[k].type == Type::Float && param >= 0)
      b.need_type(param, v[1 - k].type == Type::Int ? Type::Int : Type::Bool);
  }
  for (const TensorView& x : v)
    if (x.type == Type::Int)
      a.fail("unsupported-op", "on integers is not translated, only on kBool", "compare the integers first");
  for (TensorView& x : v) x = to_bool(b, x, a);
  return map(b, fn, v, default_rule(Type::Bool), a);
}

template <Fn fn>
Arg logical(Builder& b, const Args& a) {
  Views v = both(b, a);
  for (TensorView& x : v) x = to_bool(b, x, a, true);
  return map(b, fn, v, default_rule(Type::Bool), a);
}

Arg where(Builder& b, const Args& a) {
  TensorView condition = to_bool(b, operand(b, a, 0), a);
  return Math{b, a}.where(condition, operand(b, a, 1), operand(b, a, 2));
}

Arg masked_fill(Builder& b, const Args& a) {
  TensorView x = a.tensor(0), mask = to_bool(b, a.tensor(1), a), value = operand(b, a, 2);
  if (!value.shape.empty()) a.fail("shape-mismatch", "the value must have no dims, got " + describe(value));
  if (value.type > x.type) a.fail("type-mismatch", "the value is of a higher category than the tensor");
  return map(b, Fn::Where, {mask, convert(b, value, x.type), x}, x.dtype, a);
}

TensorView bounded(Builder& b, const Args& a, Fn fn, const TensorView& x, int i) {
  Views v{x, operand(b, a, i)};
  Kind kind = number_kind(v);
  return map(b, fn, converted(b, v, kind), kind.dtype, a);
}

Arg clamp_min(Builder& b, const Args& a) { return bounded(b, a, Fn::Max, a.tensor(0), 1); }
Arg clamp_max(Builder& b, const Args& a) { return bounded(b, a, Fn::Min, a.tensor(0), 1); }
Arg clamp(Builder& b, const Args& a) {
  TensorView x = a.tensor(0);
  if (!a.has(1) && !a.has(2)) a.fail("type-mismatch", "needs a minimum or a maximum");
  if (a.has(1)) x = bounded(b, a, Fn::Max, x, 1);
  if (a.has(2)) x = bounded(b, a, Fn::Min, x, 2);
  return x;
}

// An op that writes into its first operand: shape and storage type stay.
template <Arg (*op)(Builder&, const Args&)>
Arg in_place(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  TensorView out = std::get<TensorView>(op(b, a));
  if (out.shape.size() != x.shape.size() || out.pack != x.pack)
    a.fail("shape-mismatch", "the result " + describe(out) + " does not fit into " + describe(x));
  for (std::size_t k = 0; k < x.shape.size(); ++k)
    if (x.shape[k].is_integer(1) && !out.shape[k].is_integer(1))
      a.fail("shape-mismatch", "the result " + describe(out) + " does not fit into " + describe(x));
  if (out.type > x.type) a.fail("type-mismatch", "the result cannot be stored in the tensor's category");
  out.dtype = x.dtype;
  return out;
}

constexpr OpRow kRows[] = {
    {"+", arithmetic<Fn::Add>},
    {"add", arithmetic<Fn::Add>},
    {"+=", in_place<arithmetic<Fn::Add>>},
    {"-", subtract},
    {"sub", subtract},
    {"-=", in_place<subtract>},
    {"*", arithmetic<Fn::Mul>},
    {"mul", arithmetic<Fn::Mul>},
    {"*=", in_place<arithmetic<Fn::Mul>>},
    {"/", divide},
    {"div", divide},
    {"/=", in_place<divide>},
    {"%", integer_division<Fn::Mod>},
    {"remainder", integer_division<Fn::Mod>},
    {"floor_divide", integer_division<Fn::FloorDiv>},
    {"pow", arithmetic<Fn::Pow>},
    {"maximum", extremum<Fn::Max, Fn::Or>},
    {"minimum", extremum<Fn::Min, Fn::And>},
    {"logaddexp", logaddexp},
    {"<", compare<Fn::Lt>},
    {"lt", compare<Fn::Lt>},
    {"<=", compare<Fn::Le>},
    {"le", compare<Fn::Le>},
    {">", compare<Fn::Lt, Order::Swapped>},
    {"gt", compare<Fn::Lt, Order::Swapped>},
    {">=", compare<Fn::Le, Order::Swapped>},
    {"ge", compare<Fn::Le, Order::Swapped>},
    {"==", equal},
    {"eq", equal},
    {"!=", not_equal},
    {"ne", not_equal},
    {"&", bitwise<Fn::And>},
    {"bitwise_and", bitwise<Fn::And>},
    {"|", bitwise<Fn::Or>},
    {"bitwise_or", bitwise<Fn::Or>},
    {"^", bitwise<Fn::Ne>},
    {"bitwise_xor", bitwise<Fn::Ne>},
    {"logical_and", logical<Fn::And>},
    {"logical_or", logical<Fn::Or>},
    {"where", where},
    {"masked_fill", masked_fill},
    {"clamp", clamp},
    {"clamp_min", clamp_min},
    {"clamp_max", clamp_max},
};

}  // namespace

std::span<const OpRow> pointwise_ops() { return kRows; }

}  // namespace flashlight::graph
