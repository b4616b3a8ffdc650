// SPDX-License-Identifier: Apache-2.0
// How the states of two runs of keys become those of both, by the laws that move them inside a sweep: join
// the references, move both sides to the joined ones, add. What has no such law leaves the keys in one run.
#include <algorithm>

#include "kernel/lowering.h"

namespace flashlight::kernel {

using alg::ReferenceKind;

namespace {

bool counts_keys(const Step& step) {
  if (step.kind == StepKind::Shift && step.operand < 0) return true;
  if (!step.value) return false;
  const std::vector<Expr> calls = alg::collect(step.value, {alg::Op::kCall});
  return std::any_of(calls.begin(), calls.end(), [](Expr e) { return e.function_id() == kKeysThrough; });
}

}  // namespace

// Why the keys stay in one run; empty: they need not.
std::string Lowering::obstacle_to_runs(const alg::Sweep& sweep) const {
  if (program_.plan->sweeps.size() > 1) return "a later sweep needs what the whole of an earlier one finds";
  if (!sweep.scans.empty()) return "a running sum is carried from key to key";
  if (std::any_of(out_->steps.begin(), out_->steps.end(), counts_keys))
    return "sums are centred by how many keys came before";
  return {};
}

// The states of the later run, and what stands for the references' joined values.
struct Lowering::Combining {
  Combine out;
  std::map<Expr, Expr> joined, theirs;  // of the sweep's temporaries: for this run; for the later one as well
  std::map<Expr, Expr> moves;
  std::map<std::pair<int, bool>, Expr> deltas;
  std::vector<Step> later;
};

void Lowering::lower_combine(const alg::Sweep& sweep) {
  program_.in_one_run = obstacle_to_runs(sweep);
  if (!program_.in_one_run.empty()) return;
  Combining c;
  for (const State& state : out_->states) {
    State other = state;
    other.node =
        temporary(state.kind == StateKind::Accumulator ? kOut : kRow, "other_" + state.node.info().name);
    c.theirs[state.node] = other.node;
    c.out.other.push_back(other);
  }
  std::set<std::size_t> set;  // states that a reference is kept in
  for (std::size_t r = 0; r < references_.size(); ++r) join_reference(sweep, r, c, set);
  const int groups = static_cast<int>(references_.size());
  for (int group = -1; group < groups; ++group) join_group(sweep, group, c);
  for (std::size_t s = 0; s < out_->states.size(); ++s) {
    if (set.contains(s)) continue;
    c.out.steps.push_back(
        {StepKind::Join, static_cast<int>(s), static_cast<int>(s + out_->states.size()), {}, {}, {}});
  }
  c.out.steps.insert(c.out.steps.end(), c.later.begin(), c.later.end());
  program_.combine = std::move(c.out);
}

Expr Lowering::let_row(Combining& c, const std::string& name, Expr value) {
  const Expr target = temporary(kRow, name);
  c.out.steps.push_back({StepKind::Let, -1, -1, target, value, {}});
  return target;
}

// A value of the sweep's steps as it is for one of the runs.
Expr Lowering::of_run(const Combining& c, Expr e, bool later) const {
  std::map<Expr, Expr> with = c.joined;
  if (later) with.insert(c.theirs.begin(), c.theirs.end());
  return substitute(e, with);
}

std::size_t Lowering::index_of(Expr state) const {
  for (std::size_t s = 0; s < out_->states.size(); ++s)
    if (out_->states[s].node == state) return s;
  return out_->states.size();
}

void Lowering::join_reference(const alg::Sweep& sweep, std::size_t index, Combining& c,
                              std::set<std::size_t>& set) {
  const LoweredReference& r = references_[index];
  const std::string n = index == 0 ? "" : std::to_string(index);
  const Expr theirs = c.theirs.at(r.state);
  auto put = [&](Expr state, Expr value) {
    set.insert(index_of(state));
    c.later.push_back({StepKind::Set, static_cast<int>(index_of(state)), -1, {}, value, {}});
  };
  if (r.kind != ReferenceKind::kRunningMean) {
    c.joined[r.joined] = let_row(c, "joined_m" + n, max2(r.state, theirs));
    c.joined[r.finite] = let_row(c, "joined_safe" + n, make_finite(c.joined.at(r.joined)));
    return put(r.state, c.joined.at(r.joined));
  }
  // The mean of both, as far as the later run moves it.
  const Summand& s = summand(sweep, sweep.references[index].weight);
  const Expr mine = times(s.move ? of_run(c, s.move, false) : Expr(), r.weight);
  const Expr other = times(s.move ? of_run(c, s.move, true) : Expr(), c.theirs.at(r.weight));
  const Expr part = let_row(c, "other_part" + n, other), whole = let_row(c, "joined_weight" + n, mine + part);
  c.joined[r.joined] = let_row(c, "joined_mean" + n,
                               where(gt(whole, 0.0), r.state + part * (theirs - r.state) / whole, r.state));
  put(r.state, c.joined.at(r.joined));
  put(r.weight, whole);
}

// How far the reference of one run is from the joined one: as delta() for a tile.
Expr Lowering::delta_of_run(Combining& c, int reference, bool later) {
  const auto known = c.deltas.find({reference, later});
  if (known != c.deltas.end()) return known->second;
  const LoweredReference& r = references_[reference];
  const Expr from = later ? c.theirs.at(r.state) : r.state;
  const bool mean = r.kind == ReferenceKind::kRunningMean;
  const Expr away = times(r.scale, (mean ? from : make_finite(from)) - c.joined.at(r.finite));
  const std::string name =
      std::string(later ? "other_" : "") + "apart" + (reference ? std::to_string(reference) : "");
  return c.deltas[{reference, later}] = let_row(c, name, away);
}

// Moves the group's sums to the joined references: higher powers first, by the lower ones' old values.
void Lowering::join_group(const alg::Sweep& sweep, int group, Combining& c) {
  std::vector<std::size_t> members;
  for (std::size_t a = 0; a < sweep.accumulators.size(); ++a)
    if (group_[a] == group) members.push_back(a);
  std::stable_sort(members.begin(), members.end(), [&](std::size_t a, std::size_t b) {
    return total_power(sweep.accumulators[a]) > total_power(sweep.accumulators[b]);
  });
  const int states = static_cast<int>(out_->states.size());
  for (const bool later : {false, true}) {
    const int offset = later ? states : 0;
    for (std::size_t a : members) {
      for (const alg::MoveTerm& term : sweep.accumulators[a].move) {
        if (!is_shift(term)) continue;
        const Expr factor =
            shift_factor(sweep.accumulators[a], term, [&](int r) { return delta_of_run(c, r, later); });
        if (!factor) continue;
        c.out.steps.push_back({StepKind::Shift,
                               static_cast<int>(state_of_[a]) + offset,
                               static_cast<int>(state_of_[term.source]) + offset,
                               {},
                               factor,
                               {}});
      }
    }
    for (std::size_t a : members) {
      if (!summand(sweep, a).move) continue;
      const Expr move = of_run(c, summand(sweep, a).move, later);
      auto [known, fresh] = c.moves.try_emplace(move);
      if (fresh)
        known->second = let_row(
            c, "move" + (c.moves.size() > 1 ? std::to_string(c.moves.size() - 1) : std::string()), move);
      c.out.steps.push_back(
          {StepKind::Scale, static_cast<int>(state_of_[a]) + offset, -1, {}, known->second, {}});
    }
  }
}

}  // namespace flashlight::kernel
