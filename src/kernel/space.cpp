// SPDX-License-Identifier: Apache-2.0
// Which tile axes a value varies with, and substitution of states into fix-ups.
#include "kernel/build.h"

namespace flashlight::kernel {

using fusion::Role;
namespace alg = fusion::algebra;

Space space_of_loops(const fusion::KernelPlan& plan, unsigned loops) {
  Space space = kUniform;
  for (std::size_t l = 0; l < plan.loops.size(); ++l) {
    if (!(loops >> l & 1)) continue;
    if (static_cast<int>(l) == plan.row || plan.loops[l].role == Role::Packed) space |= kRow;
    if (static_cast<int>(l) == plan.stream) space |= kKey;
    if (plan.loops[l].role == Role::Column) space |= kColumn;
  }
  return space;
}

Space space_of(const Program& program, Expr e) {
  if (e.is(alg::Op::kLeaf)) {
    if (auto found = program.temporaries.find(e.leaf_id()); found != program.temporaries.end())
      return found->second;
    return space_of_loops(*program.plan, program.plan->leaves[e.leaf_id()].loops);
  }
  Space space = e.is(alg::Op::kCall) && e.function_id() == kKeysThrough ? kRow : kUniform;
  for (Expr arg : e.args()) space |= space_of(program, arg);
  return space;
}

Expr substitute(Expr e, const std::map<Expr, Expr>& with, std::map<Expr, Expr>& memo) {
  if (auto found = with.find(e); found != with.end()) return found->second;
  if (e.args().empty()) return e;
  if (auto found = memo.find(e); found != memo.end()) return found->second;
  std::vector<Expr> args;
  bool changed = false;
  for (Expr arg : e.args()) {
    args.push_back(substitute(arg, with, memo));
    changed = changed || args.back() != arg;
  }
  const Expr result = changed ? alg::with_args(e, args) : e;
  memo[e] = result;
  return result;
}

Expr substitute(Expr e, const std::map<Expr, Expr>& with) {
  std::map<Expr, Expr> memo;
  return e ? substitute(e, with, memo) : e;
}

}  // namespace flashlight::kernel
