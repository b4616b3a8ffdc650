// SPDX-License-Identifier: Apache-2.0
// See verify.h.
#include "kernel/verify.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "fusion/local.h"
#include "kernel/build.h"

namespace flashlight::kernel {

namespace alg = fusion::algebra;
using fusion::Role;

namespace {

bool is_step_op(alg::Op op) { return op <= alg::Op::kCall; }

class Verification {
 public:
  explicit Verification(const Program& program) : program_(program) {}

  void run() {
    place_ = "program";
    need(program_.function && program_.plan && program_.plan->arena, "has no function or no plan");
    need(loop_is(program_.plan->row, Role::Row) && loop_is(program_.plan->stream, Role::Stream),
         "its plan lacks a row or a stream loop");
    need(!program_.sweeps.empty(), "has no sweep");
    for (std::size_t o = 0; o < program_.operands.size(); ++o) operand(o);
    for (std::size_t c = 0; c < program_.contractions.size(); ++c) contraction(c);
    for (std::size_t s = 0; s < program_.sweeps.size(); ++s) {
      const std::string name = "sweep " + std::to_string(s + 1);
      sweep(program_.sweeps[s], name);
      states_are_read(program_.sweeps[s], name, s + 1 == program_.sweeps.size());
    }
    if (program_.combine) combine(*program_.combine);
    stores();
  }

 private:
  // Whole: states that a step may read before the sweep ends; other states hold parts of sums.
  enum class Lives { Tile, State, Whole, Masked, Final };

  [[noreturn]] void fail(const std::string& what) const {
    throw std::logic_error("verify " + place_ + ": " + what);
  }
  void need(bool ok, const char* what) const {
    if (!ok) fail(what);
  }

  bool loop_is(int loop, Role role) const {
    return loop >= 0 && loop < static_cast<int>(program_.plan->loops.size()) &&
           program_.plan->loops[loop].role == role;
  }
  template <class T> static bool in_range(int index, const std::vector<T>& all) {
    return index >= 0 && index < static_cast<int>(all.size());
  }

  // ---- operands

  void operand(std::size_t o) {
    place_ = "operand " + std::to_string(o);
    const Operand& operand = program_.operands[o];
    need(operand.rows == program_.plan->row || operand.rows == program_.plan->stream,
         "its rows are neither queries nor keys");
    need(loop_is(operand.cols, Role::Feature) || loop_is(operand.cols, Role::Column),
         "its columns are neither features nor columns of the result");
    need(!operand.factors.empty(), "has no factors");
    fusion::Dependence dependence(program_.function->graph);
    fusion::Locality local(program_.function->graph, dependence, *program_.plan);
    for (const graph::Operand& factor : operand.factors) {
      need(factor.node >= 0 && factor.node < program_.function->graph.size(), "a factor is no node");
      need(local({factor.node, factor.index}), "a factor is no value of a point");
      const fusion::LoopSet loops = dependence({factor.node, factor.index});
      for (std::size_t l = 0; l < 64; ++l) {
        if (!(loops >> l & 1)) continue;
        const int loop = static_cast<int>(l);
        const bool packed = loop_is(loop, Role::Packed) && operand.rows == program_.plan->row;
        need(loop == operand.rows || loop == operand.cols || loop_is(loop, Role::Batch) || packed,
             "a factor varies with another axis of the tile");
      }
    }
  }

  void contraction(std::size_t c) {
    place_ = "contraction " + std::to_string(c);
    const Contraction& contraction = program_.contractions[c];
    need(in_range(contraction.leaf, program_.plan->leaves), "has no leaf");
    need(in_range(contraction.left, program_.operands) && in_range(contraction.right, program_.operands),
         "has no such operand");
    const fusion::Leaf& leaf = program_.plan->leaves[contraction.leaf];
    need(leaf.kind == fusion::Leaf::Contraction, "its leaf is computed point by point");
    const Operand &left = program_.operands[contraction.left], &right = program_.operands[contraction.right];
    need(left.rows == program_.plan->row, "its left operand has no query rows");
    need(right.rows == program_.plan->stream, "its right operand has no key rows");
    need(left.cols == leaf.feature && right.cols == leaf.feature && loop_is(leaf.feature, Role::Feature),
         "its operands do not share its features");
    for (std::size_t other = 0; other < c; ++other)
      need(program_.contractions[other].leaf != contraction.leaf, "is there twice");
  }

