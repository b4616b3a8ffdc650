// SPDX-License-Identifier: Apache-2.0
// From a draft's nodes to the states of a sweep.
#include <algorithm>
#include <map>

#include "fusion/algebra/accumulator_node.h"
#include "fusion/algebra/references.h"

namespace flashlight::fusion::algebra {
namespace {

class Assembly {
 public:
  Assembly(Arena& arena, const Draft& draft) : arena_(arena), draft_(draft) {}

  Sweep run() {
    for (const NormalForm& a : draft_.fixups) {
      sweep_.fixups.push_back(rebuild(arena_, a));
      for (Expr e :
           collect(sweep_.fixups.back(), {Op::kRunningMax, Op::kLazyMax, Op::kCentre, Op::kAccumulator,
                                          Op::kArgAccumulator, Op::kRunningProd, Op::kRunningAny}))
        need(e);
    }
    std::sort(accumulators_.begin(), accumulators_.end());
    const auto rank = [&](Expr e) {
      return std::pair(draft_.find(e)->kind == ReferenceKind::kRunningMean, e);
    };
    std::sort(references_.begin(), references_.end(), [&](Expr a, Expr b) { return rank(a) < rank(b); });
    for (std::size_t i = 0; i < references_.size(); ++i) index_[references_[i]] = static_cast<int>(i);
    for (std::size_t i = 0; i < accumulators_.size(); ++i) index_[accumulators_[i]] = static_cast<int>(i);
    for (Expr e : references_) sweep_.references.push_back(reference(e));
    for (Expr e : accumulators_) sweep_.accumulators.push_back(accumulator(e));
    collect_scans();
    return std::move(sweep_);
  }

 private:
  static void add(std::vector<Expr>& to, Expr e) {
    if (std::find(to.begin(), to.end(), e) == to.end()) to.push_back(e);
  }

  // Everything a state depends on: the lower powers it moves with, its references, their weights.
  void need(Expr e) {
    switch (e.op()) {
      case Op::kAccumulator: {
        if (std::find(accumulators_.begin(), accumulators_.end(), e) != accumulators_.end()) return;
        for (const FamilyMember& f : lower_family(e))
          if (f.node.is(Op::kAccumulator)) add(accumulators_, f.node);
        const AccumulatorParts parts = accumulator_parts(e);
        for (const ExponentPart& x : parts.exponents) need_reference(x.reference);
        for (const PowerPart& p : parts.powers) need_reference(p.reference);
        return;
      }
      case Op::kArgAccumulator:
        add(accumulators_, e);
        return need_reference(arena_.make(Op::kRunningMax, {e.arg(1)}));
      case Op::kRunningMax:
      case Op::kLazyMax:
      case Op::kCentre:
        if (draft_.find(e) != nullptr) return need_reference(e);
        break;
      default: break;
    }
    for (const Plain& p : sweep_.plain)
      if (p.node == e) return;
    sweep_.plain.push_back({e.is(Op::kRunningProd)  ? PlainKind::kProd
                            : e.is(Op::kRunningAny) ? PlainKind::kAny
                                                    : PlainKind::kMax,
                            e, e.arg(0)});
  }

  void need_reference(Expr e) {
    const DraftReference* r = draft_.find(e);
    if (r == nullptr || std::find(references_.begin(), references_.end(), e) != references_.end()) return;
    references_.push_back(e);
    if (r->weight) need(r->weight);
  }

  Reference reference(Expr node) {
    const DraftReference& d = *draft_.find(node);
    Reference r;
    r.kind = d.kind;
    r.node = node;
    r.key = r.value = d.key;
    if (is_masked(d.key)) r.guard = d.key.arg(0), r.value = d.key.arg(1);
    if (d.weight) r.weight = index_.at(d.weight);
    r.lazy = node.is(Op::kLazyMax);
    return r;
  }

  // -1 with the constant set, or the index.
  int reference_index(Expr node, double* constant) const {
    if (!node.is(Op::kConstant)) return index_.at(node);
    *constant = node.value();
    return -1;
  }

