// SPDX-License-Identifier: Apache-2.0
// Sweeps one after the other: what cannot be separated waits for the reductions it uses.
#include "fusion/algebra/plan.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <iterator>
#include <set>

#include "fusion/algebra/empty_row.h"
#include "fusion/algebra/hidden_row.h"
#include "fusion/algebra/references.h"
#include "fusion/algebra/separate.h"

namespace flashlight::fusion::algebra {
namespace {

bool contains(const std::vector<Expr>& in, Expr e) { return std::find(in.begin(), in.end(), e) != in.end(); }

// The reductions inside `e`, inner ones first, each once.
void append_reductions(Expr e, std::set<Expr>& seen, std::vector<Expr>& out) {
  if (!seen.insert(e).second) return;
  for (Expr a : e.args()) append_reductions(a, seen, out);
  if (is_reduction(e.op())) out.push_back(e);
}

std::vector<Expr> reductions_of(const std::vector<Expr>& roots) {
  std::set<Expr> seen;
  std::vector<Expr> out;
  for (Expr e : roots) append_reductions(e, seen, out);
  return out;
}

std::vector<Expr> knowns_used(const Sweep& s) {
  std::vector<Expr> out;
  const auto visit = [&](Expr e) {
    if (!e) return;
    for (Expr k : collect(e, {Op::kKnown})) out.push_back(k.arg(0));
  };
  for (Expr e : s.fixups) visit(e);
  for (const Reference& r : s.references) visit(r.key);
  for (const Plain& p : s.plain) visit(p.value);
  for (const Scan& x : s.scans) visit(x.value);
  for (const Accumulator& a : s.accumulators) {
    visit(a.guard);
    visit(a.product);
    for (const Exponent& e : a.exponents) visit(e.u);
    for (const CentredPower& p : a.powers) visit(p.x);
  }
  return out;
}

// The extrema over the keys, known from an earlier sweep, that a value is one of, up to its sign, and
// `scaled` by what is no number: a multiple by a number is a threshold of its own.
void append_extrema(Expr e, bool scaled, std::vector<Expr>& out) {
  const auto all = [&](std::size_t from) {
    for (std::size_t i = from; i < e.args().size(); ++i) append_extrema(e.arg(i), scaled, out);
  };
  const auto is_other_number = [](Expr a) { return a.is(Op::kConstant) && std::abs(a.value()) != 1; };
  if (e.is(Op::kMax2) || e.is(Op::kMin2)) return all(0);
  if (e.is(Op::kWhere)) return all(1);
  if (e.is(Op::kMul) && std::none_of(e.args().begin(), e.args().end(), is_other_number) &&
      (scaled || (e.args().size() == 2 && e.arg(0).is_constant(-1))))
    return all(0);
  if (is_known_extremum(e)) out.push_back(e.arg(0));
}

std::vector<Expr> key_leaves(Expr e) {
  std::vector<Expr> leaves = collect(e, {Op::kLeaf});
  std::erase_if(leaves, [](Expr leaf) { return !leaf.info().streamed; });
  return leaves;
}

// Extrema that elements are compared with.
struct Compared {
  std::set<Expr> seen;
  std::vector<Expr> directly, by_difference;
};

// The known extrema that elements they are of are compared with, to see whether they attain them. Elements of
// something else are held against a threshold, which may round as it likes.
void append_own(Expr extremum_side, Expr elements_side, bool scaled, std::vector<Expr>& out) {
  std::vector<Expr> extrema;
  append_extrema(extremum_side, scaled, extrema);
  const std::vector<Expr> elements = key_leaves(elements_side);
  std::copy_if(extrema.begin(), extrema.end(), std::back_inserter(out), [&](Expr extremum) {
    const std::vector<Expr> own = key_leaves(extremum.arg(0));
    return std::find_first_of(own.begin(), own.end(), elements.begin(), elements.end()) != own.end();
  });
}

// Sums of elements and an extremum of theirs, anywhere inside.
void append_differences(Expr e, std::vector<Expr>& out) {
  if (e.is(Op::kAdd))
    for (Expr term : e.args()) append_own(term, e, true, out);
  if (e.is(Op::kKnown)) return;
  for (Expr a : e.args()) append_differences(a, out);
}

// Where a difference decides by being 0: against 0, as an exponent against 1, and against another extremum.
bool is_met_at_zero(Expr difference_side, Expr other) {
  if (other.is_constant(0)) return true;
  if (other.is_constant(1)) return !collect(difference_side, {Op::kExp}).empty();
  std::vector<Expr> extrema;
  append_own(other, difference_side, true, extrema);
  append_differences(other, extrema);
  for (Expr term : other.is(Op::kAdd) ? other.args() : std::vector<Expr>{})
    append_own(term, difference_side, true, extrema);
  return !extrema.empty();
}

void append_compared(Expr e, Compared& out) {
  if (!e || !out.seen.insert(e).second) return;
  for (Expr a : e.args()) append_compared(a, out);
  if (!e.is(Op::kEq) && !e.is(Op::kGe) && !e.is(Op::kGt)) return;
  for (std::size_t side : {0, 1}) {
    append_own(e.arg(side), e.arg(1 - side), false, out.directly);
    if (is_met_at_zero(e.arg(side), e.arg(1 - side))) append_differences(e.arg(side), out.by_difference);
  }
}

Compared compared_in(const Sweep& s) {
  Compared out;
  for (const Reference& r : s.references) append_compared(r.key, out);
  for (const Plain& p : s.plain) append_compared(p.value, out);
  for (const Scan& x : s.scans) append_compared(x.value, out);
  for (const Accumulator& a : s.accumulators) {
    append_compared(a.guard, out);
    append_compared(a.product, out);
    for (const Exponent& e : a.exponents) append_compared(e.u, out);
    for (const CentredPower& p : a.powers) append_compared(p.x, out);
  }
  return out;
}

std::string more_sweeps(int most) {
  return "more than " + std::to_string(most) + (most == 1 ? " sweep" : " sweeps") +
         " over the keys would be needed, the last for ";
}

class Planning {
 public:
  Planning(Arena& arena, const std::vector<Expr>& outputs, const PlanOptions& options)
      : arena_(arena), outputs_(outputs), options_(options) {}

