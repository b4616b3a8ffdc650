// SPDX-License-Identifier: Apache-2.0
// See schedule.h.
#include "emit/schedule.h"

#include <algorithm>
#include <set>

namespace flashlight::emit {

namespace alg = fusion::algebra;
using kernel::Expr;
using kernel::StepKind;

namespace {

class Scheduling {
 public:
  Scheduling(const kernel::Program& program, const kernel::Sweep& sweep) : program_(program), sweep_(sweep) {}

  Schedule run() {
    for (std::size_t m = 0; m < sweep_.masked.size(); ++m)
      masked_[sweep_.masked[m].node] = static_cast<int>(m);
    for (const kernel::Step& step : sweep_.steps) {
      if (step.kind == StepKind::Product && !masked_.contains(step.value)) weights_.insert(step.value);
    }
    for (std::size_t s = 0; s < sweep_.steps.size(); ++s) {
      const kernel::Step& step = sweep_.steps[s];
      if (step.kind == StepKind::Contract) continue;  // issued where its scores are first needed
      need(step.value);
      if (step.kind == StepKind::Scan) {
        done_.insert(step.target);
        add({Item::Scan, static_cast<int>(s), step.target});
        continue;
      }
      if (weights_.contains(step.value) && done_.insert(step.value).second)
        add({Item::Weigh, static_cast<int>(s), step.value});
      add({Item::Step, static_cast<int>(s), {}});
    }
    assign_slots();
    return std::move(result_);
  }

 private:
  void add(Item item) { result_.items.push_back(item); }

  // Every fragment that `e` reads.
  void need(Expr e) {
    if (!e || !seen_.insert(e).second) return;
    if (auto m = masked_.find(e); m != masked_.end()) {
      need(sweep_.masked[m->second].value);
      need(sweep_.masked[m->second].predicate);
      if (done_.insert(e).second) add({Item::Mask, m->second, e});
      return;
    }
    if (e.is(alg::Op::kLeaf) && !program_.temporaries.contains(e.leaf_id())) {
      for (int c : sweep_.contractions) {
        if (program_.contractions[c].leaf == e.leaf_id() && done_.insert(e).second)
          add({Item::Contract, c, e});
      }
    }
    if (!e.is(alg::Op::kLeaf)) {
      for (Expr arg : e.args()) need(arg);
    }
  }

  // The fragments an item reads.
  void reads(Expr e, std::set<Expr>& out, bool top) {
    if (!e) return;
    if (!top && done_.contains(e)) {
      out.insert(e);
      return;
    }
    if (e.is(alg::Op::kLeaf)) return;
    for (Expr arg : e.args()) reads(arg, out, false);
  }
  std::set<Expr> reads(const Item& item) {
    std::set<Expr> out;
    if (item.kind == Item::Mask) {
      reads(sweep_.masked[item.index].value, out, false);
      reads(sweep_.masked[item.index].predicate, out, false);
    } else if (item.kind == Item::Weigh) {
      reads(item.node, out, true);
    } else if (item.kind == Item::Step || item.kind == Item::Scan) {
      reads(sweep_.steps[item.index].value, out, false);
    }
    return out;
  }

  void assign_slots() {
    std::map<Expr, std::size_t> last;
    for (std::size_t i = 0; i < result_.items.size(); ++i) {
      for (Expr e : reads(result_.items[i])) last[e] = i;
    }
    std::vector<Expr> holder;
    for (std::size_t i = 0; i < result_.items.size(); ++i) {
      Item& item = result_.items[i];
      if (item.kind == Item::Step) continue;
      const std::set<Expr> sources = reads(item);
      for (std::size_t s = 0; s < holder.size() && item.slot < 0; ++s) {
        // A predicate is evaluated after the value has been written, so what it reads must not be
        // overwritten.
        std::set<Expr> guard;
        if (item.kind == Item::Mask) reads(sweep_.masked[item.index].predicate, guard, false);
        const bool dead = last[holder[s]] < i || (last[holder[s]] == i && !guard.contains(holder[s]));
        if (!dead) continue;
        item.slot = static_cast<int>(s);
        item.in_place = sources.contains(holder[s]);
        holder[s] = item.node;
      }
      if (item.slot < 0) {
        item.slot = static_cast<int>(holder.size());
        holder.push_back(item.node);
      }
      result_.slot_of[item.node] = item.slot;
    }
    result_.slots = static_cast<int>(holder.size());
  }

  const kernel::Program& program_;
  const kernel::Sweep& sweep_;
  Schedule result_;
  std::map<Expr, int> masked_;
  std::set<Expr> weights_, done_, seen_;
};

}  // namespace

Schedule schedule_tile(const kernel::Program& program, const kernel::Sweep& sweep) {
  return Scheduling(program, sweep).run();
}

}  // namespace flashlight::emit
