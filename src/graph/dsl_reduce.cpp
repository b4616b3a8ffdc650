// SPDX-License-Identifier: Apache-2.0
// Reductions and what is made of them: mean, variance, softmax, running sums; sort and topk as boundaries.
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

// The index of the first maximum along one axis, or in the flattened tensor.
Arg argmax(Builder& b, const Args& a) {
  TensorView x = a.tensor(0);
  if (x.type == Type::Bool) x = convert(b, x, Type::Int);
  if (!a.has(1))
    return reduce(b, ReduceKind::ArgMax, flattened(b, x), {0}, false, default_rule(Type::Int), a);
  int axis = axis_of(b, x, a.integer(1), a);
  return reduce(b, ReduceKind::ArgMax, x, {axis}, a.flag_or(2, false), default_rule(Type::Int), a);
}

// Values and indices of an op without a law, as two opaque nodes over the axes of the result.
Arg opaque_pair(Builder& b, const Args& a, const TensorView& x, const Shape& shape,
                std::vector<Operand> operands) {
  auto result = [&](const char* part, Type type, const DTypeRule& dtype) {
    return Arg(whole(b, b.opaque(a.op() + part, type, shape, operands), x.pack, dtype));
  };
  return ArgList{result(".values", x.type, x.dtype), result(".indices", Type::Int, default_rule(Type::Int))};
}

Operand all_of(const TensorView& x) { return {x.node, x.index}; }
Operand number(Builder& b, const Sym& value) { return {b.scalar(value, Type::Int), {}}; }

// Operands: x, the axis, 1 if descending.
Arg sort(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  int axis = axis_of(b, x, a.integer_or(1, -1), a);
  return opaque_pair(b, a, x, x.shape, {all_of(x), number(b, axis), number(b, a.flag_or(2, false) ? 1 : 0)});
}

// Operands: x, the axis, k, 1 if largest.
Arg topk(Builder& b, const Args& a) {
  TensorView x = a.tensor(0);
  int axis = axis_of(b, x, a.integer_or(2, -1), a);
  Shape shape = x.shape;
  shape[axis] = a.sym(1);
  TensorView first = reindex(x, identity_index(shape.size()), shape, x.pack);
  return opaque_pair(
      b, a, first, shape,
      {all_of(x), number(b, axis), number(b, a.sym(1)), number(b, a.flag_or(3, true) ? 1 : 0)});
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
