// SPDX-License-Identifier: Apache-2.0
// Takes a function apart around its orders, and around running sums of what is no score. What goes in is a
// tensor, and so is what comes out. Scores that were ordered are made again by the kernel that weighs with
// them, so that it stays an attention; but what compares them with what came out of the order reads those
// that were ordered, for others would round otherwise, and the last of the best keys might miss its
// threshold.
#include <algorithm>
#include <set>

#include "fusion/partition.h"

namespace flashlight::fusion {

using graph::Function;
using graph::NodeId;
using graph::Operand;
using graph::Output;
using graph::Sym;
using graph::TensorView;

struct Partition::RowSteps {
  const Function& f;
  std::set<NodeId> scores;
  Cuts cuts = {}, ordered = {};  // see rebuilt()
  std::set<int> direct = {};     // results that the steps write
};

namespace {

const Sym& length_of(const graph::Node& node) { return is_order(node) ? node.reduced[0] : node.shape.back(); }

// What the node orders or sums, over its rows' axes and the elements.
TensorView elements_of(const Function& f, NodeId id) {
  const graph::Node& node = f.graph[id];
  const Operand& operand = node.operands[0];
  std::vector<Sym> place = graph::identity_index(node.shape.size());
  if (is_order(node)) place.push_back(Sym::axis(node.axis));
  TensorView view;
  view.node = operand.node;
  view.index = graph::seen_through(operand, place).index;
  view.shape = node.shape;
  view.shape.back() = length_of(node);
  view.type = f.graph[operand.node].type;
  return view;
}

// The view with the batch pack, if it has that, in front; `axes` is told where each axis has gone.
TensorView with_pack_first(TensorView view, std::vector<int>& axes) {
  std::vector<std::size_t> order;
  for (std::size_t a = 0; a < view.shape.size(); ++a)
    order.insert(is_pack(view.shape[a]) ? order.begin() : order.end(), a);
  std::vector<Sym> place(order.size());
  graph::Shape shape;
  axes.resize(order.size());
  for (std::size_t k = 0; k < order.size(); ++k) {
    place[order[k]] = Sym::axis(static_cast<int>(k));
    axes[order[k]] = static_cast<int>(k);
    shape.push_back(view.shape[order[k]]);
  }
  view.index = graph::seen_through({view.node, view.index}, place).index;
  view.shape = std::move(shape);
  view.pack = !view.shape.empty() && is_pack(view.shape[0]);
  return view;
}

// Made of scores element by element.
bool holds_scores(const graph::Graph& graph, NodeId id, const std::set<NodeId>& scores) {
  if (scores.contains(id)) return true;
  const graph::Node& node = graph[id];
  if (node.op != graph::Op::Map && node.op != graph::Op::Segment) return false;
  return std::any_of(node.operands.begin(), node.operands.end(),
                     [&](const Operand& o) { return holds_scores(graph, o.node, scores); });
}

// Where a tensor stored as this view has each axis of the node; nothing where it has not each element of it
// once.
std::optional<std::vector<int>> places_in(const graph::Node& node, const TensorView& view) {
  std::vector<int> places;
  std::set<int> seen;
  for (std::size_t a = 0; a < view.index.size(); ++a) {
    const Sym& index = view.index[a];
    if (index.op() == graph::SymOp::Axis && seen.insert(static_cast<int>(index.integer())).second)
      places.push_back(static_cast<int>(index.integer()));
    else if (node.shape[a].is_integer(1)) places.push_back(-1);
    else return std::nullopt;
  }
  for (std::size_t k = 0; k < view.shape.size(); ++k)
    if (!seen.contains(static_cast<int>(k)) && !view.shape[k].is_integer(1)) return std::nullopt;
  return places;
}

// The result that is the node as it is, if it is read by nothing else; -1: none.
int result_of(const Function& f, NodeId id) {
  for (NodeId user = 0; user < f.graph.size(); ++user)
    for (const Operand& o : f.graph[user].operands)
      if (o.node == id) return -1;
  int found = -1;
  for (std::size_t o = 0; o < f.outputs.size(); ++o) {
    if (f.outputs[o].value.node != id) continue;
    if (found >= 0 || !places_in(f.graph[id], f.outputs[o].value)) return -1;
    found = static_cast<int>(o);
  }
  return found;
}

bool same_order(const graph::Node& a, const graph::Node& b) {
  return is_order(a) && is_order(b) && a.operands == b.operands && a.shape == b.shape &&
         a.reduced == b.reduced && a.descending == b.descending;
}

// Made of scores, through anything.
bool reads_scores(const graph::Graph& graph, NodeId id, const std::set<NodeId>& scores,
                  std::set<NodeId>& seen) {
  if (scores.contains(id)) return true;
  if (!seen.insert(id).second) return false;
  const std::vector<Operand>& operands = graph[id].operands;
  return std::any_of(operands.begin(), operands.end(),
                     [&](const Operand& o) { return reads_scores(graph, o.node, scores, seen); });
}

// Orders, and with `sums` the running sums along a last axis of what is no score.
bool is_row_step(const graph::Graph& graph, NodeId id, const std::set<NodeId>& scores, bool sums) {
  const graph::Node& node = graph[id];
  if (is_order(node)) return true;
  std::set<NodeId> seen;
  return sums && node.op == graph::Op::Scan && node.axis + 1 == static_cast<int>(node.shape.size()) &&
         !reads_scores(graph, id, scores, seen);
}

}  // namespace

bool Partition::around_rows(const Function& whole, bool sums) {
  Dependence dependence(whole.graph);
  RowSteps steps{whole, find_scores(whole, dependence)};
  std::set<NodeId> done;
  bool orders = false;
  for (NodeId id = 0; id < whole.graph.size(); ++id) {
    if (done.contains(id) || !is_row_step(whole.graph, id, steps.scores, sums)) continue;
    orders = orders || is_order(whole.graph[id]);
    std::vector<NodeId> nodes{id};  // elements and positions of the same order
    for (NodeId other = id + 1; other < whole.graph.size(); ++other)
      if (same_order(whole.graph[id], whole.graph[other])) nodes.push_back(other);
    done.insert(nodes.begin(), nodes.end());
    add_row_step(steps, nodes);
  }
  if (done.empty()) return false;
  Piece rest;
  std::vector<Output> outputs;
  for (std::size_t o = 0; o < whole.outputs.size(); ++o) {
    if (steps.direct.contains(static_cast<int>(o))) continue;
    outputs.push_back(whole.outputs[o]);
    rest.targets.push_back({false, static_cast<int>(o)});
  }
  if (!outputs.empty()) {
    Function f = whole;
    f.tensors = tensors_;
    rest.function = rebuilt(f, std::move(outputs), steps.cuts, steps.ordered);
    plan(rest, !orders);
  }
  const bool attends =
      (orders && !steps.scores.empty()) ||
      std::any_of(planned_.begin(), planned_.end(), [](const Planned& p) { return p.is_kernel(); });
  if (!attends)
    throw Refused{{"no-attention",
                   "no reduction over keys of scores between queries and keys was found",
                   "scores are a contraction such as matmul(q, k.transpose(-2, -1)), reduced over the keys",
                   {}}};
  return true;
}

ProductSide Partition::source_of(RowSteps& steps, NodeId node) {
  const Function& f = steps.f;
  std::vector<int> axes;
  const TensorView view = with_pack_first(elements_of(f, node), axes);
  const auto over_extents = [&](ProductSide side) {
    std::vector<Sym> place(axes.size());
    for (std::size_t a = 0; a < axes.size(); ++a)
      place[static_cast<std::size_t>(axes[a])] = Sym::axis(static_cast<int>(a));
    for (Sym& index : side.index) index = graph::substitute_axes(index, place);
    return side;
  };
  const auto write = [&](const TensorView& value, const Cuts& cuts) {
    Piece piece = piece_of(f, value, cuts, steps.ordered);
    const int tensor = intermediate(f, value);
    piece.function.tensors = tensors_;
    piece.targets = {{true, tensor}};
    plan(piece, false);
    return tensor;
  };
  // What comparisons are to read is at hand, or is a node as a whole that is now stored.
  Cuts cuts = steps.cuts;
  cuts.insert(steps.ordered.begin(), steps.ordered.end());
  if (f.graph[view.node].op != graph::Op::Input && !cuts.contains(view.node)) {
    const int tensor = write(view_of(f.graph, view.node), steps.cuts);
    Cuts& known = holds_scores(f.graph, view.node, steps.scores) ? steps.ordered : steps.cuts;
    cuts[view.node] = known[view.node] = {tensor};
  }
  if (const auto plain = as_it_lies(piece_of(f, view, cuts))) return over_extents(*plain);
  return over_extents({write(view, cuts), graph::identity_index(view.shape.size())});
}

void Partition::add_row_step(RowSteps& steps, const std::vector<NodeId>& nodes) {
  const Function& f = steps.f;
  const graph::Node& first = f.graph[nodes[0]];
  const bool orders = is_order(first);
  if (is_pack(length_of(first)))
    throw Refused{{orders ? "opaque" : "unsupported-scan",
                   std::string(orders ? "an order" : "a running sum") +
                       " over leading axes whose number the function does not say",
                   "say how many: assume(x.dim() == 2)", f.graph.source(nodes[0])}};
  RowsPlan plan;
  plan.source = source_of(steps, nodes[0]);
  plan.extents = first.shape;
  plan.extents.back() = length_of(first);
  plan.count = first.shape.back();
  plan.descending = first.descending;
  Piece piece;
  std::vector<Output> outputs;
  for (const NodeId id : nodes) {
    const int number = result_of(f, id);
    Output out = number >= 0 ? f.outputs[static_cast<std::size_t>(number)] : Output{view_of(f.graph, id), {}};
    if (number >= 0) {
      steps.direct.insert(number);
      piece.targets.push_back({false, number});
    } else {
      if (orders) out.value.dtype = stored_type(f, id);  // elements, as they are; sums are float32
      piece.targets.push_back({true, intermediate(f, out.value)});
      steps.cuts[id] = {piece.targets.back().number};
    }
    plan.places.push_back(*places_in(f.graph[id], out.value));
    outputs.push_back(std::move(out));
  }
  // The step by itself: an order, or running sums, of a tensor.
  Function whole = f;
  whole.tensors = tensors_;
  graph::Builder builder(whole);
  graph::Node input;
  input.op = graph::Op::Input;
  input.input = plan.source.tensor;
  input.type = tensors_[static_cast<std::size_t>(plan.source.tensor)].type;
  input.shape = tensors_[static_cast<std::size_t>(plan.source.tensor)].shape;
  std::vector<Sym> place = graph::identity_index(first.shape.size());
  if (orders) place.back() = Sym::axis(first.axis + 1);
  for (std::size_t k = 0; k < nodes.size(); ++k) {
    builder.at(f.graph.source(nodes[k]));
    const Operand read = graph::seen_through({builder.add(input), plan.source.index}, place);
    outputs[k].value.node =
        orders ? builder.order(f.graph[nodes[k]].op, first.shape, first.reduced[0], first.descending, read)
               : builder.scan(first.shape, first.axis, read);
    builder.label(outputs[k].value.node, f.graph.label(nodes[k]));
  }
  piece.function = builder.finish(f.name, std::move(outputs));
  planned_.push_back({std::move(piece), orders ? StepKind::Order : StepKind::Scan, {}, {}, std::move(plan)});
}

}  // namespace flashlight::fusion
