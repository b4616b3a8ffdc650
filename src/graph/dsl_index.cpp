// SPDX-License-Identifier: Apache-2.0
// Reading at computed positions: index, index_select, gather. Positions made of iotas become index maps,
// others Gather.
#include <algorithm>

#include "graph/dsl_ops.h"

namespace flashlight::graph {
namespace {

// The values of an integer node at `index` as an expression over axes, where iotas and arithmetic made them.
std::optional<Sym> as_expression(const Builder& b, NodeId id, const std::vector<Sym>& index) {
  const Node& n = b.node(id);
  if (n.type != Type::Int) return std::nullopt;
  if (n.op == Op::Scalar) return n.value;
  if (n.op == Op::Iota) return index[0];
  if (n.op != Op::Map) return std::nullopt;  // a copy is an Add of one operand
  std::vector<Sym> args;
  for (const Operand& operand : n.operands) {
    std::vector<Sym> composed;
    for (const Sym& e : operand.index) composed.push_back(substitute_axes(e, index));
    auto value = as_expression(b, operand.node, composed);
    if (!value) return std::nullopt;
    args.push_back(*value);
  }
  switch (n.fn) {
    case Fn::Add: return make_sym(SymOp::Add, args);
    case Fn::Mul: return make_sym(SymOp::Mul, args);
    case Fn::FloorDiv: return make_sym(SymOp::FloorDiv, args);
    case Fn::Mod: return make_sym(SymOp::Mod, args);
    default: return std::nullopt;
  }
}

bool is_free(const Sym& e) { return !contains(e, SymOp::Axis) && !contains(e, SymOp::Datum); }

// The largest value of an expression that grows with every axis(k) < shape[k]; nullopt where that is not in
// sight.
std::optional<Sym> largest(const Sym& e, const Shape& shape) {
  switch (e.op()) {
    case SymOp::Axis: return shape[e.integer()] - Sym(1);
    case SymOp::Add:
    case SymOp::Mul: {
      std::vector<Sym> args;
      for (const Sym& arg : e.args()) {
        auto most = largest(arg, shape);
        if (!most || (e.op() == SymOp::Mul && !proves_nonnegative(arg, shape))) return std::nullopt;
        args.push_back(*most);
      }
      return make_sym(e.op(), args);
    }
    case SymOp::FloorDiv:
    case SymOp::Mod: {
      const Sym& divisor = e.args()[1];
      if (!is_free(divisor) || !proves_nonnegative(divisor, shape)) return std::nullopt;
      if (e.op() == SymOp::Mod) return divisor - Sym(1);
      auto most = largest(e.args()[0], shape);
      return most ? std::optional(floor_div(*most, divisor)) : std::nullopt;
    }
    default: return is_free(e) ? std::optional(e) : std::nullopt;
  }
}

// The index as a plain map: it is never negative, and below `size`, which is checked at launch where it is
// not proven.
std::optional<Sym> plain_index(Builder& b, const TensorView& index, const Sym& size, const Args& a) {
  auto e = as_expression(b, index.node, index.index);
  if (!e) return std::nullopt;
  Sym value = simplify_index(*e, index.shape);
  if (!proves_nonnegative(value, index.shape)) return std::nullopt;
  const Sym& bound =
      value.op() == SymOp::FloorDiv ? value.args()[0] : value;  // a quotient is no more than its dividend
  if (proves_nonnegative(size - Sym(1) - bound, index.shape)) return value;
  auto most = largest(value, index.shape);
  if (!most) return std::nullopt;
  Sym below = make_sym(SymOp::Lt, {*most, size});
  if (below.is_constant()) return below.integer() ? std::optional(value) : std::nullopt;
  b.check(below, a.op() + ": an index must lie below the size of its dim");
  return value;
}

// x read at positions[k] along axis axes_at[k]; out_axes[k] is what the other axes are in the result's terms.
TensorView read_at(Builder& b, const TensorView& x, std::vector<Sym> axes, const std::vector<int>& at,
                   std::vector<TensorView> positions, const Shape& shape, bool pack, const Args& a) {
  std::vector<TensorView> data;
  for (std::size_t k = 0; k < at.size(); ++k) {
    const Sym& size = x.shape[at[k]];
    if (auto plain = plain_index(b, positions[k], size, a)) {
      axes[at[k]] = *plain;
      continue;
    }
    data.push_back(positions[k]);
    Sym datum = Sym::datum(static_cast<int>(data.size()));
    // A view's own axis wraps negative positions here; a node's axis is wrapped where it is read.
    const Shape& node_shape = b.node(x.node).shape;
    bool is_node_axis = false;
    for (std::size_t m = 0; m < x.index.size(); ++m)
      is_node_axis = is_node_axis || (x.index[m] == Sym::axis(at[k]) && node_shape[m] == size);
    axes[at[k]] = is_node_axis ? datum : mod(datum, size);
  }
  TensorView table = reindex(x, axes, shape, pack);
  if (data.empty()) return table;
  std::vector<Operand> indices;
  for (const TensorView& d : data) indices.push_back({d.node, d.index});
  return computed(b, b.gather(shape, {table.node, table.index}, std::move(indices)), pack, x.dtype);
}

// x[i, j, ..]: integer tensors that broadcast together stand for the leading axes of x.
Arg index(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  std::vector<TensorView> positions;
  if (auto* list = std::get_if<ArgList>(&a.at(1)))
    for (const Arg& item : *list)
      positions.push_back(std::holds_alternative<Sym>(item) ? scalar_view(b, std::get<Sym>(item))
                                                            : std::get<TensorView>(item));
  else positions = a.tensors(1);
  int count = static_cast<int>(positions.size());
  // Indices for all its dims, unless it is computed.
  if (x.pack && raw_parameter(b, x) >= 0) need_exact(b, x, count, a);
  need_known(b, x, count, kUsualRank, a);
  if (raw_parameter(b, x) >= 0 && count < rank_of(x)) ++b.signs().odd;
  if (count > rank_of(x))
    a.fail("shape-mismatch", std::to_string(count) + " indices for " + describe(x),
           "give at most one index a dim");
  for (TensorView& p : positions) {
    if (p.type == Type::Bool)
      a.fail("unsupported-op", "by a kBool tensor has a size known at run time only", "use where");
    p = to_int(b, p, a);
  }
  broadcast(b, positions, a);
  bool pack = positions[0].pack;
  Shape shape = positions[0].shape;
  int leading = static_cast<int>(shape.size());
  std::vector<Sym> axes;
  std::vector<int> at;
  for (int k = 0; k < rank_of(x); ++k) {
    if (k < count) {
      axes.push_back(Sym(0));
      at.push_back(k);
    } else {
      axes.push_back(Sym::axis(leading + k - count));
      shape.push_back(x.shape[k]);
    }
  }
  for (TensorView& p : positions)
    p.shape = shape;  // the trailing axes are not theirs, their index does not use them
  return read_at(b, x, axes, at, positions, shape, pack, a);
}

Arg index_select(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  int axis = axis_of(b, x, a.integer(1), a);
  TensorView position = to_int(b, a.tensor(2), a);
  need_exact(b, position, 1, a);
  Shape shape = x.shape;
  shape[axis] = position.shape[0];
  position = reindex(position, {Sym::axis(axis)}, shape, x.pack);
  return read_at(b, x, identity_index(shape.size()), {axis}, {position}, shape, x.pack, a);
}

// out[.., i, ..] = x[.., index[.., i, ..], ..]: the index has as many dims as x and may be shorter in the
// others.
Arg gather(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  TensorView position = to_int(b, a.tensor(2), a);
  int axis = axis_of(b, x, a.integer(1), a);
  std::vector<TensorView> views{x, position};
  align_leading(b, views, std::vector<int>{0, 0}, a);
  if (x.pack && !position.pack) need_exact(b, x, rank_of(position), a);
  if (position.pack && !x.pack) need_exact(b, position, rank_of(x), a);
  if (rank_of(position) != rank_of(x))
    a.fail("shape-mismatch",
           "needs an index of as many dims, got " + describe(x) + " and " + describe(position));
  for (int k = 0; k < rank_of(x); ++k)
    if (k != axis && !(x.shape[k] == position.shape[k]) && !(x.pack && k == 0))
      position.shape[k] = b.unify(x.shape[k], position.shape[k],
                                  "gather: dim " + std::to_string(k) + " of " + describe(x) +
                                      " and of the index " + describe(position));
  std::vector<Sym> axes = identity_index(x.shape.size());
  for (int k = 0; k < rank_of(x); ++k)
    if (k != axis && position.shape[k].is_integer(1)) axes[k] = Sym(0);
  return read_at(b, x, axes, {axis}, {position}, position.shape, x.pack, a);
}

constexpr OpRow kRows[] = {{"index", index}, {"index_select", index_select}, {"gather", gather}};

}  // namespace

std::span<const OpRow> index_ops() { return kRows; }

}  // namespace flashlight::graph