  // ---- values

  void define(Expr e, Lives lives, Space space, const char* what) {
    need(e && e.is(alg::Op::kLeaf) && program_.temporaries.contains(e.leaf_id()), what);
    need(program_.temporaries.at(e.leaf_id()) == space, "its temporary has another space");
    need(lives_.emplace(e, lives).second, "its temporary is defined twice");
  }

  // Everything `e` reads exists here; `allowed` says which temporaries of the present sweep may be read.
  void reads(Expr e, const std::set<Lives>& allowed, const Sweep* sweep) const {
    need(bool(e), "has no value");
    std::set<Expr> seen;
    auto visit = [&](auto&& self, Expr x) -> void {
      if (!seen.insert(x).second) return;
      if (!is_step_op(x.op()))
        fail("holds " + std::string(alg::op_name(x.op())) + ", which no step computes");
      if (!x.is(alg::Op::kLeaf)) {
        for (Expr arg : x.args()) self(self, arg);
        return;
      }
      if (program_.temporaries.contains(x.leaf_id())) {
        const auto found = lives_.find(x);
        if (found == lives_.end()) fail("reads " + x.info().name + ", which is not defined here");
        if (!allowed.contains(found->second)) fail("reads " + x.info().name + ", which does not live here");
        if (found->second == Lives::Masked && sweep && place_.find("step") != std::string::npos)
          masked_reads(*sweep, x);
        return;
      }
      need(in_range(x.leaf_id(), program_.plan->leaves), "reads a leaf that is not in the plan");
      if (program_.plan->leaves[x.leaf_id()].kind == fusion::Leaf::Contraction)
        need(sweep && computes(*sweep, x.leaf_id()), "reads a contraction that its sweep does not compute");
    };
    visit(visit, e);
  }

  // What a masked value is made of must be there when a step first reads it.
  void masked_reads(const Sweep& sweep, Expr node) const {
    for (const Masked& m : sweep.masked) {
      if (m.node != node) continue;
      reads(m.value, {Lives::Tile, Lives::Whole, Lives::Masked, Lives::Final}, &sweep);
      if (m.predicate) reads(m.predicate, {Lives::Tile, Lives::Whole, Lives::Masked, Lives::Final}, &sweep);
    }
  }

  void contracts(const Sweep& sweep, Expr e) const {
    for (Expr leaf : alg::collect(e, {alg::Op::kLeaf})) {
      const int id = leaf.leaf_id();
      if (program_.temporaries.contains(id) || !in_range(id, program_.plan->leaves)) continue;
      need(program_.plan->leaves[id].kind != fusion::Leaf::Contraction || computes(sweep, id),
           "reads a contraction that its sweep does not compute");
    }
  }

  bool computes(const Sweep& sweep, int leaf) const {
    return std::any_of(sweep.contractions.begin(), sweep.contractions.end(),
                       [&](int c) { return program_.contractions[c].leaf == leaf; });
  }

  void fits(Expr e, Space place) const {
    if (space_of(program_, e) & ~place)
      fail("its value varies with more than its place: " + alg::to_string(e));
  }

  bool reads_masked(Expr e) const {
    if (auto found = lives_.find(e); found != lives_.end()) return found->second == Lives::Masked;
    if (e.is(alg::Op::kLeaf)) return false;
    return std::any_of(e.args().begin(), e.args().end(), [&](Expr arg) { return reads_masked(arg); });
  }

  // ---- a sweep

  void sweep(const Sweep& sweep, const std::string& name) {
    std::erase_if(lives_, [](const auto& entry) { return entry.second != Lives::Final; });
    place_ = name;
    for (std::size_t c = 0; c < sweep.contractions.size(); ++c) {
      need(in_range(sweep.contractions[c], program_.contractions), "has no such contraction");
      need(std::count(sweep.contractions.begin(), sweep.contractions.end(), sweep.contractions[c]) == 1,
           "computes a contraction twice");
    }
    masked(sweep, name);
    for (std::size_t s = 0; s < sweep.states.size(); ++s)
      state(sweep.states[s], name + ", state " + std::to_string(s));
    live(sweep, name);
    std::set<int> contracted;
    for (std::size_t s = 0; s < sweep.steps.size(); ++s) {
      place_ = name + ", step " + std::to_string(s);
      step(sweep, sweep.steps[s], contracted);
    }
    place_ = name;
    need(contracted.size() == sweep.contractions.size(), "has a contraction without a step");
    std::erase_if(lives_, [](const auto& entry) {
      return entry.second == Lives::Tile || entry.second == Lives::Masked;
    });
    for (std::size_t f = 0; f < sweep.finals.size(); ++f) {
      place_ = name + ", final " + std::to_string(f);
      const Step& final = sweep.finals[f];
      const bool fold = final.kind == StepKind::Fold;
      need(fold || final.kind == StepKind::Let, "is neither a Let nor a Fold");
      need(!fold || loop_is(final.index, Role::Column), "folds along a loop that is no column loop");
      need(!fold || final.reduce <= StateKind::Prod, "folds by what is no reduction");
      reads(final.value, {Lives::State, Lives::Whole, Lives::Final}, nullptr);
      fits(final.value, fold ? kOut : kRow);
      define(final.target, Lives::Final, kRow, "defines no temporary");
    }
  }

