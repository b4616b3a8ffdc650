// SPDX-License-Identifier: Apache-2.0
// Reductions and scans: where key parts become states and row parts move out.
#include <cmath>

#include "fusion/algebra/interval.h"
#include "fusion/algebra/separate.h"

namespace flashlight::fusion::algebra {
namespace {

bool has_column(const NormalForm& a) {
  for (const auto& [m, c] : a)
    for (const Power& p : m.atoms)
      if (p.atom.node().column) return true;
  return false;
}

// c [g] exp(u) with c > 0.
bool is_masked_exponential(const NormalForm& a) {
  if (a.size() != 1) return false;
  const auto& [m, c] = *a.begin();
  return c > 0 && guards(m).size() == m.atoms.size() && !m.exponent.empty();
}

}  // namespace

// sum_j sum_a c_a(U) f_a(K) = sum_a c_a(U) S[f_a].
NormalForm Separation::reduce_sum(Expr term) {
  NormalForm r;
  const NormalForm terms = form(term);
  for (const auto& [row, keys] : group(terms)) {
    std::map<ExponentSum, std::vector<NormalForm>> by_exponent;
    for (const auto& [m, c] : keys) {
      std::vector<NormalForm>& sums = by_exponent[m.exponent];
      // Terms of one exponent are one sum, unless a contraction has to compute them.
      const bool joins = !sums.empty() && !has_column(sums.back()) && !has_column(monomial_form(m));
      if (joins) sums.back() = sum(sums.back(), monomial_form(m, c));
      else sums.push_back(monomial_form(m, c));
    }
    for (auto& [exponent, sums] : by_exponent)
      for (NormalForm& keyed : sums) {
        double c = 1;
        if (keyed.size() == 1) std::swap(c, keyed.begin()->second);
        const bool counts = keyed.size() == 1 && keyed.begin()->first.is_unit();
        const Expr state =
            counts ? arena_.stream_length() : arena_.make(Op::kRawSum, {rebuild(arena_, keyed)});
        r = sum(r, distribute(monomial_form(row, c), atom_form(state)));
      }
  }
  // Multiplying out loses the sign: a sum of squares stays non-negative.
  if (r.size() > 1 && kind(terms) == kMixed && is_nonneg(term))
    return atom_form(max2(rebuild(arena_, r), 0.0));
  return r;
}

NormalForm Separation::reduce_extremum(Expr term, int sign) {
  if (term.is(Op::kAbs) && sign > 0) {  // |x + r| is largest at an end: max(max x + r, -(min x + r))
    const NormalForm a = form(term.arg(0));
    if (kind(a) == kMixed)
      return atom_form(max2(rebuild(arena_, extremum(a, 1)), rebuild(arena_, scaled(extremum(a, -1), -1))));
  }
  return extremum(form(term), sign);
}

// Additive row parts and row factors of known sign move out of max and min.
NormalForm Separation::extremum(const NormalForm& mixed, int sign) {
  const NormalForm a = final_ ? mixed : uncentre(mixed);
  NormalForm keys, others, row;
  for (const auto& [m, c] : a) (kind(m) == kKeyed ? keys : others).emplace(m, c);
  std::map<Monomial, NormalForm> terms;
  if (!keys.empty()) terms[{}] = keys;
  for (const auto& [u, f] : group(others)) {
    if (kind(f) == kFixed) row = sum(row, distribute(monomial_form(u), f));
    else terms[u] = sum(terms[u], f);
  }
  if (terms.empty()) return row;
  if (terms.size() > 1)
    refuse(Reason::kInseparableMax, "a maximum over keys of several products of keys and row reductions", a);
  const auto& [u, f] = *terms.begin();
  // The row part keeps an exponential small; without it only a maximum over the exponent itself is safe.
  if (!u.is_unit() && holds_exponent(f) &&
      !(is_nonneg(u) && is_masked_exponential(f) && (sign > 0 || guards(f.begin()->first).empty())))
    refuse(Reason::kInseparableMax, "a maximum over keys of a product with an exponential", a);
  const auto scaled_by_row = [&](int s) { return distribute(monomial_form(u), extremum_of_keys(f, s)); };
  if (is_nonneg(u)) return sum(scaled_by_row(sign), row);
  const Expr nonneg = ge(rebuild(arena_, u), 0.0);
  return sum(
      atom_form(where(nonneg, rebuild(arena_, scaled_by_row(sign)), rebuild(arena_, scaled_by_row(-sign)))),
      row);
}

NormalForm Separation::extremum_of_keys(const NormalForm& keys, int sign) {
  if (kind(keys) == kFixed) return keys;
  if (keys.size() == 1) {
    const auto& [m, c] = *keys.begin();
    const std::vector<Expr> held = guards(m);
    if (is_masked_exponential(keys) && (held.empty() || sign > 0)) {
      NormalForm exponent;  // exp is increasing; excluded keys are exp(-inf)
      for (const ExponentTerm& t : m.exponent) exponent.emplace(Monomial{t.product, {}}, t.coefficient);
      if (!held.empty()) exponent = masked_form(arena_, held, exponent);
      return scaled(monomial_form(exponential(extremum_of_keys(exponent, sign))), c);
    }
  }
  NormalForm varying = keys;
  const auto unit = varying.find(Monomial{});
  const double offset = unit == varying.end() ? 0 : unit->second;
  varying.erase(Monomial{});
  const Leading leading = without_leading_size(varying);
  const Expr value = rebuild(arena_, sign > 0 ? leading.form : scaled(leading.form, -1));
  return sum(scaled(atom_form(arena_.make(Op::kRunningMax, {value})), sign * leading.size),
             constant_form(offset));
}

NormalForm Separation::reduce_prod(Expr term) {
  const NormalForm a = form(term);
  const auto state = [&](const NormalForm& keys) {
    return atom_form(arena_.make(Op::kRunningProd, {rebuild(arena_, keys)}));
  };
  if (kind(a) == kKeyed || a.empty()) return state(a);
  if (a.size() != 1)
    refuse(Reason::kInseparableProduct, "a product over keys of a sum that mixes keys and a row reduction",
           a);
  const auto& [m, c] = *a.begin();
  const Parts parts = split(m);
  if (!parts.keys.exponent.empty())
    refuse(Reason::kInseparableProduct,
           "a product over keys of an exponential whose reference is not known yet", a);
  const bool keyed = kind(parts.keys) != kFixed;
  const NormalForm keys = keyed ? state(monomial_form(parts.keys, c)) : constant_form(1);
  const NormalForm row = monomial_form(parts.rest, keyed ? 1 : c);  // its J-th power moves out
  if (is_constant(row, 1)) return keys;
  if (!is_nonneg(parts.rest) || (!keyed && c < 0))
    refuse(Reason::kSignUnknown, "a product over keys with a row factor that may be negative", row);
  const Expr count = arena_.stream_length();
  return distribute(keys, exponential_of(product(atom_form(count), logarithm(row))));
}

// any(x + r > 0) is max x + r > 0; `negated` asks for any(not c).
Expr Separation::reduce_any(Expr c, bool negated) {
  if (c.is(Op::kNot)) return reduce_any(c.arg(0), !negated);
  if (c.is(negated ? Op::kAnd : Op::kOr)) {
    std::vector<Expr> parts;
    for (Expr x : c.args()) parts.push_back(reduce_any(x, negated));
    return any_of(std::move(parts));
  }
  if (c.is(Op::kGt) || c.is(Op::kGe)) {
    const NormalForm difference = uncentre(sum(form(c.arg(0)), scaled(form(c.arg(1)), -1)));
    if (kind(difference) == kMixed) {
      const Op negation = c.is(Op::kGt) ? Op::kGe : Op::kGt;  // not (d > 0) is -d >= 0
      const Expr largest = rebuild(arena_, extremum(negated ? scaled(difference, -1) : difference, +1));
      return arena_.make(negated ? negation : c.op(), {largest, arena_.constant(0)});
    }
  }
  const Expr inner = condition(c);
  if (!final_ && kind(inner) == kMixed)
    throw Inseparable(Reason::kComparisonWithReduction,
                      "any over keys of a mixed condition: " + to_string(inner), inner);
  if (kind(inner) == kFixed || kind(inner) == kUnknown)
    return negated ? not_of(inner) : inner;  // some key exists
  return arena_.make(Op::kRunningAny, {negated ? not_of(inner) : inner});
}

// A scan of c(U) f(K) is c(U) scan(f), an element known at j.
NormalForm Separation::scan(Expr e) {
  const NormalForm a = form(e.arg(0));
  const auto element = [&](const NormalForm& keys) {
    return atom_form(arena_.make(Op::kCarried, {rebuild(arena_, keys)}, {}, e.exclusive() ? 1 : 0));
  };
  // As it is written: exp(s - m) for an m of an earlier sweep does not overflow, exp(s) would.
  if (kind(a) == kKeyed) return element(a);
  const bool mixed = kind(a) == kMixed;
  NormalForm r;
  for (const auto& [row, keys] : group(a)) {
    for (const auto& [m, c] : keys)
      if (mixed && !m.exponent.empty())
        refuse(Reason::kInseparableScan, "a scan of an exponential whose reference is not known yet", a);
    r = sum(r, distribute(monomial_form(row), element(keys)));
  }
  return r;
}

}  // namespace flashlight::fusion::algebra
