// SPDX-License-Identifier: Apache-2.0
// The layout of accumulator nodes: a sum over the keys of product * prod (x - rho)^k * prod exp(lambda (u -
// rho)).
#pragma once

#include <vector>

#include "fusion/algebra/expr.h"

namespace flashlight::fusion::algebra {

// References are nodes: a constant, kRunningMax, kLazyMax or kCentre.
struct ExponentPart {
  double lambda;
  Expr u;
  Expr reference;
};
struct PowerPart {
  Expr x;
  int power;
  Expr reference;
};
struct AccumulatorParts {
  Expr product;  // where(guard, factors, 0) or factors
  std::vector<ExponentPart> exponents;
  std::vector<PowerPart> powers;
};

// The node of these parts, in canonical order and without zeroth powers; the number of keys when nothing is
// left.
Expr accumulator_node(AccumulatorParts parts);
AccumulatorParts accumulator_parts(Expr accumulator);

// The family closed under moving the references: the accumulator with every lower power of each centred
// factor, smallest powers first and itself last. `powers` is aligned with the parts of the accumulator.
struct FamilyMember {
  std::vector<int> powers;
  Expr node;
};
std::vector<FamilyMember> lower_family(Expr accumulator);

double binomial(int n, int k);

}  // namespace flashlight::fusion::algebra
