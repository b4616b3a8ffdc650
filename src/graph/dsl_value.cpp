// SPDX-License-Identifier: Apache-2.0
// Builds nodes under views: broadcasting, and the axes a node really needs.
//
// A node gets only the axes that some operand's index uses; the view around it puts the others back. So zeros({S, S}) is
// a Scalar, a mask of positions has no batch axes, and x.expand(..).exp() is the node of x.exp().
#include "graph/dsl_value.h"

#include <algorithm>

namespace flashlight::graph {

std::vector<Sym> identity_axes(std::size_t count) {
  std::vector<Sym> axes;
  for (std::size_t k = 0; k < count; ++k) axes.push_back(Sym::axis(static_cast<int>(k)));
  return axes;
}

TensorView whole(const Builder& b, NodeId id, bool pack, DTypeRule dtype) {
  const Node& n = b.node(id);
  return {id, identity_axes(n.shape.size()), n.shape, pack, n.type, std::move(dtype)};
}

TensorView scalar_view(Builder& b, const Sym& value) {
  Type type = value.type() == SymType::Real ? Type::Float : value.type() == SymType::Integer ? Type::Int : Type::Bool;
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

void broadcast(Builder& b, std::vector<TensorView>& views, const Args& args) {
  align_leading(b, views, std::vector<int>(views.size(), 0), args);
  bool pack = false;
  std::size_t rank = 0;
  for (const TensorView& v : views) {
    pack = pack || v.pack;
    rank = std::max(rank, v.shape.size());
  }
  // A view without a pack may have no more axes than one with a pack has besides it, so the pack stays in front.
  for (const TensorView& v : views)
    if (pack && !v.pack) rank = std::max(rank, v.shape.size() + 1);
  Shape shape(rank, Sym(1));
  for (const TensorView& v : views)
    for (std::size_t k = 0; k < v.shape.size(); ++k) {
      std::size_t at = v.pack && k == 0 ? 0 : k + rank - v.shape.size();
      std::string dim = v.pack && k == 0 ? "the leading dims" : "the sizes of dim " + std::to_string(int(at) - int(rank));
      shape[at] = b.unify_broadcast(shape[at], v.shape[k], args.op() + ": " + dim);
    }
  for (TensorView& v : views) {
    std::vector<Sym> axes;
    for (std::size_t k = 0; k < v.shape.size(); ++k) {
      std::size_t at = v.pack && k == 0 ? 0 : k + rank - v.shape.size();
      axes.push_back(v.shape[k].is_integer(1) ? Sym(0) : Sym::axis(static_cast<int>(at)));
    }
    v = reindex(v, axes, shape, pack);
  }
}

bool uses_axis(const std::vector<Sym>& index, int axis) {
  return std::any_of(index.begin(), index.end(), [&](const Sym& e) {
    bool found = false;
    substitute(e, [&](const Sym& leaf) -> std::optional<Sym> {
      found = found || leaf == Sym::axis(axis);
      return std::nullopt;
    });
    return found;
  });
}

namespace {

// Whether all operands that have axes are seen through one index: then the map is that view of a map of the nodes.
const TensorView* common_view(const Builder& b, const std::vector<TensorView>& views) {
  const TensorView* first = nullptr;
  for (const TensorView& v : views) {
    if (v.index.empty()) continue;
    if (!first) first = &v;
    if (v.index != first->index || b.node(v.node).shape != b.node(first->node).shape) return nullptr;
  }
  return first;
}

}  // namespace

TensorView map(Builder& b, Fn fn, std::vector<TensorView> views, const DTypeRule& dtype, const Args& args) {
  broadcast(b, views, args);
  TensorView out = views[0];
  std::vector<Operand> operands;
  Shape shape;
  if (const TensorView* common = common_view(b, views)) {
    out = *common;
    shape = b.node(out.node).shape;
    for (const TensorView& v : views)
      operands.push_back({v.node, v.index.empty() ? v.index : identity_axes(shape.size())});
  } else {
    std::vector<Sym> axes(out.shape.size(), Sym(0));  // view axis -> node axis
    out.index.clear();
    for (std::size_t k = 0; k < axes.size(); ++k) {
      bool used = std::any_of(views.begin(), views.end(), [&](auto& v) { return uses_axis(v.index, static_cast<int>(k)); });
      if (!used || out.shape[k].is_integer(1)) continue;
      axes[k] = Sym::axis(static_cast<int>(shape.size()));
      shape.push_back(out.shape[k]);
      out.index.push_back(Sym::axis(static_cast<int>(k)));
    }
    for (const TensorView& v : views) operands.push_back({v.node, reindex(v, axes, shape, false).index});
  }
  out.node = b.map(fn, shape, std::move(operands));
  out.type = b.node(out.node).type;
  out.dtype = dtype;
  return resolved(b, std::move(out));
}

namespace {

// Which view axes a reduction iterates: its own, then the reduced ones, each in the order in which the operand's index
// names them, so that reductions of a view and of what it views are one node.
struct Iteration {
  std::vector<int> own, reduced;
  Sym unused = Sym(1);  // points over which the operand is constant
};

Iteration iterate(const TensorView& x, const std::vector<bool>& reduced) {
  Iteration it;
  std::vector<bool> seen(x.shape.size(), false);
  for (const Sym& e : x.index)
    for (std::size_t k = 0; k < x.shape.size(); ++k)
      if (!seen[k] && !x.shape[k].is_integer(1) && uses_axis({e}, static_cast<int>(k))) {
        seen[k] = true;
        (reduced[k] ? it.reduced : it.own).push_back(static_cast<int>(k));
      }
  for (std::size_t k = 0; k < x.shape.size(); ++k)
    if (reduced[k] && !seen[k]) it.unused = it.unused * x.shape[k];
  return it;
}

// A product that is summed has the axes of the sum, in its order: matmul, einsum and (a * b).sum() are one node.
Operand in_order_of_sum(Builder& b, const Operand& operand, const Shape& iteration) {
  const Node n = b.node(operand.node);
  if (n.op != Op::Map || n.fn != Fn::Mul || n.shape.size() != iteration.size()) return operand;
  std::vector<bool> taken(iteration.size(), false);
  for (const Sym& e : operand.index) {
    if (e.op() != SymOp::Axis || taken[e.integer()]) return operand;
    taken[e.integer()] = true;
  }
  std::vector<Operand> factors = n.operands;
  for (Operand& f : factors)
    for (Sym& e : f.index) e = simplify_index(substitute_axes(e, operand.index), iteration);
  return {b.map(Fn::Mul, iteration, std::move(factors)), identity_axes(iteration.size())};
}

// The reduction over `count` equal values.
TensorView repeat_value(Builder& b, ReduceKind kind, TensorView x, const Sym& count, const Args& args) {
  if (count.is_integer(1)) return x;
  TensorView n = convert(b, scalar_view(b, count), x.type);
  switch (kind) {
    case ReduceKind::Sum: return map(b, Fn::Mul, {x, n}, x.dtype, args);
    case ReduceKind::Prod: return map(b, Fn::Pow, {x, n}, x.dtype, args);
    default: return x;
  }
}

}  // namespace

TensorView reduce(Builder& b, ReduceKind kind, const TensorView& x, const std::vector<int>& axes, bool keepdim,
                  const DTypeRule& dtype, const Args& args) {
  std::vector<bool> is_reduced(x.shape.size(), false);
  for (int axis : axes) {
    if (is_reduced[axis]) args.fail("dim-out-of-range", "a dim appears twice");
    is_reduced[axis] = true;
  }
  Iteration it = iterate(x, is_reduced);
  std::vector<Sym> to_iteration(x.shape.size(), Sym(0));
  Shape own, reduced, iteration;
  for (int k : it.own) to_iteration[k] = Sym::axis(static_cast<int>(own.size())), own.push_back(x.shape[k]);
  iteration = own;
  for (int k : it.reduced) {
    to_iteration[k] = Sym::axis(static_cast<int>(iteration.size()));
    reduced.push_back(x.shape[k]);
    iteration.push_back(x.shape[k]);
  }
  TensorView out;
  std::vector<Sym> to_result(x.shape.size(), Sym(0));
  for (std::size_t k = 0; k < x.shape.size(); ++k) {
    if (is_reduced[k] && !keepdim) continue;
    to_result[k] = is_reduced[k] ? Sym(0) : Sym::axis(static_cast<int>(out.shape.size()));
    out.shape.push_back(is_reduced[k] ? Sym(1) : x.shape[k]);
  }
  out.pack = x.pack && !is_reduced[0];
  if (reduced.empty()) {
    out = reindex(x, to_result, out.shape, out.pack);
  } else {
    Operand operand{x.node, {}};
    for (const Sym& e : x.index) operand.index.push_back(simplify_index(substitute_axes(e, to_iteration), iteration));
    if (kind == ReduceKind::Sum) operand = in_order_of_sum(b, operand, iteration);
    out.node = b.reduce(kind, own, reduced, std::move(operand));
    for (int k : it.own) out.index.push_back(to_result[k]);
  }
  out.type = b.node(out.node).type;
  out.dtype = dtype;
  out = resolved(b, std::move(out));
  if (kind == ReduceKind::ArgMax && reduced.empty()) out = spread(scalar_view(b, Sym(0)), out.shape, out.pack);
  out = repeat_value(b, kind, std::move(out), it.unused, args);
  out.type = b.node(out.node).type;
  out.dtype = dtype;
  return out;
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
