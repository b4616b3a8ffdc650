// SPDX-License-Identifier: Apache-2.0
// From a function to kernels: one if it can be; else one for each group of results that go together, and
// before them kernels for what stands in the way of these and is small, for it varies with queries or with
// keys only.
#include <algorithm>

#include "fusion/plan.h"
#include "fusion/roles.h"
#include "graph/rebuild.h"

namespace flashlight::fusion {

namespace {

using graph::Function;
using graph::NodeId;
using graph::Operand;
using graph::Sym;

// A function to be computed by one kernel or several.
struct Piece {
  Function function;
  std::vector<Target> targets;
};

bool is_pack(const Sym& size) {
  return size.op() == graph::SymOp::Symbol && size.symbol_id().kind == graph::SymbolId::Pack;
}

// A node as a tensor of float32: its axes in order, the batch pack in front.
graph::TensorView view_of(const graph::Graph& graph, NodeId id) {
  const graph::Node& node = graph[id];
  std::vector<std::size_t> order;
  for (std::size_t a = 0; a < node.shape.size(); ++a)
    order.insert(is_pack(node.shape[a]) ? order.begin() : order.end(), a);
  graph::TensorView view;
  view.node = id;
  view.index.resize(order.size());
  for (std::size_t k = 0; k < order.size(); ++k) {
    view.index[order[k]] = Sym::axis(static_cast<int>(k));
    view.shape.push_back(node.shape[order[k]]);
  }
  view.pack = !view.shape.empty() && is_pack(view.shape[0]);
  view.type = node.type;
  view.dtype.constant = graph::DType::Float32;
  return view;
}

// The node as what a kernel before has left in a tensor.
Operand read_from(graph::Builder& builder, const Function& f, NodeId id, int tensor) {
  const graph::TensorView view = view_of(f.graph, id);
  graph::Node input;
  input.op = graph::Op::Input;
  input.input = tensor;
  input.shape = view.shape;
  Operand result{builder.add(input), {}};
  result.index.resize(view.index.size());
  for (std::size_t a = 0; a < view.index.size(); ++a)
    result.index[static_cast<std::size_t>(view.index[a].integer())] = Sym::axis(static_cast<int>(a));
  return result;
}

// The function with other outputs, some of its nodes read from tensors.
Function rebuilt(const Function& f, std::vector<graph::Output> outputs,
                 const std::map<NodeId, int>& tensors) {
  graph::Rebuild rebuild(f);
  return rebuild.run(std::move(outputs), [&](NodeId id) -> std::optional<Operand> {
    const auto tensor = tensors.find(id);
    if (tensor == tensors.end()) return std::nullopt;
    return read_from(rebuild.builder(), f, id, tensor->second);
  });
}

std::vector<graph::Output> outputs_of(const Function& f, const std::vector<NodeId>& nodes) {
  std::vector<graph::Output> outputs;
  for (const NodeId id : nodes) outputs.push_back({view_of(f.graph, id), {}});
  return outputs;
}

// By node of `without`, which is `f` with some nodes read from tensors: the node of `f` that has its values
// over its axes.
std::map<NodeId, NodeId> origins(const Function& f, const Function& without,
                                 const std::map<NodeId, int>& tensors) {
  std::vector<graph::Output> outputs = f.outputs;
  const std::size_t own = outputs.size();
  for (NodeId id = 0; id < f.graph.size(); ++id) {
    graph::Output out;
    out.value.node = id;
    out.value.index = graph::identity_index(f.graph[id].shape.size());
    out.value.shape = f.graph[id].shape;
    outputs.push_back(std::move(out));
  }
  // Nodes are numbered from the outputs, first ones first: those that `without` has have the same numbers
  // here.
  const Function all = rebuilt(f, outputs, tensors);
  std::map<NodeId, NodeId> result;
  for (NodeId id = 0; id < f.graph.size(); ++id) {
    const graph::TensorView& at = all.outputs[own + static_cast<std::size_t>(id)].value;
    if (at.node < without.graph.size() && at.index == graph::identity_index(f.graph[id].shape.size()) &&
        all.graph[at.node].shape == f.graph[id].shape)
      result.try_emplace(at.node, id);
  }
  return result;
}

// A result with several axes of columns is written as one with the product of them: returns its first and
// their number.
std::pair<int, int> columns_of(const Nest& nest, std::size_t output) {
  int first = -1, count = 0;
  const std::vector<int>& loops = nest.output_loops[output];
  for (std::size_t a = 0; a < loops.size(); ++a) {
    if (nest.loops[static_cast<std::size_t>(loops[a])].role != Role::Column) continue;
    if (first < 0) first = static_cast<int>(a);
    ++count;
    if (static_cast<int>(a) != first + count - 1) return {0, 0};  // other axes lie between
  }
  return {first, count};
}

graph::TensorView merged(const graph::TensorView& view, int first, int count) {
  graph::TensorView result = view;
  const auto begin = view.shape.begin() + first, end = begin + count;
  Sym size(1);
  for (auto s = begin; s != end; ++s) size = size * *s;
  result.shape.assign(view.shape.begin(), begin);
  result.shape.push_back(size);
  result.shape.insert(result.shape.end(), end, view.shape.end());
  std::vector<Sym> axes = graph::identity_index(static_cast<std::size_t>(first));
  for (const Sym& digit : digits_of(Sym::axis(first), {begin, end})) axes.push_back(digit);
  while (axes.size() < view.shape.size())
    axes.push_back(Sym::axis(static_cast<int>(axes.size()) - count + 1));
  for (Sym& index : result.index)
    index = graph::simplify_index(graph::substitute_axes(index, axes), result.shape);
  return result;
}

class Partition {
 public:
  Partition(const Function& whole, const PlanOptions& options) : tensors_(whole.tensors), options_(options) {}

