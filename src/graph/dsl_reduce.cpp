// SPDX-License-Identifier: Apache-2.0
// Reductions and what is made of them: mean, variance, softmax, running sums, orders.
#include "graph/dsl_ops.h"

namespace flashlight::graph {
namespace {

// The axes that (dims or {dims} or nothing, keepdim) name; nothing names all of them.
std::vector<int> axes_to_reduce(Builder& b, const TensorView& x, const Args& a, int i, bool keepdim) {
  std::vector<int> axes = axes_of(b, x, a.dims(i), a);
  if (!axes.empty()) return axes;
  if (keepdim) need_known(b, x, 0, kUsualRank, a);
  for (int k = 0; k < rank_of(x); ++k) axes.push_back(k);
  return axes;
}

Sym points(const TensorView& x, const std::vector<int>& axes) {
  Sym n(1);
  for (int axis : axes) n = n * x.shape[axis];
  return n;
}

TensorView reciprocal_of(Builder& b, const Sym& n) {
  return scalar_view(b, divide(Sym(1.0), make_sym(SymOp::ToReal, {n})));
}

TensorView mean_over(Builder& b, const Args& a, const TensorView& x, const std::vector<int>& axes,
                     bool keepdim) {
  TensorView total = reduce(b, ReduceKind::Sum, x, axes, keepdim, x.dtype, a);
  return Math{b, a}.mul(total, reciprocal_of(b, points(x, axes)));
}

// sum and prod make kInt64 of integers; amax and amin keep the storage type.
template <ReduceKind kind>
Arg accumulate(Builder& b, const Args& a) {
  TensorView x = a.tensor(0);
  if (x.type != Type::Float) x = convert(b, x, {Type::Int, default_rule(Type::Int)});
  bool keepdim = a.flag_or(2, false);
  return reduce(b, kind, x, axes_to_reduce(b, x, a, 1, keepdim), keepdim, x.dtype, a);
}

template <ReduceKind kind, ReduceKind on_bool>
Arg extremum(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  bool keepdim = a.flag_or(2, false);
  return reduce(b, x.type == Type::Bool ? on_bool : kind, x, axes_to_reduce(b, x, a, 1, keepdim), keepdim,
                x.dtype, a);
}

template <ReduceKind kind>
Arg logical(Builder& b, const Args& a) {
  TensorView x = to_bool(b, a.tensor(0), a, true);
  bool keepdim = a.flag_or(2, false);
  return reduce(b, kind, x, axes_to_reduce(b, x, a, 1, keepdim), keepdim, x.dtype, a);
}

Arg mean(Builder& b, const Args& a) {
  TensorView x = to_float(b, a.tensor(0));
  bool keepdim = a.flag_or(2, false);
  return mean_over(b, a, x, axes_to_reduce(b, x, a, 1, keepdim), keepdim);
}

// The plain form: making it stable is the business of the update laws, whatever the spelling was.
Arg logsumexp(Builder& b, const Args& a) {
  Math m{b, a};
  TensorView x = to_float(b, a.tensor(0));
  bool keepdim = a.flag_or(2, false);
  std::vector<int> axes = axes_to_reduce(b, x, a, 1, keepdim);
  return m.apply(Fn::Log, reduce(b, ReduceKind::Sum, m.apply(Fn::Exp, x), axes, keepdim, x.dtype, a));
}

Arg var(Builder& b, const Args& a) {
  Math m{b, a};
  TensorView x = to_float(b, a.tensor(0));
  bool unbiased = a.flag_or(2, true), keepdim = a.flag_or(3, false);
  std::vector<int> axes = axes_to_reduce(b, x, a, 1, keepdim);
  bool everything = axes.size() == x.shape.size();  // then the mean has no dims and broadcasts as it is
  TensorView centred = m.sub(x, mean_over(b, a, x, axes, !everything));
  TensorView total = reduce(b, ReduceKind::Sum, m.pow(centred, 2), axes, keepdim, x.dtype, a);
  return m.mul(total, reciprocal_of(b, points(x, axes) - Sym(unbiased ? 1 : 0)));
}

TensorView softmax_input(Builder& b, const Args& a) {
  TensorView x = to_float(b, a.tensor(0));
  x.dtype = kind_or(a, 2, {x.type, x.dtype}).dtype;
  return x;
}

TensorView less_maximum(Builder& b, const Args& a, const TensorView& x, int axis) {
  return Math{b, a}.sub(x, reduce(b, ReduceKind::Max, x, {axis}, true, x.dtype, a));
}

Arg softmax(Builder& b, const Args& a) {
  Math m{b, a};
  TensorView x = softmax_input(b, a);
  int axis = axis_of(b, x, a.integer(1), a);
  TensorView weights = m.apply(Fn::Exp, less_maximum(b, a, x, axis));
  return m.div(weights, reduce(b, ReduceKind::Sum, weights, {axis}, true, x.dtype, a));
}

Arg log_softmax(Builder& b, const Args& a) {
  Math m{b, a};
  TensorView x = softmax_input(b, a);
  int axis = axis_of(b, x, a.integer(1), a);
  TensorView shifted = less_maximum(b, a, x, axis);
  return m.sub(shifted, m.apply(Fn::Log, reduce(b, ReduceKind::Sum, m.apply(Fn::Exp, shifted), {axis}, true,
                                                x.dtype, a)));
}

Arg cumsum(Builder& b, const Args& a) {
  TensorView x = a.tensor(0);
  if (x.type != Type::Float) x = convert(b, x, {Type::Int, default_rule(Type::Int)});
  int axis = axis_of(b, x, a.integer(1), a);
  return computed(b, b.scan(x.shape, axis, {x.node, x.index}), x.pack, x.dtype);
}

// One axis instead of all, the last varying fastest. A pack alone is one already.
TensorView flattened(Builder& b, const TensorView& x) {
  if (x.pack && explicit_axes(x) == 0) return x;
  return std::get<TensorView>(apply_op(b, "flatten", {x, Sym(0), Sym(-1)}));
}

// The first `count` elements of x in order along an axis, or where they stand along it.
TensorView ordered(Builder& b, Op op, const TensorView& x, int axis, const Sym& count, bool descending) {
  const auto along = static_cast<std::size_t>(axis);
  Shape own, shape = x.shape;
  std::vector<Sym> to_node(x.shape.size()), to_result;
  for (std::size_t k = 0; k < x.shape.size(); ++k) {
    if (k == along) continue;
    to_node[k] = Sym::axis(static_cast<int>(own.size()));
    to_result.push_back(Sym::axis(static_cast<int>(k)));
    own.push_back(x.shape[k]);
  }
  own.push_back(count);
  to_node[along] = Sym::axis(static_cast<int>(own.size()));
  to_result.push_back(Sym::axis(axis));
  shape[along] = count;
  const NodeId id = b.order(op, own, x.shape[along], descending, seen_through({x.node, x.index}, to_node));
  const TensorView result = computed(b, id, false, op == Op::Order ? default_rule(Type::Int) : x.dtype);
  return reindex(result, to_result, shape, x.pack && axis != 0);
}

// Values and their indices.
Arg ordered_pair(Builder& b, const TensorView& x, int axis, const Sym& count, bool descending) {
  TensorView values = ordered(b, Op::Sort, x, axis, count, descending);
  if (x.type == Type::Bool) values = convert(b, values, Type::Bool);
  return ArgList{Arg(values), Arg(ordered(b, Op::Order, x, axis, count, descending))};
}

Arg sort(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  const int axis = axis_of(b, x, a.integer_or(1, -1), a);
  return ordered_pair(b, x, axis, x.shape[static_cast<std::size_t>(axis)], a.flag_or(2, false));
}

Arg topk(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  const int axis = axis_of(b, x, a.integer_or(2, -1), a);
  const Sym &count = a.sym(1), &length = x.shape[static_cast<std::size_t>(axis)];
  b.check(make_sym(SymOp::Le, {Sym(0), count}), "topk: k must not be negative");
  b.check(make_sym(SymOp::Le, {count, length}), "topk: k must not be larger than the dim");
  return ordered_pair(b, x, axis, count, a.flag_or(3, true));
}

// The first maximum along one axis, or in the flattened tensor: the first element in descending order.
Arg argmax(Builder& b, const Args& a) {
  const bool all = !a.has(1);
  const TensorView x = all ? flattened(b, a.tensor(0)) : a.tensor(0);
  const int axis = all ? 0 : axis_of(b, x, a.integer(1), a);
  const TensorView first = ordered(b, Op::Order, x, axis, Sym(1), true);
  if (!all && a.flag_or(2, false)) return first;
  Shape shape = first.shape;
  shape.erase(shape.begin() + axis);
  std::vector<Sym> axes = identity_index(first.shape.size());
  axes[static_cast<std::size_t>(axis)] = Sym(0);
  for (std::size_t k = static_cast<std::size_t>(axis) + 1; k < axes.size(); ++k)
    axes[k] = Sym::axis(static_cast<int>(k) - 1);
  return reindex(first, axes, shape, first.pack);
}

constexpr OpRow kRows[] = {
    {"sum", accumulate<ReduceKind::Sum>},
    {"prod", accumulate<ReduceKind::Prod>},
    {"mean", mean},
    {"amax", extremum<ReduceKind::Max, ReduceKind::Any>},
    {"amin", extremum<ReduceKind::Min, ReduceKind::All>},
    {"any", logical<ReduceKind::Any>},
    {"all", logical<ReduceKind::All>},
    {"logsumexp", logsumexp},
    {"var", var},
    {"softmax", softmax},
    {"log_softmax", log_softmax},
    {"cumsum", cumsum},
    {"argmax", argmax},
    {"sort", sort},
    {"topk", topk},
};

}  // namespace

std::span<const OpRow> reduce_ops() { return kRows; }

}  // namespace flashlight::graph
