// SPDX-License-Identifier: Apache-2.0
// See extract.h.
#include "fusion/extract.h"

#include <algorithm>

#include "fusion/describe.h"
#include "fusion/extraction.h"

namespace flashlight::fusion {

using algebra::Expr;
using graph::Op;
using graph::Sym;
using graph::Type;

Expr Extraction::value(const Access& access) {
  if (auto found = memo_.find(access); found != memo_.end()) return found->second;
  const Expr result = compute(access);
  if (graph_.source(access.node).line > 0 && !result.is(algebra::Op::kConstant))
    plan_.sources.try_emplace(result, graph_.source(access.node));
  memo_[access] = result;
  return result;
}

void Extraction::refuse(graph::NodeId node, std::string id, std::string text, std::string hint) {
  throw Refused{{std::move(id), std::move(text), std::move(hint), graph_.source(node)}};
}

void Extraction::refuse(const Access& access, std::string id, std::string text, std::string hint) {
  const LoopSet loops = dependence_(access);
  const bool large = (loops & bit(plan_.row)) && (loops & bit(plan_.stream));
  throw Refused{{std::move(id), std::move(text), std::move(hint), graph_.source(access.node)},
                large ? -1 : access.node};
}

Expr Extraction::leaf(Leaf leaf, const std::vector<Sym>& positions) {
  const auto key =
      std::make_tuple(static_cast<int>(leaf.kind), leaf.node, leaf.index, leaf.feature, positions);
  auto [found, fresh] = leaf_ids_.try_emplace(key, static_cast<int>(plan_.leaves.size()));
  const algebra::LeafInfo info = leaf_info(function_, leaf, plan_);
  if (fresh) plan_.leaves.push_back(std::move(leaf));
  return arena_.leaf(found->second, info);
}

Expr Extraction::point(const Access& access) {
  Leaf result;
  result.node = access.node;
  result.index = access.index;
  result.loops = static_cast<unsigned>(dependence_(access));
  if (varies_with_all(result.loops))
    refuse(access.node, "rank-three",
           "a streamed sum varies with query, key and output column at once: " +
               describe(function_, plan_, result),
           "write it as a product of a term over (query, key) and a term over (key, column)");
  return leaf(std::move(result));
}

bool Extraction::varies_with_all(LoopSet loops) const {
  return (loops & bit(plan_.row)) && (loops & bit(plan_.stream)) && varies_with_columns(loops);
}

bool Extraction::varies_with_columns(LoopSet loops) const {
  for (std::size_t l = 0; l < plan_.loops.size(); ++l)
    if (plan_.loops[l].role == Role::Column && (loops & bit(static_cast<int>(l)))) return true;
  return false;
}

Expr Extraction::compute(const Access& access) {
  const graph::Node& node = graph_[access.node];
  switch (node.op) {
    case Op::Scalar:
      if (auto c = node.value.as_real(); c && node.type == Type::Float) return arena_.constant(*c);
      return point(access);
    case Op::Reduce: return reduction(access);
    case Op::Map: return map(access);
    case Op::Sort:
    case Op::Order:
      refuse(access.node, "opaque", "an order has no law by which it could be made tile by tile",
             "apply it outside the fused function, before or after the attention");
    case Op::Scan: return scan(access);
    case Op::Segment: return segment(access);
    default: return point(access);
  }
}

Expr Extraction::scan(const Access& access) {
  const graph::Node& node = graph_[access.node];
  const bool along_keys = access.index[node.axis] == Sym::axis(plan_.stream) &&
                          node.shape[node.axis] == plan_.loops[plan_.stream].size;
  if (!along_keys)
    refuse(access, "unsupported-scan",
           "a running sum of scores along another axis than the keys is not fused yet",
           "sum along the keys, or make the sum in a function of its own");
  return algebra::scan_sum(value(compose(node.operands[0], access.index)), false);
}

Expr Extraction::segment(const Access& access) {
  std::vector<Sym> sizes;
  for (const Loop& loop : plan_.loops) sizes.push_back(loop.size);
  if (const auto one = segment_at(graph_, access, sizes)) return value(*one);
  if (local_(access)) return point(access);
  refuse(access.node, "unsupported-segment", "a concatenation of computed scores is read across its parts",
         "concatenate the keys and the values instead of scores, or reduce over each part on its own");
}

void Extraction::refuse_opaque(graph::NodeId id) {
  if (!dependence_.has_reduction(id)) return;
  const graph::Node& node = graph_[id];
  if (is_order(node)) compute({id, {}});
  for (const graph::Operand& operand : node.operands) refuse_opaque(operand.node);
}

int Extraction::loop_of(Role role, const Sym& size) {
  for (std::size_t l = 0; l < plan_.loops.size(); ++l) {
    if (plan_.loops[l].role == role && plan_.loops[l].size == size) return static_cast<int>(l);
  }
  plan_.loops.push_back({role, size, false});
  return static_cast<int>(plan_.loops.size()) - 1;
}

Index Extraction::open_iteration(const Access& access) const {
  Index iteration = access.index;
  for (std::size_t r = 0; r < graph_[access.node].reduced.size(); ++r)
    iteration.push_back(Sym::axis(kFirstBound + static_cast<int>(r)));
  return iteration;
}

namespace {

// How many operations the value is when it is written out, which passes and kernels do with what several
// parts of it read.
double written_size(Expr e, std::map<Expr, double>& known) {
  if (const auto found = known.find(e); found != known.end()) return found->second;
  double size = 1;
  for (Expr arg : e.args()) size += written_size(arg, known);
  return known[e] = size;
}

// Each value of a row by itself must be of a size to work with: x = x * x + x, sixty times, is not.
void check_size(const graph::Function& function, const std::vector<Expr>& outputs) {
  constexpr double kMost = 1e6;
  std::map<Expr, double> known;
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    if (written_size(outputs[o], known) <= kMost) continue;
    const std::size_t output = std::min(o, function.outputs.size() - 1);
    throw Refused{{"input-too-complex",
                   "values that are used several times make an expression of more than a million operations",
                   "take fewer steps inside of the function",
                   function.graph.source(function.outputs[output].value.node)}};
  }
}

}  // namespace

std::vector<Expr> extract_rows(const graph::Function& function, Dependence& dependence, Nest nest,
                               KernelPlan& plan) {
  plan.loops = std::move(nest.loops);
  plan.row = nest.row;
  plan.stream = nest.stream;
  plan.arena = std::make_shared<algebra::Arena>();
  Extraction extraction(function, dependence, plan);
  std::vector<Expr> outputs;
  for (std::size_t o = 0; o < function.outputs.size(); ++o) {
    const graph::TensorView& view = function.outputs[o].value;
    Index axes;
    for (int loop : nest.output_loops[o]) axes.push_back(Sym::axis(loop));
    outputs.push_back(extraction.value(compose({view.node, view.index}, axes)));
    plan.results.push_back({static_cast<int>(o), nest.output_loops[o]});
  }
  outputs.insert(outputs.end(), extraction.fold_bodies().begin(), extraction.fold_bodies().end());
  check_size(function, outputs);
  return outputs;
}

}  // namespace flashlight::fusion
