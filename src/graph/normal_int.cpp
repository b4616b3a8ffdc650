// SPDX-License-Identifier: Apache-2.0
// Integer values: expressions of axes, sizes and atoms in the normal form of Sym, with comparisons decided by
// ranges.
#include <cmath>
#include <stdexcept>

#include "graph/normal.h"

namespace flashlight::graph {
namespace {

std::optional<SymOp> integer_op(Fn fn) {
  switch (fn) {
    case Fn::Add: return SymOp::Add;
    case Fn::Mul: return SymOp::Mul;
    case Fn::FloorDiv: return SymOp::FloorDiv;
    case Fn::Mod: return SymOp::Mod;
    case Fn::Max: return SymOp::Max;
    case Fn::Min: return SymOp::Min;
    default: return std::nullopt;
  }
}

std::optional<SymOp> comparison_op(Fn fn) {
  switch (fn) {
    case Fn::Lt: return SymOp::Lt;
    case Fn::Le: return SymOp::Le;
    case Fn::Eq: return SymOp::Eq;
    case Fn::Ne: return SymOp::Ne;
    default: return std::nullopt;
  }
}

// The integer expression whose conversion to real this is.
std::optional<Sym> integer_behind(const Sym& e) {
  if (e.type() == SymType::Integer) return e;
  if (e.op() == SymOp::ToReal) return e.args()[0];
  if (e.op() == SymOp::Real) {
    const double v = e.real();
    return std::nearbyint(v) == v && std::abs(v) < 9e15 ? std::optional(Sym(static_cast<long>(v)))
                                                        : std::nullopt;
  }
  if (e.op() != SymOp::Add && e.op() != SymOp::Mul) return std::nullopt;
  std::vector<Sym> parts;
  for (const Sym& a : e.args()) {
    auto part = integer_behind(a);
    if (!part) return std::nullopt;
    parts.push_back(*part);
  }
  return make_sym(e.op(), parts);
}

bool varies(const Sym& e) { return contains(e, SymOp::Axis) || contains(e, SymOp::Datum); }

constexpr int kUnfoldedPower = 8;  // integer powers up to this one are products

std::optional<std::int64_t> small_power(const Node& exponent) {
  if (exponent.op != Op::Scalar || exponent.value.op() != SymOp::Integer) return std::nullopt;
  const std::int64_t n = exponent.value.integer();
  return n >= 0 && n <= kUnfoldedPower ? std::optional(n) : std::nullopt;
}

}  // namespace

// Arithmetic is unfolded into expressions up to a size; a larger value is an atom. A loop that squares its
// variable must not become a tree of exponential size.
bool NormalForm::unfolds(const Node& n, NodeId id) const {
  constexpr int kLargest = 256;
  if (n.op != Op::Map || n.type == Type::Bool || b_.map_size_[static_cast<std::size_t>(id)] > kLargest)
    return false;
  return integer_op(n.fn) || n.fn == Fn::ToFloat ||
         (n.fn == Fn::Pow && small_power(b_.node(n.operands[1].node)));
}

std::optional<Sym> NormalForm::expression(const Operand& o, Atoms& atoms) const {
  const Atoms::Key key{o.node, o.index};
  if (const auto it = atoms.known.find(key); it != atoms.known.end()) return it->second;
  return atoms.known[key] = unfolded(o, atoms);
}

std::optional<Sym> NormalForm::unfolded(const Operand& o, Atoms& atoms) const {
  const Node& n = node(o);
  if (n.op == Op::Scalar) return n.type == Type::Bool ? std::nullopt : integer_behind(n.value);
  if (n.type == Type::Int && n.op == Op::Iota) return o.index[0];
  if (unfolds(n, o.node)) {
    if (n.fn == Fn::ToFloat) {
      const Operand inner = operands_of(o)[0];
      return node(inner).type == Type::Int ? expression(inner, atoms) : std::nullopt;
    }
    const auto op = integer_op(n.fn);
    const bool unfolds = op && (n.type == Type::Int || n.fn == Fn::Add || n.fn == Fn::Mul);
    const auto power =
        n.type == Type::Int && n.fn == Fn::Pow ? small_power(b_.node(n.operands[1].node)) : std::nullopt;
    if (unfolds || power) {
      std::vector<Sym> parts;
      for (const Operand& p : operands_of(o)) {
        auto part = expression(p, atoms);
        if (!part) return std::nullopt;
        parts.push_back(*part);
      }
      if (power) return make_sym(SymOp::Mul, std::vector<Sym>(static_cast<std::size_t>(*power), parts[0]));
      return make_sym(*op, parts);
    }
  }
  if (n.type != Type::Int) return std::nullopt;
  const auto it = std::find(atoms.list.begin(), atoms.list.end(), o);
  if (it == atoms.list.end()) throw std::logic_error("expression: an atom is missing");
  return Sym::datum(static_cast<int>(it - atoms.list.begin()));
}

// Atoms are numbered by structure, so that an expression does not depend on the order in which it was
// written.
void NormalForm::collect_atoms(const Operand& o, Atoms& atoms) const {
  const Node& n = node(o);
  if (n.op == Op::Scalar || n.op == Op::Iota || n.type == Type::Bool) return;
  if (!atoms.collected.insert({o.node, o.index}).second) return;
  if (unfolds(n, o.node)) {
    for (const Operand& p : operands_of(o)) collect_atoms(p, atoms);
  } else if (n.type == Type::Int) {
    atoms.list.push_back(o);
    sort(atoms.list);
  }
}

// Int arithmetic and comparisons, and Float comparisons of integers; nullopt for what is not an integer
// expression.
std::optional<Operand> NormalForm::integer_map(Fn fn, const std::vector<Operand>& operands) {
  const auto arithmetic = integer_op(fn), comparison = comparison_op(fn);
  const auto power = fn == Fn::Pow ? small_power(node(operands[1])) : std::nullopt;
  if (!arithmetic && !comparison && !power) return std::nullopt;
  Atoms atoms;
  for (const Operand& o : operands) collect_atoms(o, atoms);
  std::vector<Sym> parts;
  for (const Operand& o : operands) {
    auto part = expression(o, atoms);
    if (!part) return std::nullopt;
    parts.push_back(*part);
  }
  if (comparison) return comparison_of(make_sym(*comparison, parts), atoms);
  if (power)
    return value_of(make_sym(SymOp::Mul, std::vector<Sym>(static_cast<std::size_t>(*power), parts[0])),
                    atoms);
  return value_of(make_sym(*arithmetic, parts), atoms);
}

Operand NormalForm::comparison_of(const Sym& given, const Atoms& atoms) {
  const Sym e = simplify_index(given, extents_);
  if (!varies(e)) return scalar(e, Type::Bool);
  const Operand a = value_of(e.args()[0], atoms), b = value_of(e.args()[1], atoms);
  // int(c) != 0 is c itself.
  for (const auto& [x, y] : {std::pair(a, b), std::pair(b, a)}) {
    const auto v = scalar_value(y);
    if (!is_fn(x, Fn::ToInt) || !v || (e.op() != SymOp::Eq && e.op() != SymOp::Ne)) continue;
    const Operand inner = operands_of(x)[0];
    if (node(inner).type == Type::Bool && (v->is_integer(0) || v->is_integer(1)))
      return v->is_integer(0) == (e.op() == SymOp::Ne) ? inner : negate(inner);
  }
  const Fn fn = e.op() == SymOp::Le ? Fn::Le : e.op() == SymOp::Eq ? Fn::Eq : Fn::Ne;
  return emit(fn, Type::Bool, {a, b});
}

Operand NormalForm::value_of(const Sym& given, const Atoms& atoms) {
  return term_value(simplify_index(given, extents_), atoms);
}

Operand NormalForm::term_value(const Sym& e, const Atoms& atoms) {
  if (!varies(e)) return scalar(e, Type::Int);
  std::vector<Operand> parts;
  switch (e.op()) {
    case SymOp::Axis: {
      const Sym size = extents_[static_cast<std::size_t>(e.integer())];
      return {b_.iota(size), {e}};
    }
    case SymOp::Datum: return atoms.list[static_cast<std::size_t>(e.integer())];
    case SymOp::Add: {
      Sym constant(0);
      for (const Sym& a : e.args()) {
        if (varies(a)) parts.push_back(term_value(a, atoms));
        else constant = constant + a;
      }
      if (!constant.is_integer(0)) parts.push_back(scalar(constant, Type::Int));
      return parts.size() == 1 ? parts[0] : emit(Fn::Add, Type::Int, parts);
    }
    case SymOp::Mul: {
      Sym constant(1);
      const auto& args = e.args();
      for (std::size_t k = 0, next; k < args.size(); k = next) {
        for (next = k + 1; next < args.size() && args[next] == args[k];) ++next;
        if (!varies(args[k])) {
          for (std::size_t t = k; t < next; ++t) constant = constant * args[k];
          continue;
        }
        const Operand base = term_value(args[k], atoms);
        parts.push_back(next - k == 1 ? base
                                      : emit(Fn::Pow, Type::Int,
                                             {base, scalar(Sym(static_cast<long>(next - k)), Type::Int)}));
      }
      if (!constant.is_integer(1)) parts.push_back(scalar(constant, Type::Int));
      return parts.size() == 1 ? parts[0] : emit(Fn::Mul, Type::Int, parts);
    }
    case SymOp::FloorDiv:
    case SymOp::Mod:
      return emit(e.op() == SymOp::Mod ? Fn::Mod : Fn::FloorDiv, Type::Int,
                  {term_value(e.args()[0], atoms), term_value(e.args()[1], atoms)});
    case SymOp::Max:
    case SymOp::Min: {
      Operand out = term_value(e.args()[0], atoms);
      for (std::size_t k = 1; k < e.args().size(); ++k)
        out =
            emit(e.op() == SymOp::Max ? Fn::Max : Fn::Min, Type::Int, {out, term_value(e.args()[k], atoms)});
      return out;
    }
    default:
      throw std::logic_error("an index expression has no integer operation of its kind: " + to_string(e));
  }
}

}  // namespace flashlight::graph