  static bool holds(Expr e, Expr part) {
    if (!e || e == part) return bool(e);
    if (e.is(alg::Op::kLeaf)) return false;
    return std::any_of(e.args().begin(), e.args().end(), [&](Expr arg) { return holds(arg, part); });
  }

  // A state that nothing reads wastes registers, and hides that something reads another one in its place.
  void states_are_read(const Sweep& sweep, const std::string& name, bool last) {
    for (std::size_t s = 0; s < sweep.states.size(); ++s) {
      place_ = name + ", state " + std::to_string(s);
      const Expr node = sweep.states[s].node;
      const bool by_steps = std::any_of(sweep.steps.begin(), sweep.steps.end(), [&](const Step& step) {
        if (step.kind == StepKind::Shift && step.operand == static_cast<int>(s)) return true;
        if (step.kind == StepKind::Scan && step.index == static_cast<int>(s)) return true;
        return step.index != static_cast<int>(s) && holds(step.value, node);
      });
      const bool by_finals = std::any_of(sweep.finals.begin(), sweep.finals.end(),
                                         [&](const Step& f) { return holds(f.value, node); });
      const bool by_stores =
          last && std::any_of(program_.stores.begin(), program_.stores.end(),
                              [&](const Store& store) { return holds(store.value, node); });
      need(by_steps || by_finals || by_stores, "is never read");
    }
  }

  void masked(const Sweep& sweep, const std::string& name) {
    for (std::size_t m = 0; m < sweep.masked.size(); ++m) {
      place_ = name + ", masked value " + std::to_string(m);
      define(sweep.masked[m].node, Lives::Masked, kScore, "defines no temporary");
    }
    for (std::size_t m = 0; m < sweep.masked.size(); ++m) {
      place_ = name + ", masked value " + std::to_string(m);
      for (Expr e : {sweep.masked[m].value, sweep.masked[m].predicate}) {
        if (!e && e == sweep.masked[m].predicate) continue;
        fits(e, kScore);
        contracts(sweep, e);
      }
      need(!sweep.masked[m].predicate || is_condition(sweep.masked[m].predicate),
           "its predicate is no condition");
      std::set<Expr> path;
      acyclic(sweep, sweep.masked[m].node, path);
    }
  }

  bool is_condition(Expr e) const {
    return e.is_bool() || (e.is(alg::Op::kConstant) && (e.value() == 0 || e.value() == 1));
  }

  void acyclic(const Sweep& sweep, Expr e, std::set<Expr>& path) const {
    if (!e) return;
    if (!e.is(alg::Op::kLeaf)) {
      for (Expr arg : e.args()) acyclic(sweep, arg, path);
      return;
    }
    for (const Masked& m : sweep.masked) {
      if (m.node != e) continue;
      if (!path.insert(e).second) fail("is made of itself");
      acyclic(sweep, m.value, path);
      acyclic(sweep, m.predicate, path);
      path.erase(e);
    }
  }

  void state(const State& state, const std::string& name) {
    place_ = name;
    const bool accumulates = state.kind == StateKind::Accumulator;
    need(accumulates == (state.columns >= 0), "an accumulator, and nothing else, has columns");
    need(!accumulates || loop_is(state.columns, Role::Column), "its columns are no column loop");
    const bool whole =
        state.kind == StateKind::Max || state.kind == StateKind::Min || state.kind == StateKind::Value;
    define(state.node, whole ? Lives::Whole : Lives::State, accumulates ? kOut : kRow, "has no temporary");
  }

