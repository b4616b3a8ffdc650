// SPDX-License-Identifier: Apache-2.0
// Sums of products: coefficient * prod atom^power * exp(sum coefficient * prod atom^power).
#pragma once

#include <map>
#include <vector>

#include "fusion/algebra/expr.h"

namespace flashlight::fusion::algebra {

struct Power {
  Expr atom;
  double power;
  friend bool operator==(const Power&, const Power&) = default;
  friend auto operator<=>(const Power&, const Power&) = default;
};

// Sorted by atom, one entry per atom, no zero power.
using Product = std::vector<Power>;

struct ExponentTerm {
  Product product;
  double coefficient;
  friend bool operator==(const ExponentTerm&, const ExponentTerm&) = default;
  friend auto operator<=>(const ExponentTerm&, const ExponentTerm&) = default;
};

// Sorted by product, one entry per product, no zero coefficient.
using ExponentSum = std::vector<ExponentTerm>;

// Indicators ([c], kIndicator) are atoms of power 1: they become selects again when rebuilt.
struct Monomial {
  Product atoms;
  ExponentSum exponent;
  bool is_unit() const { return atoms.empty() && exponent.empty(); }
  friend bool operator==(const Monomial&, const Monomial&) = default;
  friend auto operator<=>(const Monomial&, const Monomial&) = default;
};

// Monomial -> coefficient; empty is 0. The order of the map is the order everything is built in.
using NormalForm = std::map<Monomial, double>;

NormalForm constant_form(double c);
NormalForm atom_form(Expr atom, double power = 1);
NormalForm monomial_form(const Monomial& m, double coefficient = 1);
// [c1] * [c2] * ... for the conjuncts of c.
NormalForm indicator_form(Expr condition);
// exp of a normal form without exponents, as one monomial.
Monomial exponential(const NormalForm& exponent);

NormalForm sum(const NormalForm& a, const NormalForm& b);
NormalForm scaled(const NormalForm& a, double factor);
// Every term of a times every term of b.
NormalForm distribute(const NormalForm& a, const NormalForm& b);
Monomial multiply(const Monomial& a, const Monomial& b);

bool is_constant(const NormalForm& a, double value);

// Back to a canonical expression. Guards become selects, never multiplications (0 * inf is NaN), and an
// exponent with a known row part is evaluated as a whole (exp(s - m), never exp(s) * exp(-m)).
Expr rebuild(Arena& arena, const NormalForm& a);
Expr rebuild(Arena& arena, const Monomial& m, double coefficient = 1);
Expr rebuild(Arena& arena, const ExponentSum& exponent);

// The form divided by the size of its first coefficient, and that size: scaled copies of one value share a
// node.
struct Leading {
  NormalForm form;
  double size;
};
Leading without_leading_size(const NormalForm& a);

std::vector<Expr> conjuncts(Expr condition);
Expr conjunction(std::vector<Expr> conditions);  // sorted, without repetition; at least one
// The conditions of a monomial's indicators.
std::vector<Expr> guards(const Monomial& m);
// where(all conditions, a, -inf) with a's leading size outside.
NormalForm masked_form(Arena& arena, std::vector<Expr> conditions, const NormalForm& a);
// where(c, x, -inf) and where(c, x, 0).
bool is_masked(Expr e);
bool is_zeroed(Expr e);

std::uint8_t kind_of(const Product& p);
std::uint8_t kind_of(const Monomial& m);
std::uint8_t kind_of(const NormalForm& a);

bool holds_centred(const Monomial& m);
bool holds_centred(const NormalForm& a);
bool holds_exponent(const NormalForm& a);
// A sum over several terms in which column leaves are added to, or multiplied by, values of other axes.
bool mixes_columns(const NormalForm& a);
bool is_nonneg(const Monomial& m);  // even powers and non-negative atoms
bool is_positive(const Monomial& m);

}  // namespace flashlight::fusion::algebra
