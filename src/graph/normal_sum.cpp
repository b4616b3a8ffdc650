// SPDX-License-Identifier: Apache-2.0
// Float sums: flattened, like terms collected, and an added -inf mask moved around the sum it masks.
#include "graph/normal.h"

namespace flashlight::graph {
namespace {

// A sum reaches further sums through coefficients 1 and -1, which round nothing.
bool is_unit(const Sym& c) { return c.as_real() == 1.0 || c.as_real() == -1.0; }

void put(std::vector<Weighted>& terms, const Operand& o, const Sym& weight) {
  auto it = std::find_if(terms.begin(), terms.end(), [&](auto& t) { return t.operand == o; });
  if (it == terms.end()) terms.push_back({o, weight});
  else it->weight = it->weight + weight;
}

}  // namespace

void NormalForm::expand_sum(const Operand& o, const Sym& coefficient, Sum& out) {
  if (const auto v = scalar_value(o)) {
    out.constant = out.constant + coefficient * *v;
  } else if (is_fn(o, Fn::Add) && is_unit(coefficient)) {
    for (const Operand& p : operands_of(o)) expand_sum(p, coefficient, out);
  } else if (is_fn(o, Fn::Mul) && b_.node(node(o).operands[0].node).op == Op::Scalar) {
    std::vector<Operand> rest = operands_of(o);
    const Sym factor = *scalar_value(rest[0]);
    rest.erase(rest.begin());
    const Operand inner = rest.size() == 1 ? rest[0] : emit(Fn::Mul, Type::Float, rest);
    if (rest.size() == 1 && is_unit(coefficient * factor)) expand_sum(inner, coefficient * factor, out);
    else put(out.terms, inner, coefficient * factor);
  } else {
    put(out.terms, o, coefficient);
  }
}

Operand NormalForm::scaled(const Operand& o, const Sym& coefficient) {
  if (coefficient.as_real() == 1.0) return o;
  return at_node(o, [&](NormalForm& at, const Operand& whole) {
    return at.product({at.scalar(coefficient, Type::Float), whole});
  });
}

Operand NormalForm::negative(const Operand& o) {
  Sum s;
  expand_sum(o, Sym(-1.0), s);
  return collected(std::move(s));
}

Operand NormalForm::sum(const std::vector<Operand>& operands) {
  Sum s;
  for (const Operand& o : operands) expand_sum(o, Sym(1.0), s);
  return collected(std::move(s));
}

Operand NormalForm::collected(Sum s) {
  // A sum whose coefficients have become 1 is part of this one.
  for (std::size_t k = 0; k < s.terms.size();) {
    const Weighted t = s.terms[k];
    if (is_fn(t.operand, Fn::Add) && is_unit(t.weight)) {
      s.terms.erase(s.terms.begin() + static_cast<std::ptrdiff_t>(k));
      expand_sum(t.operand, t.weight, s);
      k = 0;
    } else {
      ++k;
    }
  }
  std::vector<Operand> parts;
  for (const Weighted& t : s.terms)
    if (t.weight.as_real() != 0.0) parts.push_back(scaled(t.operand, t.weight));
  if (s.constant.as_real() != 0.0 || parts.empty()) parts.push_back(scalar(s.constant, Type::Float));
  return masked_sum(parts);
}

Operand NormalForm::added(std::vector<Operand> parts) {
  return parts.size() == 1 ? parts[0] : emit(Fn::Add, Type::Float, std::move(parts));
}

bool NormalForm::depends_on(const Operand& o, const std::vector<NodeId>& targets) const {
  std::set<NodeId> seen;
  std::vector<NodeId> pending{o.node};
  while (!pending.empty()) {
    const NodeId id = pending.back();
    pending.pop_back();
    if (!seen.insert(id).second) continue;
    if (std::find(targets.begin(), targets.end(), id) != targets.end()) return true;
    for (const Operand& p : b_.node(id).operands) pending.push_back(p.node);
  }
  return false;
}

// where(c, x, -inf) + y is where(c, x + y, -inf), whether the mask was selected or added. A term that knows
// the mask, as the maximum of the masked scores does, stays outside: x - max(x) keeps its shape.
Operand NormalForm::masked_sum(const std::vector<Operand>& given) {
  std::vector<Operand> parts = given;
  sort(parts);
  for (std::size_t k = 0; k < parts.size() && parts.size() > 1; ++k) {
    if (!is_masked(parts[k])) continue;
    const std::vector<Operand> mask = operands_of(parts[k]);  // c, x, -inf
    std::vector<NodeId> targets{mask[0].node};
    if (is_fn(mask[0], Fn::And))
      for (const Operand& c : node(mask[0]).operands) targets.push_back(c.node);
    std::vector<Operand> inside{mask[1]}, outside;
    for (std::size_t t = 0; t < parts.size(); ++t) {
      if (t == k) continue;
      const bool joins = scalar_value(mask[1]) || !depends_on(parts[t], targets);
      (joins ? inside : outside).push_back(parts[t]);
    }
    if (inside.size() == 1) continue;
    outside.push_back(where(mask[0], sum(inside), mask[2]));
    return added(std::move(outside));
  }
  return added(std::move(parts));
}

}  // namespace flashlight::graph
