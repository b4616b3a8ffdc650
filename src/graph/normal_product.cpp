// SPDX-License-Identifier: Apache-2.0
// Float products and powers: flattened, host values in one Scalar, powers of one base merged.
#include <cmath>

#include "graph/normal.h"
#include "graph/simplify.h"

namespace flashlight::graph {
namespace {

bool is_whole(const Sym& e) { return e.as_real() && std::nearbyint(*e.as_real()) == *e.as_real(); }
bool is_odd(const Sym& e) { return is_whole(e) && std::fmod(*e.as_real(), 2) != 0; }

void put(std::vector<Weighted>& factors, const Operand& o, const Sym& exponent) {
  auto it = std::find_if(factors.begin(), factors.end(), [&](auto& f) { return f.operand == o; });
  if (it == factors.end()) factors.push_back({o, exponent});
  else it->weight = it->weight + exponent;
}

}  // namespace

void NormalForm::expand_product(const Operand& o, const Sym& exponent, Product& out) {
  if (const auto v = scalar_value(o)) {
    out.scalar = out.scalar * make_sym(SymOp::Pow, {*v, exponent});
  } else if (is_fn(o, Fn::Mul) && is_whole(exponent)) {
    for (const Operand& p : operands_of(o)) expand_product(p, exponent, out);
  } else if (is_fn(o, Fn::Mul) && b_.node(node(o).operands[0].node).op == Op::Scalar &&
             is_positive(b_.node(node(o).operands[0].node).value)) {
    std::vector<Operand> rest = operands_of(o);  // (s*x)^e == s^e * x^e for s > 0
    out.scalar = out.scalar * make_sym(SymOp::Pow, {*scalar_value(rest[0]), exponent});
    rest.erase(rest.begin());
    expand_product(rest.size() == 1 ? rest[0] : emit(Fn::Mul, Type::Float, rest), exponent, out);
  } else if (is_fn(o, Fn::Pow) && b_.node(node(o).operands[1].node).op == Op::Scalar) {
    const std::vector<Operand> parts = operands_of(o);
    const Sym inner = *scalar_value(parts[1]);
    // (x^2)^0.5 is |x|
    const bool merges =
        is_whole(exponent) || (inner.is_constant() && exponent.is_constant() && !is_whole(inner));
    if (merges) expand_product(parts[0], inner * exponent, out);
    else put(out.factors, o, exponent);
  } else if (is_fn(o, Fn::Add) && is_whole(exponent)) {
    expand_sum_factor(o, exponent, out);
  } else {
    put(out.factors, o, exponent);
  }
}

// Of a sum and its negative one stands in products, so that (a-b)*c is -(b-a)*c and (a-b)^2 is (b-a)^2.
void NormalForm::expand_sum_factor(const Operand& o, const Sym& exponent, Product& out) {
  const Operand other = negative(o);
  if (is_fn(other, Fn::Add) && compare(other, o) < 0) {
    if (is_odd(exponent)) out.scalar = -out.scalar;
    put(out.factors, other, exponent);
  } else {
    put(out.factors, o, exponent);
  }
}

Operand NormalForm::collected(Product p) {
  std::vector<Operand> parts;
  auto raised = [&](const Operand& base, const Sym& e) {
    return e.as_real() == 1.0 ? base : emit(Fn::Pow, Type::Float, {base, scalar(e, Type::Float)});
  };
  for (const Weighted& f : p.factors) {
    if (f.weight.as_real() == 0.0) {  // x / x is not 1 where x is 0 or infinite
      parts.push_back(f.operand);
      parts.push_back(raised(f.operand, Sym(-1.0)));
    } else {
      parts.push_back(raised(f.operand, f.weight));
    }
  }
  const bool scaled = p.scalar.as_real() != 1.0;
  if (parts.size() == 1 && scaled && p.factors[0].weight.as_real() == 1.0) {
    if (p.scalar.as_real() == -1.0 && is_fn(parts[0], Fn::Add)) return negative(parts[0]);
    if (is_masked(parts[0]) && is_positive(p.scalar)) {
      const std::vector<Operand> mask = operands_of(parts[0]);
      return where(mask[0], product({scalar(p.scalar, Type::Float), mask[1]}), mask[2]);
    }
  }
  if (scaled || parts.empty()) parts.push_back(scalar(p.scalar, Type::Float));
  return parts.size() == 1 ? parts[0] : emit(Fn::Mul, Type::Float, parts);
}

Operand NormalForm::product(const std::vector<Operand>& operands) {
  Product p;
  for (const Operand& o : operands) expand_product(o, Sym(1.0), p);
  return collected(std::move(p));
}

Operand NormalForm::power(const Operand& base, const Operand& exponent) {
  const auto e = scalar_value(exponent);
  if (!e) return emit(Fn::Pow, Type::Float, {base, exponent});
  if (e->as_real() == 0.0) return scalar(Sym(1.0), Type::Float);
  Product p;
  expand_product(base, *e, p);
  return collected(std::move(p));
}

}  // namespace flashlight::graph
