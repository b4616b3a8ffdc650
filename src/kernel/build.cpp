// SPDX-License-Identifier: Apache-2.0
// Lowers a fusion plan to a tile program: the algebra's states and moves become steps.
#include "kernel/build.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "fusion/roles.h"

namespace flashlight::kernel {

namespace {

namespace alg = fusion::algebra;
using fusion::Refused;

constexpr double kLog2E = 1.4426950408889634074;
constexpr double kInf = std::numeric_limits<double>::infinity();

class Lowering {
 public:
  Lowering(const graph::Function& function, const fusion::KernelPlan& plan, bool strict_nan)
      : arena_(*plan.arena), strict_nan_(strict_nan) {
    program_.function = &function;
    program_.plan = &plan;
  }

  Program run() {
    const auto& sweeps = program_.plan->sweeps;
    for (std::size_t s = 0; s < sweeps.size(); ++s) lower(sweeps[s], s + 1 == sweeps.size());
    return std::move(program_);
  }

 private:
  struct LoweredReference {
    Expr state, finite, scale, masked, guard;
  };

  [[noreturn]] void refuse(std::string id, std::string text, std::string hint) {
    throw Refused{{std::move(id), std::move(text), std::move(hint), {}}};
  }

  [[noreturn]] void refuse_argmax() {
    refuse("unsupported-argmax", "a selection by the row's maximum is not fused yet", "use softmax");
  }

  Expr temporary(Space space, const std::string& name) {
    const int id = static_cast<int>(program_.plan->leaves.size() + program_.temporaries.size());
    program_.temporaries[id] = space;
    alg::LeafInfo info;
    info.streamed = space & kKey;
    info.column = space & kColumn;
    info.name = name;
    return arena_.leaf(id, info);
  }

  Expr known(Expr e) { return substitute(e, knowns_); }

  void lower(const alg::Sweep& sweep, bool last) {
    if (!sweep.scans.empty()) refuse("unsupported-scan", "a running sum carried across tiles is not fused yet", "compute it before the attention");
    program_.sweeps.emplace_back();
    out_ = &program_.sweeps.back();
    states_.clear();
    references_.clear();
    moves_.clear();
    find_contractions(sweep);
    std::vector<Step> later;  // moves the states to the new references
    // Each accumulator follows the last reference it needs: streams take turns, so that one score fragment may serve all.
    lower_accumulators(sweep, -1);
    for (std::size_t r = 0; r < sweep.references.size(); ++r) {
      lower(sweep.references[r], later);
      lower_accumulators(sweep, static_cast<int>(r));
    }
    for (const alg::Plain& plain : sweep.plain) lower(plain);
    out_->steps.insert(out_->steps.end(), later.begin(), later.end());
    find_live();
    finish(sweep, last);
  }

  // A running maximum: reduce the tile, join, make finite; the state itself moves after the accumulators have.
  void lower(const alg::Reference& reference, std::vector<Step>& later) {
    if (reference.kind == alg::ReferenceKind::kArgMax) refuse_argmax();
    if (reference.kind != alg::ReferenceKind::kRunningMax) {
      refuse("unsupported-reference", "a reference other than a running maximum is not fused yet", "write the statistic with plain sums");
    }
    const std::string n = references_.empty() ? "" : std::to_string(references_.size());
    const Peeled u = peel_scale(program_, known(reference.value));
    if (space_of(program_, u.rest) & kColumn) {
      refuse("rank-three", "an extremum over the keys varies with the output column: " + alg::to_string(u.rest),
             "keep the scores free of the values' columns");
    }
    LoweredReference r;
    r.scale = u.scale;
    r.guard = known(reference.guard);
    r.masked = masked("x" + n, u.rest, r.guard, -kInf);
    r.state = state("m", StateKind::Max, -kInf, -1);
    const Expr tile = temporary(kRow, "tile_m" + n), joined = temporary(kRow, "new_m" + n);
    r.finite = temporary(kRow, "safe_m" + n);
    out_->steps.push_back({StepKind::Reduce, -1, -1, tile, r.masked, StateKind::Max});
    out_->steps.push_back({StepKind::Let, -1, -1, joined, max2(r.state, tile), {}});
    out_->steps.push_back({StepKind::Let, -1, -1, r.finite, where(gt(joined, -kInf), joined, 0.0), {}});
    later.push_back({StepKind::Set, static_cast<int>(out_->states.size()) - 1, -1, {}, joined, {}});
    states_[reference.node] = r.scale ? r.scale * r.state : r.state;
    references_.push_back(r);
  }

