// SPDX-License-Identifier: Apache-2.0
// Lowers a fusion plan to a tile program: sweeps, their contractions, operands and masks.
#include "kernel/build.h"

#include <algorithm>

#include "kernel/cover.h"
#include "kernel/lowering.h"

namespace flashlight::kernel {

using fusion::Refused;

Lowering::Lowering(const graph::Function& function, const fusion::KernelPlan& plan)
    : arena_(*plan.arena), knowns_(plan.made_of) {
  program_.function = &function;
  program_.plan = &plan;
}

Program Lowering::run() {
  const auto& sweeps = program_.plan->sweeps;
  for (std::size_t s = 0; s < sweeps.size(); ++s) lower(sweeps[s], s + 1 == sweeps.size());
  return std::move(program_);
}

void Lowering::refuse(std::string id, std::string text, std::string hint, Expr at) {
  throw Refused{{std::move(id), std::move(text), std::move(hint), fusion::source_of(*program_.plan, at)}};
}

Expr Lowering::temporary(Space space, const std::string& name) {
  const int id =
      static_cast<int>(program_.plan->leaves.size() + program_.temporaries.size()) + program_.plan->reserved;
  program_.temporaries[id] = space;
  alg::LeafInfo info;
  info.streamed = space & kKey;
  info.column = space & kColumn;
  info.name = name;
  return arena_.leaf(id, info);
}

void Lowering::step(StepKind kind, std::size_t state, Expr value, int operand) {
  out_->steps.push_back({kind, static_cast<int>(state), operand, {}, value, {}});
}

// A row temporary: `value` reduced over the tile's keys.
Expr Lowering::reduce(StateKind kind, const std::string& name, Expr value) {
  const Expr target = temporary(kRow, name);
  out_->steps.push_back({StepKind::Reduce, -1, -1, target, value, kind});
  return target;
}

void Lowering::lower(const alg::Sweep& sweep, bool last) {
  program_.sweeps.emplace_back();
  out_ = &program_.sweeps.back();
  states_.clear();
  find_contractions(sweep);
  find_quotients(sweep);
  lower_states(sweep);
  find_live();
  find_bet(sweep);
  lower_combine(sweep);
  finish(sweep, last);
}

// Factors that vary with an output column go to the right operand of a product; the others weigh its left
// one.
Operand Lowering::split_factors(const alg::Accumulator& a, std::vector<Expr>& left) {
  Operand right;
  right.rows = program_.plan->stream;
  for (const alg::Factor& factor : a.factors) {
    const Expr atom = known(factor.atom);
    const Space space = space_of(program_, atom);
    if (!(space & kColumn)) {
      left.push_back(factor.power == 1 ? atom : pow(atom, factor.power));
      continue;
    }
    if (space & kRow)
      refuse("rank-three",
             "a streamed sum varies with query, key and output column at once: " + alg::to_string(atom),
             "write it as a product of a term over (query, key) and a term over (key, column)", atom);
    const bool repeats = factor.power == 1 || factor.power == 2 || factor.power == 3;
    if (!atom.is(alg::Op::kLeaf) || !repeats)
      refuse("unsupported-value",
             "the values of a contraction are computed by an expression that is not fused yet: " +
                 alg::to_string(atom),
             "compute the values before the attention", atom);
    const fusion::Leaf& leaf = program_.plan->leaves[atom.leaf_id()];
    right.factors.insert(right.factors.end(), static_cast<std::size_t>(factor.power),
                         {leaf.node, leaf.index});
    for (std::size_t l = 0; l < program_.plan->loops.size(); ++l) {
      if (program_.plan->loops[l].role != fusion::Role::Column || !(leaf.loops >> l & 1)) continue;
      if (right.cols >= 0 && right.cols != static_cast<int>(l))
        refuse("rank-three", "the values have two output columns", "flatten them into one axis", atom);
      right.cols = static_cast<int>(l);
    }
  }
  return right;
}

// where(guard, u, -inf) may be spelled in the value itself (an extremum's key); the predicate then guards it.
Expr Lowering::masked_as_spelled(const std::string& name, Expr value, double otherwise) {
  if (!value.is(alg::Op::kWhere) || !value.arg(2).is_constant(otherwise))
    return masked(name, value, {}, otherwise, otherwise);
  return masked(name, value.arg(1), value.arg(0), otherwise, otherwise);
}

// where(mask, u, -1e9): a mask of positions and captured values is looked at where it cuts a tile, whatever
// it fills with.
Expr Lowering::masked_or_filled(const std::string& name, Expr value, double otherwise) {
  if (!value.is(alg::Op::kWhere) || !is_given(program_, value.arg(0)))
    return masked_as_spelled(name, value, otherwise);
  const Expr mask = value.arg(0), kept = value.arg(1), other = value.arg(2);
  if (other.is(alg::Op::kConstant)) return masked(name, kept, mask, otherwise, other.value());
  if (kept.is(alg::Op::kConstant)) return masked(name, other, alg::not_of(mask), otherwise, kept.value());
  return masked_as_spelled(name, value, otherwise);
}

Expr Lowering::masked(const std::string& name, Expr value, Expr predicate, double otherwise, double fill) {
  for (const Masked& m : out_->masked) {
    if (m.value == value && m.predicate == predicate && m.otherwise == otherwise && m.fill == fill)
      return m.node;
  }
  const Expr node = temporary(kScore, name);
  out_->masked.push_back({node, value, predicate, otherwise, fill});
  return node;
}

// States of one name are told apart by a number behind the first.
Expr Lowering::state(std::string name, StateKind kind, double initial, int columns) {
  auto taken = [&](const std::string& n) {
    return std::any_of(out_->states.begin(), out_->states.end(),
                       [&](const State& s) { return s.node.info().name == n; });
  };
  std::string unique = name;
  for (int k = 1; taken(unique); ++k) unique = name + std::to_string(k);
  const Expr node = temporary(kind == StateKind::Accumulator ? kOut : kRow, unique);
  out_->states.push_back({node, kind, initial, columns});
  return node;
}

int Lowering::operand(Operand operand) {
  auto& all = program_.operands;
  const auto found = std::find(all.begin(), all.end(), operand);
  if (found != all.end()) return static_cast<int>(found - all.begin());
  all.push_back(std::move(operand));
  return static_cast<int>(all.size()) - 1;
}

// The contractions a sweep uses come before its steps, and their operands before the values'.
void Lowering::find_contractions(const alg::Sweep& sweep) {
  std::vector<Expr> roots;
  for (const alg::Reference& r : sweep.references) roots.push_back(r.key);
  for (const alg::Accumulator& a : sweep.accumulators) {
    roots.push_back(a.product);
    roots.push_back(a.guard);
    for (const alg::Exponent& e : a.exponents) roots.push_back(e.u);
    for (const alg::CentredPower& c : a.powers) roots.push_back(c.x);
  }
  for (const alg::Plain& p : sweep.plain) roots.push_back(p.value);
  for (const alg::Scan& s : sweep.scans) roots.push_back(s.value);
  for (Expr root : roots) {
    if (!root) continue;
    for (Expr leaf : alg::collect(known(root), {alg::Op::kLeaf})) use_contraction(leaf.leaf_id());
  }
}

// x^-n in a summand, of a sum x that an earlier sweep found: the row may have had no keys there.
void Lowering::find_quotients(const alg::Sweep& sweep) {
  if (program_.plan->strict_nan) return;
  for (const alg::Accumulator& a : sweep.accumulators) {
    for (Expr power : alg::collect(a.product, {alg::Op::kPow})) {
      const Expr base = power.arg(0);
      if (power.value() >= 0 || !base.is(alg::Op::kKnown) || !base.arg(0).is(alg::Op::kReduceSum)) continue;
      knowns_[power] = where(eq(known(base), 0.0), 0.0, pow(known(base), power.value()));
    }
  }
}

void Lowering::use_contraction(int leaf_id) {
  if (program_.temporaries.contains(leaf_id) ||
      program_.plan->leaves[leaf_id].kind != fusion::Leaf::Contraction)
    return;
  const int index = contraction(leaf_id);
  if (std::find(out_->contractions.begin(), out_->contractions.end(), index) != out_->contractions.end())
    return;
  out_->contractions.push_back(index);
  out_->steps.push_back({StepKind::Contract, index, -1, {}, {}, {}});
}

void Lowering::find_live() {
  for (const Masked& m : out_->masked) {
    if (!m.predicate || m.fill != m.otherwise) {
      out_->live.clear();
      return;
    }
    if (std::find(out_->live.begin(), out_->live.end(), m.predicate) == out_->live.end())
      out_->live.push_back(m.predicate);
  }
}

// All that the sweep adds up is weighed by exponentials around one maximum, whose mask fills with a number:
// e^(fill - maximum) is 0 in float32 where the difference is large enough.
void Lowering::find_bet(const alg::Sweep& sweep) {
  constexpr double kLargest = -1000, kUnseen = 110;  // e^-110 is below float32's smallest number
  if (!out_->live.empty() || references_.size() != 1 || !sweep.plain.empty() || !sweep.scans.empty()) return;
  const LoweredReference& r = references_[0];
  if (r.kind == alg::ReferenceKind::kRunningMean || r.scale) return;
  double least = kInf;
  for (const alg::Accumulator& a : sweep.accumulators) {
    double lambda = 0;
    for (const alg::Exponent& e : a.exponents) lambda += e.reference == 0 ? e.lambda : 0;
    if (!a.powers.empty() || a.argmax >= 0) return;
    least = std::min(least, lambda);
  }
  if (sweep.accumulators.empty() || least <= 0) return;
  Bet bet{r.state, 0, {}};
  for (const Masked& m : out_->masked) {
    if (!m.predicate) return;
    const bool fills = m.fill != m.otherwise;
    if (fills && (m.node != r.masked || !(m.fill <= kLargest))) return;
    if (fills) bet.above = m.fill + kUnseen / least;
    if (std::find(bet.live.begin(), bet.live.end(), m.predicate) == bet.live.end())
      bet.live.push_back(m.predicate);
  }
  if (bet.above != 0) out_->bet = std::move(bet);
}

int Lowering::contraction(int leaf_id) {
  auto& all = program_.contractions;
  for (std::size_t c = 0; c < all.size(); ++c) {
    if (all[c].leaf == leaf_id) return static_cast<int>(c);
  }
  const fusion::Leaf& leaf = program_.plan->leaves[leaf_id];
  const Operand left{leaf.left, program_.plan->row, leaf.feature},
      right{leaf.right, program_.plan->stream, leaf.feature};
  const int l = operand(left), r = operand(right);
  all.push_back({leaf_id, l, r});
  return static_cast<int>(all.size()) - 1;
}

Program build_program(const graph::Function& function, const fusion::KernelPlan& plan) {
  return Lowering(function, plan).run();
}

}  // namespace flashlight::kernel
