// SPDX-License-Identifier: Apache-2.0
// The tile program of a kernel: what is computed on tiles of M rows and N keys, in order, free of layout and
// target.
//
// A value is an algebra expression over leaves of the plan, states, and temporaries defined by steps. Its
// *space* says which tile axes it varies with. One CTA owns M rows of one batch element and walks over the
// keys N at a time; every step below is executed once per tile in the order given.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fusion/plan.h"

namespace flashlight::kernel {

using fusion::algebra::Expr;

// Bits: which tile axes a value varies with. Score = Row | Key is what a warp holds beside its accumulators.
using Space = unsigned;
inline constexpr Space kUniform = 0, kRow = 1, kKey = 2, kColumn = 4, kScore = kRow | kKey,
                       kOut = kRow | kColumn;

// A matrix staged in shared memory tile by tile: the product of `factors` at (row or key, feature or column).
// One plain tensor access is copied asynchronously; anything else is computed while it is filled.
struct Operand {
  std::vector<graph::Operand> factors;  // over the plan's loops
  int rows = -1, cols = -1;             // loop numbers: row or stream; feature or column
  bool operator==(const Operand&) const = default;
};

// leaf[i, j] = sum over features of left[i, d] * right[j, d].
struct Contraction {
  int leaf = -1;              // leaf id in the plan
  int left = -1, right = -1;  // operands
};

enum class StateKind : std::uint8_t {
  Max,
  Min,          // row extremum, whole at every step
  Sum,          // row sum; may be kept as partial sums until the sweep ends
  Prod,         // row product; may be kept as partial products until the sweep ends
  Value,        // row value that Set alone changes, whole at every step
  Accumulator,  // [row, column]
};

struct State {
  Expr node;  // stands for the state's value, in steps and after the sweep
  StateKind kind = StateKind::Sum;
  double initial = 0;
  int columns = -1;  // Accumulator: the column loop
};

enum class StepKind : std::uint8_t {
  Contract,  // contraction `index`
  Reduce,  // temporary `target` (row) = extremum or sum of `value` (score) over the tile's keys, per `reduce`
  Scan,    // temporary `target` (score) = running sums of `value` (score) along the keys, from state `index`
           // on, which then holds the sum so far; operand 1: without the own element
  Let,     // temporary `target` (row) = value
  Set,     // state `index` = value (row)
  Scale,   // state `index` *= value (row)
  Shift,   // state `index` += value (row) * state `operand`, of the same kind; -1: the number of keys before
           // the tile
  Add,     // state `index` += sum of `value` (score) over the tile's keys; a product is multiplied by theirs
  Fold,    // temporary `target` (row) = `value` (out) reduced over column loop `index`, per `reduce`; a final
           // only
  Product,  // state `index` (accumulator) += value (score) x operand `operand` (key, column)
  Join,  // state `index` joined with state `operand`, the later run's, as their kind says; in a Combine only
};

struct Step {
  StepKind kind = StepKind::Let;
  int index = -1;
  int operand = -1;  // Product: an operand; Shift: a state; Scan: 1 if exclusive
  Expr target, value;
  StateKind reduce = StateKind::Max;
};

// Where a value counts. A masked value is `value` where the predicate holds, `fill` where it does not, and
// `otherwise` past the last key, which leaves what it is reduced to as it is; on tiles the cover proves full,
// the predicate is not evaluated.
struct Masked {
  Expr node;              // stands for the masked value
  Expr value, predicate;  // predicate null: only the end of the keys masks
  double otherwise = 0;
  double fill = 0;  // another number than `otherwise` is a score like any: no tile can be left out for it
};

// Tiles that a large negative number fills may be left out on the bet that in the end `maximum` exceeds
// `above` in every row: what they would add is then too small to be seen beside what attains it. A bet that
// is lost is made good by a second sweep over all tiles.
struct Bet {
  Expr maximum;  // a state
  double above = 0;
  std::vector<Expr> live;  // as Sweep::live
};

struct Sweep {
  std::vector<int> contractions;
  std::vector<Masked> masked;
  std::vector<State> states;
  std::vector<Step> steps;
  std::vector<Expr> live;  // a tile counts only where one of these predicates may hold; empty: everywhere
  std::optional<Bet> bet;
  // After the sweep: known reductions (row temporaries) that later sweeps use, and reductions of what it
  // leaves.
  std::vector<Step> finals;
};

struct Store {
  int output = -1;  // Function::outputs
  std::vector<int> axis_loops;
  Expr value;        // row or out
  int columns = -1;  // column loop, or -1 for a row value
};

// How a sweep over a run of keys goes together with one over the keys behind it: `steps` (Let, Scale, Shift,
// Join, Set) make of the sweep's states and of `other`, the later run's in the same order, those of both. The
// later run's states are counted behind the sweep's. Runs are combined from the first on, so that the same
// runs give the same bits.
struct Combine {
  std::vector<State> other;
  std::vector<Step> steps;
};

struct Program {
  const graph::Function* function = nullptr;
  const fusion::KernelPlan* plan = nullptr;
  std::vector<Operand> operands;
  std::vector<Contraction> contractions;
  std::vector<Sweep> sweeps;
  std::vector<Store> stores;
  std::optional<Combine> combine;     // nothing: keys are swept in one run
  std::string in_one_run;             // why
  std::map<int, Space> temporaries;   // by leaf id
  std::vector<std::string> numerics;  // remarks for the report
};

// What steps use that the algebra does not have, as calls with these ids: exp2(x), and the number of keys
// from the first one through the tile's last (a row value, the same for all rows).
inline constexpr int kExp2 = 10'000, kKeysThrough = 10'001;

Space space_of(const Program&, Expr);

// Lowers a plan. Throws fusion::Refused for what tile programs cannot hold yet.
Program build_program(const graph::Function&, const fusion::KernelPlan&);

std::string to_string(const Program&);

}  // namespace flashlight::kernel
