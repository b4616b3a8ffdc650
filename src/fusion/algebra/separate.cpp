// SPDX-License-Identifier: Apache-2.0
// Sums and products of normal forms, and centring.
#include "fusion/algebra/separate.h"

#include <algorithm>

#include "fusion/algebra/interval.h"

namespace flashlight::fusion::algebra {

Separation::Separation(Arena& arena, const Knowns& knowns, bool strict, bool inside)
    : arena_(arena), knowns_(knowns), strict_(strict), rows_stay_(strict && !inside) {}

Separation Separation::fixup(Arena& arena, const Knowns& knowns, std::vector<Expr> references) {
  Separation s(arena, knowns);
  s.final_ = true;
  s.references_ = std::move(references);
  return s;
}

void Separation::refuse(Reason reason, const std::string& what, const NormalForm& at) {
  const Expr e = rebuild(arena_, at);
  throw Inseparable(reason, what + ": " + to_string(e), e);
}

const NormalForm& Separation::form(Expr e) {
  if (const auto it = memo_.find(e); it != memo_.end()) return it->second;
  NormalForm a = derive(e);
  return memo_.insert_or_assign(e, std::move(a)).first->second;
}

NormalForm Separation::derive(Expr e) {
  if (knowns_.contains(e)) {
    const Expr known = arena_.make(Op::kKnown, {e});
    return e.is_bool() ? boolean(known) : atom_form(known);
  }
  if (e.is_bool()) return boolean(e);
  if (is_state(e.op())) return atom_form(e);
  switch (e.op()) {
    case Op::kConstant: return constant_form(e.value());
    case Op::kLeaf:
    case Op::kStreamLength:
    case Op::kKnown:
    case Op::kCarried:
    case Op::kIndicator:
    case Op::kCentred: return atom_form(e);
    case Op::kAdd: {
      NormalForm a;
      for (Expr x : e.args()) a = sum(a, form(x));
      if (final_) return a;
      return kind(a) == kMixed ? centre(a) : merge_masks(a);
    }
    case Op::kMul: {
      NormalForm a = form(e.arg(0));
      for (std::size_t i = 1; i < e.args().size(); ++i) a = product(a, form(e.arg(i)));
      return final_ ? a : mask_outside(a);
    }
    case Op::kPow: return power(form(e.arg(0)), e.value());
    case Op::kExp: return exponential_of(form(e.arg(0)));
    case Op::kLog: return logarithm(form(e.arg(0)));
    case Op::kMax2:
    case Op::kMin2: return clamp(e);
    case Op::kAbs:
    case Op::kRelu:
    case Op::kTanh:
    case Op::kSigmoid: return function(e);
    case Op::kCall: return call(e);
    case Op::kWhere: return select(e);
    case Op::kReduceSum: return reduce_sum(e.arg(0));
    case Op::kReduceMax: return reduce_extremum(e.arg(0), +1);
    case Op::kReduceMin: return reduce_extremum(e.arg(0), -1);
    case Op::kReduceProd: return reduce_prod(e.arg(0));
    case Op::kScan: return scan(e);
    default: break;
  }
  throw Inseparable(Reason::kOpaque, std::string("no law for ") + op_name(e.op()) + ": " + to_string(e), e);
}

// where(c, x, -inf) + where(d, y, -inf) + z = where(c and d, x + y + z, -inf): one guard however masks are
// spelled. Not in sums with a row part, whose terms have references of their own (log p - log q).
NormalForm Separation::merge_masks(const NormalForm& terms) {
  const auto mask_of = [](const Monomial& m, double c) -> Expr {
    const bool sole = m.exponent.empty() && m.atoms.size() == 1 && m.atoms[0].power == 1;
    return sole && c > 0 && is_masked(m.atoms[0].atom) ? m.atoms[0].atom : Expr();
  };
  std::size_t masked = 0, keyed = 0;
  for (const auto& [m, c] : terms)
    if (kind(m) == kKeyed) ++(mask_of(m, c) ? masked : keyed);
  if (masked == 0 || masked + keyed == 1 || holds_exponent(terms)) return terms;
  NormalForm inside, outside;
  std::vector<Expr> conditions;
  for (const auto& [m, c] : terms) {
    const Expr mask = mask_of(m, c);
    if (kind(m) != kKeyed) outside.emplace(m, c);
    else if (!mask) inside = sum(inside, monomial_form(m, c));
    else {
      const std::vector<Expr> more = conjuncts(mask.arg(0));
      conditions.insert(conditions.end(), more.begin(), more.end());
      inside = sum(inside, scaled(form(mask.arg(1)), c));
    }
  }
  return sum(outside, masked_form(arena_, std::move(conditions), inside));
}

// where(c, x, -inf) * r = where(c, x r, -inf) for r >= 0 known before the sweep, so that the mask guards what
// is made of it. (An r of 0 makes NaN of the hidden keys in eager code.)
NormalForm Separation::mask_outside(const NormalForm& a) {
  if (a.size() != 1 || kind(a) != kKeyed || holds_exponent(a)) return a;
  const auto& [m, c] = *a.begin();
  const auto mask = std::find_if(m.atoms.begin(), m.atoms.end(),
                                 [](const Power& p) { return p.power == 1 && is_masked(p.atom); });
  if (mask == m.atoms.end() || m.atoms.size() == 1) return a;
  Monomial rest = m;
  std::erase_if(rest.atoms, [&](const Power& p) { return p == *mask; });
  if (kind(rest) != kFixed || !is_nonneg(rebuild(arena_, rest, c))) return a;
  return masked_form(arena_, conjuncts(mask->atom.arg(0)),
                     distribute(form(mask->atom.arg(1)), monomial_form(rest, c)));
}

Separation::Parts Separation::split(const Monomial& m) const {
  Parts parts;
  for (const Power& p : m.atoms) (kind(p.atom) & kKeyed ? parts.keys : parts.rest).atoms.push_back(p);
  for (const ExponentTerm& t : m.exponent)
    (kind(t.product) & kKeyed ? parts.keys : parts.rest).exponent.push_back(t);
  return parts;
}

std::map<Monomial, NormalForm> Separation::group(const NormalForm& a) const {
  std::map<Monomial, NormalForm> groups;
  for (const auto& [m, c] : a) {
    const Parts parts = split(m);
    NormalForm& g = groups[parts.rest];
    g = sum(g, monomial_form(parts.keys, c));
  }
  std::erase_if(groups, [](const auto& g) { return g.second.empty(); });
  return groups;
}

NormalForm Separation::as_atom(const NormalForm& a) { return atom_form(rebuild(arena_, a)); }

bool Separation::holds_reference(const NormalForm& a) const {
  const auto is_reference = [&](const Power& p) {
    return std::find(references_.begin(), references_.end(), p.atom) != references_.end();
  };
  for (const auto& [m, c] : a) {
    if (std::any_of(m.atoms.begin(), m.atoms.end(), is_reference)) return true;
    for (const ExponentTerm& t : m.exponent)
      if (std::any_of(t.product.begin(), t.product.end(), is_reference)) return true;
  }
  return false;
}

// A sum of keys that can be one factor: nothing in it needs a reference, and a contraction can compute it.
bool Separation::stays_whole(const NormalForm& keys) {
  return keys.size() > 1 && !holds_exponent(keys) && !holds_centred(keys) && !mixes_columns(keys);
}

// A sum that mixes keys and row is multiplied out; a sum of keys or of row values alone stays one atom,
// evaluated as written (distributed over an infinite or large value it would cancel).
NormalForm Separation::product(const NormalForm& a, const NormalForm& b) {
  if (!final_) {
    for (const auto& [x, y] : {std::pair(&a, &b), std::pair(&b, &a)}) {
      if (x->size() <= 1 || y->size() != 1 || y->begin()->first.is_unit()) continue;
      if (kind(*x) == kMixed) return distribute(regroup(*x), *y);
      if (kind(*x) == kKeyed && stays_whole(*x)) return distribute(as_atom(*x), *y);
      if (!(kind(*x) & kKeyed) && (kind(*y) & kKeyed)) return distribute(as_atom(*x), *y);
    }
  }
  if (a.size() <= 1 || b.size() <= 1) return distribute(a, b);
  if (final_) {
    if (holds_reference(a) || holds_reference(b)) return distribute(a, b);
    return distribute(as_atom(a), as_atom(b));
  }
  if ((kind(a) | kind(b)) != kMixed && !holds_centred(a) && !holds_centred(b))
    return distribute(mixes_columns(a) ? a : as_atom(a), mixes_columns(b) ? b : as_atom(b));
  return distribute(regroup(a), regroup(b));
}

// The key part and the row part of a sum as one quantity each, so that multiplying out makes few terms.
// Exponentials stay apart: the row part that kept them small has just been split off, so they need
// references.
NormalForm Separation::regroup(const NormalForm& a) {
  NormalForm terms, row;
  for (const auto& [rest, keys] : group(a)) {
    if (kind(keys) == kFixed) row = sum(row, distribute(monomial_form(rest), keys));
    else if (stays_whole(keys)) {
      const Leading leading = without_leading_size(keys);
      terms = sum(terms, distribute(monomial_form(rest, leading.size), as_atom(leading.form)));
    } else terms = sum(terms, distribute(monomial_form(rest), keys));
  }
  return sum(terms, row.size() <= 1 || !(kind(row) & kUnknown) ? row : as_atom(row));
}

// X + r -> (X - rho) + (rho + r) with rho the reference of X: the freedom of the reference is used before
// anything is multiplied out, so that variances do not cancel.
NormalForm Separation::centre(const NormalForm& a) {
  const auto groups = group(a);
  const auto pure = groups.find(Monomial{});
  if (pure == groups.end() || !(kind(pure->second) & kKeyed)) return a;
  NormalForm keys;
  for (const auto& [m, c] : pure->second) {
    if (!m.exponent.empty()) return a;
    if ((kind(m) & kKeyed) && !holds_centred(m)) keys.emplace(m, c);
  }
  if (keys.empty()) return a;
  const bool is_sum = keys.size() > 1;
  double c = is_sum ? 1 : keys.begin()->second;
  Expr x = is_sum ? rebuild(arena_, keys) : rebuild(arena_, keys.begin()->first), mask;
  if (is_masked(x)) mask = x.arg(0), x = x.arg(1);
  if (is_zeroed(x)) return a;
  if (const NormalForm value = form(x); !holds_exponent(value)) {
    const Leading leading = without_leading_size(value);
    x = rebuild(arena_, leading.form);
    c *= leading.size;
  }
  NormalForm row;
  for (const auto& [m, d] : a)
    if (kind(m) == kUnknown) row.emplace(m, -d / c);
  for (int sign : {1, -1})
    if (!mask && extremum_of_keys(form(x), sign) == row) natural_[x] = sign;
  centred_.insert(x);
  const Expr deviation = arena_.make(Op::kCentred, {x});
  NormalForm r = a;
  for (const auto& [m, d] : keys) r.erase(m);
  r = sum(r, scaled(atom_form(mask ? where(mask, deviation, -std::numeric_limits<double>::infinity())
                                   : deviation),
                    c));
  return sum(r, scaled(atom_form(arena_.make(Op::kCentre, {x})), c));
}

// Back to x - rho where the polynomial form is not wanted: exponents, extrema and comparisons.
NormalForm Separation::uncentre(const NormalForm& a) {
  const auto deviation = [](Expr e) {
    return e.is(Op::kCentred) || (is_masked(e) && e.arg(1).is(Op::kCentred));
  };
  const auto row_sum = [&](Expr e) {
    return e.is(Op::kAdd) && kind(e) == kUnknown && !collect(e, {Op::kCentre}).empty();
  };
  const auto find = [](const Monomial& m, auto wanted) {
    return std::find_if(m.atoms.begin(), m.atoms.end(),
                        [&](const Power& p) { return p.power == 1 && wanted(p.atom); });
  };
  NormalForm r;
  bool found = false;
  for (const auto& [m, c] : a) {
    auto hit = find(m, deviation);
    const bool is_sum = hit == m.atoms.end();
    if (is_sum) hit = find(m, row_sum);
    if (!m.exponent.empty() || hit == m.atoms.end()) {
      r = sum(r, monomial_form(m, c));
      continue;
    }
    found = true;
    const Expr atom = hit->atom;
    Monomial others = m;
    std::erase_if(others.atoms, [&](const Power& p) { return p.atom == atom; });
    NormalForm value;
    if (is_sum) {
      for (Expr x : atom.args()) value = sum(value, form(x));
    } else {
      const bool masked = is_masked(atom);
      const Expr x = (masked ? atom.arg(1) : atom).arg(0);
      if (masked) value = form(where(atom.arg(0), x, -std::numeric_limits<double>::infinity()));
      else value = x.is(Op::kMul) ? form(x) : atom_form(x);
      value = sum(value, scaled(atom_form(arena_.make(Op::kCentre, {x})), -1));
    }
    r = sum(r, distribute(monomial_form(others, c), is_sum ? uncentre(value) : value));
  }
  return !found || r == a ? r : uncentre(r);  // a coefficient may be NaN, which equals nothing
}

}  // namespace flashlight::fusion::algebra
