// SPDX-License-Identifier: Apache-2.0
// Conditions and selects.
#include <algorithm>
#include <cmath>

#include "fusion/algebra/interval.h"
#include "fusion/algebra/separate.h"

namespace flashlight::fusion::algebra {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

bool all_indicators(const Monomial& m) {
  return std::all_of(m.atoms.begin(), m.atoms.end(),
                     [](const Power& p) { return p.atom.is(Op::kIndicator); });
}

bool is_finite(const NormalForm& a) {
  return std::all_of(a.begin(), a.end(), [](const auto& t) { return std::isfinite(t.second); });
}

bool is_exponent_alive(Expr condition, Expr exponent) {  // u > -inf
  return condition.is(Op::kGt) && condition.arg(1).is_constant(-kInf) && condition.arg(0) == exponent;
}

}  // namespace

// A condition with its operands in normal form; throws where it compares keys with a reduction of this sweep.
Expr Separation::condition(Expr e) {
  if (knowns_.contains(e)) return arena_.make(Op::kKnown, {e});
  switch (e.op()) {
    case Op::kLeaf:
    case Op::kKnown:
    case Op::kAttainsMax:
    case Op::kRunningAny:
    case Op::kConstant: return e;
    case Op::kNot: return not_of(condition(e.arg(0)));
    case Op::kAnd:
    case Op::kOr: {
      std::vector<Expr> args;
      for (Expr x : e.args()) args.push_back(condition(x));
      return e.is(Op::kAnd) ? conjunction(std::move(args)) : with_args(e, std::move(args));
    }
    case Op::kGt:
    case Op::kGe:
    case Op::kEq: return comparison(e);
    case Op::kReduceAny: return reduce_any(e.arg(0), false);
    case Op::kReduceAll: return not_of(reduce_any(e.arg(0), true));
    case Op::kWhere: {
      const Expr c = condition(e.arg(0)), a = condition(e.arg(1)), b = condition(e.arg(2));
      return any_of({conjunction({c, a}), conjunction({not_of(c), b})});
    }
    case Op::kCall: return call(e).begin()->first.atoms[0].atom;
    default: break;
  }
  const NormalForm a = form(e);  // a number used as a condition
  if (!final_ && kind(a) == kMixed)
    refuse(Reason::kComparisonWithReduction, "a condition mixes a key value and a row reduction", a);
  return not_of(eq(rebuild(arena_, a), 0.0));
}

namespace {

bool is_known_extremum(const Monomial& m) {
  return m.exponent.empty() && m.atoms.size() == 1 && m.atoms[0].power == 1 &&
         algebra::is_known_extremum(m.atoms[0].atom);
}

}  // namespace

// The elements that the extremum is of, whether a mask leaves some out or not, where `a` is those: the
// quotient of two numbers may differ in the last bit.
std::optional<NormalForm> Separation::own_elements(Expr known, const NormalForm& a) {
  constexpr double kSame = 1e-12;
  const auto is = [&](const NormalForm& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
      return x.first == y.first && std::abs(x.second - y.second) <= kSame * std::abs(y.second);
    });
  };
  const Expr of = known.arg(0).arg(0);
  const bool masked = of.is(Op::kWhere) && of.arg(2).is(Op::kConstant);
  for (Expr elements : {of, masked ? of.arg(1) : of})
    if (const NormalForm own = uncentre(form(elements)); is(own)) return own;
  return std::nullopt;
}

// c (x - max x) < 0 and c x < c max x as x < max x: differences and products round, and where x is the
// maximum the two sides need not be equal. Null, or the extremum, where it stood in a difference.
Expr Separation::isolate_extremum(NormalForm& a, NormalForm& b) {
  for (auto [from, other] : {std::pair(&a, &b), std::pair(&b, &a)}) {
    for (const auto& [m, c] : NormalForm(*from)) {
      if (!is_known_extremum(m)) continue;
      const Expr known = m.atoms[0].atom;
      if (from->size() > 1 && other->empty()) {  // c known + rest against 0
        NormalForm rest = *from;
        rest.erase(m);
        const auto own = own_elements(known, scaled(rest, -1 / c));
        if (!own) continue;
        *from = scaled(*own, c > 0 ? -1 : 1);
        *other = monomial_form(m, c > 0 ? -1 : 1);
        return known;
      }
      if (from->size() > 1) continue;
      if (const auto own = own_elements(known, scaled(*other, 1 / c))) {
        *from = monomial_form(m, c > 0 ? 1 : -1);
        *other = scaled(*own, c > 0 ? 1 : -1);
        return {};
      }
    }
  }
  return {};
}