  Plan run() {
    Refusal last;
    while (true) {
      try {
        plan_.sweeps.push_back(sweep(outputs_));
        share_columns();
        drop_unused_targets();
        break;
      } catch (const Inseparable& e) { last = e.refusal; }
      plan_.because.push_back(std::string(reason_id(last.reason)) + ": " + last.text);
      const std::vector<Expr> next = separable_reductions_of_failures();
      if (next.empty()) throw Inseparable(last.reason, last.text, last.at);
      if (static_cast<int>(plan_.sweeps.size()) + 1 >= options_.max_sweeps)
        throw Inseparable(last.reason, more_sweeps(options_.max_sweeps) + last.text, last.at);
      plan_.sweeps.push_back(sweep(next));
      make_known(next);
    }
    refuse_inexact_comparisons();
    return std::move(plan_);
  }

 private:
  static int column_sums(const Sweep& s) {
    return static_cast<int>(std::count_if(s.accumulators.begin(), s.accumulators.end(),
                                          [](const Accumulator& a) { return !a.exact_sum; }));
  }

  // max(c x + r) is c max(x) + r, but not to the last bit: no element might equal it.
  bool rounds(Expr extremum) const {
    for (const Sweep& s : plan_.sweeps)
      for (std::size_t t = 0; t < s.targets.size(); ++t)
        if (s.targets[t] == extremum && !is_exact_extremum(s.fixups[t])) return true;
    return false;
  }

  void refuse_inexact_comparisons() const {
    for (const Sweep& later : plan_.sweeps) {
      const Compared compared = compared_in(later);
      for (Expr extremum : compared.directly)
        if (rounds(extremum))
          throw Inseparable(
              Reason::kComparisonWithReduction,
              "scores are compared with an extremum of theirs that is made from one of a part of "
              "them, and so rounds otherwise: " +
                  to_string(extremum),
              extremum);
      for (Expr extremum : compared.by_difference)
        throw Inseparable(
            Reason::kComparisonWithReduction,
            "scores less an extremum of theirs are compared with 0, and the difference rounds: " +
                to_string(extremum),
            extremum);
    }
  }

  // The outputs have just been planned in one more sweep. See kMostColumnSums.
  void share_columns() {
    const int alone = column_sums(plan_.sweeps.back());
    if (alone <= kMostColumnSums || options_.strict_nan) return;
    if (Sweep joined = sweep(outputs_, true); column_sums(joined) < alone)
      plan_.sweeps.back() = std::move(joined);
    const int one = column_sums(plan_.sweeps.back());
    if (one <= kMostColumnSums || static_cast<int>(plan_.sweeps.size()) >= options_.max_sweeps) return;
    std::vector<Expr> statistics;
    for (Expr r : reductions_of(outputs_))
      if (!r.node().column && !knowns_.back().contains(r) && separable(r)) statistics.push_back(r);
    if (statistics.empty()) return;
    const std::vector<Expr> order = known_order_;
    Sweep first = sweep(statistics);
    make_known(statistics);
    Sweep second = sweep(outputs_, true);
    const int two = std::max(column_sums(first), column_sums(second));
    if (one <= 2 * two) {
      knowns_.pop_back();
      known_order_ = order;
      return;
    }
    plan_.because.push_back("many-accumulators: one sweep would keep " + std::to_string(one) +
                            " sums over the output columns, where two keep " + std::to_string(two) +
                            " at most");
    plan_.sweeps.back() = std::move(first);
    plan_.sweeps.push_back(std::move(second));
  }

