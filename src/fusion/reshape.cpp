// SPDX-License-Identifier: Apache-2.0
// See reshape.h.
#include "fusion/reshape.h"

#include <algorithm>
#include <set>

#include "fusion/roles.h"

namespace flashlight::fusion {

namespace {

using graph::Function;
using graph::NodeId;
using graph::Op;
using graph::Operand;
using graph::Sym;
using graph::TensorView;

int behind(const TensorView& view, int axis) { return static_cast<int>(view.shape.size()) - 1 - axis; }

void reindex(TensorView& view, const std::vector<Sym>& places) {
  for (Sym& index : view.index)
    index = graph::simplify_index(graph::substitute_axes(index, places), view.shape);
}

// ---- concatenations

// The axis of the view along which its node, a concatenation, is read from end to end; -1: none.
int joined_axis(const graph::Graph& graph, const TensorView& view) {
  const graph::Node& node = graph[view.node];
  if (node.op != Op::Segment || view.type != graph::Type::Float) return -1;
  const Sym& at = view.index[static_cast<std::size_t>(node.axis)];
  if (at.op() != graph::SymOp::Axis) return -1;
  const int axis = static_cast<int>(at.integer());
  return view.shape[static_cast<std::size_t>(axis)] == node.shape[static_cast<std::size_t>(node.axis)] ? axis
                                                                                                       : -1;
}

// The elements of a view from `start` on along the axis: those of one part.
TensorView part_of(const graph::Graph& graph, const TensorView& view, int axis, std::size_t part,
                   const Sym& start) {
  const graph::Node& node = graph[view.node];
  std::vector<Sym> places = graph::identity_index(view.shape.size());
  places[static_cast<std::size_t>(axis)] = places[static_cast<std::size_t>(axis)] + start;
  TensorView result = view;
  result.shape[static_cast<std::size_t>(axis)] = node.segments[part];
  std::vector<Sym> index;
  for (const Sym& e : view.index) index.push_back(graph::substitute_axes(e, places));
  const Operand value = graph::seen_through(node.operands[part], index);
  result.node = value.node;
  result.index = value.index;
  for (Sym& e : result.index) e = graph::simplify_index(e, result.shape);
  return result;
}

// Parts of parts are taken apart as well.
void take_apart(const Function& f, const graph::Output& out, const Target& target, Dependence& dependence,
                std::vector<graph::Output>& outputs, std::vector<Target>& targets) {
  constexpr std::size_t kMostParts = 16;
  const graph::Graph& graph = f.graph;
  const int axis = joined_axis(graph, out.value);
  const graph::Node& node = graph[out.value.node];
  if (axis < 0 || !dependence.has_reduction(out.value.node) || node.operands.size() > kMostParts) {
    outputs.push_back(out);
    targets.push_back(target);
    return;
  }
  Sym start(0);
  for (std::size_t part = 0; part < node.operands.size(); ++part) {
    Target into = target;
    into.views.push_back({Reshaping::Part, behind(out.value, axis), 0, start, node.segments[part]});
    take_apart(f, {part_of(graph, out.value, axis, part, start), out.path}, into, dependence, outputs,
               targets);
    start = start + node.segments[part];
  }
}

// ---- axes in two parts

// What a view reads, looking through maps.
void collect_reads(const graph::Graph& graph, const Access& access, std::set<Access>& seen) {
  if (!seen.insert(access).second || graph[access.node].op != Op::Map) return;
  for (const Operand& operand : graph[access.node].operands)
    collect_reads(graph, compose(operand, access.index), seen);
}

bool reads_both(const Access& access, int axis, const Sym& inner) {
  const Sym at = Sym::axis(axis);
  const auto has = [&](const Sym& e) {
    return std::find(access.index.begin(), access.index.end(), e) != access.index.end();
  };
  return has(floor_div(at, inner)) && has(mod(at, inner));
}

std::optional<AxisParts> parts_read(const graph::Graph& graph, const TensorView& view, int axis) {
  std::set<Access> reads;
  collect_reads(graph, {view.node, view.index}, reads);
  for (const Access& access : reads) {
    const auto parts = parts_of_axis(graph, {access}, axis);
    if (parts && reads_both(access, axis, parts->inner)) return parts;
  }
  return std::nullopt;
}

// The value over axes of `shape`, with maps over these axes wherever an index mixes several.
Operand pushed(graph::Builder& builder, Operand value, const graph::Shape& shape) {
  for (Sym& index : value.index) index = graph::simplify_index(index, shape);
  const graph::Node node = builder.node(value.node);
  const bool plain = std::all_of(value.index.begin(), value.index.end(), [](const Sym& e) {
    return e.op() == graph::SymOp::Axis || e.is_constant();
  });
  if (node.op != Op::Map || plain) return value;
  std::vector<Operand> operands;
  for (const Operand& operand : node.operands)
    operands.push_back(pushed(builder, graph::seen_through(operand, value.index), shape));
  return {builder.map(node.fn, shape, operands), graph::identity_index(shape.size())};
}

void split_axis(Piece& piece, std::size_t output, int axis, const AxisParts& parts) {
  graph::Rebuild rebuild(piece.function);
  rebuild.copy();
  std::vector<graph::Output> outputs;
  for (std::size_t o = 0; o < piece.function.outputs.size(); ++o) {
    graph::Output out = piece.function.outputs[o];
    Operand value = rebuild.moved({out.value.node, out.value.index});
    if (o == output) {
      const auto at = static_cast<std::size_t>(axis);
      piece.targets[o].views.push_back(
          {Reshaping::Split, behind(out.value, axis), 0, parts.outer, parts.inner});
      std::vector<Sym> places = graph::identity_index(at);
      places.push_back(parts.inner * Sym::axis(axis) + Sym::axis(axis + 1));
      for (std::size_t a = at + 1; a < out.value.shape.size(); ++a)
        places.push_back(Sym::axis(static_cast<int>(a) + 1));
      out.value.shape[at] = parts.outer;
      out.value.shape.insert(out.value.shape.begin() + axis + 1, parts.inner);
      value = pushed(rebuild.builder(), graph::seen_through(value, places), out.value.shape);
    }
    out.value.node = value.node;
    out.value.index = value.index;
    outputs.push_back(std::move(out));
  }
  piece.function = rebuild.finish(std::move(outputs));
}

// ---- columns

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

TensorView merged(const TensorView& view, int first, int count) {
  TensorView result = view;
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
  reindex(result, axes);
  return result;
}

}  // namespace

Piece taken_apart(const Piece& whole) {
  const Function& f = whole.function;
  Piece piece{f, {}};
  Dependence dependence(f.graph);
  std::vector<graph::Output> outputs;
  for (std::size_t o = 0; o < f.outputs.size(); ++o)
    take_apart(f, f.outputs[o], whole.targets[o], dependence, outputs, piece.targets);
  if (outputs.size() > f.outputs.size()) piece.function = rebuilt(f, std::move(outputs), {});
  return piece;
}

void split_axes(Piece& piece) {
  for (std::size_t o = 0; o < piece.targets.size(); ++o)
    for (int axis = 0; axis < static_cast<int>(piece.function.outputs[o].value.shape.size()); ++axis)
      if (const auto parts = parts_read(piece.function.graph, piece.function.outputs[o].value, axis))
        split_axis(piece, o, axis, *parts);
}

void add_rows(Piece& piece) {
  Dependence dependence(piece.function.graph);
  for (std::size_t o = 0; o < piece.targets.size(); ++o) {
    if (!lacks_row(piece.function, dependence, static_cast<int>(o))) continue;
    TensorView& view = piece.function.outputs[o].value;
    const int columns = view.shape.size() > static_cast<std::size_t>(view.pack) ? 1 : 0;
    const int at = static_cast<int>(view.shape.size()) - columns;
    std::vector<Sym> places = graph::identity_index(static_cast<std::size_t>(at));
    if (columns) places.push_back(Sym::axis(at + 1));
    view.shape.insert(view.shape.begin() + at, Sym(1));
    reindex(view, places);
    piece.targets[o].views.push_back({Reshaping::One, columns, 0, {}, {}});
  }
}

void merge_columns(Piece& piece) {
  Dependence dependence(piece.function.graph);
  const Nest nest = find_roles(piece.function, dependence);
  for (std::size_t o = 0; o < piece.targets.size(); ++o) {
    const auto [first, count] = columns_of(nest, o);
    if (count < 2) continue;
    TensorView& view = piece.function.outputs[o].value;
    piece.targets[o].views.push_back({Reshaping::Merge, behind(view, first + count - 1), count, {}, {}});
    view = merged(view, first, count);
  }
}

}  // namespace flashlight::fusion