  void lower_accumulators(const alg::Sweep& sweep, int last_reference) {
    for (const alg::Accumulator& a : sweep.accumulators) {
      int last = a.argmax;
      for (const alg::Exponent& e : a.exponents) last = std::max(last, e.reference);
      for (const alg::CentredPower& c : a.powers) last = std::max(last, c.reference);
      if (last == last_reference) lower(a);
    }
  }

  void lower(const alg::Accumulator& a) {
    if (a.argmax >= 0) refuse_argmax();
    if (!a.powers.empty()) refuse("unsupported-moment", "a centred moment is not fused yet", "write the statistic with plain sums");
    std::vector<Expr> left;
    Operand right = split_factors(a, left);
    Expr weight = a.scale == 1 && !left.empty() ? Expr() : arena_.constant(a.scale);
    for (Expr factor : left) weight = weight ? weight * factor : factor;
    const bool plain_weight = weight.is_constant(1);
    Expr move, keep;
    bool guarded = false;
    const Expr guard = known(a.guard);
    for (const alg::Exponent& e : a.exponents) {
      if (e.reference < 0) {
        weight = weight * exp2_of(known(e.u), arena_.constant(e.lambda * kLog2E), arena_.constant(e.constant));
        continue;
      }
      const LoweredReference& r = references_[e.reference];
      const Expr c = r.scale ? r.scale * (e.lambda * kLog2E) : arena_.constant(e.lambda * kLog2E);
      const Expr factor = exp2_of(r.masked, c, r.finite);
      weight = weight.is_constant(1) ? factor : weight * factor;
      if (!plain_weight) keep = keep ? alg::all_of({keep, gt(r.masked, -kInf)}) : gt(r.masked, -kInf);
      const Expr moved = exp2_of(r.state, c, r.finite);
      move = move ? move * moved : moved;
      guarded = guarded || (!a.guard && !r.guard) || (guard && r.guard && guard == r.guard);
    }
    for (Expr part : {weight, guard}) {
      if (part && (space_of(program_, part) & kColumn)) {
        refuse("rank-three", "a streamed sum selects or weighs by the output column: " + alg::to_string(part),
               "write it as a product of a term over (query, key) and a term over (key, column)");
      }
    }
    if (keep) weight = where(keep, weight, 0.0);  // a weight of 0 must not meet an infinite factor
    if (!guarded) weight = masked("p" + std::to_string(out_->masked.size()), weight, guard, 0);
    accumulate(a, weight, move, std::move(right));
  }

  // exp(lambda * (u - r)) as exp2(c * u - c * r): the second product is per row, the first joins a fused multiply-add.
  Expr exp2_of(Expr u, Expr c, Expr r) {
    const Expr x = c * u, y = c * r;
    return alg::call(arena_, kExp2, {x - y});
  }

  void accumulate(const alg::Accumulator& a, Expr weight, Expr move, Operand right) {
    const bool contracts = !right.factors.empty();
    const StateKind kind = contracts ? StateKind::Accumulator : StateKind::Sum;
    const Expr node = state(contracts ? "acc" : "l", kind, 0, right.cols);
    const int index = static_cast<int>(out_->states.size()) - 1;
    states_[a.node] = node;
    if (move) out_->steps.push_back({StepKind::Scale, index, -1, {}, named_move(move), {}});
    if (contracts) {
      out_->steps.push_back({StepKind::Product, index, operand(std::move(right)), {}, weight, {}});
    } else {
      out_->steps.push_back({StepKind::Add, index, -1, {}, weight, {}});
    }
  }

  // States that move alike share the factor.
  Expr named_move(Expr move) {
    auto [found, fresh] = moves_.try_emplace(move);
    if (fresh) {
      found->second = temporary(kRow, "rescale" + (moves_.size() > 1 ? std::to_string(moves_.size() - 1) : ""));
      out_->steps.push_back({StepKind::Let, -1, -1, found->second, move, {}});
    }
    return found->second;
  }

  // Factors that vary with an output column go to the right operand of a product; the others weigh its left one.
  Operand split_factors(const alg::Accumulator& a, std::vector<Expr>& left) {
    Operand right;
    right.rows = program_.plan->stream;
    for (const alg::Factor& factor : a.factors) {
      const Expr atom = known(factor.atom);
      const Space space = space_of(program_, atom);
      if (!(space & kColumn)) {
        left.push_back(factor.power == 1 ? atom : pow(atom, factor.power));
        continue;
      }
      if (space & kRow) refuse("rank-three", "a streamed sum varies with query, key and output column at once: " + alg::to_string(atom), "write it as a product of a term over (query, key) and a term over (key, column)");
      if (!atom.is(alg::Op::kLeaf) || factor.power != 1) refuse("unsupported-value", "the values of a contraction are computed by an expression that is not fused yet: " + alg::to_string(atom), "compute the values before the attention");
      const fusion::Leaf& leaf = program_.plan->leaves[atom.leaf_id()];
      right.factors.push_back({leaf.node, leaf.index});
      for (std::size_t l = 0; l < program_.plan->loops.size(); ++l) {
        if (program_.plan->loops[l].role != fusion::Role::Column || !(leaf.loops >> l & 1)) continue;
        if (right.cols >= 0 && right.cols != static_cast<int>(l)) refuse("rank-three", "the values have two output columns", "flatten them into one axis");
        right.cols = static_cast<int>(l);
      }
    }
    return right;
  }

