// SPDX-License-Identifier: Apache-2.0
// After a sweep: fix-ups over the final states, rows without keys, and the stores of results.
#include <algorithm>

#include "kernel/lowering.h"

namespace flashlight::kernel {

namespace {

bool depends(Expr e, Expr on) {
  if (e == on) return true;
  if (e.is(alg::Op::kLeaf)) return false;
  return std::any_of(e.args().begin(), e.args().end(), [&](Expr arg) { return depends(arg, on); });
}

bool depends_directly(Expr product, Expr factor) {
  return std::find(product.args().begin(), product.args().end(), factor) != product.args().end();
}

// Whether `factor` is one, by itself, as a power or in a sum.
bool multiplies(Expr product, Expr factor) {
  return std::any_of(product.args().begin(), product.args().end(), [&](Expr arg) {
    const bool power = arg.is(alg::Op::kPow) && arg.value() > 0;
    if (power || arg.is(alg::Op::kAdd)) return depends(arg, factor);
    return arg == factor;
  });
}

// A maximum over the keys, a positive multiple of it, or the largest of those of their segments.
bool is_maximum(Expr e) {
  if (e.is(alg::Op::kMax2)) return is_maximum(e.arg(0)) && is_maximum(e.arg(1));
  if (e.is(alg::Op::kMul))
    return e.args().size() == 2 && e.arg(0).is(alg::Op::kConstant) && e.arg(0).value() > 0 &&
           is_maximum(e.arg(1));
  return e.is(alg::Op::kRunningMax) || (e.is(alg::Op::kKnown) && e.arg(0).is(alg::Op::kReduceMax));
}

}  // namespace

// The references behind a fix-up, if all its states are extrema of theirs or sums weighed by their
// exponentials: such a row is empty exactly when all of them are -inf. Nothing if another state takes part.
std::optional<std::set<int>> Lowering::references_of(const alg::Sweep& sweep, Expr fixup) const {
  std::set<int> result, weighing, centring;
  std::set<Expr> settled;
  for (std::size_t r = 0; r < sweep.references.size(); ++r) {
    settled.insert(sweep.references[r].node);
    if (sweep.references[r].kind != alg::ReferenceKind::kRunningMean &&
        depends(fixup, sweep.references[r].node))
      result.insert(static_cast<int>(r));
  }
  for (const alg::Accumulator& a : sweep.accumulators) {
    if (!depends(fixup, a.node)) continue;
    bool weighed = false;
    for (const alg::Exponent& e : a.exponents) {
      if (e.reference >= 0) weighing.insert(e.reference), weighed = true;
    }
    if (!weighed) return std::nullopt;
    for (const alg::CentredPower& p : a.powers) centring.insert(p.reference);
  }
  for (const alg::Plain& p : sweep.plain) {
    if (!settled.contains(p.node) && depends(fixup, p.node)) return std::nullopt;
  }
  for (int centre : centring)
    result.erase(centre);  // the centre of a weighed moment says nothing about its keys
  result.insert(weighing.begin(), weighing.end());
  if (result.empty()) return std::nullopt;
  return result;
}

// x^-n in a fix-up, for sums x of this sweep or an earlier one that may be empty where the row is not: it
// counts as 0 there.
std::map<Expr, Expr> Lowering::quotients_of(const alg::Sweep& sweep, Expr fixup, bool settled) {
  std::map<Expr, Expr> result;
  for (Expr power : alg::collect(fixup, {alg::Op::kPow})) {
    if (power.value() >= 0) continue;
    const Expr base = power.arg(0);
    if (base.is(alg::Op::kKnown) && base.arg(0).is(alg::Op::kReduceSum))
      result[power] = where(eq(base, 0.0), 0.0, power);
    for (const alg::Accumulator& a : sweep.accumulators) {
      if (!settled && a.node == base)
        result[power] = where(eq(states_.at(a.node), 0.0), 0.0, pow(states_.at(a.node), power.value()));
    }
  }
  return result;
}

// A product with a sum that has no keys is 0 whatever its other factors, exponentials of the missing maximum
// above all: it is not looked at where the sum's own reference says that there is none, and else the maximum
// counts as 0. `with` maps what the fix-up is made of; inner products come before outer ones.
void Lowering::guard_products(const alg::Sweep& sweep, Expr fixup, std::map<Expr, Expr>& with) {
  for (Expr power :
       alg::collect(fixup, {alg::Op::kExp}))  // the largest of several exponents, of which one has no maximum
    for (Expr largest : alg::collect(power, {alg::Op::kMax2}))
      if (!alg::collect(largest, {alg::Op::kKnown}).empty())
        with[largest] = with_finite_maxima(largest, with);
  std::vector<Expr> products = alg::collect(fixup, {alg::Op::kMul});
  std::sort(products.begin(), products.end());
  for (Expr product : products) {
    std::vector<Expr> none, args;
    bool endangered = false;
    for (Expr factor : product.args()) {
      args.push_back(substitute(factor, with));
      endangered = endangered || factor.is(alg::Op::kExp) || !alg::collect(factor, {alg::Op::kKnown}).empty();
      for (const alg::Accumulator& a : sweep.accumulators) {
        if (!(a.node == factor)) continue;
        for (const alg::Exponent& e : a.exponents) {
          if (e.reference >= 0) none.push_back(eq(references_[e.reference].state, -kInf));
        }
      }
    }
    if (!endangered) continue;
    if (!none.empty()) {
      with[product] = where(alg::any_of(none), 0.0, alg::with_args(product, args));
      continue;
    }
    for (std::size_t k = 0; k < args.size(); ++k) {
      if (!product.arg(k).is(alg::Op::kExp)) continue;
      args[k] = with_finite_maxima(product.arg(k), with);
      with[product] = alg::with_args(product, args);
    }
  }
}

// Maxima that are subtracted count as 0 where they are -inf; of the segments' maxima the largest does.
Expr Lowering::with_finite_maxima(Expr e, std::map<Expr, Expr> with) {
  std::vector<Expr> terms = alg::collect(e, {alg::Op::kMul});
  std::sort(terms.begin(), terms.end());  // inner ones first
  for (Expr term : terms) {
    std::vector<Expr> args;
    bool negative = false;
    for (Expr arg : term.args()) {
      negative = negative != (arg.is(alg::Op::kConstant) && arg.value() < 0);
      const Expr value = known(substitute(arg, with));
      args.push_back(is_maximum(arg) ? make_finite(value) : value);
    }
    if (negative) with[term] = alg::with_args(term, args);
  }
  return substitute(e, with);
}

// Fix-ups over the final states; a row without any key takes the empty value.
void Lowering::finish(const alg::Sweep& sweep, bool last) {
  const std::size_t results = last ? program_.plan->results.size() : sweep.fixups.size();
  for (std::size_t t = results; t < sweep.fixups.size(); ++t)
    fold(program_.plan->folds[t - results], fixup(sweep, t));
  for (std::size_t t = 0; t < results; ++t) {
    const Expr value = fixup(sweep, t);
    if (last) {
      store(static_cast<int>(t), value);
      continue;
    }
    const Expr target = temporary(kRow, "known" + std::to_string(known_count_++));
    const bool condition = sweep.targets[t].is_bool();
    out_->finals.push_back({StepKind::Let, -1, -1, target, condition ? where(value, 1.0, 0.0) : value, {}});
    knowns_[arena_.make(alg::Op::kKnown, {sweep.targets[t]})] = condition ? gt(target, 0.0) : target;
  }
}

// What reads the fold comes later: other folds and results.
void Lowering::fold(const fusion::Fold& fold, Expr value) {
  static const std::map<graph::ReduceKind, StateKind> kKinds{{graph::ReduceKind::Sum, StateKind::Sum},
                                                             {graph::ReduceKind::Prod, StateKind::Prod},
                                                             {graph::ReduceKind::Max, StateKind::Max},
                                                             {graph::ReduceKind::Min, StateKind::Min}};
  const Expr target = temporary(kRow, "fold" + std::to_string(known_count_++));
  out_->finals.push_back({StepKind::Fold, fold.columns, -1, target, value, kKinds.at(fold.kind)});
  knowns_[fold.leaf] = target;
}

// A maximum that (x - maximum)^k is summed around stands in the fix-up beside sums of fewer powers. Where its
// keys are none, so are theirs, and it counts as 0.
void Lowering::guard_centres(const alg::Sweep& sweep, Expr fixup, std::map<Expr, Expr>& with) {
  std::set<int> centres;
  for (const alg::Accumulator& a : sweep.accumulators)
    for (const alg::CentredPower& p : a.powers)
      if (p.reference >= 0 && sweep.references[p.reference].kind != alg::ReferenceKind::kRunningMean)
        centres.insert(p.reference);
  const auto has_keys_of = [](const alg::Accumulator& a, const alg::Reference& r) {
    if (!r.guard || a.guard == r.guard) return true;
    return a.guard && a.guard.is(alg::Op::kAnd) &&
           std::find(a.guard.args().begin(), a.guard.args().end(), r.guard) != a.guard.args().end();
  };
  std::vector<Expr> products = alg::collect(fixup, {alg::Op::kMul});
  std::sort(products.begin(), products.end());  // inner ones first
  for (Expr product : products) {
    if (with.contains(product)) continue;
    std::map<Expr, Expr> finite = with;
    for (const alg::Accumulator& a : sweep.accumulators) {
      if (!a.exponents.empty() || !depends_directly(product, a.node)) continue;
      for (int r : centres)
        if (const Expr node = sweep.references[r].node;
            has_keys_of(a, sweep.references[r]) && multiplies(product, node))
          finite[node] = where(gt(references_[r].state, -kInf), states_.at(node), 0.0);
    }
    if (finite != with) with[product] = substitute(product, finite);
  }
}

// Rows without keys keep their NaN. But where one segment of the keys has none and another has some, a
// product with the former's sum is 0 whatever its other factors.
Expr Lowering::strict_fixup(const alg::Sweep& sweep, Expr fixup) {
  const auto beside = [&](const alg::Reference& r) -> Expr {  // the largest over all segments
    for (Expr largest : alg::collect(fixup, {alg::Op::kMax2}))
      if (is_maximum(largest) && depends(largest, r.node)) return largest;
    return {};
  };
  std::map<Expr, Expr> with;
  for (const alg::Accumulator& a : sweep.accumulators) {
    for (const alg::Exponent& e : a.exponents) {
      const Expr largest = e.reference >= 0 ? beside(sweep.references[e.reference]) : Expr();
      if (!largest) continue;
      const Expr none =
          alg::all_of({eq(references_[e.reference].state, -kInf), gt(substitute(largest, states_), -kInf)});
      for (Expr product : alg::collect(fixup, {alg::Op::kMul}))
        if (depends_directly(product, a.node)) with[product] = where(none, 0.0, substitute(product, states_));
    }
  }
  with.insert(states_.begin(), states_.end());
  guard_centres(sweep, fixup, with);
  return known(substitute(fixup, with));
}

Expr Lowering::fixup(const alg::Sweep& sweep, std::size_t t) {
  if (program_.plan->strict_nan) return strict_fixup(sweep, sweep.fixups[t]);
  const auto references = references_of(sweep, sweep.fixups[t]);
  const bool settled = references && references->size() == 1;  // the select below covers every empty sum
  std::map<Expr, Expr> with = quotients_of(sweep, sweep.fixups[t], settled);
  with.insert(states_.begin(), states_.end());  // at once: what a state is made of holds quotients as well
  if (!settled) {
    guard_products(sweep, sweep.fixups[t], with);
    guard_centres(sweep, sweep.fixups[t], with);
  }
  const Expr value = known(substitute(sweep.fixups[t], with));
  std::vector<Expr> none;
  if (!references) {  // a sum that is divided by and may be 0 has a logarithm, too: -inf
    for (Expr log : alg::collect(sweep.fixups[t], {alg::Op::kLog}))
      if (with.contains(pow(log.arg(0), -1)) && states_.contains(log.arg(0)))
        none.push_back(eq(states_.at(log.arg(0)), 0.0));
    return none.empty() ? value : where(alg::all_of(none), known(sweep.empty[t]), value);
  }
  for (int r : *references) none.push_back(eq(references_[r].state, -kInf));
  return where(alg::all_of(none), known(sweep.empty[t]), value);
}

void Lowering::store(int target, Expr value) {
  const graph::TensorView& view = program_.function->outputs[program_.plan->results[target].output].value;
  if (view.type != graph::Type::Float) {
    refuse("unsupported-value", "a result that is not of a floating type is not stored yet",
           "return where(x, 1.0, 0.0)", program_.plan->sweeps.back().targets[target]);
  }
  const fusion::Result& result = program_.plan->results[target];
  Store store{result.output, result.axis_loops, value, -1};
  for (int loop : result.axis_loops) {
    if (program_.plan->loops[loop].role != fusion::Role::Column) continue;
    if (store.columns >= 0)
      refuse("rank-three", "a result has two output columns", "flatten them into one axis");
    store.columns = loop;
  }
  program_.stores.push_back(store);
}

}  // namespace flashlight::kernel
