// SPDX-License-Identifier: Apache-2.0
// Two normal forms of a fix-up, and the choice between them.
#include "fusion/algebra/simplify_fixup.h"

#include <algorithm>

#include "fusion/algebra/separate.h"

namespace flashlight::fusion::algebra {
namespace {

bool is_reference(Expr e) { return e.is(Op::kRunningMax) || e.is(Op::kLazyMax) || e.is(Op::kCentre); }

// The atom of `m` beside `common`, if that is one reference.
bool is_reference_times(const Monomial& m, const Monomial& common, Power* beside) {
  if (m.exponent != common.exponent || m.atoms.size() != common.atoms.size() + 1) return false;
  bool found = false;
  for (const Power& p : m.atoms) {
    if (std::find(common.atoms.begin(), common.atoms.end(), p) != common.atoms.end()) continue;
    if (found) return false;
    *beside = p;
    found = true;
  }
  return found && beside->power == 1 && is_reference(beside->atom);
}

// ref*X + y*X -> (ref + y)*X, so that a reference that did not cancel is subtracted before anything is
// multiplied.
NormalForm factor_references(Arena& arena, NormalForm a, const std::vector<Expr>& references) {
  const NormalForm before = a;
  for (const auto& [m, c] : before) {
    if (!a.contains(m)) continue;
    for (const Power& p : m.atoms) {
      if (p.power != 1 || std::find(references.begin(), references.end(), p.atom) == references.end())
        continue;
      Monomial common = m;
      std::erase(common.atoms, p);
      NormalForm factor;
      std::vector<Monomial> taken;
      for (const auto& [n, d] : a) {
        Power beside{};
        if (!is_reference_times(n, common, &beside)) continue;
        factor = sum(factor, scaled(atom_form(beside.atom), d));
        taken.push_back(n);
      }
      if (taken.size() < 2) continue;
      for (const Monomial& n : taken) a.erase(n);
      a = sum(a, distribute(atom_form(rebuild(arena, factor)), monomial_form(common)));
      break;
    }
  }
  return a;
}

}  // namespace

bool centre_cancels(const NormalForm& a, Expr x) {
  for (const auto& [m, c] : a) {
    std::vector<Power> all(m.atoms.begin(), m.atoms.end());
    for (const ExponentTerm& t : m.exponent) all.insert(all.end(), t.product.begin(), t.product.end());
    for (const Power& p : all) {
      const bool alone = p.atom.is(Op::kCentre) && m.exponent.empty() && m.atoms.size() == 1 && p.power == 1;
      if (alone) continue;
      for (Expr r : collect(p.atom, {Op::kCentre}))
        if (!x || r.arg(0) == x) return false;
    }
  }
  return true;
}

// Multiplying out is worth it only where that removes a reference or shortens the result.
NormalForm simplify_fixup(Arena& arena, Expr fixup, const Knowns& knowns,
                          const std::vector<Expr>& references) {
  NormalForm expanded = Separation::fixup(arena, knowns, references).form(fixup);
  NormalForm plain = Separation::fixup(arena, knowns, {}).form(fixup);
  if (centre_cancels(expanded, {}) && (!centre_cancels(plain, {}) || expanded.size() < plain.size()))
    return expanded;
  return factor_references(arena, std::move(plain), references);
}

}  // namespace flashlight::fusion::algebra