  void lower(const alg::Plain& plain) {
    const int index = static_cast<int>(out_->states.size());
    if (plain.kind != alg::PlainKind::kMax) refuse("unsupported-state", "a product or any() over the keys is not fused yet", "use sum or amax");
    const Expr value = masked("y" + std::to_string(index), known(plain.value), {}, -kInf);
    const Expr node = state("m", StateKind::Max, -kInf, -1), tile = temporary(kRow, "tile_max" + std::to_string(index));
    out_->steps.push_back({StepKind::Reduce, -1, -1, tile, value, StateKind::Max});
    out_->steps.push_back({StepKind::Set, index, -1, {}, max2(node, tile), {}});
    states_[plain.node] = node;
  }

  // where(guard, u, -inf) may be spelled in the value itself (an extremum's key); the predicate then guards it.
  Expr masked(const std::string& name, Expr value, Expr predicate, double otherwise) {
    if (!predicate && value.is(alg::Op::kWhere) && value.arg(2).is_constant(otherwise)) {
      predicate = value.arg(0);
      value = value.arg(1);
    }
    for (const Masked& m : out_->masked) {
      if (m.value == value && m.predicate == predicate && m.otherwise == otherwise) return m.node;
    }
    const Expr node = temporary(kScore, name);
    out_->masked.push_back({node, value, predicate, otherwise});
    return node;
  }

  // States of one kind are told apart by a number behind the first.
  Expr state(std::string name, StateKind kind, double initial, int columns) {
    const auto same = std::count_if(out_->states.begin(), out_->states.end(), [&](const State& s) { return s.kind == kind; });
    if (same > 0) name += std::to_string(same);
    const Expr node = temporary(kind == StateKind::Accumulator ? kOut : kRow, name);
    out_->states.push_back({node, kind, initial, columns});
    return node;
  }

  int operand(Operand operand) {
    auto& all = program_.operands;
    const auto found = std::find(all.begin(), all.end(), operand);
    if (found != all.end()) return static_cast<int>(found - all.begin());
    all.push_back(std::move(operand));
    return static_cast<int>(all.size()) - 1;
  }

  // The contractions a sweep uses come before its steps, and their operands before the values'.
  void find_contractions(const alg::Sweep& sweep) {
    std::vector<Expr> roots;
    for (const alg::Reference& r : sweep.references) roots.push_back(r.key);
    for (const alg::Accumulator& a : sweep.accumulators) {
      roots.push_back(a.product);
      roots.push_back(a.guard);
      for (const alg::Exponent& e : a.exponents) roots.push_back(e.u);
      for (const alg::CentredPower& c : a.powers) roots.push_back(c.x);
    }
    for (const alg::Plain& p : sweep.plain) roots.push_back(p.value);
    for (Expr root : roots) {
      if (!root) continue;
      for (Expr leaf : alg::collect(root, {alg::Op::kLeaf})) use_contraction(leaf.leaf_id());
    }
  }

  void use_contraction(int leaf_id) {
    if (program_.temporaries.contains(leaf_id) || program_.plan->leaves[leaf_id].kind != fusion::Leaf::Contraction) return;
    const int index = contraction(leaf_id);
    if (std::find(out_->contractions.begin(), out_->contractions.end(), index) != out_->contractions.end()) return;
    out_->contractions.push_back(index);
    out_->steps.push_back({StepKind::Contract, index, -1, {}, {}, {}});
  }

  void find_live() {
    for (const Masked& m : out_->masked) {
      if (!m.predicate) {
        out_->live.clear();
        return;
      }
      if (std::find(out_->live.begin(), out_->live.end(), m.predicate) == out_->live.end()) out_->live.push_back(m.predicate);
    }
  }

