// SPDX-License-Identifier: Apache-2.0
// See reshape.h.
#include "fusion/reshape.h"

#include <algorithm>
#include <map>
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

// Of blocks that are padded, then cut off, a result has a piece that no view shows as two axes. A launch may
// have been told that its size is that of all blocks.
bool is_all_of(const Function& f, const Sym& size, const AxisParts& parts) {
  const Sym all = parts.outer * parts.inner;
  return size == all || std::any_of(f.checks.begin(), f.checks.end(), [&](const graph::Check& check) {
           const Sym& equal = check.condition;
           return equal.op() == graph::SymOp::Eq && ((equal.args()[0] == size && equal.args()[1] == all) ||
                                                     (equal.args()[0] == all && equal.args()[1] == size));
         });
}

// What is computed is read so; arguments may be, which any kernel reads at any place.
std::optional<AxisParts> parts_read(const Function& f, const TensorView& view, int axis) {
  const graph::Graph& graph = f.graph;
  Dependence dependence(graph);
  std::set<Access> reads;
  collect_reads(graph, {view.node, view.index}, reads);
  for (const Access& access : reads) {
    if (!dependence.has_reduction(access.node)) continue;
    const auto parts = parts_of_axis(graph, {access}, axis);
    if (parts && reads_both(access, axis, parts->inner) &&
        is_all_of(f, view.shape[static_cast<std::size_t>(axis)], *parts))
      return parts;
  }
  return std::nullopt;
}

// Values over axes of `shape`, with maps over these axes wherever an index mixes several.
class Push {
 public:
  Push(graph::Builder& builder, const graph::Shape& shape) : builder_(builder), shape_(shape) {}

  Operand operator()(Operand value) {
    for (Sym& index : value.index) index = graph::simplify_index(index, shape_);
    const graph::Node node = builder_.node(value.node);
    const bool plain = std::all_of(value.index.begin(), value.index.end(), [](const Sym& e) {
      return e.op() == graph::SymOp::Axis || e.is_constant();
    });
    if (node.op != Op::Map || plain) return value;
    const Access at{value.node, value.index};
    if (const auto found = known_.find(at); found != known_.end()) return found->second;
    std::vector<Operand> operands;
    for (const Operand& operand : node.operands)
      operands.push_back((*this)(graph::seen_through(operand, value.index)));
    return known_[at] = {builder_.map(node.fn, shape_, operands), graph::identity_index(shape_.size())};
  }

 private:
  graph::Builder& builder_;
  const graph::Shape& shape_;
  std::map<Access, Operand> known_;  // values that are used several times are made once
};

// The first axis of the result that is tiled, were the function to return it alone; -1: it has no kernel.
int row_axis(const Function& function, std::size_t output) {
  Function f = function;
  f.outputs = {function.outputs[output]};
  Dependence dependence(f.graph);
  try {
    return find_roles(f, dependence).row;
  } catch (const Refused&) { return -1; }
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
      value = Push(rebuild.builder(), out.value.shape)(graph::seen_through(value, places));
    }
    out.value.node = value.node;
    out.value.index = value.index;
    outputs.push_back(std::move(out));
  }
  piece.function = rebuild.finish(std::move(outputs));
}

// Heads that share keys are read in two parts as blocks are. Split where another axis was the row, they would
// become the row.
void split_unless_rows_move(Piece& piece, std::size_t output, int axis, const AxisParts& parts) {
  const int before = row_axis(piece.function, output);
  Piece split = piece;
  split_axis(split, output, axis, parts);
  if (before >= 0 && before != axis) {
    const int after = row_axis(split.function, output);
    if (after == axis || after == axis + 1) return;
  }
  piece = std::move(split);
}

// ---- columns

// By the number of axes behind each: those that are a part of the tensor's own, so that an axis in front and
// such a one do not lie as one.
std::vector<int> narrowed_axes(const std::vector<Reshaping>& views) {
  std::vector<int> narrowed;
  for (const Reshaping& view : views) {
    const bool adds = view.kind == Reshaping::Split || view.kind == Reshaping::One;
    for (int& behind_it : narrowed)
      if (adds && behind_it >= view.behind) ++behind_it;
    if (view.kind == Reshaping::Part) narrowed.push_back(view.behind);
  }
  return narrowed;
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
      if (const auto parts = parts_read(piece.function, piece.function.outputs[o].value, axis))
        split_unless_rows_move(piece, o, axis, *parts);
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
    const int last = behind(view, first + count - 1);
    for (const int narrowed : narrowed_axes(piece.targets[o].views))
      if (narrowed >= last && narrowed < last + count - 1)
        throw Refused{{"unsupported-segment",
                       "results are concatenated along the inner one of two column axes, so that their "
                       "columns do not lie side by side",
                       "concatenate along another axis, or flatten the columns first",
                       piece.function.graph.source(view.node)}};
    piece.targets[o].views.push_back({Reshaping::Merge, last, count, {}, {}});
    view = merged(view, first, count);
  }
}

}  // namespace flashlight::fusion