  std::vector<PlannedKernel> run(const Function& whole) {
    Piece all{whole, {}};
    for (std::size_t o = 0; o < whole.outputs.size(); ++o)
      all.targets.push_back({false, static_cast<int>(o)});
    split(all);
    std::vector<PlannedKernel> parts;
    for (auto& [piece, plan] : planned_) {
      piece.function.tensors = tensors_;
      parts.push_back({std::make_shared<const Function>(std::move(piece.function)), std::move(plan),
                       std::move(piece.targets)});
    }
    return parts;
  }

 private:
  static constexpr std::size_t kMostCuts = 8, kMostKernels = 8;

  void split(const Piece& piece) {
    if (planned_.size() > kMostKernels)
      throw Refused{{"outputs-differ",
                     "the results would take more than eight kernels",
                     "return them from different functions",
                     {}}};
    try {
      plan_one(piece);
    } catch (const Refused& refused) {
      const std::size_t known = planned_.size(), intermediates = tensors_.size();
      try {
        if (piece.targets.size() > 1 && split_results(piece)) return;
        if (refused.cut >= 0) return cut(piece, refused);
      } catch (const Refused&) {  // the reason to give is the first one
        planned_.resize(known);
        tensors_.resize(intermediates);
      }
      throw;
    }
  }

  void plan_one(Piece piece) {
    merge_columns(piece);
    KernelPlan plan = plan_kernel(piece.function, options_);
    planned_.emplace_back(std::move(piece), std::move(plan));
  }

  static void merge_columns(Piece& piece) {
    Dependence dependence(piece.function.graph);
    const Nest nest = find_roles(piece.function, dependence);
    for (std::size_t o = 0; o < piece.targets.size(); ++o) {
      const auto [first, count] = columns_of(nest, o);
      if (count < 2 || piece.targets[o].merged > 0) continue;
      piece.function.outputs[o].value = merged(piece.function.outputs[o].value, first, count);
      piece.targets[o].first = first;
      piece.targets[o].merged = count;
    }
  }

  Piece part_of(const Piece& piece, const std::vector<std::size_t>& outputs) const {
    Piece part;
    std::vector<graph::Output> kept;
    for (const std::size_t o : outputs) {
      kept.push_back(piece.function.outputs[o]);
      part.targets.push_back(piece.targets[o]);
    }
    part.function = rebuilt(piece.function, std::move(kept), {});
    return part;
  }

