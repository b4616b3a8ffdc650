// SPDX-License-Identifier: Apache-2.0
// From a function to kernels: one if it can be; else one for each group of results that go together, and
// before them kernels for what stands in the way of these and is small, for it varies with queries or with
// keys only. What cannot be so is done around matrix products: see partition_products.cpp; around
// orders in any case, and around running sums that no kernel has: see partition_rows.cpp.
#include "fusion/partition.h"

#include <algorithm>
#include <set>

#include "fusion/group.h"
#include "fusion/reshape.h"

namespace flashlight::fusion {

namespace {

using graph::Function;
using graph::NodeId;
using graph::Operand;
using graph::Sym;

std::vector<graph::Output> outputs_of(const Function& f, const std::vector<NodeId>& nodes) {
  std::vector<graph::Output> outputs;
  for (const NodeId id : nodes) outputs.push_back({view_of(f.graph, id), {}});
  return outputs;
}

// By node of `without`, which is `f` with some nodes read from tensors: the node of `f` that has its values
// over its axes.
std::map<NodeId, NodeId> origins(const Function& f, const Function& without, const Cuts& cuts) {
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
  const Function all = rebuilt(f, outputs, cuts);
  std::map<NodeId, NodeId> result;
  for (NodeId id = 0; id < f.graph.size(); ++id) {
    const graph::TensorView& at = all.outputs[own + static_cast<std::size_t>(id)].value;
    if (at.node < without.graph.size() && at.index == graph::identity_index(f.graph[id].shape.size()) &&
        all.graph[at.node].shape == f.graph[id].shape)
      result.try_emplace(at.node, id);
  }
  return result;
}

bool is_map(const graph::Node& n) { return n.op == graph::Op::Map; }

// Whether the value is one of the nodes', itself or through arithmetic.
bool is_made_of(const graph::Graph& all, NodeId value, const std::set<NodeId>& nodes) {
  if (nodes.contains(value)) return true;
  return is_map(all[value]) && all[value].type == graph::Type::Float &&
         std::any_of(all[value].operands.begin(), all[value].operands.end(),
                     [&](const Operand& o) { return is_made_of(all, o.node, nodes); });
}

// Of a maximum or minimum: what it is taken of, with a mask and without.
std::set<NodeId> elements_of(const graph::Graph& all, NodeId node) {
  const graph::Node& n = all[node];
  if (n.op != graph::Op::Reduce || (n.reduce != graph::ReduceKind::Max && n.reduce != graph::ReduceKind::Min))
    return {};
  std::set<NodeId> result{n.operands[0].node};
  const graph::Node& body = all[n.operands[0].node];
  if (is_map(body) && body.fn == graph::Fn::Where)
    for (std::size_t k = 1; k < body.operands.size(); ++k)
      if (all[body.operands[k].node].op != graph::Op::Scalar) result.insert(body.operands[k].node);
  return result;
}

// Whether x == y looks at the node, or a comparison holds elements against it that it is the largest or least
// of: what another kernel has computed need not be equal to the last bit to what this one computes again.
bool is_compared(const graph::Graph& all, NodeId node) {
  const std::set<NodeId> itself{node}, elements = elements_of(all, node);
  for (NodeId id = node + 1; id < all.size(); ++id) {
    const graph::Node& n = all[id];
    if (!is_map(n) || n.operands.size() != 2) continue;
    const auto made_of = [&](std::size_t side, const std::set<NodeId>& nodes) {
      return is_made_of(all, n.operands[side].node, nodes);
    };
    switch (n.fn) {
      case graph::Fn::Eq:
      case graph::Fn::Ne:
        if (made_of(0, itself) || made_of(1, itself)) return true;
        break;
      case graph::Fn::Lt:
      case graph::Fn::Le:
        if ((made_of(0, itself) || made_of(1, itself)) && (made_of(0, elements) || made_of(1, elements)))
          return true;
        break;
      default: break;
    }
  }
  return false;
}

bool has_scans(const graph::Graph& graph) {
  for (NodeId id = 0; id < graph.size(); ++id)
    if (graph[id].op == graph::Op::Scan) return true;
  return false;
}

}  // namespace

std::vector<Step> Partition::run(const Function& whole) {
  try {
    if (!around_rows(whole, false)) plan(whole_of(whole), true);
  } catch (const Refused& refused) {  // a kernel has running sums along its keys at most
    const Refused first = refused;
    if (!has_scans(whole.graph)) throw;
    planned_.clear();
    tensors_ = whole.tensors;
    reason_.reset();
    try {
      if (!around_rows(whole, true)) throw first;
    } catch (const Refused&) { throw first; }
  }
  std::vector<Step> steps;
  for (Planned& planned : planned_) {
    planned.piece.function.tensors = tensors_;
    steps.push_back({planned.kind, std::make_shared<const Function>(std::move(planned.piece.function)),
                     std::move(planned.plan), std::move(planned.product), std::move(planned.rows),
                     std::move(planned.piece.targets)});
  }
  return steps;
}

void Partition::plan(const Piece& piece, bool attends) {
  Dependence dependence(piece.function.graph);
  const bool has_products = !find_products(piece.function, dependence).empty();
  std::vector<Means> ways{{}, {true, false}, {true, true}};
  if (has_products) std::swap(ways[1], ways[2]);
  const std::size_t known = planned_.size(), intermediates = tensors_.size();
  std::optional<Refused> refusal;
  for (const Means& means : ways) {
    try {
      plan_by(piece, means);
      const auto mine = planned_.begin() + static_cast<std::ptrdiff_t>(known);
      if (!attends || std::any_of(mine, planned_.end(), [](const Planned& p) { return p.is_kernel(); })) {
        if (refusal && !reason_) reason_ = refusal->reason;
        return;
      }
    } catch (const Refused& refused) {  // with products out of the way another reason may count
      const bool says_more = has_products && means.leftovers && refused.reason.id != "no-attention";
      if (!refusal || (says_more && refusal->reason.id != "no-attention")) refusal = refused;
    }
    planned_.resize(known);
    tensors_.resize(intermediates);
  }
  throw *refusal;
}

std::pair<std::size_t, std::size_t> Partition::kernels_and_steps() const {
  const auto kernels =
      std::count_if(planned_.begin(), planned_.end(), [](const Planned& p) { return p.is_kernel(); });
  return {static_cast<std::size_t>(kernels), planned_.size()};
}

void Partition::plan_as(const Piece& piece) {
  stored_.clear();
  if (means_.leftovers) around_products(piece);
  else split(piece);
}

void Partition::plan_by(const Piece& piece, Means means) {
  means_ = means;
  const Piece apart = taken_apart(piece);
  if (apart.targets.size() == piece.targets.size()) return plan_as(piece);
  const std::size_t known = planned_.size(), intermediates = tensors_.size();
  std::optional<Refused> refused;
  try {
    plan_as(apart);
    if (planned_.size() == known + 1) return;
  } catch (const Refused& of_parts) { refused = of_parts; }
  const auto taken = kernels_and_steps();
  std::vector<Planned> planned = planned_;
  std::vector<graph::TensorParam> tensors = tensors_;
  planned_.resize(known);
  tensors_.resize(intermediates);
  try {
    plan_as(piece);
    if (refused || kernels_and_steps() < taken) return;
  } catch (const Refused& of_whole) {  // parts are no results that the program has told apart
    if (refused) throw refused->reason.id == "outputs-differ" ? of_whole : *refused;
  }
  planned_ = std::move(planned);
  tensors_ = std::move(tensors);
}

Piece Partition::whole_of(const Function& f) {
  Piece all{f, {}};
  for (std::size_t o = 0; o < f.outputs.size(); ++o) all.targets.push_back({false, static_cast<int>(o)});
  return all;
}

void Partition::split(const Piece& whole) {
  if (!means_.leftovers && planned_.size() > kMostKernels)
    throw Refused{{"outputs-differ",
                   "the results would take more than eight kernels",
                   "return them from different functions",
                   {}}};
  Piece piece = whole;  // as a kernel sees it: what refusals name is a node of its graph
  piece.function.tensors = tensors_;
  split_axes(piece);
  try {
    plan_one(piece);
  } catch (const Refused& refused) {
    // Each way either does the whole piece or leaves no trace.
    const std::size_t known = planned_.size(), intermediates = tensors_.size();
    const auto done = [&](const auto& way) {
      try {
        if (way()) return true;
      } catch (const Refused&) {}  // the reason to give is the first one
      planned_.resize(known);
      tensors_.resize(intermediates);
      return false;
    };
    if (piece.targets.size() > 1 && done([&] { return split_results(piece); })) return;
    if (means_.leftovers && refused.reason.id == "no-attention" && done([&] { return as_group(whole); }))
      return;
    if (means_.cuts && refused.cut >= 0 && done([&] { return cut(piece, refused), true; })) return;
    if (means_.leftovers && done([&] { return cut_attention(whole); })) return;
    throw;
  }
}

bool Partition::as_group(const Piece& piece) {
  if (piece.targets.size() != 1) return false;
  Piece group = piece;
  group.function.tensors = tensors_;
  KernelPlan plan = plan_group(group.function);
  planned_.push_back({std::move(group), StepKind::Group, std::move(plan)});
  return true;
}

KernelPlan Partition::plan_of(Piece& piece) const {
  piece.function.tensors = tensors_;
  add_rows(piece);
  merge_columns(piece);
  KernelPlan plan = plan_kernel(piece.function, options_);
  options_.accept(piece.function, plan);
  return plan;
}

void Partition::plan_one(Piece piece) {
  KernelPlan plan = plan_of(piece);
  planned_.push_back({std::move(piece), StepKind::Kernel, std::move(plan)});
}

Piece Partition::part_of(const Piece& piece, const std::vector<std::size_t>& outputs) const {
  Piece part;
  std::vector<graph::Output> kept;
  for (const std::size_t o : outputs) {
    kept.push_back(piece.function.outputs[o]);
    part.targets.push_back(piece.targets[o]);
  }
  part.function = rebuilt(piece.function, std::move(kept), {});
  return part;
}

bool Partition::is_one_kernel(Piece piece) const {
  try {
    plan_of(piece);
    return true;
  } catch (const Refused&) { return false; }
}

// Results that go together share a kernel. False where all would.
bool Partition::split_results(const Piece& piece) {
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
void Partition::cut(const Piece& piece, Refused refused) {
  std::vector<NodeId> nodes;
  Cuts tensors;
  std::map<NodeId, NodeId> origin;
  Piece rest;
  std::optional<KernelPlan> plan;
  while (!plan) {
    if (refused.cut < 0 || nodes.size() == kMostCuts) throw refused;
    if (!nodes.empty() && !origin.contains(refused.cut)) throw refused;
    const NodeId node = nodes.empty() ? refused.cut : origin.at(refused.cut);
    if (tensors.contains(node) || is_result(piece.function, node) ||
        is_compared(piece.function.graph, node) || piece.function.graph[node].type != graph::Type::Float)
      throw refused;
    nodes.push_back(node);
    tensors[node] = {intermediate(piece.function, view_of(piece.function.graph, node))};
    Function function = piece.function;
    function.tensors = tensors_;
    rest = {rebuilt(function, function.outputs, tensors), piece.targets};
    try {
      plan = plan_of(rest);
    } catch (const Refused& next) {
      refused = next;
      origin = origins(function, rest.function, tensors);
    }
  }
  Piece before;
  for (const NodeId node : nodes) before.targets.push_back({true, tensors.at(node).tensor});
  before.function = rebuilt(piece.function, outputs_of(piece.function, nodes), {});
  before.function.tensors = tensors_;
  split(before);
  planned_.push_back({std::move(rest), StepKind::Kernel, std::move(*plan)});
}

bool Partition::is_result(const Function& f, NodeId node) {
  return std::any_of(f.outputs.begin(), f.outputs.end(),
                     [&](const graph::Output& out) { return out.value.node == node; });
}

int Partition::intermediate(const Function& f, const graph::TensorView& view) {
  return intermediate(f, view, f.graph.label(view.node));
}

int Partition::intermediate(const Function& f, const graph::TensorView& view, const std::string& label) {
  const std::string base = label.empty() ? "part" : label;
  std::string name = base;
  for (int n = 2; is_taken(f, name); ++n) name = base + std::to_string(n);
  tensors_.push_back(tensor_for(view, name));
  return static_cast<int>(tensors_.size()) - 1;
}

bool Partition::is_taken(const Function& f, const std::string& name) const {
  return std::any_of(tensors_.begin(), tensors_.end(), [&](const auto& t) { return t.name == name; }) ||
         std::any_of(f.scalars.begin(), f.scalars.end(), [&](const auto& s) { return s.name == name; });
}

namespace {

const Step* first_of(const std::vector<Step>& steps, StepKind kind) {
  const auto first =
      std::find_if(steps.begin(), steps.end(), [&](const Step& step) { return step.kind == kind; });
  return first == steps.end() ? nullptr : &*first;
}

// Reads what a step before has left.
bool reads_intermediate(const Step& group, std::size_t parameters) {
  const graph::Graph& graph = group.function->graph;
  for (NodeId id = 0; id < graph.size(); ++id)
    if (graph[id].op == graph::Op::Input && static_cast<std::size_t>(graph[id].input) >= parameters)
      return true;
  return false;
}

const char* in_words(graph::ReduceKind kind) {
  switch (kind) {
    case graph::ReduceKind::Sum: return "a sum";
    case graph::ReduceKind::Prod: return "a product";
    case graph::ReduceKind::Max: return "a maximum";
    case graph::ReduceKind::Min: return "a minimum";
    default: return "a reduction";
  }
}

// Why a function with a group is not one kernel.
Reason reason_of_group(const Step& group, std::size_t parameters) {
  const graph::Graph& graph = group.function->graph;
  Reason reason{"generated-kernel", "", "", graph.source(group.function->outputs[0].value.node)};
  if (!reads_intermediate(group, parameters)) {
    reason.text = "a part of the results is made of arguments alone, and written by a generated kernel";
    reason.hint = "none is needed; returned from another function, it leaves one kernel here";
    return reason;
  }
  for (NodeId id = graph.size(); id-- > 0;) {
    if (graph[id].op != graph::Op::Reduce) continue;
    reason.text = std::string(in_words(graph[id].reduce)) +
                  " over the attention's rows or batch axes needs what several CTAs leave: that is stored, "
                  "in float32, and a "
                  "generated kernel goes on from there";
    reason.hint = "none is needed; to have one kernel, return the attention's result and reduce it outside";
    if (graph.source(id).line > 0) reason.where = graph.source(id);
    return reason;
  }
  reason.text =
      "what follows the attention reads it at other rows, columns or batches than its kernel has: what that "
      "leaves is "
      "stored, in float32, and a generated kernel goes on from there";
  reason.hint = "none is needed; to have one kernel, return the attention's result as it is";
  return reason;
}

graph::SourceRange place_of(const Step& step) {
  return step.function->graph.source(step.function->outputs[0].value.node);
}

// Whether what a group does explains the refusal: that a kernel's results have no such shape. Others have
// reasons of their own.
bool is_by_shape(const Reason& refused, const std::vector<Step>& steps) {
  static const std::set<std::string> kIds{
      "no-row-axis",        "no-attention", "rank-three", "unsupported-reduction", "unsupported-contraction",
      "unsupported-segment"};
  const auto writes_part = [](const Step& step) {
    return std::any_of(step.targets.begin(), step.targets.end(),
                       [](const Target& target) { return target.is_part(); });
  };
  // Parts of one result differ where the program has no other results.
  return kIds.contains(refused.id) ||
         (refused.id == "outputs-differ" && std::any_of(steps.begin(), steps.end(), writes_part));
}

// Why a function is not made of fused kernels alone; `refused`: why it is not one kernel.
std::optional<Reason> reason_of_steps(const std::vector<Step>& steps, std::size_t parameters,
                                      const std::optional<Reason>& refused) {
  if (const Step* order = first_of(steps, StepKind::Order))
    return Reason{"opaque",
                  "an order has no law that holds tile by tile, so that it is a step of its own: what it "
                  "orders is stored before, "
                  "and what uses it comes after",
                  "", place_of(*order)};
  if (const Step* sum = first_of(steps, StepKind::Scan))
    return Reason{"running-sum",
                  "a running sum of what is no score is made once, by a kernel of its own: what it sums is "
                  "stored before, and the sums are "
                  "read as a tensor",
                  "", place_of(*sum)};
  if (const Step* product = first_of(steps, StepKind::Product))
    return Reason{
        "matrix-product",
        "a matrix product with a weight is made once, by a library, not again for every tile of a kernel", "",
        place_of(*product)};
  const Step* group = first_of(steps, StepKind::Group);
  if (!group || (refused && !is_by_shape(*refused, steps))) return refused;
  return reason_of_group(*group, parameters);
}

}  // namespace

FusionPlan plan_fusion(const Function& function, const PlanOptions& options) {
  FusionPlan result;
  Partition partition(function, options);
  try {
    result.steps = partition.run(function);
  } catch (const Refused& refused) {
    result.reason = refused.reason;
    return result;
  }
  const bool fused = std::all_of(result.steps.begin(), result.steps.end(),
                                 [](const Step& step) { return step.kind == StepKind::Kernel; });
  result.status = fused ? Status::Fused : Status::Partial;
  if (fused) return result;
  result.reason = reason_of_steps(result.steps, function.tensors.size(), partition.reason());
  return result;
}

}  // namespace flashlight::fusion
