// SPDX-License-Identifier: Apache-2.0
// Powers, exponentials, logarithms and other functions of normal forms.
#include <algorithm>
#include <cmath>
#include <deque>

#include "fusion/algebra/interval.h"
#include "fusion/algebra/separate.h"

namespace flashlight::fusion::algebra {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

bool is_integer(double n) { return n == std::floor(n); }
bool is_even(double n) { return is_integer(n) && std::fmod(n, 2) == 0; }

// The atom of a monomial that is nothing but one atom.
Expr sole_atom(const Monomial& m) {
  return m.exponent.empty() && m.atoms.size() == 1 && m.atoms[0].power == 1 ? m.atoms[0].atom : Expr();
}

// m of where(m == -inf, 0, m), for a maximum m that is known.
Expr known_maximum(Expr e) {
  if (!e || !e.is(Op::kWhere) || !e.arg(1).is_constant(0)) return {};
  const Expr known = e.arg(2);
  const bool maximum = known.is(Op::kKnown) && known.arg(0).is(Op::kReduceMax);
  return maximum && e.arg(0) == eq(known, -kInf) ? known : Expr();
}

bool shares_exponent(const NormalForm& a, const ExponentSum& exponent) {
  for (const auto& [m, c] : a)
    if (m.exponent != exponent) return false;
  return true;
}

NormalForm drop_exponent(const NormalForm& a) {
  NormalForm r;
  for (const auto& [m, c] : a) r.emplace(Monomial{m.atoms, {}}, c);
  return r;
}

ExponentSum times(ExponentSum e, double c) {
  for (ExponentTerm& t : e) t.coefficient *= c;
  return e;
}

ExponentSum plus(const ExponentSum& a, const ExponentSum& b) {
  std::map<Product, double> sum;
  for (const ExponentSum* e : {&a, &b})
    for (const ExponentTerm& t : *e) sum[t.product] += t.coefficient;
  ExponentSum r;
  for (const auto& [product, c] : sum)
    if (c != 0) r.push_back({product, c});
  return r;
}

// Of the terms with one sign in all of them, the smallest coefficient.
ExponentSum common_part(const std::set<ExponentSum>& exponents) {
  ExponentSum common;
  for (const ExponentTerm& t : *exponents.begin()) {
    double least = t.coefficient;
    for (const ExponentSum& e : exponents) {
      const auto found =
          std::find_if(e.begin(), e.end(), [&](const ExponentTerm& u) { return u.product == t.product; });
      const double c = found == e.end() ? 0 : found->coefficient;
      least = c * least <= 0 ? 0 : std::abs(c) < std::abs(least) ? c : least;
    }
    if (least != 0) common.push_back({t.product, least});
  }
  return common;
}

NormalForm power_by_product(const NormalForm& a, double n, auto product) {
  NormalForm r = a;
  for (int i = 1; i < static_cast<int>(n); ++i) r = product(r, a);
  return r;
}

}  // namespace

// Final mode: sum of t_i exp(e_i) -> S exp(M) with M = max e_i and S = sum t_i exp(e_i - M), so that no term
// overflows. What all e_i share stays out of M: it may be -inf, where a segment of the keys is hidden, and so
// would M be.
Separation::Aligned Separation::align(const NormalForm& a) {
  std::set<ExponentSum> exponents;
  for (const auto& [m, c] : a) exponents.insert(m.exponent);
  if (exponents.size() == 1) {
    Aligned r{{}, *exponents.begin()};
    for (const auto& [m, c] : a) r.form.emplace(Monomial{m.atoms, {}}, c);
    return r;
  }
  const ExponentSum common = common_part(exponents);
  const NormalForm rest = common.empty() ? a : distribute(a, monomial_form({{}, times(common, -1)}));
  Expr largest;
  for (const ExponentSum& e : exponents) {
    const ExponentSum own = plus(e, times(common, -1));
    const Expr x = own.empty() ? arena_.constant(0) : rebuild(arena_, own);
    largest = largest ? max2(largest, x) : x;
  }
  const Product m{{largest, 1.0}};
  return {distribute(rest, monomial_form({{}, {{m, -1.0}}})), plus(common, {{m, 1.0}})};
}

