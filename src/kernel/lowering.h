// SPDX-License-Identifier: Apache-2.0
// Inside the kernel stage: the lowering of a fusion plan. Its parts stand in build.cpp (sweeps, operands,
// masks), lower_states.cpp (references, accumulators and how they move), lower_combine.cpp (split keys) and
// lower_results.cpp (fix-ups, empty rows, stores).
#pragma once
#include <functional>
#include <limits>
#include <optional>
#include <set>

#include "fusion/roles.h"
#include "kernel/build.h"

namespace flashlight::kernel {

namespace alg = fusion::algebra;

inline constexpr double kLog2E = 1.4426950408889634074;
inline constexpr double kInf = std::numeric_limits<double>::infinity();

// The product, where no factor stands for 1.
inline Expr times(Expr a, Expr b) {
  return !a ? b : !b ? a : a.is_constant(1) ? b : b.is_constant(1) ? a : a * b;
}
inline Expr make_finite(Expr maximum) { return where(gt(maximum, -kInf), maximum, 0.0); }

class Lowering {
 public:
  Lowering(const graph::Function& function, const fusion::KernelPlan& plan);
  Program run();

 private:
  // A reference in the tile program. `state` is its value before the tile, `joined` the one with the tile; of
  // a maximum both may be -inf, and `finite` is what is subtracted. Its value is kept without `scale`: of the
  // algebra's u, scale * u' is.
  struct LoweredReference {
    alg::ReferenceKind kind = alg::ReferenceKind::kRunningMax;
    Expr value, state, joined, finite, scale, rest, masked, guard;
    Expr delta;   // old less new, of u itself; made where it is needed
    Expr weight;  // of a weighted mean: the state that holds the weight so far
  };
  // An accumulator's summand: weight (row, key) times right operand (key, column), and the factor its sum
  // moves by.
  struct Summand {
    Expr weight, move;
    Operand right;
  };

  [[noreturn]] void refuse(std::string id, std::string text, std::string hint, Expr at = {});
  Expr temporary(Space space, const std::string& name);
  Expr known(Expr e) { return substitute(e, knowns_); }
  void let(Expr target, Expr value) { out_->steps.push_back({StepKind::Let, -1, -1, target, value, {}}); }
  void step(StepKind kind, std::size_t state, Expr value, int operand = -1);
  Expr reduce(StateKind kind, const std::string& name, Expr value);

  // build.cpp
  void lower(const alg::Sweep& sweep, bool last);
  Operand split_factors(const alg::Accumulator& a, std::vector<Expr>& left);
  Expr masked(const std::string& name, Expr value, Expr predicate, double otherwise, double fill);
  Expr masked_or_filled(const std::string& name, Expr value, double otherwise);
  Expr masked_as_spelled(const std::string& name, Expr value, double otherwise);
  Expr state(std::string name, StateKind kind, double initial, int columns);
  int operand(Operand operand);
  void find_contractions(const alg::Sweep& sweep);
  void find_quotients(const alg::Sweep& sweep);
  void use_contraction(int leaf_id);
  void find_live();
  void find_bet(const alg::Sweep& sweep);
  int contraction(int leaf_id);

  // lower_states.cpp
  void lower_states(const alg::Sweep& sweep);
  void lower_scans(const alg::Sweep& sweep);
  void group_accumulators(const alg::Sweep& sweep);
  void lower_reference(const alg::Sweep& sweep, std::size_t r);
  void lower_maximum(const alg::Reference& reference, const std::string& n);
  void lower_mean(const alg::Sweep& sweep, const alg::Reference& reference, const std::string& n);
  void lower_group(const alg::Sweep& sweep, int group);
  const Summand& summand(const alg::Sweep& sweep, std::size_t a);
  bool weigh(const alg::Accumulator& a, Summand& s, std::vector<Expr>& alive);
  Expr exp2_of(Expr u, Expr c, Expr r);
  Expr deviation(const alg::Accumulator& a, const alg::CentredPower& power);
  Expr delta(int reference);
  void shift(const alg::Sweep& sweep, std::size_t a);
  void accumulate(const alg::Sweep& sweep, std::size_t a);
  Expr named_move(Expr move);
  void lower_plain(const alg::Plain& plain);
  static int total_power(const alg::Accumulator& a);
  static bool is_shift(const alg::MoveTerm& term);
  static Expr shift_factor(const alg::Accumulator& a, const alg::MoveTerm& term,
                           const std::function<Expr(int)>& delta);

  // lower_combine.cpp
  struct Combining;
  std::string obstacle_to_runs(const alg::Sweep& sweep) const;
  void lower_combine(const alg::Sweep& sweep);
  Expr let_row(Combining& c, const std::string& name, Expr value);
  Expr of_run(const Combining& c, Expr e, bool later) const;
  std::size_t index_of(Expr state) const;
  void join_reference(const alg::Sweep& sweep, std::size_t index, Combining& c, std::set<std::size_t>& set);
  Expr delta_of_run(Combining& c, int reference, bool later);
  void join_group(const alg::Sweep& sweep, int group, Combining& c);

  // lower_results.cpp
  std::optional<std::set<int>> references_of(const alg::Sweep& sweep, Expr fixup) const;
  std::map<Expr, Expr> quotients_of(const alg::Sweep& sweep, Expr fixup, bool settled);
  Expr strict_fixup(const alg::Sweep&, Expr fixup);
  void guard_products(const alg::Sweep& sweep, Expr fixup, std::map<Expr, Expr>& with);
  void guard_centres(const alg::Sweep& sweep, Expr fixup, std::map<Expr, Expr>& with);
  Expr with_finite_maxima(Expr, std::map<Expr, Expr> with);
  void finish(const alg::Sweep& sweep, bool last);
  void fold(const fusion::Fold& fold, Expr value);
  Expr fixup(const alg::Sweep& sweep, std::size_t t);
  void store(int target, Expr value);

  alg::Arena& arena_;
  Program program_;
  std::map<Expr, Expr> knowns_;  // what stands for known reductions and for leaves made of others
  int known_count_ = 0;

  // Of the sweep being lowered.
  Sweep* out_ = nullptr;
  std::map<Expr, Expr> states_, moves_;
  std::vector<LoweredReference> references_;
  std::vector<int> group_;                        // per accumulator: the reference it follows
  std::vector<std::size_t> state_of_;             // per accumulator
  std::vector<std::optional<Summand>> summands_;  // per accumulator
  std::vector<Step> later_;                       // moves the references to their new values
};

}  // namespace flashlight::kernel
