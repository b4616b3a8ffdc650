// SPDX-License-Identifier: Apache-2.0
// Conditions and selection: negation pushed to the leaves, and one form for every spelling of a -inf mask.
#include "graph/normal.h"

namespace flashlight::graph {

Operand NormalForm::negate(const Operand& o) {
  if (const auto v = scalar_value(o)) return scalar(make_sym(SymOp::Not, {*v}), Type::Bool);
  if (node(o).op != Op::Map) return emit(Fn::Not, Type::Bool, {o});
  const Fn fn = node(o).fn;
  const std::vector<Operand> parts = operands_of(o);
  switch (fn) {
    case Fn::Not: return parts[0];
    case Fn::Eq: return compare_values(Fn::Ne, parts[0], parts[1]);
    case Fn::Ne: return compare_values(Fn::Eq, parts[0], parts[1]);
    case Fn::Lt:
    case Fn::Le:
      if (node(parts[0]).type != Type::Int) break;  // NaN compares false either way
      return compare_values(fn == Fn::Lt ? Fn::Le : Fn::Lt, parts[1], parts[0]);
    case Fn::And:
    case Fn::Or: {
      std::vector<Operand> negated;
      for (const Operand& p : parts) negated.push_back(negate(p));
      return logic(fn == Fn::And ? Fn::Or : Fn::And, negated);
    }
    default: break;
  }
  return emit(Fn::Not, Type::Bool, {o});
}

Operand NormalForm::logic(Fn fn, const std::vector<Operand>& operands) {
  std::vector<Operand> pending(operands.rbegin(), operands.rend()), parts;
  std::vector<Sym> host;
  while (!pending.empty()) {
    const Operand o = pending.back();
    pending.pop_back();
    if (const auto v = scalar_value(o)) {
      host.push_back(*v);
    } else if (is_fn(o, fn)) {
      for (const Operand& p : operands_of(o)) pending.push_back(p);
    } else if (std::find(parts.begin(), parts.end(), o) == parts.end()) {
      parts.push_back(o);
    }
  }
  const bool absorbing = fn == Fn::Or;
  for (const Operand& o : parts)  // c & !c; nested logic is left alone, its negation is as large as itself
    if (!is_fn(o, Fn::And) && !is_fn(o, Fn::Or) &&
        std::find(parts.begin(), parts.end(), negate(o)) != parts.end())
      return scalar(Sym::boolean(absorbing), Type::Bool);
  const Sym constant = make_sym(fn == Fn::And ? SymOp::And : SymOp::Or, host);
  if (constant.op() == SymOp::Boolean && (constant.integer() != 0) == absorbing)
    return scalar(constant, Type::Bool);
  if (constant.op() != SymOp::Boolean || parts.empty()) parts.push_back(scalar(constant, Type::Bool));
  return parts.size() == 1 ? parts[0] : emit(fn, Type::Bool, parts);
}

Operand NormalForm::compare_values(Fn fn, Operand a, Operand b) {
  if (node(a).type == Type::Bool && node(b).type == Type::Bool && (fn == Fn::Eq || fn == Fn::Ne)) {
    if (a == b) return scalar(Sym::boolean(fn == Fn::Eq), Type::Bool);
    for (const auto& [x, y] : {std::pair(a, b), std::pair(b, a)}) {
      const auto v = scalar_value(x);
      if (v && v->is_constant()) return (v->integer() != 0) == (fn == Fn::Eq) ? y : negate(y);
    }
    bool flip = false;
    for (Operand* o : {&a, &b}) {
      if (!is_fn(*o, Fn::Not)) continue;
      *o = operands_of(*o)[0];
      flip = !flip;
    }
    if (a == b) return scalar(Sym::boolean((fn == Fn::Eq) != flip), Type::Bool);
    return emit((fn == Fn::Eq) != flip ? Fn::Eq : Fn::Ne, Type::Bool, {a, b});
  }
  const Type type = node(a).type == Type::Float || node(b).type == Type::Float ? Type::Float : Type::Int;
  a = to(type, a);
  b = to(type, b);
  if (auto folded = fold(fn, {a, b})) return *folded;
  if (auto whole = integer_map(fn, {a, b})) return *whole;
  return emit(fn, Type::Bool, {a, b});
}

std::optional<Operand> NormalForm::where_of_bools(const Operand& c, const Operand& a, const Operand& b) {
  if (node(a).type != Type::Bool) return std::nullopt;
  return logic(Fn::Or, {logic(Fn::And, {c, a}), logic(Fn::And, {negate(c), b})});
}

// c, a, b in one type, c Bool. A -inf branch ends in b; else c or its negation stands, whichever comes first.
Operand NormalForm::where(Operand c, Operand a, Operand b) {
  if (const auto v = scalar_value(c); v && v->is_constant()) return v->integer() ? a : b;
  if (a == b) return a;
  if (auto condition = where_of_bools(c, a, b)) return *condition;
  if (is_infinite(a, -1) || (!is_infinite(b, -1) && is_fn(c, Fn::Not))) {
    c = negate(c);
    std::swap(a, b);
  } else if (const Operand n = negate(c); !is_infinite(b, -1) && !is_fn(n, Fn::Not) && compare(n, c) < 0) {
    c = n;
    std::swap(a, b);
  }
  if (is_fn(a, Fn::Where)) {
    const std::vector<Operand> in = operands_of(a);
    if (in[0] == c) return where(c, in[1], b);
    if (in[2] == b) return where(logic(Fn::And, {c, in[0]}), in[1], b);
    if (in[1] == b) return where(logic(Fn::And, {c, negate(in[0])}), in[2], b);
  }
  if (is_fn(b, Fn::Where)) {
    const std::vector<Operand> in = operands_of(b);
    if (in[0] == c) return where(c, a, in[2]);
    if (in[1] == a) return where(logic(Fn::Or, {c, in[0]}), a, in[2]);
    if (in[2] == a) return where(logic(Fn::And, {negate(c), in[0]}), in[1], a);
  }
  const auto va = scalar_value(a), vb = scalar_value(b);
  if (va && vb && va->is_constant() && vb->is_constant()) {
    if (va->real() == 1 && vb->real() == 0) return to(node(a).type, c);
    if (va->real() == 0 && vb->real() == 1) return to(node(a).type, negate(c));
  }
  return emit(Fn::Where, node(a).type, {c, a, b});
}

}  // namespace flashlight::graph