// A power of two, and a single factor of what is rounded already, round alike before and after the maximum.
bool is_exact_extremum(Expr fixup) {
  if (!fixup.is(Op::kMul)) return is_state(fixup.op());
  if (fixup.args().size() != 2 || !fixup.arg(0).is(Op::kConstant) || !is_state(fixup.arg(1).op()))
    return false;
  int exponent = 0;
  if (std::abs(std::frexp(fixup.arg(0).value(), &exponent)) == 0.5) return true;
  const Expr state = fixup.arg(1);
  return state.is(Op::kRunningMax) && !state.arg(0).is(Op::kMul) && !state.arg(0).is(Op::kAdd);
}

Expr Separation::comparison(Expr e) {
  if (final_) return with_args(e, {rebuild(arena_, form(e.arg(0))), rebuild(arena_, form(e.arg(1)))});
  NormalForm a = uncentre(form(e.arg(0))), b = uncentre(form(e.arg(1)));
  const Expr subtracted = isolate_extremum(a, b);
  if (const Expr own = own_extremum(e, a, b)) return own;
  if ((kind(a) | kind(b)) != kMixed) {
    const Expr compared = with_args(e, {rebuild(arena_, a), rebuild(arena_, b)});
    if (!subtracted || e.is(Op::kGt)) return compared;
    return conjunction({compared, gt(arena_.constant(kInf), abs(subtracted))});  // inf - inf is no number
  }
  if (b.empty() && a.size() == 1) {  // the sign of a product
    const auto& [m, c] = *a.begin();
    const Parts parts = split(m);
    if (is_positive(parts.rest)) { return sign_of_keys(e, parts.keys, c); }
  }
  if (const Expr attained = attained_maximum(e.op(), a, b)) return attained;
  refuse(Reason::kComparisonWithReduction, "a comparison of a key value with a row reduction selects keys",
         sum(a, scaled(b, -1)));
}

// x == max x where x needs no reduction of this sweep. A maximum made known earlier serves if it is one of
// the values compared, to the bit; otherwise it is taken again.
Expr Separation::own_extremum(Expr e, const NormalForm& a, const NormalForm& b) {
  const auto is = [](Expr reduction, Op op, Expr of) { return reduction.is(op) && reduction.arg(0) == of; };
  const Expr x = e.arg(0), y = e.arg(1);
  const auto attains = [&](Expr reduction, const NormalForm& keys, double sign) -> Expr {
    if (kind(keys) != kKeyed) return {};
    const Expr value = rebuild(arena_, scaled(keys, sign));
    const auto known = knowns_.find(reduction);
    if (known != knowns_.end() && known->second == extremum_of_keys(keys, sign > 0 ? 1 : -1) &&
        is_exact_extremum(rebuild(arena_, known->second)))
      return eq(rebuild(arena_, keys), arena_.make(Op::kKnown, {reduction}));
    return arena_.make(Op::kAttainsMax, {value});
  };
  if (e.is(Op::kGt)) return {};
  if (is(y, Op::kReduceMax, x)) return attains(y, a, 1);
  if (is(x, Op::kReduceMin, y)) return attains(x, b, -1);
  if (e.is(Op::kEq) && is(x, Op::kReduceMax, y)) return attains(x, b, 1);
  if (e.is(Op::kEq) && is(y, Op::kReduceMin, x)) return attains(y, a, -1);
  return {};
}

// Compares x exp(u) with 0: exp(u) is positive unless u = -inf.
Expr Separation::sign_of_keys(Expr e, const Monomial& keys, double c) {
  if (e.is(Op::kGt) && c > 0 && all_indicators(keys)) {
    std::vector<Expr> all = guards(keys);
    if (!keys.exponent.empty()) all.push_back(gt(rebuild(arena_, keys.exponent), -kInf));
    return conjunction(std::move(all));
  }
  const Expr sign = with_args(e, {rebuild(arena_, Monomial{keys.atoms, {}}, c), arena_.constant(0)});
  if (keys.exponent.empty()) return sign;
  const Expr alive = gt(rebuild(arena_, keys.exponent), -kInf);
  return e.is(Op::kGt) ? conjunction({alive, sign}) : any_of({not_of(alive), sign});
}