NormalForm Separation::power_of_monomial(const Monomial& m, double c, double n) {
  if (c < 0 && !is_integer(n))
    refuse(Reason::kSignUnknown, "a fractional power of a negative factor", monomial_form(m, c));
  const std::vector<Expr> held = guards(m);
  const auto hides_keys = [](Expr guard) { return (guard.node().kind & kKeyed) != 0; };
  if (n < 0 && std::any_of(held.begin(), held.end(), hides_keys)) {  // infinite at those keys: no indicator
    if (kind(m) != kMixed) return atom_form(rebuild(arena_, monomial_form(m, c)), n);
    refuse(Reason::kInseparablePower, "a reciprocal of a masked product of keys and a row reduction",
           monomial_form(m, c));
  }
  NormalForm r = constant_form(1);
  for (const Power& p : m.atoms) {
    if (p.atom.is(Op::kIndicator)) {  // [c]^n = [c]
      r = distribute(r, atom_form(p.atom));
      continue;
    }
    Expr atom = p.atom;
    if (!is_integer(n) && !is_nonneg(atom)) {
      if (is_even(p.power)) atom = abs(atom);
      else if (kind(m) != kMixed) return atom_form(rebuild(arena_, monomial_form(m, c)), n);
      else
        refuse(Reason::kSignUnknown, "a fractional power of a product with a factor that may be negative",
               atom_form(atom));
    }
    r = distribute(r, atom_form(atom, p.power * n));
  }
  ExponentSum exponent = m.exponent;
  for (ExponentTerm& t : exponent) t.coefficient *= n;
  const double size = std::pow(std::abs(c), n);
  return scaled(distribute(r, monomial_form({{}, exponent})), c < 0 && !is_even(n) ? -size : size);
}

NormalForm Separation::power(const NormalForm& a, double n) {
  if (n == 1) return a;
  if (n == 0) return constant_form(1);
  if (a.empty()) return n > 0 ? NormalForm{} : constant_form(kInf);
  if (a.size() == 1) return power_of_monomial(a.begin()->first, a.begin()->second, n);
  const auto multiply_out = [&] {
    return power_by_product(a, n, [&](const NormalForm& x, const NormalForm& y) { return product(x, y); });
  };
  const bool small = is_integer(n) && n > 0 && n <= 4;
  if (final_) {
    if (small && holds_reference(a)) return multiply_out();
    const Aligned b = align(a);
    if (b.form.size() == 1) return power(distribute(b.form, monomial_form({{}, b.exponent})), n);
    ExponentSum exponent = b.exponent;
    for (ExponentTerm& t : exponent) t.coefficient *= n;
    return distribute(atom_form(rebuild(arena_, b.form), n), monomial_form({{}, exponent}));
  }
  if (kind(a) != kMixed) return atom_form(rebuild(arena_, a), n);
  if (small) return multiply_out();
  refuse(Reason::kInseparablePower, "a reciprocal or power of a sum that mixes keys and a row reduction", a);
}

// exp(c (x - max x)), c > 0, of a maximum that an earlier sweep has made known and that counts as 0 where it
// is -inf: at most 1 for the keys that the maximum was taken of. It needs no reference and is a factor like
// any other.
std::optional<NormalForm> Separation::exponential_below_known(const NormalForm& a) {
  for (const auto& [m, c] : a) {
    const Expr known = c < 0 ? known_maximum(sole_atom(m)) : Expr();
    if (!known) continue;
    NormalForm keys = a;
    keys.erase(m);
    NormalForm scores = scaled(form(known.arg(0).arg(0)), -c);
    if (const Expr x = scores.size() == 1 ? sole_atom(scores.begin()->first) : Expr(); x && is_masked(x))
      scores = scaled(form(x.arg(1)), scores.begin()->second);
    if (kind(keys) != kKeyed || keys != scores) continue;
    return atom_form(
        exp(arena_.make(Op::kAdd, {rebuild(arena_, keys), rebuild(arena_, monomial_form(m, c))})));
  }
  return std::nullopt;
}