  int contraction(int leaf_id) {
    auto& all = program_.contractions;
    for (std::size_t c = 0; c < all.size(); ++c) {
      if (all[c].leaf == leaf_id) return static_cast<int>(c);
    }
    const fusion::Leaf& leaf = program_.plan->leaves[leaf_id];
    const Operand left{leaf.left, program_.plan->row, leaf.feature}, right{leaf.right, program_.plan->stream, leaf.feature};
    const int l = operand(left), r = operand(right);
    all.push_back({leaf_id, l, r});
    return static_cast<int>(all.size()) - 1;
  }

  // The references behind a fix-up, if all its states are extrema of theirs or sums weighed by their exponentials: such a
  // row is empty exactly when all of them are -inf. Nothing if another state takes part.
  std::optional<std::set<int>> references_of(const alg::Sweep& sweep, Expr fixup) const {
    std::set<int> result;
    std::set<Expr> settled;
    for (std::size_t r = 0; r < sweep.references.size(); ++r) {
      settled.insert(sweep.references[r].node);
      if (depends(fixup, sweep.references[r].node)) result.insert(static_cast<int>(r));
    }
    for (const alg::Accumulator& a : sweep.accumulators) {
      if (!depends(fixup, a.node)) continue;
      bool weighed = false;
      for (const alg::Exponent& e : a.exponents) {
        if (e.reference >= 0) result.insert(e.reference), weighed = true;
      }
      if (!weighed) return std::nullopt;
    }
    for (const alg::Plain& p : sweep.plain) {
      if (!settled.contains(p.node) && depends(fixup, p.node)) return std::nullopt;
    }
    if (result.empty()) return std::nullopt;
    return result;
  }

  static bool depends(Expr e, Expr on) {
    if (e == on) return true;
    if (e.is(alg::Op::kLeaf)) return false;
    return std::any_of(e.args().begin(), e.args().end(), [&](Expr arg) { return depends(arg, on); });
  }

  // x^-n in a fix-up, for sums x that may be empty where the row is not: it counts as 0 there.
  std::map<Expr, Expr> quotients_of(const alg::Sweep& sweep, Expr fixup) {
    std::map<Expr, Expr> result;
    for (Expr power : alg::collect(fixup, {alg::Op::kPow})) {
      if (power.value() >= 0) continue;
      for (const alg::Accumulator& a : sweep.accumulators) {
        if (a.node == power.arg(0)) result[power] = where(eq(states_.at(a.node), 0.0), 0.0, pow(states_.at(a.node), power.value()));
      }
    }
    return result;
  }

  // Fix-ups over the final states; a row without any key takes the empty value.
  void finish(const alg::Sweep& sweep, bool last) {
    for (std::size_t t = 0; t < sweep.fixups.size(); ++t) {
      const Expr value = fixup(sweep, t);
      if (last) {
        store(static_cast<int>(t), value);
        continue;
      }
      const Expr target = temporary(kRow, "known" + std::to_string(knowns_.size()));
      out_->finals.push_back({StepKind::Let, -1, -1, target, value, {}});
      knowns_[arena_.make(alg::Op::kKnown, {sweep.targets[t]})] = target;
    }
  }

  Expr fixup(const alg::Sweep& sweep, std::size_t t) {
    if (strict_nan_) return known(substitute(sweep.fixups[t], states_));
    const auto references = references_of(sweep, sweep.fixups[t]);
    const bool settled = references && references->size() == 1;  // the select below covers every empty sum
    const std::map<Expr, Expr> quotients = settled ? std::map<Expr, Expr>() : quotients_of(sweep, sweep.fixups[t]);
    const Expr value = known(substitute(substitute(sweep.fixups[t], quotients), states_));
    if (!references) return value;
    std::vector<Expr> none;
    for (int r : *references) none.push_back(eq(references_[r].state, -kInf));
    return where(alg::all_of(none), known(sweep.empty[t]), value);
  }

  void store(int target, Expr value) {
    const fusion::Result& result = program_.plan->results[target];
    Store store{result.output, result.axis_loops, value, -1};
    for (int loop : result.axis_loops) {
      if (program_.plan->loops[loop].role != fusion::Role::Column) continue;
      if (store.columns >= 0) refuse("rank-three", "a result has two output columns", "flatten them into one axis");
      store.columns = loop;
    }
    program_.stores.push_back(store);
  }

  alg::Arena& arena_;
  bool strict_nan_;
  Program program_;
  Sweep* out_ = nullptr;
  std::map<Expr, Expr> states_, knowns_, moves_;
  std::vector<LoweredReference> references_;
};

}  // namespace

Program build_program(const graph::Function& function, const fusion::KernelPlan& plan, bool strict_nan) {
  return Lowering(function, plan, strict_nan).run();
}

}  // namespace flashlight::kernel