  bool is_one_kernel(Piece piece) const {
    try {
      merge_columns(piece);
      plan_kernel(piece.function, options_);
      return true;
    } catch (const Refused&) { return false; }
  }

  // Results that go together share a kernel. False where all would.
  bool split_results(const Piece& piece) {
    std::vector<std::vector<std::size_t>> groups;
    for (std::size_t o = 0; o < piece.targets.size(); ++o) {
      bool joined = false;
      for (std::vector<std::size_t>& group : groups) {
        group.push_back(o);
        if ((joined = is_one_kernel(part_of(piece, group)))) break;
        group.pop_back();
      }
      if (!joined) groups.push_back({o});
    }
    if (groups.size() < 2) return false;
    for (const auto& group : groups) split(part_of(piece, group));
    return true;
  }

  // What refusals name is cut out until the rest is one kernel; a kernel before computes it.
  void cut(const Piece& piece, Refused refused) {
    std::vector<NodeId> nodes;
    std::map<NodeId, int> tensors;
    std::map<NodeId, NodeId> origin;
    Piece rest;
    std::optional<KernelPlan> plan;
    while (!plan) {
      if (refused.cut < 0 || nodes.size() == kMostCuts) throw refused;
      if (!nodes.empty() && !origin.contains(refused.cut)) throw refused;
      const NodeId node = nodes.empty() ? refused.cut : origin.at(refused.cut);
      if (tensors.contains(node) || is_result(piece.function, node) ||
          piece.function.graph[node].type != graph::Type::Float)
        throw refused;
      nodes.push_back(node);
      tensors[node] = intermediate(piece.function, node);
      Function function = piece.function;
      function.tensors = tensors_;
      rest = {rebuilt(function, function.outputs, tensors), piece.targets};
      try {
        merge_columns(rest);
        plan = plan_kernel(rest.function, options_);
      } catch (const Refused& next) {
        refused = next;
        origin = origins(function, rest.function, tensors);
      }
    }
    Piece before;
    for (const NodeId node : nodes) before.targets.push_back({true, tensors.at(node)});
    before.function = rebuilt(piece.function, outputs_of(piece.function, nodes), {});
    before.function.tensors = tensors_;
    split(before);
    planned_.emplace_back(std::move(rest), std::move(*plan));
  }

  static bool is_result(const Function& f, NodeId node) {
    return std::any_of(f.outputs.begin(), f.outputs.end(),
                       [&](const graph::Output& out) { return out.value.node == node; });
  }

  // Declares the tensor that holds a node's values; its number.
  int intermediate(const Function& f, NodeId node) {
    const graph::TensorView view = view_of(f.graph, node);
    graph::TensorParam tensor;
    const std::string base = f.graph.label(node).empty() ? "part" : f.graph.label(node);
    tensor.name = base;
    for (int n = 2; is_taken(f, tensor.name); ++n) tensor.name = base + std::to_string(n);
    tensor.pack = view.pack;
    tensor.shape = view.shape;
    tensor.may_broadcast.assign(view.shape.size(), false);
    tensors_.push_back(std::move(tensor));
    return static_cast<int>(tensors_.size()) - 1;
  }

  bool is_taken(const Function& f, const std::string& name) const {
    return std::any_of(tensors_.begin(), tensors_.end(), [&](const auto& t) { return t.name == name; }) ||
           std::any_of(f.scalars.begin(), f.scalars.end(), [&](const auto& s) { return s.name == name; });
  }

  std::vector<graph::TensorParam> tensors_;  // the whole function's, then the intermediates
  const PlanOptions& options_;
  std::vector<std::pair<Piece, KernelPlan>> planned_;
};

}  // namespace

FusionPlan plan_fusion(const Function& function, const PlanOptions& options) {
  FusionPlan result;
  try {
    result.kernels = Partition(function, options).run(function);
    result.status = Status::Fused;
  } catch (const Refused& refused) { result.reason = refused.reason; }
  return result;
}

}  // namespace flashlight::fusion
