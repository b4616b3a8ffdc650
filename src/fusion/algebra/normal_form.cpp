// SPDX-License-Identifier: Apache-2.0
// Arithmetic of normal forms and the way back to expressions.
#include "fusion/algebra/normal_form.h"

#include <algorithm>
#include <cmath>

#include "fusion/algebra/interval.h"

namespace flashlight::fusion::algebra {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

Product to_product(const std::map<Expr, double>& powers) {
  Product p;
  for (const auto& [atom, power] : powers)
    if (power != 0) p.push_back({atom, power});
  return p;
}

ExponentSum to_exponent(const std::map<Product, double>& terms) {
  ExponentSum e;
  for (const auto& [product, coefficient] : terms)
    if (coefficient != 0) e.push_back({product, coefficient});
  return e;
}

// May a masked atom be replaced by its value where its mask holds anyway? Only if the value is an atom
// itself.
bool is_atomic(Expr e) {
  switch (e.op()) {
    case Op::kConstant:
    case Op::kMul:
    case Op::kPow:
    case Op::kExp: return false;
    default: return true;
  }
}

void unmask_guarded(std::map<Expr, double>& powers) {
  std::vector<Expr> held;
  for (const auto& [atom, power] : powers)
    if (atom.is(Op::kIndicator)) held.push_back(atom.arg(0));
  if (held.empty()) return;
  std::sort(held.begin(), held.end());
  const std::map<Expr, double> before = powers;
  for (const auto& [atom, power] : before) {
    if (!is_masked(atom) || !is_atomic(atom.arg(1))) continue;
    const std::vector<Expr> mask = conjuncts(atom.arg(0));
    if (!std::includes(held.begin(), held.end(), mask.begin(), mask.end())) continue;
    powers.erase(atom);
    powers[atom.arg(1)] += power;
  }
}

Expr power_expr(const Power& p) { return p.power == 1 ? p.atom : pow(p.atom, p.power); }

Expr product_expr(Arena& arena, std::vector<Expr> factors) {
  if (factors.empty()) return arena.constant(1);
  return factors.size() == 1 ? factors[0] : arena.make(Op::kMul, std::move(factors));
}

}  // namespace

NormalForm constant_form(double c) { return c == 0 ? NormalForm{} : NormalForm{{Monomial{}, c}}; }
NormalForm atom_form(Expr atom, double power) { return {{Monomial{{{atom, power}}, {}}, 1.0}}; }
NormalForm monomial_form(const Monomial& m, double coefficient) { return {{m, coefficient}}; }

NormalForm indicator_form(Expr condition) {
  std::map<Expr, double> powers;
  for (Expr c : conjuncts(condition)) powers[c.arena().make(Op::kIndicator, {c})] = 1;
  return {{Monomial{to_product(powers), {}}, 1.0}};
}

Monomial exponential(const NormalForm& exponent) {
  std::map<Product, double> terms;
  for (const auto& [m, c] : exponent) terms[m.atoms] += c;
  return {{}, to_exponent(terms)};
}

NormalForm sum(const NormalForm& a, const NormalForm& b) {
  NormalForm r = a;
  for (const auto& [m, c] : b) {
    const auto [it, added] = r.try_emplace(m, c);
    if (added) continue;
    it->second += c;
    if (it->second == 0) r.erase(it);
  }
  return r;
}

NormalForm scaled(const NormalForm& a, double factor) {
  if (factor == 0) return {};
  NormalForm r = a;
  for (auto& [m, c] : r) c *= factor;
  return r;
}

NormalForm distribute(const NormalForm& a, const NormalForm& b) {
  NormalForm r;
  for (const auto& [m, c] : a)
    for (const auto& [n, d] : b) r = sum(r, {{multiply(m, n), c * d}});
  return r;
}

Monomial multiply(const Monomial& a, const Monomial& b) {
  if (a.is_unit()) return b;
  if (b.is_unit()) return a;
  std::map<Expr, double> powers;
  for (const Product* p : {&a.atoms, &b.atoms})
    for (const Power& f : *p) powers[f.atom] += f.power;
  for (auto& [atom, power] : powers)
    if (atom.is(Op::kIndicator)) power = 1;
  unmask_guarded(powers);
  std::map<Product, double> terms;
  for (const ExponentSum* e : {&a.exponent, &b.exponent})
    for (const ExponentTerm& t : *e) terms[t.product] += t.coefficient;
  return {to_product(powers), to_exponent(terms)};
}

bool is_constant(const NormalForm& a, double value) {
  return a.size() == 1 && a.begin()->first.is_unit() && a.begin()->second == value;
}

Expr rebuild(Arena& arena, const ExponentSum& exponent) {
  std::vector<Expr> terms;
  for (const auto& [product, coefficient] : exponent) {
    const Expr value = rebuild(arena, Monomial{product, {}});
    if (product.empty()) terms.push_back(arena.constant(coefficient));
    else terms.push_back(coefficient == 1 ? value : coefficient * value);
  }
  return terms.size() == 1 ? terms[0] : arena.make(Op::kAdd, std::move(terms));
}