  Accumulator accumulator(Expr node) {
    Accumulator a;
    a.node = node;
    if (node.is(Op::kArgAccumulator)) {
      set_product(a, node.arg(0));
      a.argmax = index_.at(arena_.make(Op::kRunningMax, {node.arg(1)}));
      return a;
    }
    const AccumulatorParts parts = accumulator_parts(node);
    set_product(a, parts.product);
    for (const ExponentPart& x : parts.exponents) {
      Exponent e{x.lambda, x.u, -1, 0};
      e.reference = reference_index(x.reference, &e.constant);
      a.exponents.push_back(e);
    }
    for (const PowerPart& x : parts.powers) {
      CentredPower p{x.x, x.power, -1, 0};
      p.reference = reference_index(x.reference, &p.constant);
      a.powers.push_back(p);
    }
    for (const FamilyMember& f : lower_family(node)) {
      MoveTerm t;
      for (std::size_t i = 0; i < f.powers.size(); ++i) {
        t.coefficient *= binomial(a.powers[i].power, f.powers[i]);
        t.delta_powers.push_back(a.powers[i].power - f.powers[i]);
      }
      t.source = f.node.is(Op::kAccumulator) ? index_.at(f.node) : -1;
      a.move.push_back(std::move(t));
    }
    return a;
  }

  void set_product(Accumulator& a, Expr product) {
    if (is_zeroed(product)) a.guard = product.arg(0), product = product.arg(1);
    a.product = product;
    const std::vector<Expr> factors = product.is(Op::kMul) ? product.args() : std::vector<Expr>{product};
    for (Expr f : factors) {
      if (f.is(Op::kConstant)) a.scale *= f.value();
      else if (f.is(Op::kPow)) a.factors.push_back({f.arg(0), f.value()});
      else a.factors.push_back({f, 1});
    }
    a.exact_sum = !product.node().column;
  }

  void collect_scans() {
    std::vector<Expr> found;
    const auto visit = [&](Expr e) {
      if (!e) return;
      for (Expr s : collect(e, {Op::kCarried})) add(found, s);
    };
    for (const Reference& r : sweep_.references) visit(r.key);
    for (const Plain& p : sweep_.plain) visit(p.value);
    for (const Accumulator& a : sweep_.accumulators) {
      visit(a.guard);
      visit(a.product);
      for (const Exponent& e : a.exponents) visit(e.u);
      for (const CentredPower& p : a.powers) visit(p.x);
    }
    std::sort(found.begin(), found.end());  // a scan inside another was made before it
    for (Expr e : found) sweep_.scans.push_back({e, e.arg(0), e.exclusive()});
  }

  Arena& arena_;
  const Draft& draft_;
  std::vector<Expr> accumulators_, references_;
  std::map<Expr, int> index_;
  Sweep sweep_;
};

// What is left inside a state must have a value while the keys stream by.
void check(Expr e) {
  if (!e) return;
  if (!collect(e, {Op::kAttainsMax}).empty())
    throw Inseparable(Reason::kComparisonWithReduction,
                      "the keys that attain a maximum, used beyond a sum over them: " + to_string(e), e);
  if (!collect(e, {Op::kCentred}).empty())
    throw Inseparable(Reason::kOpaque,
                      "a deviation from a row reduction inside another function: " + to_string(e), e);
}

void check(const Sweep& sweep) {
  for (const Scan& s : sweep.scans) check(s.value);
  for (const Plain& p : sweep.plain) check(p.value);
  for (const Reference& r : sweep.references) check(r.key);
  for (const Accumulator& a : sweep.accumulators) {
    check(a.guard);
    check(a.product);
    for (const Exponent& e : a.exponents) check(e.u);
    for (const CentredPower& p : a.powers) check(p.x);
  }
}

}  // namespace

Sweep assemble(Arena& arena, const Draft& draft) {
  Sweep sweep = Assembly(arena, draft).run();
  check(sweep);
  return sweep;
}

}  // namespace flashlight::fusion::algebra
