// SPDX-License-Identifier: Apache-2.0
// Takes a function apart behind its attention: what that leaves is stored, and what is made of it comes
// after.
#include <algorithm>

#include "fusion/partition.h"

namespace flashlight::fusion {

namespace {

using graph::Function;
using graph::Operand;
using graph::Sym;
using graph::TensorView;

// The axes of the value that is stored: the node's own, then those that it reduces behind the keys. The pack
// comes first.
std::vector<int> stored_axes(const graph::Node& node, int keys) {
  std::vector<int> axes;
  const graph::Shape iteration = graph::iteration_of(node);
  for (std::size_t a = 0; a < iteration.size(); ++a) {
    if (a >= node.shape.size() && (keys < 0 || a - node.shape.size() == static_cast<std::size_t>(keys)))
      continue;
    axes.insert(is_pack(iteration[a]) ? axes.begin() : axes.end(), static_cast<int>(a));
  }
  return axes;
}

// The reduction along the keys alone, as a node over the axes.
Operand along_keys(graph::Rebuild& rebuild, const graph::Node& node, int keys, const std::vector<int>& axes) {
  const graph::Shape iteration = graph::iteration_of(node);
  std::vector<Sym> place(iteration.size());
  graph::Shape shape;
  for (const int axis : axes) {
    place[static_cast<std::size_t>(axis)] = Sym::axis(static_cast<int>(shape.size()));
    shape.push_back(iteration[static_cast<std::size_t>(axis)]);
  }
  const std::size_t along = node.shape.size() + static_cast<std::size_t>(keys);
  place[along] = Sym::axis(static_cast<int>(shape.size()));
  const Operand body = graph::seen_through(rebuild.moved(node.operands[0]), place);
  return {rebuild.builder().reduce(node.reduce, shape, {iteration[along]}, body),
          graph::identity_index(shape.size())};
}

// A node of the function, or its part along the keys, as a tensor of float32.
TensorView stored_view(graph::Rebuild& rebuild, const graph::Node& node, const Attended& value) {
  const std::vector<int> axes = stored_axes(node, value.keys);
  TensorView view;
  const graph::Shape iteration = graph::iteration_of(node);
  for (const int axis : axes) view.shape.push_back(iteration[static_cast<std::size_t>(axis)]);
  view.pack = !view.shape.empty() && is_pack(view.shape[0]);
  view.type = node.type;
  view.dtype.constant = graph::DType::Float32;
  Operand at;
  if (value.keys >= 0) {
    at = along_keys(rebuild, node, value.keys, axes);
  } else {
    std::vector<Sym> index(axes.size());
    for (std::size_t k = 0; k < axes.size(); ++k)
      index[static_cast<std::size_t>(axes[k])] = Sym::axis(static_cast<int>(k));
    at = rebuild.moved({value.node, index});
  }
  view.node = at.node;
  view.index = at.index;
  return view;
}

// What stands for the node: the tensor, reduced over what is left to reduce.
Operand read_back(graph::Builder& builder, const graph::Node& node, int keys, int tensor) {
  const std::vector<int> axes = stored_axes(node, keys);
  const graph::Shape iteration = graph::iteration_of(node);
  graph::Node input;
  input.op = graph::Op::Input;
  input.input = tensor;
  std::vector<Sym> place = graph::identity_index(iteration.size());
  graph::Shape rest;
  for (std::size_t a = node.shape.size(); a < iteration.size(); ++a) {
    if (a - node.shape.size() == static_cast<std::size_t>(keys)) continue;
    place[a] = Sym::axis(static_cast<int>(node.shape.size() + rest.size()));
    rest.push_back(iteration[a]);
  }
  Operand read;
  for (const int axis : axes) {
    input.shape.push_back(iteration[static_cast<std::size_t>(axis)]);
    read.index.push_back(place[static_cast<std::size_t>(axis)]);
  }
  read.node = builder.add(input);
  if (keys < 0) return read;
  return {builder.reduce(node.reduce, node.shape, rest, read), graph::identity_index(node.shape.size())};
}

}  // namespace

bool Partition::cut_attention(const Piece& piece) {
  Function whole = piece.function;
  whole.tensors = tensors_;
  Dependence dependence(whole.graph);
  const std::vector<Attended> values = attended_values(whole, dependence);
  if (values.empty()) return false;
  Piece before;
  std::map<graph::NodeId, Attended> cuts;
  std::map<graph::NodeId, int> tensors;
  graph::Rebuild rebuild(whole);
  rebuild.copy();
  std::vector<graph::Output> outputs;
  for (const Attended& value : values) {
    const TensorView view = stored_view(rebuild, whole.graph[value.node], value);
    const std::string& label = whole.graph.label(value.node);
    const int tensor = intermediate(whole, view, value.keys < 0 ? label : "");
    cuts[value.node] = value;
    tensors[value.node] = tensor;
    before.targets.push_back({true, tensor});
    outputs.push_back({view, {}});
  }
  before.function = rebuild.finish(std::move(outputs));
  split(before);
  whole.tensors = tensors_;
  graph::Rebuild rest(whole);
  Function after = rest.run(whole.outputs, [&](graph::NodeId id) -> std::optional<Operand> {
    const auto cut = cuts.find(id);
    if (cut == cuts.end()) return std::nullopt;
    return read_back(rest.builder(), whole.graph[id], cut->second.keys, tensors.at(id));
  });
  split({std::move(after), piece.targets});
  return true;
}

}  // namespace flashlight::fusion
