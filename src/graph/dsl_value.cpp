// SPDX-License-Identifier: Apache-2.0
// Builds nodes under views: broadcasting, maps and reductions.
//
// The Builder gives a node the axes that its operands need and puts a copy around it where the program sees
// more, fewer or others; resolved() turns that copy back into the view's index map, so that a view always
// shows the node itself.
#include "graph/dsl_value.h"

#include <algorithm>

namespace flashlight::graph {

TensorView whole(const Builder& b, NodeId id, bool pack, DTypeRule dtype) {
  const Node& n = b.node(id);
  return {id, identity_index(n.shape.size()), n.shape, pack, n.type, std::move(dtype)};
}

TensorView computed(Builder& b, NodeId id, bool pack, DTypeRule dtype) {
  return resolved(b, whole(b, id, pack, std::move(dtype)));
}

TensorView scalar_view(Builder& b, const Sym& value) {
  Type type = value.type() == SymType::Real      ? Type::Float
              : value.type() == SymType::Integer ? Type::Int
                                                 : Type::Bool;
  return whole(b, b.scalar(value, type), false, {});
}

TensorView operand(Builder& b, const Args& args, int i) {
  return args.is_sym(i) ? scalar_view(b, args.sym(i)) : args.tensor(i);
}

TensorView reindex(const TensorView& v, const std::vector<Sym>& axes, Shape shape, bool pack) {
  TensorView out = v;
  for (Sym& e : out.index) e = simplify_index(substitute_axes(e, axes), shape);
  out.shape = std::move(shape);
  out.pack = pack;
  return out;
}

TensorView resolved(Builder& b, TensorView v) {
  Operand value = b.resolve({v.node, std::move(v.index)}, v.shape);
  v.node = value.node;
  v.index = std::move(value.index);
  return v;
}

TensorView iota_view(Builder& b, const Sym& size) {
  if (size.is_integer(1)) {
    TensorView zero = spread(scalar_view(b, Sym(0)), {size}, false);
    zero.dtype = default_rule(Type::Int);
    return zero;
  }
  return whole(b, b.iota(size), false, default_rule(Type::Int));
}

TensorView spread(TensorView scalar, const Shape& shape, bool pack) {
  scalar.shape = shape;
  scalar.pack = pack;
  return scalar;
}

namespace {

// What the axes of parameters that are read as they are meet in this op.
void note_meetings(Builder& b, const std::vector<TensorView>& views) {
  for (const TensorView& v : views) {
    if (b.node(v.node).op != Op::Input) continue;
    for (std::size_t back = 1; back <= v.shape.size() - (v.pack ? 1 : 0); ++back) {
      const Sym& size = v.shape[v.shape.size() - back];
      if (size.op() != SymOp::Symbol || size.symbol_id().param != b.node(v.node).input) continue;
      Shape others;
      for (const TensorView& other : views)
        if (&other != &v && back <= other.shape.size() - (other.pack ? 1 : 0))
          others.push_back(other.shape[other.shape.size() - back]);
      b.meets(size, others);
    }
  }
}

}  // namespace

void broadcast(Builder& b, std::vector<TensorView>& views, const Args& args) {
  align_leading(b, views, std::vector<int>(views.size(), 0), args);
  bool pack = false;
  std::size_t rank = 0;
  for (const TensorView& v : views) {
    pack = pack || v.pack;
    rank = std::max(rank, v.shape.size());
  }
  // A view without a pack may have no more axes than one with a pack has besides it, so the pack stays in
  // front.
  for (const TensorView& v : views)
    if (pack && !v.pack) rank = std::max(rank, v.shape.size() + 1);
  Shape shape(rank, Sym(1));
  for (const TensorView& v : views)
    for (std::size_t k = 0; k < v.shape.size(); ++k) {
      std::size_t at = v.pack && k == 0 ? 0 : k + rank - v.shape.size();
      std::string dim =
          v.pack && k == 0 ? "the leading dims" : "the sizes of dim " + std::to_string(int(at) - int(rank));
      shape[at] = b.unify_broadcast(shape[at], v.shape[k], args.op() + ": " + dim);
    }
  note_meetings(b, views);
  for (TensorView& v : views) {
    std::vector<Sym> axes;
    for (std::size_t k = 0; k < v.shape.size(); ++k) {
      std::size_t at = v.pack && k == 0 ? 0 : k + rank - v.shape.size();
      axes.push_back(v.shape[k].is_integer(1) ? Sym(0) : Sym::axis(static_cast<int>(at)));
    }
    v = reindex(v, axes, shape, pack);
  }
}

TensorView map(Builder& b, Fn fn, std::vector<TensorView> views, const DTypeRule& dtype, const Args& args) {
  broadcast(b, views, args);
  std::vector<Operand> operands;
  for (const TensorView& v : views) operands.push_back({v.node, v.index});
  return computed(b, b.map(fn, views[0].shape, std::move(operands)), views[0].pack, dtype);
}

TensorView reduce(Builder& b, ReduceKind kind, const TensorView& x, const std::vector<int>& axes,
                  bool keepdim, const DTypeRule& dtype, const Args& args) {
  std::vector<bool> is_reduced(x.shape.size(), false);
  for (int axis : axes) {
    if (is_reduced[axis]) args.fail("dim-out-of-range", "a dim appears twice");
    is_reduced[axis] = true;
  }
  Shape own, reduced, kept;
  std::vector<Sym> to_iteration(x.shape.size()), to_result;
  for (std::size_t k = 0; k < x.shape.size(); ++k) {
    if (is_reduced[k]) {
      to_iteration[k] = Sym::axis(static_cast<int>(x.shape.size() - axes.size() + reduced.size()));
      reduced.push_back(x.shape[k]);
    } else {
      to_iteration[k] = Sym::axis(static_cast<int>(own.size()));
      own.push_back(x.shape[k]);
      to_result.push_back(Sym::axis(static_cast<int>(keepdim ? k : own.size() - 1)));
    }
    if (keepdim || !is_reduced[k]) kept.push_back(is_reduced[k] ? Sym(1) : x.shape[k]);
  }
  NodeId id = b.reduce(kind, own, reduced, seen_through({x.node, x.index}, to_iteration));
  bool pack = x.pack && !is_reduced[0];
  return reindex(computed(b, id, pack, dtype), to_result, kept, pack);
}

TensorView Math::number(const TensorView& like, double v) const {
  return scalar_view(b, like.type == Type::Float ? Sym(v) : Sym(static_cast<std::int64_t>(v)));
}
TensorView Math::apply(Fn fn, const TensorView& x) const { return map(b, fn, {x}, x.dtype, args); }
TensorView Math::apply(Fn fn, const TensorView& x, const TensorView& y) const {
  return map(b, fn, {x, y}, promote(std::vector{x, y}).dtype, args);
}
TensorView Math::add(const TensorView& x, const TensorView& y) const { return apply(Fn::Add, x, y); }
TensorView Math::mul(const TensorView& x, const TensorView& y) const { return apply(Fn::Mul, x, y); }
TensorView Math::mul(const TensorView& x, double y) const { return mul(x, number(x, y)); }
TensorView Math::add(const TensorView& x, double y) const { return add(x, number(x, y)); }
TensorView Math::sub(const TensorView& x, const TensorView& y) const { return add(x, mul(y, -1)); }
TensorView Math::div(const TensorView& x, const TensorView& y) const { return mul(x, pow(y, -1)); }
TensorView Math::pow(const TensorView& x, double y) const { return apply(Fn::Pow, x, number(x, y)); }
TensorView Math::where(const TensorView& c, const TensorView& x, const TensorView& y) const {
  Kind kind = promote(std::vector{x, y});
  return map(b, Fn::Where, {c, convert(b, x, kind), convert(b, y, kind)}, kind.dtype, args);
}

}  // namespace flashlight::graph