  // `join`: sums that share their column factor become one, see Separation::join_sums.
  Sweep sweep(const std::vector<Expr>& targets, bool join = false) {
    const Knowns& knowns = knowns_.back();
    Separation derivation(arena_, knowns, options_.strict_nan);
    std::vector<NormalForm> forms;
    for (Expr e : targets) {
      forms.push_back(derivation.form(e));
      if (kind_of(forms.back()) & kKeyed)
        throw Inseparable(Reason::kOpaque, "an output varies along the streamed axis: " + to_string(e), e);
    }
    if (join) derivation.join_sums(forms);
    Draft draft = choose_references(arena_, derivation, forms, options_);
    for (std::size_t t = 0; t < targets.size() && options_.strict_nan; ++t)
      draft.fixups[t] = with_hidden_rows(arena_, derivation, targets[t], std::move(draft.fixups[t]));
    Sweep s = assemble(arena_, draft);
    s.targets = targets;
    s.knowns = known_order_;
    for (Expr e : targets) {
      s.empty.push_back(over_empty_stream(e));
      const bool is_number = s.empty.back().is(Op::kConstant);
      s.empty_values.push_back(is_number ? std::optional(s.empty.back().value()) : std::nullopt);
    }
    return s;
  }

  void make_known(const std::vector<Expr>& targets) {
    Separation derivation(arena_, knowns_.back(), options_.strict_nan);
    Knowns more = knowns_.back();
    for (Expr e : targets) more.emplace(e, derivation.form(e));
    knowns_.push_back(std::move(more));
    known_order_.insert(known_order_.end(), targets.begin(), targets.end());
  }

  // Some reductions made known cancel from the later sweeps: derive the earlier ones again without them.
  void drop_unused_targets() {
    std::set<Expr> used;
    for (std::size_t k = plan_.sweeps.size(); k-- > 0; knowns_.pop_back()) {
      Sweep& s = plan_.sweeps[k];
      std::vector<Expr> targets = s.targets;
      if (k + 1 < plan_.sweeps.size()) std::erase_if(targets, [&](Expr e) { return !used.contains(e); });
      known_order_ = s.knowns;
      if (targets.size() != s.targets.size()) s = sweep(targets);
      const std::vector<Expr> needed = knowns_used(s);
      used.insert(needed.begin(), needed.end());
    }
    for (Sweep& s : plan_.sweeps) std::erase_if(s.knowns, [&](Expr e) { return !used.contains(e); });
  }

  bool separable(Expr reduction) {
    try {
      sweep({reduction});
      return true;
    } catch (const Inseparable&) { return false; }
  }

  // The reductions that a failing one uses directly and that this sweep can compute.
  std::vector<Expr> separable_reductions_of_failures() {
    std::vector<Expr> can, cannot, wanted, direct;
    for (Expr r : reductions_of(outputs_))
      if (!knowns_.back().contains(r)) (separable(r) ? can : cannot).push_back(r);
    for (Expr r : cannot)
      for (Expr used : reductions_of({r.arg(0)}))
        if (contains(can, used) && !contains(wanted, used)) wanted.push_back(used);
    std::set<Expr> seen;
    auto walk = [&](auto&& self, Expr e) -> void {
      if (!seen.insert(e).second) return;
      if (contains(wanted, e)) return direct.push_back(e);
      for (Expr a : e.args()) self(self, a);
    };
    for (Expr r : cannot) walk(walk, r.arg(0));
    return direct;
  }

  Arena& arena_;
  const std::vector<Expr>& outputs_;
  const PlanOptions& options_;
  std::deque<Knowns> knowns_{Knowns{}};  // before each sweep; references into it stay valid
  std::vector<Expr> known_order_;
  Plan plan_;
};

}  // namespace

std::variant<Plan, Refusal> plan(Arena& arena, const std::vector<Expr>& outputs, const PlanOptions& options) {
  try {
    return Planning(arena, outputs, options).run();
  } catch (const Inseparable& e) { return e.refusal; }
}

}  // namespace flashlight::fusion::algebra