  void live(const Sweep& sweep, const std::string& name) {
    place_ = name + ", live";
    for (Expr e : sweep.live) {
      reads(e, {Lives::Masked, Lives::Final}, &sweep);
      fits(e, kScore);
    }
    if (sweep.bet) bet(sweep);
    if (sweep.live.empty()) return;
    for (const Masked& m : sweep.masked) {
      need(m.fill == m.otherwise, "leaves out tiles that a masked value fills with a number");
      need(m.predicate && std::find(sweep.live.begin(), sweep.live.end(), m.predicate) != sweep.live.end(),
           "leaves out tiles that a masked value keeps");
    }
  }

  void bet(const Sweep& sweep) {
    const auto is_maximum = [&](const State& s) {
      return s.node == sweep.bet->maximum && s.kind == StateKind::Max;
    };
    need(std::any_of(sweep.states.begin(), sweep.states.end(), is_maximum), "bets on what is no maximum");
    need(sweep.live.empty(), "bets on tiles beside those it leaves out");
    const std::vector<Expr>& live = sweep.bet->live;
    for (const Masked& m : sweep.masked)
      need(m.predicate && std::find(live.begin(), live.end(), m.predicate) != live.end(),
           "bets on tiles that a masked value keeps");
  }

  static bool sums(const State& state) {
    return state.kind == StateKind::Accumulator || state.kind == StateKind::Sum;
  }

  void step(const Sweep& sweep, const Step& step, std::set<int>& contracted) {
    const std::set<Lives> row{Lives::Tile, Lives::State, Lives::Whole, Lives::Final},
        score{Lives::Tile, Lives::Whole, Lives::Masked, Lives::Final};
    auto value = [&](const std::set<Lives>& allowed, Space space) {
      reads(step.value, allowed, &sweep);
      fits(step.value, space);
    };
    auto state_of = [&]() -> const State& {
      need(in_range(step.index, sweep.states), "has no such state");
      return sweep.states[step.index];
    };
    auto counts_keys = [&] { need(reads_masked(step.value), "takes keys past the end for keys"); };
    switch (step.kind) {
      case StepKind::Contract:
        need(in_range(step.index, program_.contractions), "has no such contraction");
        need(std::find(sweep.contractions.begin(), sweep.contractions.end(), step.index) !=
                 sweep.contractions.end(),
             "its contraction is not the sweep's");
        need(contracted.insert(step.index).second, "contracts twice");
        return;
      case StepKind::Reduce:
        need(step.reduce == StateKind::Max || step.reduce == StateKind::Min || step.reduce == StateKind::Sum,
             "is neither extremum nor sum");
        value(score, kScore);
        counts_keys();
        return define(step.target, Lives::Tile, kRow, "defines no temporary");
      case StepKind::Scan:
        need(state_of().kind == StateKind::Value, "carries in what is no row value");
        value(score, kScore);
        counts_keys();
        return define(step.target, Lives::Tile, kScore, "defines no temporary");
      case StepKind::Fold: fail("folds before the sweep has ended");
      case StepKind::Let:
        value(row, kRow);
        return define(step.target, Lives::Tile, kRow, "defines no temporary");
      case StepKind::Set:
        need(state_of().kind != StateKind::Accumulator, "sets an accumulator");
        return value(row, kRow);
      case StepKind::Shift:
        need(sums(state_of()), "shifts what is no sum");
        if (step.operand >= 0) {
          need(in_range(step.operand, sweep.states) && step.operand != step.index,
               "has no state to shift by");
          need(sweep.states[step.operand].columns == state_of().columns && sums(sweep.states[step.operand]),
               "shifts by a state of another kind");
        } else {
          need(state_of().kind == StateKind::Sum, "shifts an accumulator by the number of keys");
        }
        return value(row, kRow);
      case StepKind::Scale: need(sums(state_of()), "scales what is no sum"); return value(row, kRow);
      case StepKind::Add:
        need(state_of().kind == StateKind::Sum || state_of().kind == StateKind::Prod,
             "adds to what is no sum");
        value(score, kScore);
        return counts_keys();
      case StepKind::Product:
        need(state_of().kind == StateKind::Accumulator, "accumulates into what is no accumulator");
        need(in_range(step.operand, program_.operands), "has no such operand");
        need(program_.operands[step.operand].rows == program_.plan->stream, "its operand has no key rows");
        need(program_.operands[step.operand].cols == state_of().columns,
             "its operand has not the accumulator's columns");
        value(score, kScore);
        return counts_keys();
      case StepKind::Join: fail("joins what no other run has");
    }
  }

