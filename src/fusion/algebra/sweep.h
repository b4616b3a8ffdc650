// SPDX-License-Identifier: Apache-2.0
// What one pass over the keys keeps, how it moves, and what it yields: the contract with kernel generators.
#pragma once

#include <optional>
#include <vector>

#include "fusion/algebra/expr.h"

namespace flashlight::fusion::algebra {

// rho of an accumulator. Starts at -inf; while it is not finite it counts as 0 where it is subtracted.
enum class ReferenceKind {
  kRunningMax,   // max over the keys of where(guard, value, -inf)
  kArgMax,       // the same, and some accumulator is reset when it grows
  kRunningMean,  // mean of value, weighted by accumulator `weight` (or counting all keys)
};

struct Reference {
  ReferenceKind kind = ReferenceKind::kRunningMax;
  Expr node;   // the leaf that stands for it in fix-ups
  Expr key;    // where(guard, value, -inf), or value when there is no guard
  Expr guard;  // null: none
  Expr value;
  int weight = -1;    // kRunningMean: index into Sweep::accumulators; -1 counts every key
  bool lazy = false;  // may lag behind by the runtime's slack
};

// One factor atom^power of a product; the atom is over key and row leaves, knowns and scans.
struct Factor {
  Expr atom;
  double power = 1;
};

// exp(lambda * (u - rho)); lambda > 0. An element with u = -inf weighs 0.
struct Exponent {
  double lambda = 1;
  Expr u;
  int reference = -1;  // index into Sweep::references; -1: the constant below
  double constant = 0;
};

// (x - rho)^power, power >= 1.
struct CentredPower {
  Expr x;
  int power = 1;
  int reference = -1;
  double constant = 0;
};

// One term of the binomial shift: coefficient * prod_i delta_i^delta_powers[i] * source, where delta_i is the
// old minus the new effective reference of Accumulator::powers[i].
struct MoveTerm {
  double coefficient = 1;
  std::vector<int> delta_powers;
  int source = -1;  // index into Sweep::accumulators; -1: the number of keys seen so far
};

// Sum over the keys where `guard` holds of  scale * prod factors * prod powers * prod exp(exponents).
// When references move from rho to rho':
//   A' = prod_e exp(lambda_e * (rho_e - rho_e')) * sum over `move` of its terms            (0 stays 0 at rho
//   = -inf) argmax >= 0:  A' = (rho == rho' ? A : 0), and only keys with key == rho are added.
struct Accumulator {
  Expr node;   // the leaf that stands for it in fix-ups
  Expr guard;  // null: none
  double scale = 1;
  std::vector<Factor> factors;
  Expr product;  // scale * prod factors as one expression, without the guard
  std::vector<Exponent> exponents;
  std::vector<CentredPower> powers;
  int argmax = -1;  // index into Sweep::references
  std::vector<MoveTerm> move;
  bool exact_sum = false;  // a row statistic (no column factor): keep it in float32 from unrounded values
};

enum class PlainKind { kMax, kProd, kAny };

// A state that needs no reference: starts at -inf, 1 or false.
struct Plain {
  PlainKind kind = PlainKind::kMax;
  Expr node;
  Expr value;  // kAny: a condition
};

// value's running sum along the stream, carried across tiles; `node` stands for its element.
struct Scan {
  Expr node;
  Expr value;
  bool exclusive = true;
};

// One pass over the keys. In fix-ups, a negative power of an accumulator that is 0 counts as 0 (a stream of
// its own without keys), unless NaN is asked for; a reference that is not finite counts as 0 only where it is
// a mean. A reduction made known carries its value as written: a raw sum of exponentials overflows where
// eager code does. All vectors are in a deterministic order in which an entry only needs earlier scans.
struct Sweep {
  std::vector<Reference> references;
  std::vector<Accumulator> accumulators;
  std::vector<Plain> plain;
  std::vector<Scan> scans;
  std::vector<Expr> targets;  // reductions made known by this sweep; in the last sweep the outputs
  std::vector<Expr> fixups;   // one per target, over nodes of the states, row leaves and knowns
  std::vector<Expr> knowns;   // reductions of earlier sweeps this one may use (as kKnown leaves)
  // The target's value for a row without any key (every running maximum is -inf): the program over the empty
  // key set with 0/0 = 0. Over row leaves and knowns; empty_values holds the number where it is one.
  std::vector<Expr> empty;
  std::vector<std::optional<double>> empty_values;
};

}  // namespace flashlight::fusion::algebra
