// SPDX-License-Identifier: Apache-2.0
// See group.h.
#include "fusion/group.h"

#include <algorithm>
#include <set>

#include "fusion/local.h"
#include "fusion/products.h"
#include "fusion/roles.h"

namespace flashlight::fusion {

namespace {

using graph::Op;
using graph::Sym;

class Group {
 public:
  explicit Group(const graph::Function& function)
      : function_(function), graph_(function.graph), dependence_(function.graph) {}

  KernelPlan plan() {
    if (function_.outputs.size() != 1) throw Refused{{"outputs-differ", "a group has one result", "", {}}};
    const graph::TensorView& view = function_.outputs[0].value;
    const int rank = static_cast<int>(view.shape.size());
    visit(compose({view.node, view.index}, graph::identity_index(view.shape.size())), kFirstBound);
    KernelPlan plan;
    Result result;
    int column = -1;
    for (int a = view.pack; a < rank; ++a)
      if (!(reduced_for_ & bit(a))) column = a;
    for (int a = 0; a < rank; ++a) {
      plan.loops.push_back({a == column ? Role::Column : Role::Batch, view.shape[static_cast<std::size_t>(a)],
                            view.pack && a == 0});
      result.axis_loops.push_back(a);
    }
    plan.results.push_back(std::move(result));
    return plan;
  }

 private:
  [[noreturn]] void refuse(graph::NodeId node, const std::string& id, const std::string& text) const {
    throw Refused{{id, text, "compute it in a function of its own", graph_.source(node)}};
  }

  void visit(const Access& access, int bound) {
    if (!seen_.insert(access).second) return;
    const graph::Node& node = graph_[access.node];
    if (is_order(node)) refuse(access.node, "opaque", "an order has no form element by element");
    if (node.op == Op::Scan)
      refuse(access.node, "unsupported-scan", "a running sum is not computed element by element");
    if (node.op == Op::Gather && graph_[node.operands[0].node].op != Op::Input)
      refuse(access.node, "unsupported-point", "a computed tensor is indexed");
    if (node.op == Op::Reduce) check_reduction(access);
    Index iteration = access.index;
    const int inner = bound + static_cast<int>(node.reduced.size());
    for (int loop = bound; loop < inner; ++loop) iteration.push_back(Sym::axis(loop));
    if (node.op == Op::Reduce) check_work(access, compose(node.operands[0], iteration), bound);
    if (inner > 60) refuse(access.node, "unsupported-reduction", "reductions are nested too deep");
    for (const graph::Operand& operand : node.operands) visit(compose(operand, iteration), inner);
  }

  void check_reduction(const Access& access) {
    const graph::Node& node = graph_[access.node];
    if (std::all_of(node.reduced.begin(), node.reduced.end(), is_handful)) return;
    if (is_matrix_product(function_, dependence_, access.node))
      refuse(access.node, "unsupported-contraction", "a matrix product is not computed element by element");
    const LoopSet loops = dependence_(access);
    if (loops >> kFirstBound)
      refuse(access.node, "unsupported-reduction",
             "a reduction is repeated for each element of what another one runs over");
    reduced_for_ |= loops;
  }

  // A reduction passes over elements that some tensor has; a sum of all scores, sum_i sum_j sum_d q[i, d]
  // k[j, d], does not.
  void check_work(const Access& access, const Access& body, int bound) {
    const graph::Node& node = graph_[access.node];
    LoopSet large = 0;
    for (std::size_t r = 0; r < node.reduced.size(); ++r)
      if (!is_handful(node.reduced[r])) large |= bit(bound + static_cast<int>(r));
    const std::vector<Access> factors = factors_of(graph_, body);
    const bool covered = std::any_of(factors.begin(), factors.end(), [&](const Access& factor) {
      return (dependence_(factor) & large) == large;
    });
    if (!covered)
      refuse(access.node, "unsupported-contraction",
             "a sum over pairs of elements is as much work as the scores, and no library makes it");
  }

  const graph::Function& function_;
  const graph::Graph& graph_;
  Dependence dependence_;
  std::set<Access> seen_;
  LoopSet reduced_for_ = 0;  // axes that large reductions vary with
};

}  // namespace

KernelPlan plan_group(const graph::Function& function) { return Group(function).plan(); }

}  // namespace flashlight::fusion
