// SPDX-License-Identifier: Apache-2.0
// Inside of Sym: its node, terms of sums, and the constructors that simplify. For the files sym.cpp and
// simplify*.cpp only.
#pragma once
#include <map>

#include "graph/sym.h"

namespace flashlight::graph {

struct Sym::Node {
  SymOp op = SymOp::Integer;
  SymType type = SymType::Integer;
  std::int64_t integer = 0;  // Integer, Boolean, Axis, Datum
  double real = 0;           // Real
  SymbolId id;
  std::string callee;
  std::vector<Sym> args;
  std::size_t hash = 0;
};

// Wraps a node as it is, without simplification; fills in the hash.
Sym wrap(Sym::Node node);
Sym raw(SymOp op, SymType type, std::vector<Sym> args, std::string callee = {});

namespace simplify {

// A constant of a sum or product: exact for integers.
struct Number {
  bool is_real = false;
  std::int64_t i = 0;
  double r = 0;
  double value() const { return is_real ? r : static_cast<double>(i); }
  bool is(int v) const { return is_real ? r == v : i == v; }
  bool operator==(const Number&) const = default;
};
Number number(const Sym& constant);
Sym constant(const Number&);
Number operator+(const Number&, const Number&);
Number operator*(const Number&, const Number&);

// coef * product of factors; factors are sorted and not constant.
using Factors = std::vector<Sym>;
using Terms = std::map<Factors, Number>;

void add_terms(const Sym& e, const Number& scale, Terms& out);
Terms terms_of(const Sym& integer_sum);
Sym sum_of(const Terms&, SymType);
Sym product_of(const Factors&, const Number&, SymType);

// One integer monomial divided by another, if that leaves an integer monomial.
struct Term {
  Number coef;
  Factors factors;
};
std::optional<Term> quotient(const Term& a, const Term& b);
// The greatest monomial that divides both; its coefficient is positive.
Term common_factor(const Term& a, const Term& b);

Sym add(const std::vector<Sym>& args);
Sym mul(const std::vector<Sym>& args);
Sym power(const Sym& base, const Sym& exponent);
Sym integer_quotient(const Sym& a, const Sym& b);   // FloorDiv
Sym integer_remainder(const Sym& a, const Sym& b);  // Mod
Sym extremum(SymOp op, std::vector<Sym> args);
Sym compare(SymOp op, Sym a, Sym b);
Sym logic(SymOp op, std::vector<Sym> args);
Sym negate(const Sym& condition);
Sym select(const Sym& condition, Sym a, Sym b);
Sym call(std::string callee, std::vector<Sym> args);
Sym to_integer(const Sym& e);
Sym to_real(const Sym& e);
// The arguments of an arithmetic op in their common type (C++'s usual conversions).
SymType common_type(std::vector<Sym>& args);

double host_function(const std::string& callee, const std::vector<double>& args);
std::int64_t floor_quotient(std::int64_t a, std::int64_t b);
std::int64_t floor_remainder(std::int64_t a, std::int64_t b);

}  // namespace simplify

// Facts that hold for every launch: sizes are at least 1.
bool is_positive(const Sym& e);
bool is_nonnegative(const Sym& e);

}  // namespace flashlight::graph
