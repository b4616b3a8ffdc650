// SPDX-License-Identifier: Apache-2.0
// Views that split and merge axes: view, reshape, flatten, unflatten, as mixed-radix index maps.
//
// Both shapes are cut into groups of equal products. Inside a group an old axis is (l div stride) mod size of
// the group's linear index l; groups of one old axis, or of one new, are plain splits and merges. What cannot
// be cut is refused: such a view would shear axes that a kernel tiles.
#include <algorithm>

#include "graph/dsl_ops.h"

namespace flashlight::graph {
namespace {

Sym product(const std::vector<Sym>& sizes) {
  Sym n(1);
  for (const Sym& size : sizes) n = n * size;
  return n;
}

std::vector<Sym> factors(const Sym& e) { return e.op() == SymOp::Mul ? e.args() : std::vector<Sym>{e}; }

// whole / part where the factors of `part` (a constant may divide a constant) are among those of `whole`.
std::optional<Sym> quotient(const Sym& whole, const Sym& part) {
  std::vector<Sym> left = factors(whole);
  Sym out(1);
  for (const Sym& factor : factors(part)) {
    if (auto n = factor.as_integer()) {
      auto at = std::find_if(left.begin(), left.end(), [&](const Sym& f) {
        auto m = f.as_integer();
        return m && *n > 0 && *m % *n == 0;
      });
      if (at != left.end()) *at = Sym(*at->as_integer() / *n);
      else if (*n != 1) return std::nullopt;
      continue;
    }
    auto at = std::find(left.begin(), left.end(), factor);
    if (at == left.end()) return std::nullopt;
    left.erase(at);
  }
  for (const Sym& factor : left) out = out * factor;
  return out;
}

// Axes [s0, s1) of the old shape are axes [t0, t1) of the new one.
struct Group {
  std::size_t s0, s1, t0, t1;
};

using Sizes = std::vector<Sym>;

Sizes part(const Sizes& sizes, std::size_t from, std::size_t to) {
  return {sizes.begin() + from, sizes.begin() + to};
}

// The number of new axes from t[j] on that split `size` as written: {.., size / (product of the others), ..}.
std::size_t split_of(const Sym& size, const Sizes& t, std::size_t j, std::size_t end) {
  for (std::size_t n = 2; j + n <= end; ++n)
    for (std::size_t k = j; k < j + n; ++k) {
      Sizes others = part(t, j, j + n);
      others.erase(others.begin() + (k - j));
      if (t[k] == floor_div(size, product(others))) return n;
    }
  return 0;
}

// The smallest group that starts at s[g.s0] and t[g.t0], from the sizes as they are written; false: none in
// sight.
bool find_group(const Sizes& s, std::size_t s_end, const Sizes& t, std::size_t t_end, Group& g) {
  if (g.s0 == s_end || g.t0 == t_end) return false;
  Sym ps = s[g.s0], pt = t[g.t0];
  g.s1 = g.s0 + 1, g.t1 = g.t0 + 1;
  while (!(ps == pt)) {
    if (g.s1 < s_end && quotient(pt, ps)) ps = ps * s[g.s1++];
    else if (g.t1 < t_end && quotient(ps, pt)) pt = pt * t[g.t1++];
    else break;
  }
  if (ps == pt) return true;
  std::size_t pieces = split_of(s[g.s0], t, g.t0, t_end), joined = split_of(t[g.t0], s, g.s0, s_end);
  g.s1 = g.s0 + (pieces ? 1 : joined), g.t1 = g.t0 + (pieces ? pieces : 1);
  return pieces || joined;
}

bool is_size(const Sym& e) { return e.op() == SymOp::Symbol && e.symbol_id().kind != SymbolId::Scalar; }

// How many axes a size stands for, if it is made of sizes of tensors only: B * H for two. 0: not known.
std::size_t axes_in(const Sym& size) {
  std::vector<Sym> all = factors(size);
  return std::all_of(all.begin(), all.end(), is_size) ? all.size() : 0;
}

// A product of as many sizes of one tensor as axes are merged into it, and in their order: each is one's
// size.
bool meets_each(const Sizes& s, const Sizes& t, const Group& g) {
  const std::vector<Sym> sizes = factors(t[g.t0]);
  if (g.t1 - g.t0 != 1 || sizes.size() < 2 || sizes.size() != g.s1 - g.s0) return false;
  for (std::size_t k = 0; k < sizes.size(); ++k)
    if (!is_size(sizes[k]) || !is_size(s[g.s0 + k]) ||
        sizes[k].symbol_id().param != sizes[0].symbol_id().param)
      return false;
  return true;
}

// Where sizes of other tensors tell nothing: axes of one size on both sides lie in the same place, a product
// of n sizes joins n axes, and what is left is one axis on either side. Every group's numbers of elements are
// compared at launch. Sets the end of the first group; false where that gives no groups.
bool guess_group(const Sizes& s, std::size_t s_end, const Sizes& t, std::size_t t_end, Group& g) {
  std::size_t a = s_end, b = t_end;  // the next axes of one size
  for (std::size_t i = g.s0 + 1; i < s_end; ++i)
    for (std::size_t j = g.t0 + 1; j < t_end; ++j)
      if (is_size(s[i]) && s[i] == t[j] && i - g.s0 + j - g.t0 < a - g.s0 + b - g.t0) a = i, b = j;
  const std::size_t n = a - g.s0, m = b - g.t0;
  g.s1 = a, g.t1 = b;
  if (n == 1 || m == 1) return true;
  std::size_t known = 0, from = b, to = g.t0;  // unknown ones lie in [from, to)
  for (std::size_t j = g.t0; j < b; ++j) {
    known += axes_in(t[j]);
    if (axes_in(t[j]) == 0) from = std::min(from, j), to = j + 1;
  }
  for (std::size_t j = from; j < to; ++j)
    if (axes_in(t[j]) != 0) return false;
  if (from == b ? known != n : known >= n || (n - known > 1 && to - from > 1)) return false;
  g.t1 = from == g.t0 ? to : g.t0 + 1;
  g.s1 = g.s0 + (from == g.t0 ? n - known : axes_in(t[g.t0]));
  return true;
}

// Puts in the size that -1 stands for: what is left of the old shape beside the groups at both ends.
void infer_size(Builder& b, const Sizes& s, Sizes& t, const Args& a, const std::string& what) {
  auto is_hole = [](const Sym& e) { return e.is_integer(-1); };
  auto hole = std::find_if(t.begin(), t.end(), is_hole);
  if (hole == t.end()) return;
  if (std::find_if(hole + 1, t.end(), is_hole) != t.end())
    a.fail("shape-mismatch", "only one size may be -1");
  std::size_t at = hole - t.begin();
  Group tail{0, 0, 0, 0}, g{0, 0, 0, 0};
  Sizes back_s(s.rbegin(), s.rend()), back_t(t.rbegin(), t.rend());
  while (find_group(back_s, s.size(), back_t, t.size() - at - 1, tail)) tail.s0 = tail.s1, tail.t0 = tail.t1;
  while (find_group(s, s.size() - tail.s0, t, at, g)) g.s0 = g.s1, g.t0 = g.t1;
  Sym have = product(part(s, g.s0, s.size() - tail.s0));
  Sizes rest = part(t, g.t0, t.size() - tail.t0);
  rest.erase(rest.begin() + (at - g.t0));
  Sym known = product(rest);
  if (auto exact = quotient(have, known)) {
    *hole = *exact;
    return;
  }
  // What the sizes around it leave, else all axes but the last.
  Sizes all;
  for (std::size_t k = g.s0; k < s.size() - tail.s0; ++k) {
    const Sizes own = axes_in(s[k]) == 0 ? Sizes{s[k]} : factors(s[k]);
    all.insert(all.end(), own.begin(), own.end());
  }
  std::size_t t_end = t.size() - tail.t0, ahead = 0, behind = 0;
  bool known_ahead = true, known_behind = true;
  for (std::size_t k = g.t0; k < t_end; ++k) {
    if (k == at) continue;
    (k < at ? ahead : behind) += axes_in(t[k]);
    (k < at ? known_ahead : known_behind) &= axes_in(t[k]) != 0;
  }
  if (!known_behind) behind = 1;
  if (known_ahead && all.size() > 1 && ahead + behind < all.size()) {
    *hole = product(part(all, ahead, all.size() - behind));
    return;
  }
  *hole = floor_div(have, known);
  b.unify(*hole * known, have, what + ": the number of elements");
}

// Cuts both shapes (no sizes that are literally 1) into the smallest groups that can be told apart.
std::vector<Group> cut(Builder& b, const Sizes& s, const Sizes& t, const Args& a, const std::string& what) {
  std::size_t s_end = s.size(), t_end = t.size();
  std::vector<Group> tail, groups;
  while (s_end > 0 && t_end > 0 && s[s_end - 1] == t[t_end - 1]) {
    --s_end, --t_end;
    tail.push_back({s_end, s_end + 1, t_end, t_end + 1});
  }
  Group g{0, 0, 0, 0};
  for (; g.s0 < s_end && g.t0 < t_end; g.s0 = g.s1, g.t0 = g.t1) {
    if (!find_group(s, s_end, t, t_end, g) && !guess_group(s, s_end, t, t_end, g)) g.s1 = s_end, g.t1 = t_end;
    for (std::size_t i = g.s0; i < g.s1 && meets_each(s, t, g); ++i)
      b.unify(s[i], factors(t[g.t0])[i - g.s0], what + ": dim " + std::to_string(i) + " and its part");
    Sym ps = product(part(s, g.s0, g.s1)), pt = product(part(t, g.t0, g.t1));
    b.unify(ps, pt, what + ": the number of elements");
    if (g.s1 - g.s0 > 1 && g.t1 - g.t0 > 1 && !(ps == pt))
      a.fail("unaligned-view",
             what.substr(a.op().size() + 4) + ": these sizes do not split or merge dims one by one",
             "reshape in two steps, or state the sizes: assume(x.size(-1) == h * d), assume(x.dim() == 3)");
    groups.push_back(g);
  }
  if (g.s0 < s_end || g.t0 < t_end)
    b.unify(product(part(s, g.s0, s_end)), product(part(t, g.t0, t_end)), what + ": the number of elements");
  groups.insert(groups.end(), tail.begin(), tail.end());
  return groups;
}

// The sizes with x and size / x in place of one that the other shape divides and merges: C as [H, C / H]
// beside [B * H, C / H].
std::optional<Sizes> refined(Builder& b, const Sizes& sizes, const Sizes& other, const std::string& what) {
  std::vector<Sym> all;
  bool merged = false;
  for (const Sym& size : other) {
    std::vector<Sym> own = factors(size);
    merged = merged || own.size() > 1;
    all.insert(all.end(), own.begin(), own.end());
  }
  if (!merged) return std::nullopt;
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    if (sizes[k].is_constant() || std::find(other.begin(), other.end(), sizes[k]) != other.end()) continue;
    for (std::size_t x = 0; x < all.size(); ++x) {
      const Sym quotient = floor_div(sizes[k], all[x]);
      auto y = std::find(all.begin(), all.end(), quotient);
      if (y == all.end() || all[x].is_integer(1) || quotient.is_constant()) continue;
      if (std::find(other.begin(), other.end(), all[x]) != other.end() &&
          std::find(other.begin(), other.end(), *y) != other.end())
        continue;  // a split as it is
      b.unify(all[x] * *y, sizes[k], what + ": a size and its parts");
      Sizes out = sizes;
      const bool first = static_cast<std::size_t>(y - all.begin()) > x;
      out[k] = first ? all[x] : *y;
      out.insert(out.begin() + static_cast<std::ptrdiff_t>(k) + 1, first ? *y : all[x]);
      return out;
    }
  }
  return std::nullopt;
}

// What sizes are made of, x and C / x taken for C: B, C of [B * H, C / H]. Empty where that leaves more than
// sizes of tensors.
Sizes made_of(const Sizes& sizes) {
  Sizes all;
  for (const Sym& size : sizes) {
    std::vector<Sym> own = factors(size);
    all.insert(all.end(), own.begin(), own.end());
  }
  for (std::size_t y = 0; y < all.size(); ++y) {
    if (all[y].op() != SymOp::FloorDiv) continue;
    for (const Sym& part : factors(all[y].args()[1])) {
      auto x = std::find(all.begin(), all.end(), part);
      if (x == all.end()) return {};
      if (static_cast<std::size_t>(x - all.begin()) < y) --y;
      all.erase(x);
    }
    all[y] = all[y].args()[0];
  }
  return std::all_of(all.begin(), all.end(), is_size) ? all : Sizes{};
}

// Axes of sizes of their own that a view splits and merges as those of another tensor are those.
bool learn_whole(Builder& b, const Sizes& s, const Sizes& t, const std::string& what) {
  const Sizes whole = made_of(t);
  if (whole.size() != s.size() || whole == s || whole == t || !std::all_of(s.begin(), s.end(), is_size))
    return false;
  if (std::none_of(t.begin(), t.end(), [](const Sym& size) { return size.op() == SymOp::FloorDiv; }))
    return false;
  for (std::size_t k = 0; k < s.size(); ++k)
    b.unify(s[k], whole[k], what + ": dim " + std::to_string(k) + " and its parts");
  return true;
}

// Regroups axes [from, to) of x into axes of the given sizes.
TensorView regrouped(Builder& b, const TensorView& x, std::size_t from, std::size_t to, Sizes sizes,
                     const Args& a) {
  Sizes old = part(x.shape, from, to), s, t;
  for (Sizes* list : {&old, &sizes})
    for (Sym& size : *list) size = b.canonical(size);
  std::string text;
  for (const Sym& size : sizes) text += (text.empty() ? "" : ", ") + to_string(size);
  std::string what = a.op() + " of " + describe(x) + " as [" + text + "]";
  for (const auto& [own, other] : {std::pair(&old, &sizes), std::pair(&sizes, &old)})
    if (auto finer = refined(b, *own, *other, what))
      return regrouped(b, regrouped(b, x, from, to, *finer, a), from, from + finer->size(), std::move(sizes),
                       a);
  if (learn_whole(b, old, sizes, what)) return regrouped(b, x, from, to, std::move(sizes), a);
  std::vector<std::size_t> s_axis, t_axis;
  for (std::size_t k = 0; k < old.size(); ++k)
    if (!old[k].is_integer(1)) s.push_back(old[k]), s_axis.push_back(k);
  auto strip = [&] {
    t.clear(), t_axis.clear();
    for (std::size_t k = 0; k < sizes.size(); ++k)
      if (!sizes[k].is_integer(1)) t.push_back(sizes[k]), t_axis.push_back(k);
  };
  strip();
  infer_size(b, s, t, a, what);
  for (std::size_t k = 0; k < t.size(); ++k) sizes[t_axis[k]] = t[k];
  strip();

  Shape shape = part(x.shape, 0, from);
  shape.insert(shape.end(), sizes.begin(), sizes.end());
  shape.insert(shape.end(), x.shape.begin() + to, x.shape.end());
  std::vector<Sym> axes(x.shape.size(), Sym(0));
  for (std::size_t k = 0; k < from; ++k) axes[k] = Sym::axis(static_cast<int>(k));
  for (std::size_t k = to; k < x.shape.size(); ++k)
    axes[k] = Sym::axis(static_cast<int>(k + sizes.size() - old.size()));
  for (const Group& g : cut(b, s, t, a, what)) {
    Sym linear(0), stride(1);
    for (std::size_t j = g.t1; j-- > g.t0;) {
      linear = linear + Sym::axis(static_cast<int>(from + t_axis[j])) * stride;
      stride = stride * t[j];
    }
    if (g.s1 - g.s0 > 1 || g.t1 - g.t0 > 1)
      for (std::size_t i = g.s0; i < g.s1; ++i) b.exact(s[i]);
    stride = Sym(1);
    for (std::size_t i = g.s1; i-- > g.s0;) {
      Sym e = floor_div(linear, stride);
      axes[from + s_axis[i]] = i == g.s0 ? e : mod(e, s[i]);
      stride = stride * s[i];
    }
  }
  for (Sym& e : axes) e = simplify_index(e, shape);
  return reindex(x, axes, shape, x.pack && from > 0);
}

// A parameter of unknown rank that is given one real axis, as in slopes.view({-1, 1, 1}), is a vector.
bool to_vector(const Sizes& sizes) {
  return std::count_if(sizes.begin(), sizes.end(), [](const Sym& e) { return !e.is_integer(1); }) <= 1;
}

Arg view(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  Sizes sizes = a.sizes(1);
  if (x.pack && to_vector(sizes)) need_exact(b, x, std::max(1, explicit_axes(x)), a, true);
  need_known(b, x, 1, kUsualRank, a);
  return regrouped(b, x, 0, x.shape.size(), std::move(sizes), a);
}

Arg flatten(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  if (!x.pack && x.shape.empty()) return reindex(x, {}, {Sym(1)}, false);
  std::vector<int> ends = axes_of(b, x, std::vector{a.integer_or(1, 0), a.integer_or(2, -1)}, a);
  int from = ends[0], to = ends[1];
  if (from > to) a.fail("dim-out-of-range", "the first dim comes after the last one");
  return regrouped(b, x, from, to + 1, {product(part(x.shape, from, to + 1))}, a);
}

Arg unflatten(Builder& b, const Args& a) {
  const TensorView& x = a.tensor(0);
  int axis = axis_of(b, x, a.integer(1), a);
  return regrouped(b, x, axis, axis + 1, a.sizes(2), a);
}

constexpr OpRow kRows[] = {{"view", view}, {"reshape", view}, {"flatten", flatten}, {"unflatten", unflatten}};

}  // namespace

std::span<const OpRow> reshape_ops() { return kRows; }

}  // namespace flashlight::graph
