// SPDX-License-Identifier: Apache-2.0
// Sums over the keys that share their column factor, as one sum: fewer accumulators of a result's width.
#include <algorithm>

#include "fusion/algebra/separate.h"

namespace flashlight::fusion::algebra {

// One term of an output: outside * S[guards * weight * columns], the weight with what is known of the row
// before the sweep.
struct Separation::ColumnSum {
  Expr state;
  Monomial outside, shared;  // shared: guards and column factors of the summand
  NormalForm weight;
};

// exp(c x - c max x), half of it in the sum and half outside, as one factor of the key. Other exponentials
// stay where they are: they may be as large as the sum is small.
NormalForm Separation::settle_exponential(Monomial& outside, const Monomial& body) {
  if (body.exponent.empty()) return constant_form(1);
  if (body.exponent.size() != 1) return {};
  for (const ExponentTerm& t : outside.exponent) {
    const Expr known = t.product.size() == 1 && t.product[0].power == 1 ? t.product[0].atom : Expr();
    if (t.coefficient >= 0 || !known || !known.is(Op::kKnown) || !known.arg(0).is(Op::kReduceMax)) continue;
    const Expr u = rebuild(arena_, body.exponent);
    const Expr reference = where(eq(known, -std::numeric_limits<double>::infinity()), 0.0, known);
    const std::optional<NormalForm> factor =
        exponential_below_known(sum(form(u), scaled(atom_form(reference), t.coefficient)));
    const Expr scores = known.arg(0).arg(0);
    const NormalForm x = form(scores);
    std::vector<Expr> mask;  // the keys of the maximum
    for (const auto& [m, c] : x)
      for (const Power& p : m.atoms)
        if (is_masked(p.atom)) mask = conjuncts(p.atom.arg(0));
    const std::vector<Expr> held = guards(body);
    if (!factor || !std::includes(held.begin(), held.end(), mask.begin(), mask.end())) continue;
    std::erase(outside.exponent, t);
    return *factor;
  }
  return {};
}

std::optional<Separation::ColumnSum> Separation::column_sum(const Monomial& m, double c) {
  ColumnSum out;
  Monomial row;
  out.outside.exponent = m.exponent;
  for (const Power& p : m.atoms) {
    if (p.atom.is(Op::kRawSum) && p.power == 1 && !out.state) out.state = p.atom;
    else (kind(p.atom) == kFixed && !p.atom.node().column ? row : out.outside).atoms.push_back(p);
  }
  if (!out.state) return std::nullopt;
  const NormalForm body = form(out.state.arg(0));
  if (body.size() != 1 || holds_centred(body)) return std::nullopt;
  const NormalForm factor = settle_exponential(out.outside, body.begin()->first);
  if (factor.empty()) return std::nullopt;
  const auto& [term, d] = *body.begin();
  Monomial weight;
  bool column = false;
  for (const Power& p : term.atoms) {
    const bool guard = p.atom.is(Op::kIndicator);
    if (guard && p.atom.arg(0).is(Op::kAttainsMax)) return std::nullopt;
    column = column || p.atom.node().column;
    (guard || p.atom.node().column ? out.shared : weight).atoms.push_back(p);
  }
  if (!column) return std::nullopt;
  out.weight = distribute(monomial_form(multiply(row, weight), c * d), factor);
  return out;
}

void Separation::join_sums(std::vector<NormalForm>& outputs) {
  std::map<Expr, int> uses;  // a sum that stays anyway is not worth joining
  for (const NormalForm& a : outputs)
    for (const auto& [m, c] : a)
      for (Expr s : collect(rebuild(arena_, m), {Op::kRawSum})) ++uses[s];
  for (NormalForm& output : outputs) {
    std::map<std::pair<Monomial, Monomial>, std::vector<std::pair<Monomial, NormalForm>>> joined;
    for (const auto& [m, c] : output)
      if (const auto s = column_sum(m, c); s && uses[s->state] == 1)
        joined[{s->outside, s->shared}].push_back({m, s->weight});
    for (const auto& [around, terms] : joined) {
      if (terms.size() < 2) continue;
      NormalForm weight;
      for (const auto& [m, w] : terms) weight = sum(weight, w), output.erase(m);
      const NormalForm summand = distribute(as_atom(weight), monomial_form(around.second));
      const Expr state = arena_.make(Op::kRawSum, {rebuild(arena_, summand)});
      output = sum(output, distribute(monomial_form(around.first), atom_form(state)));
    }
  }
}

}  // namespace flashlight::fusion::algebra