// x == max x, x >= max x, x == min x, min x >= x. Only for x as written: exp(x) == max exp(x) ties more
// often.
Expr Separation::attained_maximum(Op op, const NormalForm& a, const NormalForm& b) {
  const auto attains = [&](const NormalForm& x, const NormalForm& bound, int sign) {
    return kind(x) == kKeyed &&
           std::all_of(x.begin(), x.end(), [](const auto& t) { return t.first.exponent.empty(); }) &&
           extremum_of_keys(x, sign) == bound;
  };
  const auto condition = [&](const NormalForm& x) {
    return arena_.make(Op::kAttainsMax, {rebuild(arena_, x)});
  };
  if (op == Op::kEq || op == Op::kGe) {
    if (attains(a, b, +1)) return condition(a);
    if (attains(b, a, -1)) return condition(scaled(b, -1));
  }
  if (op == Op::kEq) {
    if (attains(b, a, +1)) return condition(b);
    if (attains(a, b, -1)) return condition(scaled(a, -1));
  }
  return {};
}

// A condition used as a number.
NormalForm Separation::boolean(Expr e) {
  const Expr c = condition(e);
  if (!final_ && kind(c) == kMixed)
    throw Inseparable(Reason::kComparisonWithReduction,
                      "a condition mixes keys and a row reduction: " + to_string(c), c);
  if (kind(c) == kKeyed) return indicator_form(c);
  return atom_form(where(c, arena_.constant(1), 0.0));
}

// where(c, a, 0), or where(c, 0, a) when negated, of a form without U part.
NormalForm Separation::zeroed(Expr c, const NormalForm& keys, bool negated) {
  NormalForm r;
  for (const auto& [m, coefficient] : keys) {
    std::vector<Expr> all = negated ? std::vector<Expr>{not_of(c)} : conjuncts(c);
    if (!m.exponent.empty() && !negated) {
      const Expr u = rebuild(arena_, m.exponent);
      std::erase_if(all, [&](Expr x) { return is_exponent_alive(x, u); });  // [u > -inf] exp(u) = exp(u)
    }
    NormalForm term = monomial_form(m, coefficient);
    for (Expr x : all) term = distribute(term, indicator_form(x));
    r = sum(r, term);
  }
  return r;
}

NormalForm Separation::select(Expr e) {
  NormalForm a = form(e.arg(1)), b = form(e.arg(2));
  Expr c = condition(e.arg(0));
  if (is_constant(a, -kInf) && !is_constant(b, -kInf)) std::swap(a, b), c = not_of(c);
  const std::uint8_t all = kind(a) | kind(b) | kind(c);
  if (!final_ && all == kMixed) return select_mixed(c, a, b);
  if (is_constant(b, -kInf)) {
    std::vector<Expr> mask = conjuncts(c);
    if (const Expr x = rebuild(arena_, a); is_masked(x)) {
      const std::vector<Expr> inner = conjuncts(x.arg(0));
      mask.insert(mask.end(), inner.begin(), inner.end());
      a = form(x.arg(1));
    }
    return masked_form(arena_, std::move(mask), a);
  }
  const bool selects_keys = !final_ && all == kKeyed && is_finite(a) && is_finite(b);
  if (selects_keys && b.empty() && !a.empty()) return zeroed(c, a, false);
  if (selects_keys && a.empty() && !b.empty()) return zeroed(c, b, true);
  return atom_form(where(c, rebuild(arena_, a), rebuild(arena_, b)));
}

NormalForm Separation::select_mixed(Expr c, const NormalForm& a, const NormalForm& b) {
  if (kind(c) == kMixed)
    throw Inseparable(Reason::kComparisonWithReduction,
                      "a mask mixes keys and a row reduction: " + to_string(c), c);
  NormalForm r;
  if (is_constant(b, -kInf) || is_constant(b, kInf)) {  // an infinity absorbs finite row terms
    NormalForm keys;
    for (const auto& [row, k] : group(a)) {
      if (row.is_unit()) keys = k;
      else if (kind(k) != kFixed)
        refuse(Reason::kInseparableSelect, "a masked product of a key value and a row reduction", a);
      else r = sum(r, distribute(monomial_form(row), k));
    }
    if (kind(c) == kUnknown)
      throw Inseparable(Reason::kInseparableSelect,
                        "a mask that depends on a row reduction only: " + to_string(c), c);
    return sum(form(where(c, rebuild(arena_, keys), rebuild(arena_, b))), r);
  }
  for (const bool negated : {false, true})
    for (const auto& [row, keys] : group(negated ? b : a)) {
      if (kind(c) & kUnknown) {
        const Expr x = rebuild(arena_, row), zero = arena_.constant(0);
        r = sum(r, distribute(atom_form(negated ? where(c, zero, x) : where(c, x, zero)), keys));
      } else {
        r = sum(r, distribute(monomial_form(row), zeroed(c, keys, negated)));
      }
    }
  return r;
}

}  // namespace flashlight::fusion::algebra
