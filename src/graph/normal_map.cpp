// SPDX-License-Identifier: Apache-2.0
// One function applied to operands: types made common, host values folded, then the normal form of its kind.
#include <cmath>
#include <stdexcept>

#include "graph/normal.h"
#include "graph/simplify.h"

namespace flashlight::graph {
namespace {

Sym call(const char* name, const Sym& x) { return make_sym(SymOp::Call, {x}, name); }

std::optional<Sym> fold_unary(Fn fn, const Sym& x) {
  switch (fn) {
    case Fn::Not: return make_sym(SymOp::Not, {x});
    case Fn::Exp: return call("exp", x);
    case Fn::Log: return call("log", x);
    case Fn::Log1p: return call("log1p", x);
    case Fn::Expm1: return call("expm1", x);
    case Fn::Sin: return call("sin", x);
    case Fn::Cos: return call("cos", x);
    case Fn::Tanh: return call("tanh", x);
    case Fn::Erf: return call("erf", x);
    case Fn::Abs: return call("abs", x);
    case Fn::Floor: return call("floor", x);
    case Fn::Ceil: return call("ceil", x);
    case Fn::Round: return call("nearbyint", x);  // ties to even
    case Fn::Sigmoid: return divide(Sym(1.0), Sym(1.0) + call("exp", -x));
    case Fn::IsNan: return x.is_constant() ? std::optional(Sym::boolean(std::isnan(x.real()))) : std::nullopt;
    case Fn::IsInf: return x.is_constant() ? std::optional(Sym::boolean(std::isinf(x.real()))) : std::nullopt;
    case Fn::Sign: {
      if (x.op() == SymOp::Real && std::isnan(x.real())) return x;
      const bool real = x.type() == SymType::Real;
      const Sym zero = real ? Sym(0.0) : Sym(0), one = real ? Sym(1.0) : Sym(1);
      return make_sym(SymOp::Select, {make_sym(SymOp::Lt, {zero, x}), one,
                                      make_sym(SymOp::Select, {make_sym(SymOp::Lt, {x, zero}), -one, zero})});
    }
    default: return std::nullopt;
  }
}

std::optional<Sym> fold_binary(Fn fn, const std::vector<Sym>& v) {
  const bool real = v[0].type() == SymType::Real;
  switch (fn) {
    case Fn::Lt: return make_sym(SymOp::Lt, v);
    case Fn::Le: return make_sym(SymOp::Le, v);
    case Fn::Eq: return make_sym(SymOp::Eq, v);
    case Fn::Ne: return make_sym(SymOp::Ne, v);
    case Fn::Max: return make_sym(SymOp::Max, v);
    case Fn::Min: return make_sym(SymOp::Min, v);
    case Fn::FloorDiv: return real ? call("floor", divide(v[0], v[1])) : floor_div(v[0], v[1]);
    case Fn::Mod: return real ? v[0] - call("floor", divide(v[0], v[1])) * v[1] : mod(v[0], v[1]);
    default: return std::nullopt;
  }
}

bool takes_floats(Fn fn) {
  switch (fn) {
    case Fn::Exp:
    case Fn::Log:
    case Fn::Log1p:
    case Fn::Expm1:
    case Fn::Sin:
    case Fn::Cos:
    case Fn::Tanh:
    case Fn::Erf:
    case Fn::Sigmoid: return true;
    default: return false;
  }
}

Type result_type(Fn fn, Type common) {
  switch (fn) {
    case Fn::Lt:
    case Fn::Le:
    case Fn::Eq:
    case Fn::Ne:
    case Fn::And:
    case Fn::Or:
    case Fn::Not:
    case Fn::IsNan:
    case Fn::IsInf: return Type::Bool;
    default: return common;
  }
}

void need_operands(Fn fn, std::size_t count) {
  const bool any = fn == Fn::Add || fn == Fn::Mul || fn == Fn::And || fn == Fn::Or;
  const bool binary = fn == Fn::Pow || fn == Fn::Max || fn == Fn::Min || fn == Fn::FloorDiv ||
                      fn == Fn::Mod || fn == Fn::Lt || fn == Fn::Le || fn == Fn::Eq || fn == Fn::Ne;
  if (any ? count == 0 : count != (fn == Fn::Where ? 3u : binary ? 2u : 1u))
    throw std::logic_error(std::string("map: wrong number of operands for ") + name_of(fn));
}

}  // namespace

// A function of host values is a host value.
std::optional<Operand> NormalForm::fold(Fn fn, const std::vector<Operand>& operands) {
  std::vector<Sym> values;
  for (const Operand& o : operands) {
    const auto v = scalar_value(o);
    if (!v) return std::nullopt;
    values.push_back(*v);
  }
  const auto folded = operands.size() == 1   ? fold_unary(fn, values[0])
                      : operands.size() == 2 ? fold_binary(fn, values)
                                             : std::nullopt;
  if (!folded) return std::nullopt;
  return scalar(*folded, result_type(fn, node(operands[0]).type));
}

Operand NormalForm::to(Type type, const Operand& o) {
  const Node& n = node(o);
  if (n.type == type) return o;
  if (const auto v = scalar_value(o)) {
    if (type == Type::Float) return scalar(make_sym(SymOp::ToReal, {*v}), type);
    if (type == Type::Int) return scalar(make_sym(SymOp::ToInteger, {*v}), type);
    return scalar(make_sym(SymOp::Ne, {*v, Sym(0)}), type);
  }
  if (type == Type::Bool) {
    if ((is_fn(o, Fn::ToInt) || is_fn(o, Fn::ToFloat)) && b_.node(n.operands[0].node).type == Type::Bool)
      return operands_of(o)[0];
    return compare_values(Fn::Ne, o, scalar(Sym(0), Type::Int));
  }
  if (type == Type::Int) {
    if (is_fn(o, Fn::ToFloat)) return to(Type::Int, operands_of(o)[0]);
    Atoms atoms;
    if (n.type == Type::Float) {
      collect_atoms(o, atoms);
      if (const auto e = expression(o, atoms)) return value_of(*e, atoms);
    }
    return emit(Fn::ToInt, type, {o});
  }
  // A sum of integers is converted term by term, so that i - j and float(i) - float(j) are one node.
  if (is_fn(o, Fn::Add) || (is_fn(o, Fn::Mul) && b_.node(n.operands[0].node).op == Op::Scalar)) {
    std::vector<Operand> parts = operands_of(o);
    if (is_fn(o, Fn::Add)) {
      for (Operand& p : parts) p = to(Type::Float, p);
      return sum(parts);
    }
    std::vector<Operand> rest(parts.begin() + 1, parts.end());
    const Operand inner = rest.size() == 1 ? rest[0] : emit(Fn::Mul, Type::Int, rest);
    return product({to(Type::Float, parts[0]), to(Type::Float, inner)});
  }
  if (is_fn(o, Fn::ToInt) && b_.node(n.operands[0].node).type == Type::Bool)
    return to(type, operands_of(o)[0]);
  return emit(Fn::ToFloat, type, {o});
}

Operand NormalForm::unary(Fn fn, const Operand& o) {
  const Type type = node(o).type;
  const bool rounds = fn == Fn::Floor || fn == Fn::Ceil || fn == Fn::Round;
  if (rounds && (type == Type::Int || is_fn(o, Fn::Floor) || is_fn(o, Fn::Ceil) || is_fn(o, Fn::Round) ||
                 is_fn(o, Fn::ToFloat)))
    return o;
  if ((fn == Fn::IsNan || fn == Fn::IsInf) && (type != Type::Float || is_fn(o, Fn::ToFloat)))
    return scalar(Sym::boolean(false), Type::Bool);
  if (fn == Fn::Abs && type == Type::Float) {
    if (is_fn(o, Fn::Abs)) return o;
    Product p;  // |-2x| = 2|x|
    expand_product(o, Sym(1.0), p);
    if (p.scalar.is_constant() && p.scalar.as_real() != 1.0) {
      const Sym size(std::abs(p.scalar.real()));
      p.scalar = Sym(1.0);
      const Operand inner = collected(std::move(p));
      return product(
          {scalar(size, Type::Float), is_fn(inner, Fn::Abs) ? inner : emit(Fn::Abs, Type::Float, {inner})});
    }
  }
  return emit(fn, result_type(fn, type), {o});
}

Operand NormalForm::extremum(Fn fn, const std::vector<Operand>& operands) {
  std::vector<Operand> pending(operands), parts;
  std::optional<Sym> host;
  while (!pending.empty()) {
    const Operand o = pending.back();
    pending.pop_back();
    if (const auto v = scalar_value(o)) {
      host = host ? make_sym(fn == Fn::Max ? SymOp::Max : SymOp::Min, {*host, *v}) : *v;
    } else if (is_fn(o, fn)) {
      for (const Operand& p : operands_of(o)) pending.push_back(p);
    } else if (std::find(parts.begin(), parts.end(), o) == parts.end()) {
      parts.push_back(o);
    }
  }
  if (host && (parts.empty() || !is_infinite(scalar(*host, Type::Float), fn == Fn::Max ? -1 : 1)))
    parts.push_back(scalar(*host, Type::Float));
  sort(parts);
  Operand out = parts[0];
  for (std::size_t k = 1; k < parts.size(); ++k) out = emit(fn, Type::Float, {out, parts[k]});
  return out;
}

Operand NormalForm::apply(Fn fn, std::vector<Operand> operands) {
  need_operands(fn, operands.size());
  for (Operand& o : operands) o = resolve(o);
  switch (fn) {
    case Fn::ToFloat: return to(Type::Float, operands[0]);
    case Fn::ToInt: return to(Type::Int, operands[0]);
    case Fn::ToBool: return to(Type::Bool, operands[0]);
    case Fn::Lt:
    case Fn::Le:
    case Fn::Eq:
    case Fn::Ne: return compare_values(fn, operands[0], operands[1]);
    case Fn::Not: return negate(to(Type::Bool, operands[0]));
    case Fn::And:
    case Fn::Or:
      for (Operand& o : operands) o = to(Type::Bool, o);
      return logic(fn, operands);
    default: break;
  }
  const std::size_t from = fn == Fn::Where ? 1 : 0;
  Type type = takes_floats(fn) ? Type::Float : Type::Int;
  bool bools = true;
  for (std::size_t k = from; k < operands.size(); ++k) {
    type = std::max(type, node(operands[k]).type);
    bools = bools && node(operands[k]).type == Type::Bool;
  }
  if (fn == Fn::Where && bools) type = Type::Bool;
  for (std::size_t k = from; k < operands.size(); ++k) operands[k] = to(type, operands[k]);
  if (fn == Fn::Where) return where(to(Type::Bool, operands[0]), operands[1], operands[2]);
  if (auto folded = fold(fn, operands)) return *folded;
  if (type == Type::Int) {
    if (auto whole = integer_map(fn, operands)) return *whole;
    return operands.size() == 1 ? unary(fn, operands[0]) : emit(fn, type, operands);
  }
  switch (fn) {
    case Fn::Add: return sum(operands);
    case Fn::Mul: return product(operands);
    case Fn::Pow: return power(operands[0], operands[1]);
    case Fn::Max:
    case Fn::Min: return extremum(fn, operands);
    case Fn::FloorDiv:
    case Fn::Mod: return emit(fn, type, operands);
    default: return unary(fn, operands[0]);
  }
}

}  // namespace flashlight::graph
