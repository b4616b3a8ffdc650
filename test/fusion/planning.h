// SPDX-License-Identifier: Apache-2.0
// For tests of the fusion stage: DSL bodies with their plans.
#pragma once
#include "fusion/plan.h"
#include "graph/dsl_reading.h"

namespace flashlight::fusion {

using graph::Sym;
using graph::T;
using graph::Tensors;

struct Planned {
  graph::Function function;
  FusionPlan plan;

  const KernelPlan& kernel() const { return plan.steps.at(0).plan; }
  // Roles of a result's axes in order: b batch, p batch pack, i row, c column; then '|' and the roles of the
  // other loops.
  std::string roles(std::size_t result = 0) const {
    std::string text;
    for (int loop : kernel().results.at(result).axis_loops) text += letter(loop);
    text += '|';
    for (std::size_t l = 0; l < kernel().loops.size(); ++l) {
      const Role role = kernel().loops[l].role;
      if (role == Role::Stream || role == Role::Feature) text += letter(static_cast<int>(l));
    }
    return text;
  }
  char letter(int loop) const {
    const Loop& l = kernel().loops.at(loop);
    return l.pack ? 'p' : "bijcd"[static_cast<int>(l.role)];
  }
  std::size_t contractions() const {
    std::size_t n = 0;
    for (const Leaf& leaf : kernel().leaves) n += leaf.kind == Leaf::Contraction;
    return n;
  }
};

inline Planned plan(int params, const graph::Body& body, PlanOptions options = {}) {
  Planned result{graph::read(params, body), {}};
  result.plan = plan_fusion(result.function, options);
  return result;
}

inline Reason reason_of(int params, const graph::Body& body, PlanOptions options = {}) {
  const Planned planned = plan(params, body, options);
  EXPECT_EQ(planned.plan.status, Status::Unfused) << to_string(planned.plan, planned.function);
  EXPECT_TRUE(planned.plan.steps.empty());
  return planned.plan.reason.value_or(Reason{});
}

inline T scores_of(const T& q, const T& k) { return graph::matmul(q, graph::transposed(k)); }
inline T attention(const Tensors& t) { return graph::matmul(graph::softmax(scores_of(t[0], t[1])), t[2]); }

}  // namespace flashlight::fusion
