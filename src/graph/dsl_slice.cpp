// SPDX-License-Identifier: Apache-2.0
// Parts of a tensor and their opposites: narrow, slice, select, chunk, split; cat and stack.
#include <algorithm>
#include <cstdint>

#include "graph/dsl_ops.h"

namespace flashlight::graph {
namespace {

// x[start + step * i] along one axis; the part may shrink to size 1.
TensorView part(const TensorView& x, int axis, const Sym& start, const Sym& size, const Sym& step = Sym(1)) {
  Shape shape = x.shape;
  shape[axis] = size;
  std::vector<Sym> axes = identity_index(shape.size());
  axes[axis] = size.is_integer(1) ? start : start + step * axes[axis];
  return reindex(x, axes, shape, x.pack);
}

TensorView selected(const TensorView& x, int axis, const Sym& position) {
  Shape shape = x.shape;
  shape.erase(shape.begin() + axis);
  std::vector<Sym> axes;
  for (int k = 0; k < rank_of(x); ++k) axes.push_back(k == axis ? position : Sym::axis(k < axis ? k : k - 1));
  return reindex(x, axes, shape, x.pack);
}

Sym at_most(const Sym& a, const Sym& b) { return make_sym(SymOp::Le, {a, b}); }

// Records low <= high unless it is plain; a constant contradiction is the program's error.
void require_at_most(Builder& b, const Sym& low, const Sym& high, const std::string& text, const Args& a) {
  if (low == high) return;
  Sym gap = simplify_index(high - low, {});
  if (auto n = gap.as_integer()) {
    if (*n < 0) a.fail("dim-out-of-range", text);
    return;
  }
  // A whole fraction of a size is no more than the size.
  if (low.op() == SymOp::FloorDiv && low.args()[0] == high && low.args()[1].is_constant()) return;
  b.check(at_most(low, high), a.op() + ": " + text);
}

// A position that may count from the end. Symbolic positions are taken to count from the front, checked at
// launch.
Sym from_front(Builder& b, const Sym& position, const Sym& size, const Args& a) {
  if (auto n = position.as_integer()) return *n < 0 ? size + position : position;
  require_at_most(b, Sym(0), position, "a position that is known at launch only must not be negative", a);
  return position;
}

Arg narrow(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  int axis = axis_of(b, x, a.integer(1), a);
  Sym start = from_front(b, a.sym(2), x.shape[axis], a);
  const Sym& length = a.sym(3);
  require_at_most(b, start + length, x.shape[axis], "start + length must lie within " + describe(x), a);
  return part(x, axis, start, length);
}

bool is_of_sizes(const Sym& e) {
  std::vector<SymbolId> ids;
  collect_symbols(e, ids);
  return std::any_of(ids.begin(), ids.end(), [](SymbolId id) { return id.kind != SymbolId::Scalar; });
}

// Where a slice begins or ends, within [0, size] whatever the position is; a negative one counts from the
// end. One that is made of sizes is taken to count from the front, checked at launch.
Sym clamped(Builder& b, const Sym& position, const Sym& size, const Args& a) {
  auto fits = [](const Sym& low, const Sym& high) { return proves_nonnegative(high - low, {}); };
  const Sym from_end = size + position;
  const Sym back = fits(Sym(0), from_end) ? from_end : make_sym(SymOp::Max, {from_end, Sym(0)});
  const Sym front = fits(position, size) ? position : make_sym(SymOp::Min, {position, size});
  if (fits(position, Sym(-1))) return back;
  if (fits(Sym(0), position)) return front;
  if (!is_of_sizes(position))
    return make_sym(SymOp::Select, {make_sym(SymOp::Lt, {position, Sym(0)}), back, front});
  require_at_most(b, Sym(0), position, "a position made of sizes must not be negative", a);
  return front;
}

struct Bounds {
  Sym start, end;
};

// Sizes of features, and of a few positions, are best known when translating: bounds on the last axis are
// numbers as they are, and so are those of a single position. Both are checked at launch.
bool keeps_bounds(const TensorView& x, int axis, const Arg& start, const Arg& end) {
  constexpr std::int64_t kWidest = 512;  // no head dim is larger
  auto number = [](const Arg& at, std::int64_t otherwise) -> std::optional<std::int64_t> {
    if (at.absent()) return otherwise;
    auto* position = std::get_if<Sym>(&at);
    return position ? position->as_integer() : std::nullopt;
  };
  const auto from = number(start, 0), to = number(end, 0);
  const bool single =
      from && to && *from < INT64_MAX && *from + 1 == *to && (end.absent() || *to != 0);  // [-1, end), too
  auto wide = [](const auto& position) { return position && (*position > kWidest || *position < -kWidest); };
  return single || (axis + 1 == rank_of(x) && !wide(from) && !wide(to));
}

Bounds kept_bounds(Builder& b, const Sym& size, const Args& a) {
  const TensorView& x = a.tensor(0);
  Sym start = a.has(2) ? from_front(b, a.sym(2), size, a) : Sym(0);
  Sym end = a.has(3) ? from_front(b, a.sym(3), size, a) : size;
  auto known_size = size.as_integer(), known_end = end.as_integer();
  if (known_size && known_end && *known_end > *known_size) end = size;
  require_at_most(b, end, size, "the end must lie within " + describe(x), a);
  require_at_most(b, Sym(0), start, "the start must lie within " + describe(x), a);
  require_at_most(b, start + Sym(1), end, "the slice must not be empty", a);
  return {start, end};
}

Bounds clamped_bounds(Builder& b, const Sym& size, const Args& a) {
  const bool to_end = !a.has(3) || a.sym(3).is_integer(INT64_MAX);
  Bounds out{a.has(2) ? clamped(b, a.sym(2), size, a) : Sym(0),
             to_end ? size : clamped(b, a.sym(3), size, a)};
  const Sym length = simplify_index(out.end - out.start, {});
  if (length.is_integer(0) || proves_nonnegative(-length, {}))
    a.fail("dim-out-of-range", "the slice is empty, whatever the sizes are");
  // Clamping keeps the order of two positions that count from the same end.
  const bool same_end = a.has(2) && !to_end && proves_nonnegative(a.sym(3) - a.sym(2), {}) &&
                        (proves_nonnegative(a.sym(2), {}) || proves_nonnegative(-a.sym(3) - Sym(1), {}));
  if (a.has(2) && !to_end && !same_end && !proves_nonnegative(length, {}))
    out.end = make_sym(SymOp::Max, {out.start, out.end});
  return out;
}

Arg slice(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  int axis = axis_of(b, x, a.integer_or(1, 0), a);
  const Sym& size = x.shape[axis];
  std::int64_t step = a.integer_or(4, 1);
  if (step <= 0) a.fail("dim-out-of-range", "the step must be positive, got " + std::to_string(step));
  const auto [start, end] =
      keeps_bounds(x, axis, a.at(2), a.at(3)) ? kept_bounds(b, size, a) : clamped_bounds(b, size, a);
  Sym length = step == 1 ? end - start : floor_div(end - start + Sym(step - 1), Sym(step));
  return part(x, axis, start, length, Sym(step));
}

Arg select(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  int axis = axis_of(b, x, a.integer(1), a);
  Sym position = from_front(b, a.sym(2), x.shape[axis], a);
  require_at_most(b, position + Sym(1), x.shape[axis],
                  "index " + to_string(a.sym(2)) + " must lie within " + describe(x), a);
  require_at_most(b, Sym(0), position, "index " + to_string(a.sym(2)) + " must lie within " + describe(x), a);
  return selected(x, axis, position);
}

ArgList parts(const TensorView& x, int axis, const std::vector<Sym>& sizes) {
  ArgList out;
  Sym start(0);
  for (const Sym& size : sizes) {
    out.emplace_back(part(x, axis, start, size));
    start = start + size;
  }
  return out;
}

// `count` parts, of which a known size leaves the last smaller; a symbolic size must divide.
Arg chunk(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  std::int64_t count = a.integer(1);
  int axis = axis_of(b, x, a.integer_or(2, 0), a);
  if (count <= 0)
    a.fail("shape-mismatch", "the number of chunks must be positive, got " + std::to_string(count));
  const Sym& size = x.shape[axis];
  std::vector<Sym> sizes;
  if (auto n = size.as_integer()) {
    std::int64_t each = (*n + count - 1) / count;
    for (std::int64_t from = 0; from < *n; from += each) sizes.push_back(std::min(each, *n - from));
  } else {
    Sym each = floor_div(size, Sym(count));
    b.unify(each * Sym(count), size,
            "chunk: the size of dim " + std::to_string(axis) + " of " + describe(x) + " and its parts");
    sizes.assign(count, each);
  }
  return parts(x, axis, sizes);
}

// How many parts of size `each` the axis has, where that is known when translating.
std::optional<std::int64_t> count_of(const Sym& size, const Sym& each) {
  if (size == each) return 1;
  auto n = size.as_integer(), m = each.as_integer();
  if (n && m && *m > 0) return (*n + *m - 1) / *m;
  if (each.op() == SymOp::FloorDiv && each.args()[0] == size) return each.args()[1].as_integer();
  return simplify_index(floor_div(size, each), {}).as_integer();
}

Arg split(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  std::vector<Sym> sizes = a.sizes(1);
  int axis = axis_of(b, x, a.integer_or(2, 0), a);
  Sym size = b.canonical(x.shape[axis]);
  for (Sym& each : sizes) each = b.canonical(each);
  if (sizes.size() == 1) {
    auto count = count_of(size, sizes[0]);
    if (!count)
      a.fail("not-constant",
             "the number of parts of size " + to_string(sizes[0]) + " of " + describe(x) + " is not known",
             "use chunk(n, dim), or split({sizes}, dim)");
    if (auto n = size.as_integer(), each = sizes[0].as_integer(); n && each) {
      sizes.assign(*count, Sym(*each));
      sizes.back() = Sym(*n - (*count - 1) * *each);
    } else {
      sizes.assign(*count, Sym(sizes[0]));
    }
  }
  Sym total(0);
  for (const Sym& each : sizes) total = total + each;
  b.unify(
      total, size,
      "split: the size of dim " + std::to_string(axis) + " of " + describe(x) + " and the sum of its parts");
  return parts(x, axis, sizes);
}

// Joins views along `axis`: each reads its operand at axis - offset.
TensorView joined(Builder& b, std::vector<TensorView> views, int axis, const Args& a) {
  Kind kind = promote(views);
  Shape shape = views[0].shape;
  Sym total(0);
  for (TensorView& v : views) {
    v = convert(b, v, kind);
    for (int k = 0; k < rank_of(v); ++k) {
      if (k == axis) continue;
      std::string what = a.op() + ": dim " + std::to_string(k - rank_of(v)) + " of " + describe(views[0]) +
                         " and " + describe(v);
      shape[k] = v.pack && k == 0 ? b.unify_broadcast(shape[k], v.shape[k], what)
                                  : b.unify(shape[k], v.shape[k], what);
    }
    total = total + v.shape[axis];
  }
  shape[axis] = total;
  std::vector<Operand> segments;
  Shape sizes;
  Sym offset(0);
  for (const TensorView& v : views) {
    std::vector<Sym> shifted = identity_index(shape.size());
    shifted[axis] = v.shape[axis].is_integer(1) ? Sym(0) : shifted[axis] - offset;
    segments.push_back(seen_through({v.node, v.index}, shifted));
    sizes.push_back(v.shape[axis]);
    offset = offset + v.shape[axis];
  }
  return computed(b, b.segment(shape, axis, std::move(segments), std::move(sizes)), views[0].pack,
                  kind.dtype);
}

Arg cat(Builder& b, const Args& a) {
  std::vector<TensorView> views = a.tensors(0);
  align_leading(b, views, std::vector<int>(views.size(), 0), a);
  for (const TensorView& v : views)  // a pack meets a pack; a known rank makes the others known
    if (v.pack)
      for (const TensorView& other : views)
        if (!other.pack) need_exact(b, v, rank_of(other), a);
  for (const TensorView& v : views)  // nothing broadcasts
    if (!v.pack) need_exact(b, v, rank_of(v), a);
  int axis = axis_of(b, views[0], a.integer_or(1, 0), a);
  for (const TensorView& v : views)
    if (v.shape.size() != views[0].shape.size())
      a.fail("shape-mismatch",
             "needs tensors of the same number of dims, got " + describe(views[0]) + " and " + describe(v));
  return views.size() == 1 ? views[0] : joined(b, views, axis, a);
}

Arg stack(Builder& b, const Args& a) {
  ArgList raised;
  for (const TensorView& v : a.tensors(0))  // of a computed tensor, [B, H, S, D] are the axes before
    if (const std::int64_t dim = a.integer_or(1, 0); dim >= 0 && raw_parameter(b, v) < 0)
      need_known(b, v, static_cast<int>(dim), kUsualRank, a);
  for (const TensorView& v : a.tensors(0))
    raised.emplace_back(apply_op(b, "unsqueeze", {v, a.has(1) ? a.at(1) : Arg(Sym(0))}));
  return apply_op(b, "cat", {raised, a.has(1) ? a.at(1) : Arg(Sym(0))});
}

constexpr OpRow kRows[] = {
    {"narrow", narrow}, {"slice", slice}, {"select", select}, {"chunk", chunk},
    {"split", split},   {"cat", cat},     {"stack", stack},
};

}  // namespace

std::span<const OpRow> slice_ops() { return kRows; }

}  // namespace flashlight::graph
