// SPDX-License-Identifier: Apache-2.0
// Normal form of sums, products and powers: integer expressions are polynomials over atoms, real ones sums of
// monomials.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "graph/simplify.h"

namespace flashlight::graph::simplify {
namespace {

// Products of sums are multiplied out up to this size; beyond it a sum is a factor like any other.
constexpr std::size_t kMostTerms = 256;

// Overflow wraps: such a program is undefined anyway, the translator must not be.
std::int64_t wrapped(std::uint64_t v) { return std::bit_cast<std::int64_t>(v); }

Factors merged(const Factors& a, const Factors& b) {
  Factors out;
  std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

void accumulate(Terms& out, Factors factors, const Number& coef) {
  auto [it, fresh] = out.try_emplace(std::move(factors), coef);
  if (!fresh) it->second = it->second + coef;
  if (it->second.is(0)) out.erase(it);
}

bool holds(const Terms& all, const Terms& some) {
  for (const auto& [factors, coef] : some) {
    auto it = all.find(factors);
    if (it == all.end() || it->second.i != coef.i) return false;
  }
  return true;
}

Sym product(const Term& t) { return product_of(t.factors, t.coef, SymType::Integer); }

// m * (x mod b) + m * b * (x div b) -> m * x, and m * (x mod b) + m * b * ((x div b) mod a) -> m * (x mod
// (a*b)): a merge after a split of one axis is the axis itself.
bool recombine(Terms& terms) {
  for (const auto& [factors, coef] : terms) {
    for (std::size_t k = 0; k < factors.size(); ++k) {
      if (factors[k].op() != SymOp::Mod) continue;
      const Sym x = factors[k].args()[0], b = factors[k].args()[1], high = integer_quotient(x, b);
      Term m{coef, factors};
      m.factors.erase(m.factors.begin() + static_cast<std::ptrdiff_t>(k));
      const Sym scale = product(m);
      const Terms rest = terms_of(scale * b * high);
      if (!rest.empty() && !high.is_constant() && holds(terms, rest)) {
        const Terms mods{{factors, coef}};
        Terms whole = terms_of(scale * x);
        for (const auto& [f, c] : mods)
          accumulate(terms, Factors(f), Number{false, wrapped(0 - static_cast<std::uint64_t>(c.i)), 0});
        for (const auto& [f, c] : rest)
          accumulate(terms, Factors(f), Number{false, wrapped(0 - static_cast<std::uint64_t>(c.i)), 0});
        for (const auto& [f, c] : whole) accumulate(terms, Factors(f), c);
        return true;
      }
      for (const auto& [other, other_coef] : terms) {
        for (const Sym& f : other) {
          if (f.op() != SymOp::Mod || f.args()[0] != high) continue;
          const Terms upper = terms_of(scale * b * f);
          if (upper.size() != 1 || upper.begin()->first != other || upper.begin()->second.i != other_coef.i)
            continue;
          const Terms joined = terms_of(scale * integer_remainder(x, f.args()[1] * b));
          const Factors lower_key = factors, upper_key = other;
          terms.erase(lower_key);
          terms.erase(upper_key);
          for (const auto& [g, c] : joined) accumulate(terms, Factors(g), c);
          return true;
        }
      }
    }
  }
  return false;
}

Sym expand_integer_product(const std::vector<Sym>& args) {
  Terms product{{Factors{}, Number{false, 1, 0}}};
  for (const Sym& a : args) {
    Terms factor = terms_of(a);
    if (factor.size() > 1 && product.size() * factor.size() > kMostTerms)
      factor = {{Factors{a}, Number{false, 1, 0}}};
    Terms next;
    for (const auto& [f, c] : product)
      for (const auto& [g, d] : factor) accumulate(next, merged(f, g), c * d);
    product = std::move(next);
  }
  while (recombine(product)) {}
  return sum_of(product, SymType::Integer);
}

void multiply_in(const Sym& e, Number& coef, std::map<Sym, Sym>& exponents) {
  if (e.is_constant()) {
    coef = coef * number(e);
  } else if (e.op() == SymOp::Mul) {
    for (const Sym& a : e.args()) multiply_in(a, coef, exponents);
  } else {
    const bool is_power = e.op() == SymOp::Pow;
    const Sym base = is_power ? e.args()[0] : e;
    const Sym exponent = is_power ? e.args()[1] : Sym(1.0);
    auto [it, fresh] = exponents.try_emplace(base, exponent);
    if (!fresh) it->second = it->second + exponent;
  }
}

Sym real_product(const std::vector<Sym>& args) {
  Number coef{true, 0, 1.0};
  std::vector<Sym> pending = args;
  std::map<Sym, Sym> exponents;
  bool again = true;
  Factors factors;
  while (again) {  // a power may simplify into a product, whose factors meet others
    again = false;
    for (const Sym& a : pending) multiply_in(a, coef, exponents);
    factors.clear();
    for (const auto& [base, exponent] : exponents) {
      factors.push_back(power(base, exponent));
      again = again || factors.back().is_constant() || factors.back().op() == SymOp::Mul;
    }
    pending = factors;
    if (again) exponents.clear();
  }
  if (factors.size() == 1 && factors[0].op() == SymOp::Add && !coef.is(1)) {
    std::vector<Sym> parts;
    for (const Sym& a : factors[0].args()) parts.push_back(constant(coef) * a);
    return add(parts);
  }
  std::sort(factors.begin(), factors.end());
  return coef.is(0) ? Sym(0.0) : product_of(factors, coef, SymType::Real);
}

// (b^a)^e == b^(a*e): not for (x^2)^0.5, which is |x|.
bool powers_merge(const Sym& base, const Sym& inner, const Sym& outer) {
  auto whole = [](const Sym& e) { return e.as_real() && std::nearbyint(*e.as_real()) == *e.as_real(); };
  return is_nonnegative(base) || whole(outer) ||
         (inner.is_constant() && outer.is_constant() && !whole(inner));
}

}  // namespace

Number number(const Sym& c) {
  if (c.type() == SymType::Real) return {true, 0, c.real()};
  return {false, c.integer(), 0};
}
Sym constant(const Number& n) { return n.is_real ? Sym(n.r) : Sym(static_cast<long>(n.i)); }
Number operator+(const Number& a, const Number& b) {
  if (a.is_real || b.is_real) return {true, 0, a.value() + b.value()};
  return {false, wrapped(static_cast<std::uint64_t>(a.i) + static_cast<std::uint64_t>(b.i)), 0};
}
Number operator*(const Number& a, const Number& b) {
  if (a.is_real || b.is_real) return {true, 0, a.value() * b.value()};
  return {false, wrapped(static_cast<std::uint64_t>(a.i) * static_cast<std::uint64_t>(b.i)), 0};
}

void add_terms(const Sym& e, const Number& scale, Terms& out) {
  if (e.op() == SymOp::Add) {
    for (const Sym& a : e.args()) add_terms(a, scale, out);
  } else if (e.is_constant()) {
    accumulate(out, {}, scale * number(e));
  } else if (e.op() == SymOp::Mul) {
    const auto& args = e.args();
    const bool scaled = args[0].is_constant();
    accumulate(out, Factors(args.begin() + scaled, args.end()), scaled ? scale * number(args[0]) : scale);
  } else {
    accumulate(out, {e}, scale);
  }
}

Terms terms_of(const Sym& e) {
  Terms out;
  add_terms(e, {false, 1, 0}, out);
  return out;
}

Sym product_of(const Factors& factors, const Number& coef, SymType type) {
  if (factors.empty()) return type == SymType::Real ? Sym(coef.value()) : constant(coef);
  if (coef.is(1) && factors.size() == 1) return factors[0];
  std::vector<Sym> args;
  if (!coef.is(1)) args.push_back(type == SymType::Real ? Sym(coef.value()) : constant(coef));
  args.insert(args.end(), factors.begin(), factors.end());
  return raw(SymOp::Mul, type, std::move(args));
}

Sym sum_of(const Terms& terms, SymType type) {
  std::vector<Sym> args;
  for (const auto& [factors, coef] : terms)
    if (!factors.empty()) args.push_back(product_of(factors, coef, type));
  if (auto it = terms.find({}); it != terms.end()) args.push_back(product_of({}, it->second, type));
  if (args.empty()) return type == SymType::Real ? Sym(0.0) : Sym(0);
  return args.size() == 1 ? args[0] : raw(SymOp::Add, type, std::move(args));
}

std::optional<Term> quotient(const Term& a, const Term& b) {
  if (b.coef.i == 0 || (b.coef.i == -1 && a.coef.i == INT64_MIN) || a.coef.i % b.coef.i != 0)
    return std::nullopt;
  Term out{{false, a.coef.i / b.coef.i, 0}, {}};
  if (!std::includes(a.factors.begin(), a.factors.end(), b.factors.begin(), b.factors.end()))
    return std::nullopt;
  std::set_difference(a.factors.begin(), a.factors.end(), b.factors.begin(), b.factors.end(),
                      std::back_inserter(out.factors));
  return out;
}

Term common_factor(const Term& a, const Term& b) {
  Term out{{false, std::max<std::int64_t>(1, std::gcd(a.coef.i, b.coef.i)), 0}, {}};
  std::set_intersection(a.factors.begin(), a.factors.end(), b.factors.begin(), b.factors.end(),
                        std::back_inserter(out.factors));
  return out;
}

SymType common_type(std::vector<Sym>& args) {
  SymType type = SymType::Integer;
  for (const Sym& a : args) type = std::max(type, a.type());
  for (Sym& a : args) a = type == SymType::Real ? to_real(a) : to_integer(a);
  return type;
}

Sym add(const std::vector<Sym>& given) {
  std::vector<Sym> args = given;
  const SymType type = common_type(args);
  Terms terms;
  for (const Sym& a : args)
    add_terms(a, type == SymType::Real ? Number{true, 0, 1.0} : Number{false, 1, 0}, terms);
  if (type == SymType::Integer)
    while (recombine(terms)) {}
  return sum_of(terms, type);
}

Sym mul(const std::vector<Sym>& given) {
  std::vector<Sym> args = given;
  return common_type(args) == SymType::Integer ? expand_integer_product(args) : real_product(args);
}

Sym power(const Sym& given_base, const Sym& given_exponent) {
  const Sym base = to_real(given_base), exponent = to_real(given_exponent);
  if (base.is_constant() && exponent.is_constant()) {
    const double b = base.real(), e = exponent.real();
    return e == 0.5 ? Sym(std::sqrt(b)) : e == -0.5 ? Sym(1 / std::sqrt(b)) : Sym(std::pow(b, e));
  }
  if (exponent.as_real() == 0.0) return Sym(1.0);
  if (exponent.as_real() == 1.0) return base;
  if (base.as_real() == 1.0) return base;
  if (base.op() == SymOp::Pow && powers_merge(base.args()[0], base.args()[1], exponent))
    return power(base.args()[0], base.args()[1] * exponent);
  if (base.op() == SymOp::Mul && exponent.is_constant()) {
    const bool whole = std::nearbyint(exponent.real()) == exponent.real();
    std::vector<Sym> out, kept;
    for (const Sym& f : base.args()) {
      if (whole || is_nonnegative(f)) {
        out.push_back(power(f, exponent));
      } else {
        kept.push_back(f);
      }
    }
    if (kept.empty()) return mul(out);
    if (!out.empty()) {
      out.push_back(power(mul(kept), exponent));
      return mul(out);
    }
  }
  return raw(SymOp::Pow, SymType::Real, {base, exponent});
}

}  // namespace flashlight::graph::simplify