  // ---- the states of two runs of keys

  void combine(const Combine& combine) {
    place_ = "combine";
    need(program_.sweeps.size() == 1, "combines what several sweeps find");
    const Sweep& sweep = program_.sweeps[0];
    const int count = static_cast<int>(sweep.states.size());
    need(combine.other.size() == sweep.states.size(), "has not the sweep's states");
    std::set<Expr> known;  // what lives here, beside the plan's leaves
    std::vector<const State*> all;
    for (const State& s : sweep.states) known.insert(s.node), all.push_back(&s);
    for (int s = 0; s < count; ++s) {
      const State &mine = sweep.states[s], &other = combine.other[s];
      need(mine.kind == other.kind && mine.columns == other.columns, "its states are of other kinds");
      need(other.node && program_.temporaries.contains(other.node.leaf_id()) &&
               known.insert(other.node).second,
           "a state has no temporary");
      all.push_back(&other);
    }
    std::vector<bool> whole(sweep.states.size(), false);
    for (std::size_t s = 0; s < combine.steps.size(); ++s) {
      place_ = "combine, step " + std::to_string(s);
      const Step& step = combine.steps[s];
      need(step.kind == StepKind::Let || in_range(step.index, all), "has no such state");
      if (step.kind == StepKind::Join) {
        need(step.index < count && step.operand == step.index + count,
             "joins what are no states of one kind");
        need(all[step.index]->kind != StateKind::Value, "joins what only a value could be set to");
        whole[step.index] = true;
        continue;
      }
      for (Expr leaf : alg::collect(step.value, {alg::Op::kLeaf}))
        need(!program_.temporaries.contains(leaf.leaf_id()) || known.contains(leaf),
             "reads what is not defined here");
      fits(step.value, kRow);
      switch (step.kind) {
        case StepKind::Let:
          need(program_.temporaries.contains(step.target.leaf_id()) && known.insert(step.target).second,
               "defines no temporary");
          break;
        case StepKind::Shift:
          need(in_range(step.operand, all) && (step.operand < count) == (step.index < count),
               "shifts by the other run's state");
          need(sums(*all[step.index]) && sums(*all[step.operand]), "shifts what is no sum");
          break;
        case StepKind::Scale: need(sums(*all[step.index]), "scales what is no sum"); break;
        case StepKind::Set:
          need(step.index < count && all[step.index]->kind != StateKind::Accumulator, "sets an accumulator");
          whole[step.index] = true;
          break;
        default: fail("is no step of a combination");
      }
    }
    place_ = "combine";
    need(std::find(whole.begin(), whole.end(), false) == whole.end(),
         "leaves a state with its own run's value");
  }

  // ---- results

  void stores() {
    std::set<int> stored;
    for (std::size_t s = 0; s < program_.stores.size(); ++s) {
      place_ = "store " + std::to_string(s);
      const Store& store = program_.stores[s];
      need(in_range(store.output, program_.function->outputs), "is for no result");
      need(stored.insert(store.output).second, "its result is stored twice");
      need(store.axis_loops.size() == program_.function->outputs[store.output].value.shape.size(),
           "has not one loop per axis of the result");
      for (int loop : store.axis_loops) {
        need(loop_is(loop, Role::Batch) || loop == program_.plan->row || loop_is(loop, Role::Column),
             "stores along a loop that no result has");
        need(!loop_is(loop, Role::Column) || loop == store.columns, "its columns are another loop");
      }
      need(
          std::count(store.axis_loops.begin(), store.axis_loops.end(), store.columns) == (store.columns >= 0),
          "does not store its columns once");
      need(std::count(store.axis_loops.begin(), store.axis_loops.end(), program_.plan->row) == 1,
           "does not store its rows once");
      reads(store.value, {Lives::State, Lives::Whole, Lives::Final}, nullptr);
      fits(store.value, store.columns >= 0 ? kOut : kRow);
    }
    place_ = "program";
    need(stored.size() == program_.function->outputs.size(), "leaves a result out");
  }

  const Program& program_;
  std::string place_;
  std::map<Expr, Lives> lives_;  // what is defined here
};

}  // namespace

void verify(const Program& program) { Verification(program).run(); }

}  // namespace flashlight::kernel
