// SPDX-License-Identifier: Apache-2.0
// See pack.h.
#include "kernel/pack.h"

#include "fusion/access.h"

namespace flashlight::kernel {

using fusion::Leaf;
using fusion::Role;
using graph::Sym;
using graph::SymOp;

namespace {

class Packing {
 public:
  Packing(const graph::Function& function, const fusion::KernelPlan& plan)
      : function_(function), plan_(plan), dependence_(function.graph) {}

  std::optional<fusion::KernelPlan> run(int reserved) {
    for (std::size_t l = 0; l < plan_.loops.size(); ++l) {
      if (plan_.loops[l].role != Role::Batch || plan_.loops[l].pack) continue;
      heads_ = static_cast<int>(l);
      if (auto packed = pack(reserved)) return packed;
    }
    return std::nullopt;
  }

 private:
  bool is_key_side(const Leaf& leaf) const { return (leaf.loops & fusion::bit(plan_.stream)) != 0; }

  // The divisor of the heads wherever keys depend on them; all heads where none do.
  std::optional<Sym> group() {
    group_.reset();
    plain_ = false;
    for (const Leaf& leaf : plan_.leaves) {
      if (leaf.kind == Leaf::Contraction) {
        for (const graph::Operand& factor : leaf.right) find_divisor(factor.index);
      } else if (leaf.kind == Leaf::Point && is_key_side(leaf) && !(leaf.loops & fusion::bit(plan_.row))) {
        find_divisor(leaf.index);
      }
    }
    if (plain_) return std::nullopt;
    return group_ ? *group_ : plan_.loops[static_cast<std::size_t>(heads_)].size;
  }

  void find_divisor(const fusion::Index& index) {
    for (const Sym& e : index) find_divisor(e);
  }
  void find_divisor(const Sym& e) {
    if (e == Sym::axis(heads_)) plain_ = true;
    if (e.op() == SymOp::FloorDiv && e.args()[0] == Sym::axis(heads_) && fusion::loops_of(e.args()[1]) == 0) {
      plain_ = plain_ || (group_ && !(*group_ == e.args()[1]));
      group_ = e.args()[1];
      return;
    }
    if (e.op() == SymOp::Axis) return;
    for (const Sym& arg : e.args()) find_divisor(arg);
  }

  // With head = shared * group + inner.
  Sym split(const Sym& e) const {
    const Sym head = Sym::axis(heads_);
    if (e == head) return head * *group_ + Sym::axis(inner_);
    if (e.op() == SymOp::FloorDiv && e.args()[0] == head && e.args()[1] == *group_) return head;
    if (e.op() == SymOp::Mod && e.args()[0] == head && e.args()[1] == *group_) return Sym::axis(inner_);
    if (e.op() == SymOp::Axis || e.args().empty() || !graph::contains(e, SymOp::Axis)) return e;
    std::vector<Sym> args;
    for (const Sym& arg : e.args()) args.push_back(split(arg));
    return graph::make_sym(e.op(), args);
  }
  void split(fusion::Index& index) const {
    for (Sym& e : index) e = split(e);
  }

  std::optional<fusion::KernelPlan> pack(int reserved) {
    const auto shared = group();
    if (!shared || shared->is_integer(1)) return std::nullopt;
    group_ = shared;
    inner_ = static_cast<int>(plan_.loops.size());
    fusion::KernelPlan packed = plan_;
    packed.packing = fusion::KernelPlan::Packing{heads_, inner_, *group_};
    packed.reserved = reserved;
    packed.loops.push_back({Role::Packed, *group_, false});
    Sym& heads = packed.loops[static_cast<std::size_t>(heads_)].size;
    heads = heads == *group_ ? Sym(1) : graph::make_sym(SymOp::FloorDiv, {heads, *group_});
    for (Leaf& leaf : packed.leaves) {
      if (leaf.node < 0) continue;
      split(leaf.index);
      for (graph::Operand& factor : leaf.left) split(factor.index);
      for (graph::Operand& factor : leaf.right) {
        split(factor.index);
        if (dependence_({factor.node, factor.index}) & fusion::bit(inner_)) return std::nullopt;
      }
      leaf.loops = static_cast<unsigned>(dependence_({leaf.node, leaf.index}));
      const bool key = is_key_side(leaf) && !(leaf.loops & fusion::bit(plan_.row));
      if (key && leaf.kind != Leaf::Contraction && leaf.loops & fusion::bit(inner_)) return std::nullopt;
    }
    return packed;
  }

  const graph::Function& function_;
  const fusion::KernelPlan& plan_;
  fusion::Dependence dependence_;
  int heads_ = -1, inner_ = -1;
  std::optional<Sym> group_;
  bool plain_ = false;  // keys depend on the head itself
};

}  // namespace

std::optional<fusion::KernelPlan> pack_heads(const graph::Function& function, const fusion::KernelPlan& plan,
                                             int reserved) {
  return Packing(function, plan).run(reserved);
}

}  // namespace flashlight::kernel
