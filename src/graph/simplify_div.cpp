// SPDX-License-Identifier: Apache-2.0
// Floor division and remainder of integer polynomials: what holds whatever the values, given that divisors
// are not zero.
#include <algorithm>

#include "graph/simplify.h"

namespace flashlight::graph::simplify {
namespace {

Sym integer_sum(const Terms& t) { return sum_of(t, SymType::Integer); }
Term as_term(const Terms::value_type& t) { return {t.second, t.first}; }
void put(Terms& out, const Term& t) { out[t.factors] = t.coef; }

struct Division {
  Sym quotient;
  Terms rest;
};

// Exact part of a / b for a monomial b: terms that b divides, and of a constant the whole multiples.
Division divide_by_monomial(const Terms& a, const Term& b) {
  Terms q, r;
  for (const auto& entry : a) {
    const Term t = as_term(entry);
    if (auto part = simplify::quotient(t, b)) {
      put(q, *part);
    } else if (t.factors.empty() && b.factors.empty()) {
      const std::int64_t whole = floor_quotient(t.coef.i, b.coef.i);
      if (whole != 0) put(q, {{false, whole, 0}, {}});
      put(r, {{false, floor_remainder(t.coef.i, b.coef.i), 0}, {}});
    } else {
      put(r, t);
    }
  }
  return {integer_sum(q), r};
}

// Polynomial division by a sum, kept only where it leaves fewer terms.
Division divide_by_sum(const Terms& a, const Sym& b) {
  const Terms divisor = terms_of(b);
  const auto lead = std::max_element(divisor.begin(), divisor.end(),
                                     [](auto& x, auto& y) { return x.first.size() < y.first.size(); });
  Sym q(0), rest = integer_sum(a);
  for (int step = 0; step < 16; ++step) {
    std::optional<Term> part;
    for (const auto& t : terms_of(rest))
      if ((part = simplify::quotient(as_term(t), as_term(*lead)))) break;
    if (!part) break;
    const Sym p = product_of(part->factors, part->coef, SymType::Integer);
    q = q + p;
    rest = rest - p * b;
  }
  Terms r = terms_of(rest);
  return r.size() < a.size() ? Division{q, r} : Division{Sym(0), a};
}

Division divide_exactly(const Sym& a, const Sym& b) {
  const Terms dividend = terms_of(a), divisor = terms_of(b);
  if (divisor.size() == 1) return divide_by_monomial(dividend, as_term(*divisor.begin()));
  return divide_by_sum(dividend, b);
}

// The greatest monomial that divides b and all of r.
Term content(const Terms& r, const Sym& b) {
  const Terms divisor = terms_of(b);
  Term g = as_term(*divisor.begin());
  if (g.coef.i < 0) g.coef.i = -g.coef.i;
  for (const auto& t : divisor) g = common_factor(g, as_term(t));
  for (const auto& t : r) g = common_factor(g, as_term(t));
  return g;
}

Terms divided(const Terms& terms, const Term& g) {
  Terms out;
  for (const auto& t : terms) put(out, *simplify::quotient(as_term(t), g));
  return out;
}

bool divides(const Sym& b, const Sym& a) {
  const Division d = divide_exactly(a, b);
  return d.rest.empty();
}

}  // namespace

std::int64_t floor_quotient(std::int64_t a, std::int64_t b) {
  if (b == -1) return static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(a));
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}
std::int64_t floor_remainder(std::int64_t a, std::int64_t b) {
  if (b == -1) return 0;
  const std::int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

Sym integer_quotient(const Sym& given_a, const Sym& given_b) {
  const Sym a = to_integer(given_a), b = to_integer(given_b);
  if (b.is_integer(0)) return raw(SymOp::FloorDiv, SymType::Integer, {a, b});  // fails when evaluated
  if (b.is_integer(1) || a.is_integer(0)) return a;
  if (a.is_constant() && b.is_constant())
    return Sym(static_cast<long>(floor_quotient(a.integer(), b.integer())));
  auto [whole, rest] = divide_exactly(a, b);
  if (rest.empty()) return whole;
  const Term g = content(rest, b);
  if (g.coef.i != 1 || !g.factors.empty())
    return whole + integer_quotient(integer_sum(divided(rest, g)), integer_sum(divided(terms_of(b), g)));
  const Sym r = integer_sum(rest);
  if (r.is_constant() && b.is_constant()) return whole + integer_quotient(r, b);
  if (is_nonnegative(b)) {  // so positive, being a divisor
    if (r.op() == SymOp::FloorDiv && is_nonnegative(r.args()[1]))
      return whole + integer_quotient(r.args()[0], r.args()[1] * b);
    if (r.op() == SymOp::Mod && is_nonnegative(r.args()[1]) && divides(b, r.args()[1]))
      return whole + integer_remainder(integer_quotient(r.args()[0], b), integer_quotient(r.args()[1], b));
  }
  return whole + raw(SymOp::FloorDiv, SymType::Integer, {r, b});
}

Sym integer_remainder(const Sym& given_a, const Sym& given_b) {
  const Sym a = to_integer(given_a), b = to_integer(given_b);
  if (b.is_integer(0)) return raw(SymOp::Mod, SymType::Integer, {a, b});
  if (b.is_integer(1)) return Sym(0);
  if (a.is_constant() && b.is_constant())
    return Sym(static_cast<long>(floor_remainder(a.integer(), b.integer())));
  Terms rest = divide_exactly(a, b).rest, reduced;
  for (const auto& [factors, coef] : rest) {
    Term t{coef, factors};
    if (b.is_constant() && !factors.empty()) t.coef.i %= b.integer();
    if (t.coef.i == 0) continue;
    Sym p = product_of(t.factors, t.coef, SymType::Integer);
    if (t.factors.size() == 1 && t.factors[0].op() == SymOp::Mod && divides(b, t.factors[0].args()[1]))
      p = constant(t.coef) * t.factors[0].args()[0];
    add_terms(p, {false, 1, 0}, reduced);
  }
  if (reduced != rest) return integer_remainder(integer_sum(reduced), b);
  if (rest.empty()) return Sym(0);
  const Sym r = integer_sum(rest);
  if (r.is_constant() && b.is_constant()) return integer_remainder(r, b);
  const Term g = content(rest, b);
  if (g.coef.i != 1 || !g.factors.empty())
    return product_of(g.factors, g.coef, SymType::Integer) *
           integer_remainder(integer_sum(divided(rest, g)), integer_sum(divided(terms_of(b), g)));
  return raw(SymOp::Mod, SymType::Integer, {r, b});
}

}  // namespace flashlight::graph::simplify