// exp of a sum is a product of exps: row addends apart, key addends kept together as one exponent. Where
// conditions of the row stay, they mask that exponent: as a factor they would leave the sum, and cancel from
// a quotient of sums.
NormalForm Separation::exponential_of(const NormalForm& argument) {
  const NormalForm a = !final_ && (kind(argument) & kUnknown) ? uncentre(argument) : argument;
  if (!final_ && !strict_)
    if (const std::optional<NormalForm> known = exponential_below_known(a)) return *known;
  NormalForm r = constant_form(1), keys;
  std::vector<Expr> row_masks;
  struct Addend {
    Monomial m;
    double c;
    bool masked;
  };
  std::deque<Addend> todo;
  const auto put_back = [&](const NormalForm& terms, double c, bool masked) {
    for (const auto& [m, d] : terms) todo.push_back({m, c * d, masked});
  };
  put_back(a, 1, false);
  while (!todo.empty()) {
    auto [m, c, masked] = todo.front();
    todo.pop_front();
    const std::uint8_t k = kind(m);
    if (k == kMixed)
      refuse(Reason::kInseparableExponent, "an exponent multiplies a key value by a row reduction",
             monomial_form(m, c));
    const Expr x = sole_atom(m);
    // Of masked keys it stays an exponent: its maximum tells rows without keys from those whose weights are
    // all 0.
    if (x && x.is(Op::kLog) && !(masked && k == kKeyed)) {
      r = distribute(r, power(form(x.arg(0)), c));
    } else if (x && is_masked(x) && c > 0 && k == kKeyed && !final_) {  // exp(where(g, e, -inf)) = [g] exp(e)
      for (Expr g : conjuncts(x.arg(0))) {
        if (rows_stay_ && kind(g) == kFixed) row_masks.push_back(g);
        else r = distribute(r, indicator_form(g));
      }
      put_back(form(x.arg(1)), c, true);
    } else if (x && x.is(Op::kAdd) && !final_) {
      for (Expr y : x.args()) put_back(form(y), c, masked);
    } else {
      if (!m.exponent.empty()) m = {{{rebuild(arena_, m), 1.0}}, {}};
      if (k & kKeyed) keys = sum(keys, monomial_form(m, c));
      else r = distribute(r, monomial_form({{}, {{m.atoms, c}}}));
    }
  }
  if (!row_masks.empty()) keys = masked_form(arena_, std::move(row_masks), keys);
  if (keys.size() == 1) return distribute(r, monomial_form(exponential(keys)));
  if (keys.empty()) return r;
  const Leading leading = without_leading_size(keys);
  const Product u{{rebuild(arena_, leading.form), 1.0}};
  return distribute(r, monomial_form({{}, {{u, leading.size}}}));
}

NormalForm Separation::logarithm(const NormalForm& a) {
  if (a.empty()) return constant_form(-kInf);
  if (a.size() != 1) {
    if (kind(a) == kMixed)
      refuse(Reason::kInseparableLog, "the logarithm of a sum that mixes keys and a row reduction", a);
    if (!final_) return atom_form(log(rebuild(arena_, a)));
    const Aligned b = align(a);
    NormalForm r;
    for (const ExponentTerm& t : b.exponent) r = sum(r, monomial_form({t.product, {}}, t.coefficient));
    return sum(r, b.form.size() == 1 ? logarithm(b.form) : atom_form(log(rebuild(arena_, b.form))));
  }
  const auto& [m, c] = *a.begin();
  bool nonneg = c > 0;
  for (const Power& p : m.atoms) nonneg = nonneg && is_nonneg(p.atom);
  if (!nonneg) {
    if (kind(a) == kMixed) refuse(Reason::kSignUnknown, "the logarithm of a product that may be negative", a);
    return atom_form(log(rebuild(arena_, a)));
  }
  NormalForm r = constant_form(std::log(c)), keys;
  const auto add = [&](const NormalForm& term, bool keyed) {
    (keyed ? keys : r) = sum(keyed ? keys : r, term);
  };
  for (const Power& p : m.atoms) {
    if (p.atom.is(Op::kIndicator)) continue;
    const NormalForm whole = p.atom.is(Op::kExp) ? form(p.atom.arg(0)) : atom_form(log(p.atom));
    add(scaled(whole, p.power), kind(p.atom) & kKeyed);
  }
  for (const ExponentTerm& t : m.exponent)
    add(monomial_form({t.product, {}}, t.coefficient), kind(t.product) & kKeyed);
  const std::vector<Expr> held = guards(m);
  if (!held.empty()) keys = masked_form(arena_, held, keys);
  return sum(r, keys);
}

