// SPDX-License-Identifier: Apache-2.0
// See peel_scale in build.h.
#include "fusion/leaf_info.h"
#include "graph/simplify.h"
#include "kernel/build.h"

namespace flashlight::kernel {

namespace alg = fusion::algebra;

namespace {

// x^-n of a size x that may be 0 is never 0 nor negative. It is infinite where x is 0, as d / 2 of heads of
// one feature; there is no feature to sum then, and inf * 0 is NaN for every score before as after.
bool is_positive_power(const graph::Sym& value) {
  if (value.op() != graph::SymOp::Pow) return false;
  const auto exponent = value.args()[1].as_real();
  return exponent && *exponent < 0 && graph::is_nonnegative(value.args()[0]);
}

bool is_positive_uniform(const Program& program, Expr e) {
  if (e.is(alg::Op::kConstant)) return e.value() > 0;
  if (!e.is(alg::Op::kLeaf) || program.temporaries.contains(e.leaf_id())) return false;
  const fusion::Leaf& leaf = program.plan->leaves[e.leaf_id()];
  const graph::Node& node = program.function->graph[leaf.node];
  return leaf.kind == fusion::Leaf::Point && node.op == graph::Op::Scalar &&
         (fusion::is_positive(node.value) || is_positive_power(node.value));
}

}  // namespace

Peeled peel_scale(const Program& program, Expr u) {
  if (!u.is(alg::Op::kMul)) return {{}, u};
  std::vector<Expr> scale, rest;
  for (Expr factor : u.args()) (is_positive_uniform(program, factor) ? scale : rest).push_back(factor);
  if (scale.empty() || rest.empty()) return {{}, u};
  auto product = [&](const std::vector<Expr>& f) {
    return f.size() == 1 ? f[0] : u.arena().make(alg::Op::kMul, f);
  };
  return {product(scale), product(rest)};
}

}  // namespace flashlight::kernel
