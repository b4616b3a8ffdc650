// SPDX-License-Identifier: Apache-2.0
// Builder: nodes with axes of their own behaviour: reductions, scans, concatenations and gathers.
#include <algorithm>
#include <utility>

#include "graph/normal.h"

namespace flashlight::graph {
namespace {

// How an operand depends on axes below and from `inner` on.
enum class Part { Neither, Outer, Inner, Both };

Part part_of(const Sym& e, std::size_t inner, std::size_t total) {
  bool outer_seen = false, inner_seen = false;
  for (std::size_t k = 0; k < total; ++k)
    if (depends_on_axis(e, static_cast<int>(k))) (k < inner ? outer_seen : inner_seen) = true;
  return outer_seen && inner_seen ? Part::Both
         : outer_seen             ? Part::Outer
         : inner_seen             ? Part::Inner
                                  : Part::Neither;
}

Shape joined(const Shape& a, const Shape& b) {
  Shape out = a;
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

// The axes, of so many, that a factor varies with; bit k: axis k.
std::uint64_t axes_of(const Operand& o, std::size_t total) {
  std::uint64_t axes = 0;
  for (const Sym& e : o.index)
    for (std::size_t k = 0; k < total; ++k)
      if (depends_on_axis(e, static_cast<int>(k))) axes |= std::uint64_t{1} << k;
  return axes;
}

// Sums a product of two sides over axes they share: the scores of queries and keys. `product` is seen over
// `kept` axes, those of an outer sum, and the contracted ones from `contracted` on; one side varies with an
// outer axis, and the other does not but with a kept axis that the first has not. The sum of such scores over
// the keys is a statistic of theirs.
bool is_of_two_sides(const Builder& b, const Operand& product, std::size_t kept, std::size_t contracted,
                     std::size_t total) {
  const Node& n = b.node(product.node);
  if (n.op != Op::Map || n.fn != Fn::Mul) return false;
  const auto bits = [](std::size_t from, std::size_t to) {
    return ((std::uint64_t{1} << to) - 1) & ~((std::uint64_t{1} << from) - 1);
  };
  std::uint64_t keys = 0, rows = 0;
  for (const Operand& o : n.operands) {
    const std::uint64_t axes = axes_of(seen_through(o, product.index), total);
    if (!(axes & bits(contracted, total))) continue;
    (axes & bits(kept, contracted) ? keys : rows) |= axes;
  }
  return keys != 0 && (rows & bits(0, kept) & ~keys) != 0;
}

bool is_idempotent(ReduceKind kind) {
  return kind == ReduceKind::Max || kind == ReduceKind::Min || kind == ReduceKind::Any ||
         kind == ReduceKind::All;
}

// An operand brought to fewer axes: `operand` over `shape` and then the inner axes, seen from outside at
// `view`.
struct Outer {
  Operand operand;
  Shape shape;
  std::vector<Sym> view;
};

// The axes below `inner` that a node over this operand needs. Where no index mixes outer and inner axes, they
// are the operand's own, so that a reduction of a view is the view of a reduction; `place_inner[k]` renames
// axis inner + k.
Outer outer_axes(const Builder& b, const NormalForm& nf, const Operand& o, const Shape& extents,
                 std::size_t inner,
                 const std::function<Sym(std::size_t k, std::size_t outer_count)>& place_inner) {
  Outer out;
  out.operand = o;
  const bool mixed = std::any_of(o.index.begin(), o.index.end(), [&](const Sym& e) {
    return part_of(e, inner, extents.size()) == Part::Both;
  });
  std::vector<Sym> place(extents.size(), Sym(0));
  if (!mixed) {
    std::vector<std::size_t> own;
    for (std::size_t p = 0; p < o.index.size(); ++p) {
      if (part_of(o.index[p], inner, extents.size()) != Part::Outer) continue;
      own.push_back(p);
      out.shape.push_back(b.node(o.node).shape[p]);
      out.view.push_back(o.index[p]);
    }
    for (std::size_t k = inner; k < extents.size(); ++k) place[k] = place_inner(k - inner, own.size());
    for (std::size_t p = 0, next = 0; p < o.index.size(); ++p)
      out.operand.index[p] = next < own.size() && own[next] == p ? Sym::axis(static_cast<int>(next++))
                                                                 : substitute_axes(o.index[p], place);
    return out;
  }
  std::size_t count = 0;
  for (int axis : nf.axis_order({o})) {
    if (static_cast<std::size_t>(axis) >= inner) continue;
    place[static_cast<std::size_t>(axis)] = Sym::axis(static_cast<int>(count++));
    out.shape.push_back(extents[static_cast<std::size_t>(axis)]);
    out.view.push_back(Sym::axis(axis));
  }
  for (std::size_t k = inner; k < extents.size(); ++k) place[k] = place_inner(k - inner, count);
  out.operand = seen_through(o, place);
  return out;
}

}  // namespace

NodeId Builder::reduce(ReduceKind kind, const Shape& shape, const Shape& given_reduced, Operand operand) {
  Shape reduced = given_reduced;
  for (const Sym& size : reduced) contracted(size);
  std::size_t inner = shape.size();
  Operand o;
  for (;;) {  // a reduction of a reduction of its kind is one reduction, but a sum of scores
    NormalForm nf(*this, joined(shape, reduced));
    o = nf.resolve(o.node < 0 ? operand : o);
    const Type type = node(o.node).type;
    if (kind == ReduceKind::Any || kind == ReduceKind::All) o = nf.to(Type::Bool, o);
    else if (type == Type::Bool) o = nf.to(Type::Int, o);
    const Node& n = node(o.node);
    if (n.op != Op::Reduce || n.reduce != kind) break;
    std::vector<Sym> view = o.index;
    Shape all = reduced;
    for (const Sym& size : n.reduced) {
      view.push_back(Sym::axis(static_cast<int>(inner + all.size())));
      all.push_back(size);
    }
    const Operand body = seen_through(n.operands[0], view);
    const std::size_t total = inner + all.size();
    if (kind == ReduceKind::Sum && total <= 60 &&
        is_of_two_sides(*this, body, inner, inner + reduced.size(), total))
      break;
    o = body;
    reduced = std::move(all);
  }
  const Shape extents = joined(shape, reduced);
  NormalForm nf(*this, extents);
  o = nf.resolve(o);
  // Reduced axes: those the operand names, in its order, then the others; an axis of size 1 is none.
  std::vector<std::size_t> kept;
  for (int axis : nf.axis_order({o}))
    if (static_cast<std::size_t>(axis) >= inner) kept.push_back(static_cast<std::size_t>(axis) - inner);
  std::vector<std::size_t> unused;
  for (std::size_t k = 0; k < reduced.size(); ++k)
    if (std::find(kept.begin(), kept.end(), k) == kept.end() && !reduced[k].is_integer(1) &&
        !is_idempotent(kind))
      unused.push_back(k);
  std::stable_sort(unused.begin(), unused.end(), [&](auto a, auto b) { return reduced[a] < reduced[b]; });
  kept.insert(kept.end(), unused.begin(), unused.end());
  const Type type = node(o.node).type;
  if (kept.empty()) return node_for(o, shape, type);
  const Outer outer = outer_axes(*this, nf, o, extents, inner, [&](std::size_t k, std::size_t count) {
    const auto it = std::find(kept.begin(), kept.end(), k);
    return it == kept.end()
               ? Sym(0)
               : Sym::axis(static_cast<int>(count + static_cast<std::size_t>(it - kept.begin())));
  });
  Node n;
  n.op = Op::Reduce;
  n.reduce = kind;
  n.type = type;
  n.shape = outer.shape;
  for (std::size_t k : kept) n.reduced.push_back(reduced[k]);
  n.operands = {outer.operand};
  return node_for({intern(std::move(n)), outer.view}, shape, type);
}

NodeId Builder::scan(const Shape& shape, int axis, Operand operand) {
  const auto at = static_cast<std::size_t>(axis);
  exact(shape[at]);
  // The scanned axis stands last while the others are sorted out.
  std::vector<Sym> to_last(shape.size());
  Shape extents;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (k == at) continue;
    to_last[k] = Sym::axis(static_cast<int>(extents.size()));
    extents.push_back(shape[k]);
  }
  to_last[at] = Sym::axis(static_cast<int>(extents.size()));
  extents.push_back(shape[at]);
  NormalForm nf(*this, extents);
  Operand o = nf.resolve(seen_through(operand, to_last));
  if (node(o.node).type == Type::Bool) o = nf.to(Type::Int, o);
  const Type type = node(o.node).type;
  const std::size_t inner = extents.size() - 1;
  std::vector<Sym> from_last;
  for (std::size_t k = 0; k < shape.size(); ++k)
    if (k != at) from_last.push_back(Sym::axis(static_cast<int>(k)));
  from_last.push_back(Sym::axis(axis));
  if (shape[at].is_integer(1)) return node_for(seen_through(o, from_last), shape, type);
  Outer outer = outer_axes(*this, nf, o, extents, inner,
                           [](std::size_t, std::size_t count) { return Sym::axis(static_cast<int>(count)); });
  outer.shape.push_back(shape[at]);
  outer.view.push_back(Sym::axis(static_cast<int>(inner)));
  Node n;
  n.op = Op::Scan;
  n.type = type;
  n.shape = outer.shape;
  n.axis = static_cast<int>(outer.shape.size()) - 1;
  n.operands = {outer.operand};
  return node_for(seen_through({intern(std::move(n)), outer.view}, from_last), shape, type);
}

NodeId Builder::order(Op op, const Shape& shape, const Sym& length, bool descending, Operand operand) {
  const std::size_t inner = shape.size() - 1;
  const Sym& count = shape.back();
  contracted(length);
  // Over the outer axes and the elements.
  Shape extents(shape.begin(), shape.end() - 1);
  extents.push_back(length);
  std::vector<Sym> place = identity_index(inner);
  place.insert(place.end(), {Sym(0), Sym::axis(static_cast<int>(inner))});
  NormalForm nf(*this, extents);
  Operand o = nf.resolve(seen_through(operand, place));
  if (node(o.node).type == Type::Bool) o = nf.to(Type::Int, o);
  const Type type = op == Op::Order ? Type::Int : node(o.node).type;
  if (length.is_integer(1) && count.is_integer(1))
    return node_for(op == Op::Order ? nf.scalar(Sym(0), type) : o, shape, type);
  Outer outer = outer_axes(*this, nf, o, extents, inner, [](std::size_t, std::size_t outers) {
    return Sym::axis(static_cast<int>(outers) + 1);
  });
  outer.shape.push_back(count);
  outer.view.push_back(count.is_integer(1) ? Sym(0) : Sym::axis(static_cast<int>(inner)));
  Node n;
  n.op = op;
  n.type = type;
  n.shape = outer.shape;
  n.reduced = {length};
  n.axis = static_cast<int>(outer.shape.size()) - 1;
  n.descending = descending;
  n.operands = {outer.operand};
  return node_for({intern(std::move(n)), outer.view}, shape, type);
}

// Where the caller left sizes out: the extent of the node's axis that the joined axis walks.
Shape Builder::segment_sizes(const Shape& shape, int axis, const std::vector<Operand>& operands) const {
  Shape sizes;
  Sym rest = shape[static_cast<std::size_t>(axis)];
  int unknown = -1;
  for (const Operand& o : operands) {
    std::optional<Sym> size;
    for (std::size_t p = 0; p < o.index.size(); ++p)
      if (auto affine = affine_in(o.index[p], axis); affine && affine->first.is_integer(1))
        size = node(o.node).shape[p];
    if (!size && std::exchange(unknown, static_cast<int>(sizes.size())) >= 0)
      throw std::logic_error("segment: give the sizes, two operands do not tell them");
    sizes.push_back(size.value_or(Sym(0)));
    rest = rest - sizes.back();
  }
  if (unknown >= 0) sizes[static_cast<std::size_t>(unknown)] = std::exchange(rest, Sym(0));
  if (!rest.is_integer(0))
    throw std::logic_error("segment: the operands' sizes do not sum to that of the axis; give the sizes");
  return sizes;
}

NodeId Builder::segment(const Shape& shape, int axis, std::vector<Operand> operands, Shape sizes) {
  if (sizes.empty()) sizes = segment_sizes(shape, axis, operands);
  const auto at = static_cast<std::size_t>(axis);
  for (const Sym& s : sizes) exact(s);
  // Each operand is simplified over its own part of the axis.
  std::vector<Operand> parts;
  Shape part_sizes;
  Sym offset(0);
  Type type = Type::Bool;
  for (std::size_t s = 0; s < operands.size(); ++s) {
    if (sizes[s].is_integer(0)) continue;
    std::vector<Sym> local = identity_index(shape.size());
    local[at] = local[at] + offset;
    Shape extents = shape;
    extents[at] = sizes[s];
    NormalForm nf(*this, extents);
    parts.push_back(nf.resolve(seen_through(operands[s], local)));
    type = std::max(type, node(parts.back().node).type);
    part_sizes.push_back(sizes[s]);
    offset = offset + sizes[s];
  }
  offset = Sym(0);
  for (std::size_t s = 0; s < parts.size(); ++s) {
    Shape extents = shape;
    extents[at] = part_sizes[s];
    parts[s] = NormalForm(*this, extents).to(type, parts[s]);
    if (parts.size() == 1) return node_for(parts[0], shape, type);
    std::vector<Sym> global = identity_index(shape.size());
    global[at] = global[at] - offset;
    parts[s] = seen_through(parts[s], global);
    offset = offset + part_sizes[s];
  }
  const Operand keep_axis{-1, {Sym::axis(axis)}};
  std::vector<Operand> naming = parts;
  naming.push_back(keep_axis);
  const std::vector<int> order = NormalForm(*this, shape).axis_order(naming);
  std::vector<Sym> place(shape.size(), Sym(0)), view;
  Node n;
  n.op = Op::Segment;
  n.type = type;
  for (std::size_t k = 0; k < order.size(); ++k) {
    if (order[k] == axis) n.axis = static_cast<int>(k);
    place[static_cast<std::size_t>(order[k])] = Sym::axis(static_cast<int>(k));
    n.shape.push_back(shape[static_cast<std::size_t>(order[k])]);
    view.push_back(Sym::axis(order[k]));
  }
  n.segments = part_sizes;
  for (const Operand& p : parts) n.operands.push_back(seen_through(p, place));
  return node_for({intern(std::move(n)), view}, shape, type);
}

}  // namespace flashlight::graph
