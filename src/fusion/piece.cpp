// SPDX-License-Identifier: Apache-2.0
// See piece.h.
#include "fusion/piece.h"

#include <algorithm>
#include <set>

namespace flashlight::fusion {

using graph::Function;
using graph::NodeId;
using graph::Operand;
using graph::Sym;

bool is_pack(const Sym& size) {
  return size.op() == graph::SymOp::Symbol && size.symbol_id().kind == graph::SymbolId::Pack;
}

graph::TensorView view_of(const graph::Graph& graph, NodeId id, std::vector<int> given) {
  const graph::Node& node = graph[id];
  if (given.empty())
    for (std::size_t a = 0; a < node.shape.size(); ++a) given.push_back(static_cast<int>(a));
  std::vector<std::size_t> order;
  for (const int axis : given) {
    const auto a = static_cast<std::size_t>(axis);
    order.insert(is_pack(node.shape[a]) ? order.begin() : order.end(), a);
  }
  graph::TensorView view;
  view.node = id;
  view.index.resize(order.size());
  for (std::size_t k = 0; k < order.size(); ++k) {
    view.index[order[k]] = Sym::axis(static_cast<int>(k));
    view.shape.push_back(node.shape[order[k]]);
  }
  view.pack = !view.shape.empty() && is_pack(view.shape[0]);
  view.type = node.type;
  view.dtype.constant = node.type == graph::Type::Float ? graph::DType::Float32
                        : node.type == graph::Type::Int ? graph::DType::Int64
                                                        : graph::DType::Bool;
  return view;
}

Operand read_from(graph::Builder& builder, const graph::TensorView& stored, int tensor) {
  graph::Node input;
  input.op = graph::Op::Input;
  input.input = tensor;
  input.type = stored.type;
  input.shape = stored.shape;
  Operand result{builder.add(input), {}};
  result.index.resize(stored.index.size());
  for (std::size_t a = 0; a < stored.index.size(); ++a)
    result.index[static_cast<std::size_t>(stored.index[a].integer())] = Sym::axis(static_cast<int>(a));
  return result;
}

namespace {

// A product without the factors that the tensors of its cut operands hold.
graph::Node without_factors(graph::Node node, const Cuts& cuts) {
  for (std::size_t k = 0; k < node.operands.size(); ++k) {
    const auto cut = cuts.find(node.operands[k].node);
    if (cut == cuts.end()) continue;
    const std::vector<Sym> at = node.operands[k].index;
    for (const Operand& factor : cut->second.factors) {
      const auto held =
          std::find(node.operands.begin(), node.operands.end(), graph::seen_through(factor, at));
      if (held == node.operands.end())
        throw std::logic_error("a factor of a cut value is missing where it is used");
      if (held - node.operands.begin() < static_cast<std::ptrdiff_t>(k)) --k;
      node.operands.erase(held);
    }
  }
  return node;
}

// Where functions jump, or elements are picked, what was ordered is read from where the order has read it.
class Comparisons {
 public:
  Comparisons(const Function& f, graph::Rebuild& rebuild, const Cuts& cuts, const Cuts& ordered)
      : graph_(f.graph), rebuild_(rebuild), cuts_(cuts), ordered_(ordered) {
    for (NodeId id = 0; id < graph_.size(); ++id) {
      const graph::Node& node = graph_[id];
      Reach reach{ordered.contains(id), is_order(node)};
      for (const Operand& o : node.operands) {
        if (is_order(node)) break;
        reach.ordered |= reach_[static_cast<std::size_t>(o.node)].ordered;
        reach.order |= reach_[static_cast<std::size_t>(o.node)].order;
      }
      reach_.push_back(reach);
    }
  }

  bool holds(NodeId id) const {
    const graph::Node& node = graph_[id];
    const Reach reach = reach_[static_cast<std::size_t>(id)];
    return reach.ordered && reach.order &&
           (node.op == graph::Op::Gather || (node.op == graph::Op::Map && graph::jumps(node.fn)));
  }

  Operand read(NodeId id) {
    if (const auto found = known_.find(id); found != known_.end()) return found->second;
    return known_[id] = made(id);
  }

 private:
  struct Reach {
    bool ordered = false, order = false;  // made of what was ordered, of what an order has left
  };

  Operand made(NodeId id) {
    for (const Cuts* cuts : {&ordered_, &cuts_})
      if (const auto cut = cuts->find(id); cut != cuts->end())
        return read_from(rebuild_.builder(), view_of(graph_, id, cut->second.order), cut->second.tensor);
    graph::Node node = graph_[id];
    if (!reach_[static_cast<std::size_t>(id)].ordered)
      return rebuild_.moved({id, graph::identity_index(node.shape.size())});
    for (Operand& o : node.operands) o = graph::seen_through(read(o.node), o.index);
    return {rebuild_.builder().add(node), graph::identity_index(node.shape.size())};
  }

  const graph::Graph& graph_;
  graph::Rebuild& rebuild_;
  const Cuts &cuts_, &ordered_;
  std::vector<Reach> reach_;
  std::map<NodeId, Operand> known_;
};

}  // namespace

Function rebuilt(const Function& f, std::vector<graph::Output> outputs, const Cuts& cuts,
                 const Cuts& ordered) {
  graph::Rebuild rebuild(f);
  Comparisons comparisons(f, rebuild, cuts, ordered);
  const bool factored =
      std::any_of(cuts.begin(), cuts.end(), [](const auto& cut) { return !cut.second.factors.empty(); });
  return rebuild.run(std::move(outputs), [&](NodeId id) -> std::optional<Operand> {
    if (const auto cut = cuts.find(id); cut != cuts.end())
      return read_from(rebuild.builder(), view_of(f.graph, id, cut->second.order), cut->second.tensor);
    if (comparisons.holds(id)) return comparisons.read(id);
    const graph::Node& node = f.graph[id];
    if (!factored || node.op != graph::Op::Map || node.fn != graph::Fn::Mul) return std::nullopt;
    graph::Node rest = without_factors(node, cuts);
    if (rest.operands.size() == node.operands.size()) return std::nullopt;
    if (rest.operands.size() == 1) return rebuild.moved(rest.operands[0]);
    return rebuild.kept(std::move(rest));
  });
}

graph::DTypeRule eager_type(const Function& f, NodeId node) {
  graph::DTypeRule rule;
  std::set<NodeId> seen;
  std::vector<NodeId> open{node};
  std::set<int> inputs;
  while (!open.empty()) {
    const NodeId id = open.back();
    open.pop_back();
    if (!seen.insert(id).second) continue;
    const graph::Node& n = f.graph[id];
    if (n.op == graph::Op::Input && n.type == graph::Type::Float) inputs.insert(n.input);
    for (const Operand& o : n.operands) open.push_back(o.node);
  }
  rule.inputs.assign(inputs.begin(), inputs.end());
  if (inputs.empty()) rule.constant = graph::DType::Float32;
  return rule;
}

graph::DTypeRule stored_type(const Function& f, NodeId node) {
  return f.graph[node].type == graph::Type::Float ? eager_type(f, node) : view_of(f.graph, node).dtype;
}

graph::TensorParam tensor_for(const graph::TensorView& view, const std::string& name) {
  graph::TensorParam tensor;
  tensor.name = name;
  tensor.pack = view.pack;
  tensor.type = view.type;
  tensor.shape = view.shape;
  tensor.may_broadcast.assign(view.shape.size(), false);
  return tensor;
}

}  // namespace flashlight::fusion
