// SPDX-License-Identifier: Apache-2.0
// Views that move, add, drop or repeat axes: index maps, never nodes.
#include <algorithm>
#include <numeric>

#include "graph/dsl_ops.h"

namespace flashlight::graph {
namespace {

// The view whose axis k is axis order[k] of x.
TensorView permuted(const TensorView& x, const std::vector<int>& order) {
  Shape shape;
  std::vector<Sym> axes(order.size());
  for (std::size_t k = 0; k < order.size(); ++k) {
    shape.push_back(x.shape[order[k]]);
    axes[order[k]] = Sym::axis(static_cast<int>(k));
  }
  return reindex(x, axes, shape, x.pack);
}

TensorView swapped(const TensorView& x, int p, int q) {
  std::vector<int> order(x.shape.size());
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[p], order[q]);
  return permuted(x, order);
}

Arg identity(Builder&, const Args& a) { return a.tensor(0); }

Arg transpose(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  std::vector<int> axes = axes_of(b, x, std::vector{a.integer(1), a.integer(2)}, a);
  return swapped(x, axes[0], axes[1]);
}

Arg matrix_transpose(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  need_trailing(b, x, 2, a);
  return swapped(x, rank_of(x) - 1, rank_of(x) - 2);
}

Arg permute(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  std::vector<std::int64_t> dims = a.dims(1);
  need_exact(b, x, static_cast<int>(dims.size()), a);
  std::vector<int> order;
  std::vector<bool> taken(dims.size(), false);
  for (std::int64_t dim : dims) {
    int axis = axis_of(b, x, dim, a);
    if (taken[axis]) a.fail("dim-out-of-range", "dim " + std::to_string(dim) + " appears twice");
    taken[axis] = true;
    order.push_back(axis);
  }
  return permuted(x, order);
}

Arg movedim(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  std::vector<std::int64_t> from = a.dims(1), to = a.dims(2);
  if (from.size() != to.size()) a.fail("shape-mismatch", "needs as many sources as destinations");
  std::vector<std::int64_t> all = from;
  all.insert(all.end(), to.begin(), to.end());
  std::vector<int> axes = axes_of(b, x, all, a);
  std::vector<int> order(x.shape.size(), -1);
  std::vector<bool> moved(x.shape.size(), false);
  for (std::size_t k = 0; k < from.size(); ++k) {
    int source = axes[k], target = axes[from.size() + k];
    if (moved[source] || order[target] >= 0) a.fail("dim-out-of-range", "a dim appears twice");
    order[target] = source;
    moved[source] = true;
  }
  int next = 0;
  for (int& axis : order) {
    if (axis >= 0) continue;
    while (moved[next]) ++next;
    axis = next++;
  }
  return permuted(x, order);
}

TensorView unsqueezed(const TensorView& x, int at) {
  Shape shape = x.shape;
  shape.insert(shape.begin() + at, Sym(1));
  std::vector<Sym> axes;
  for (int k = 0; k < rank_of(x); ++k) axes.push_back(Sym::axis(k < at ? k : k + 1));
  return reindex(x, axes, shape, x.pack);
}

Arg unsqueeze(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  return unsqueezed(x, axis_of(b, x, a.integer(1), a, 1));
}

TensorView squeezed(const TensorView& x, const std::vector<bool>& drop) {
  TensorView out = x;
  Shape shape;
  std::vector<Sym> axes;
  for (std::size_t k = 0; k < drop.size(); ++k) {
    axes.push_back(drop[k] ? Sym(0) : Sym::axis(static_cast<int>(shape.size())));
    if (!drop[k]) shape.push_back(x.shape[k]);
  }
  return reindex(x, axes, shape, x.pack);
}

Arg squeeze(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  std::vector<bool> drop(x.shape.size(), false);
  if (a.has(1)) {
    int axis = axis_of(b, x, a.integer(1), a);
    b.unify(x.shape[axis], Sym(1),
            "squeeze: the size of dim " + std::to_string(a.integer(1)) + " of " + describe(x));
    drop[axis] = true;
  } else {
    need_known(b, x, 0, kUsualRank, a);
    for (std::size_t k = 0; k < drop.size(); ++k) {
      if (!x.shape[k].is_constant())
        a.fail("not-constant", "which dims of " + describe(x) + " have size 1 is not known",
               "name the dim: x.squeeze(0)");
      drop[k] = x.shape[k].is_integer(1);
    }
  }
  return squeezed(x, drop);
}

Arg expand(Builder& b, const Args& a) {
  TensorView x = a.tensor(0);
  Shape sizes = a.sizes(1);
  int rank = static_cast<int>(sizes.size());
  if (x.pack) need_exact(b, x, rank, a);
  int added = rank - rank_of(x);
  if (added < 0)
    a.fail("shape-mismatch", "cannot expand " + describe(x) + " to " + std::to_string(rank) + " dims");
  std::vector<Sym> axes;
  for (int k = 0; k < rank; ++k) {
    if (k < added) continue;
    const Sym& have = x.shape[k - added];
    if (sizes[k].is_integer(-1)) sizes[k] = have;
    if (sizes[k].is_integer(1) && !have.is_integer(1)) b.unify(have, sizes[k], "expand of " + describe(x));
    else
      sizes[k] = b.unify_broadcast(have, sizes[k], "expand of " + describe(x) + ": dim " + std::to_string(k));
    axes.push_back(have.is_integer(1) ? Sym(0) : Sym::axis(k));
  }
  return reindex(x, axes, sizes, false);
}

// x[i / n] along one axis.
Arg repeat_interleave(Builder& b, const Args& a) {
  TensorView x = a.tensor(0);
  if (!a.has(2)) x = std::get<TensorView>(apply_op(b, "flatten", {x, Sym(0), Sym(-1)}));
  int axis = axis_of(b, x, a.has(2) ? a.integer(2) : 0, a);
  const Sym& times = a.sym(1);
  Shape shape = x.shape;
  shape[axis] = shape[axis] * times;
  std::vector<Sym> axes = identity_index(shape.size());
  axes[axis] = x.shape[axis].is_integer(1) ? Sym(0) : floor_div(axes[axis], times);
  return reindex(x, axes, shape, x.pack);
}

// The whole tensor again and again: x[i mod size] along each axis.
Arg repeat(Builder& b, const Args& a) {
  TensorView x = a.tensor(0);
  Shape times = a.sizes(1), shape;
  int rank = static_cast<int>(times.size());
  if (x.pack) need_exact(b, x, rank, a);
  int added = rank - rank_of(x);
  if (added < 0)
    a.fail("shape-mismatch",
           "needs at least as many counts as dims, got " + std::to_string(rank) + " for " + describe(x));
  std::vector<Sym> axes;
  for (int k = 0; k < rank; ++k) {
    shape.push_back(k < added ? times[k] : times[k] * x.shape[k - added]);
    if (k >= added)
      axes.push_back(x.shape[k - added].is_integer(1) ? Sym(0) : mod(Sym::axis(k), x.shape[k - added]));
  }
  return reindex(x, axes, shape, false);
}

constexpr OpRow kRows[] = {
    {"transpose", transpose}, {"mT", matrix_transpose},
    {"permute", permute},     {"movedim", movedim},
    {"unsqueeze", unsqueeze}, {"squeeze", squeeze},
    {"expand", expand},       {"repeat_interleave", repeat_interleave},
    {"repeat", repeat},       {"contiguous", identity},
    {"clone", identity},
};

}  // namespace

std::span<const OpRow> view_ops() { return kRows; }

}  // namespace flashlight::graph