Expr rebuild(Arena& arena, const Monomial& m, double coefficient) {
  std::vector<Expr> factors;
  if (coefficient != 1) factors.push_back(arena.constant(coefficient));
  for (const Power& p : m.atoms)
    if (!p.atom.is(Op::kIndicator)) factors.push_back(power_expr(p));
  ExponentSum keyed, other;
  bool known_part = false;
  for (const ExponentTerm& t : m.exponent) {
    const std::uint8_t kind = kind_of(t.product);
    (kind & kKeyed ? keyed : other).push_back(t);
    known_part = known_part || kind == kFixed;
  }
  if (!keyed.empty() && known_part) keyed.clear(), other = m.exponent;
  for (const ExponentTerm& t : keyed) factors.push_back(exp(rebuild(arena, ExponentSum{t})));
  if (!other.empty()) factors.push_back(exp(rebuild(arena, other)));
  const Expr value = product_expr(arena, std::move(factors));
  const std::vector<Expr> held = guards(m);
  return held.empty() ? value : where(conjunction(held), value, 0.0);
}

Expr rebuild(Arena& arena, const NormalForm& a) {
  if (a.empty()) return arena.constant(0);
  std::vector<Expr> terms;
  for (const auto& [m, c] : a) terms.push_back(rebuild(arena, m, c));
  return terms.size() == 1 ? terms[0] : arena.make(Op::kAdd, std::move(terms));
}

Leading without_leading_size(const NormalForm& a) {
  if (a.empty()) return {a, 1};
  const double size = std::abs(a.begin()->second);
  if (!(size > 1e-9 && size < 1e9)) return {a, 1};
  NormalForm r = a;
  for (auto& [m, c] : r) c /= size;
  return {r, size};
}

std::vector<Expr> conjuncts(Expr condition) {
  std::vector<Expr> out;
  auto visit = [&](auto&& self, Expr c) -> void {
    if (!c.is(Op::kAnd)) return out.push_back(c);
    for (Expr x : c.args()) self(self, x);
  };
  visit(visit, condition);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Expr conjunction(std::vector<Expr> conditions) {
  std::sort(conditions.begin(), conditions.end());
  conditions.erase(std::unique(conditions.begin(), conditions.end()), conditions.end());
  return all_of(std::move(conditions));
}

std::vector<Expr> guards(const Monomial& m) {
  std::vector<Expr> out;
  for (const Power& p : m.atoms)
    if (p.atom.is(Op::kIndicator)) out.push_back(p.atom.arg(0));
  return out;
}

NormalForm masked_form(Arena& arena, std::vector<Expr> conditions, const NormalForm& a) {
  const Leading leading = without_leading_size(a);
  const Expr value = where(conjunction(std::move(conditions)), rebuild(arena, leading.form), -kInf);
  return scaled(atom_form(value), leading.size);
}

bool is_masked(Expr e) { return e.is(Op::kWhere) && e.arg(2).is_constant(-kInf); }
bool is_zeroed(Expr e) { return e.is(Op::kWhere) && e.arg(2).is_constant(0); }

std::uint8_t kind_of(const Product& p) {
  std::uint8_t kind = kFixed;
  for (const Power& f : p) kind |= f.atom.node().kind;
  return kind;
}

std::uint8_t kind_of(const Monomial& m) {
  std::uint8_t kind = kind_of(m.atoms);
  for (const ExponentTerm& t : m.exponent) kind |= kind_of(t.product);
  return kind;
}

std::uint8_t kind_of(const NormalForm& a) {
  std::uint8_t kind = kFixed;
  for (const auto& [m, c] : a) kind |= kind_of(m);
  return kind;
}

bool holds_centred(const Monomial& m) {
  return std::any_of(m.atoms.begin(), m.atoms.end(), [](const Power& p) {
    return p.atom.is(Op::kCentred) || (p.atom.is(Op::kWhere) && p.atom.arg(1).is(Op::kCentred));
  });
}

bool holds_centred(const NormalForm& a) {
  return std::any_of(a.begin(), a.end(), [](const auto& t) { return holds_centred(t.first); });
}

bool holds_exponent(const NormalForm& a) {
  return std::any_of(a.begin(), a.end(), [](const auto& t) { return !t.first.exponent.empty(); });
}

bool mixes_columns(const NormalForm& a) {
  if (a.size() < 2) return false;
  bool column = false, other = false;
  for (const auto& [m, c] : a) {
    bool none = true;
    for (const Power& p : m.atoms) {
      if (p.atom.node().column) none = false;
      else other = true;
    }
    column = column || !none;
    other = other || none;
  }
  return column && other;
}

bool is_nonneg(const Monomial& m) {
  return std::all_of(m.atoms.begin(), m.atoms.end(),
                     [](const Power& p) { return is_nonneg(p.atom) || std::fmod(p.power, 2) == 0; });
}

bool is_positive(const Monomial& m) {
  return std::all_of(m.atoms.begin(), m.atoms.end(), [](const Power& p) {
    return is_positive(p.atom) || (p.power < 0 && is_nonneg(p.atom));
  });
}

}  // namespace flashlight::fusion::algebra