// max2 and min2: a common non-negative row factor moves out, and so do exponentials when the row part that
// kept them small does.
NormalForm Separation::clamp(Expr e) {
  const NormalForm a = form(e.arg(0)), b = form(e.arg(1));
  const auto rebuilt = [&](const NormalForm& x, const NormalForm& y) {
    return atom_form(arena_.make(e.op(), {rebuild(arena_, x), rebuild(arena_, y)}));
  };
  const auto without_exponent = [&](const NormalForm& x, const NormalForm& y) {
    ExponentSum common = (x.empty() ? y : x).begin()->first.exponent;
    if (!shares_exponent(x, common) || !shares_exponent(y, common))
      refuse(Reason::kInseparableClamp, "a maximum or minimum of different exponentials", sum(x, y));
    return distribute(monomial_form({{}, common}), rebuilt(drop_exponent(x), drop_exponent(y)));
  };
  if (final_ && a.empty() != b.empty()) {
    const Aligned aligned = align(a.empty() ? b : a);
    return distribute(monomial_form({{}, aligned.exponent}),
                      a.empty() ? rebuilt(a, aligned.form) : rebuilt(aligned.form, b));
  }
  if ((kind(a) | kind(b)) != kMixed) return rebuilt(a, b);
  const auto ga = group(a), gb = group(b);
  if (ga.size() <= 1 && gb.size() <= 1) {
    const Monomial row = ga.empty() ? gb.begin()->first : ga.begin()->first;
    const bool same = ga.empty() || gb.empty() || gb.begin()->first == row;
    const auto keys = [](const auto& g) { return g.empty() ? NormalForm{} : g.begin()->second; };
    if (same && is_nonneg(row)) return distribute(monomial_form(row), without_exponent(keys(ga), keys(gb)));
  }
  refuse(Reason::kInseparableClamp, "a maximum or minimum of a key value against a row reduction", sum(a, b));
}

// abs and relu let non-negative row factors through; abs any row factor.
NormalForm Separation::function(Expr e) {
  const NormalForm a = form(e.arg(0));
  const auto apply = [&](Op op, const NormalForm& x) {
    return atom_form(arena_.make(op, {rebuild(arena_, x)}));
  };
  if (kind(a) != kMixed) return apply(e.op(), a);
  if (e.is(Op::kAbs) || e.is(Op::kRelu)) {
    const auto groups = group(a);
    if (groups.size() == 1) {
      const auto& [row, keys] = *groups.begin();
      const ExponentSum common = keys.begin()->first.exponent;
      if (!shares_exponent(keys, common))
        refuse(Reason::kInseparableFunction, "a sign of a sum of different exponentials", a);
      const NormalForm inside = apply(e.op(), drop_exponent(keys)), outside = monomial_form({{}, common});
      if (is_nonneg(row)) return distribute(monomial_form(row), distribute(outside, inside));
      if (e.is(Op::kAbs)) return distribute(apply(Op::kAbs, monomial_form(row)), distribute(outside, inside));
      refuse(Reason::kSignUnknown, "relu of a key value times a row reduction that may be negative", a);
    }
  }
  refuse(Reason::kInseparableFunction,
         std::string(op_name(e.op())) + " of an expression that mixes keys and a row reduction", a);
}

NormalForm Separation::call(Expr e) {
  // Of keys and row leaves alone it stays as it is written: c * (i - j) multiplied out is no multiple of c,
  // and floor tells.
  if (!final_ && !(e.node().kind & kUnknown) && collect(e, {Op::kScan}).empty()) return atom_form(e);
  std::vector<Expr> args;
  std::uint8_t kinds = kFixed;
  for (Expr x : e.args()) {
    const NormalForm a = uncentre(form(x));
    kinds |= kind(a);
    args.push_back(x.is_bool() ? condition(x) : rebuild(arena_, a));
  }
  const Expr made = with_args(e, std::move(args));
  if (!final_ && kinds == kMixed)
    throw Inseparable(Reason::kInseparableFunction,
                      "a function of keys and a row reduction: " + to_string(made), made);
  return atom_form(made);
}

}  // namespace flashlight::fusion::algebra
