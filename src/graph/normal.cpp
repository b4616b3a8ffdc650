// SPDX-License-Identifier: Apache-2.0
// NormalForm: operands without copies, the order of axes, and new nodes over the fewest axes.
#include "graph/normal.h"

#include <cmath>

namespace flashlight::graph {
namespace {

bool is_commutative(Fn fn) {
  switch (fn) {
    case Fn::Add:
    case Fn::Mul:
    case Fn::Max:
    case Fn::Min:
    case Fn::Eq:
    case Fn::Ne:
    case Fn::And:
    case Fn::Or: return true;
    default: return false;
  }
}

void axes_in(const Sym& e, std::vector<int>& out) {
  if (e.op() == SymOp::Axis && std::find(out.begin(), out.end(), static_cast<int>(e.integer())) == out.end())
    out.push_back(static_cast<int>(e.integer()));
  for (const Sym& a : e.args()) axes_in(a, out);
}

std::vector<int> axes_in(const Operand& o) {
  std::vector<int> out;
  for (const Sym& e : o.index) axes_in(e, out);
  return out;
}

// A partial order of axes that grows as operands name them; what contradicts an earlier operand is ignored.
class Precedence {
 public:
  explicit Precedence(std::size_t axes) : before_(axes, std::vector<bool>(axes, false)) {}
  void chain(const std::vector<int>& axes) {
    for (std::size_t k = 1; k < axes.size(); ++k)
      put(static_cast<std::size_t>(axes[k - 1]), static_cast<std::size_t>(axes[k]));
  }
  bool before(int a, int b) const {
    return before_[static_cast<std::size_t>(a)][static_cast<std::size_t>(b)];
  }

 private:
  void put(std::size_t a, std::size_t b) {
    if (before_[b][a] || before_[a][b]) return;
    const std::size_t n = before_.size();
    for (std::size_t x = 0; x < n; ++x)
      for (std::size_t y = 0; y < n; ++y)
        if ((x == a || before_[x][a]) && (y == b || before_[b][y])) before_[x][y] = true;
  }
  std::vector<std::vector<bool>> before_;
};

}  // namespace

std::vector<Sym> NormalForm::whole_index(const Shape& shape) {
  std::vector<Sym> out = identity_index(shape.size());
  for (std::size_t k = 0; k < shape.size(); ++k)
    if (shape[k].is_integer(1)) out[k] = Sym(0);
  return out;
}

int NormalForm::compare(const Operand& a, const Operand& b) const {
  if (auto c = b_.compare(a.node, b.node); c != 0) return c < 0 ? -1 : 1;
  for (std::size_t k = 0; k < std::min(a.index.size(), b.index.size()); ++k)
    if (auto c = a.index[k] <=> b.index[k]; c != 0) return c < 0 ? -1 : 1;
  return 0;
}

void NormalForm::sort(std::vector<Operand>& operands) const {
  std::stable_sort(operands.begin(), operands.end(), [&](auto& a, auto& b) { return compare(a, b) < 0; });
}

std::optional<Sym> NormalForm::scalar_value(const Operand& o) const {
  return node(o).op == Op::Scalar ? std::optional(node(o).value) : std::nullopt;
}

bool NormalForm::is_infinite(const Operand& o, int sign) const {
  const auto v = scalar_value(o);
  return v && v->op() == SymOp::Real && std::isinf(v->real()) && v->real() * sign > 0;
}

bool NormalForm::is_masked(const Operand& o) const {
  return is_fn(o, Fn::Where) && is_infinite(node(o).operands[2], -1);
}

std::vector<Operand> NormalForm::operands_of(const Operand& o) const {
  std::vector<Operand> out;
  for (const Operand& p : node(o).operands) {
    out.push_back(seen_through(p, o.index));
    for (Sym& e : out.back().index) e = simplify_index(e, extents_);
  }
  return out;
}

Operand NormalForm::resolve(const Operand& given) {
  Operand o = given;
  while (b_.is_copy(o.node)) o = seen_through(node(o).operands[0], o.index);
  const Node& n = node(o);
  for (std::size_t k = 0; k < o.index.size(); ++k)
    o.index[k] = n.shape[k].is_integer(1) ? Sym(0) : simplify_index(o.index[k], extents_);
  if (n.op != Op::Iota || contains(o.index[0], SymOp::Datum)) return o;
  return value_of(o.index[0], {});
}

// Each operand gives a chain of axes; the operand with most axes is asked first. Ties go to the smaller
// extent (in the order of Sym), then to the first occurrence, so that the order does not depend on how the
// program numbered its axes.
std::vector<int> NormalForm::axis_order(const std::vector<Operand>& operands, bool last_first) const {
  std::vector<std::vector<int>> chains;
  for (const Operand& o : operands) chains.push_back(axes_in(o));
  if (last_first) std::reverse(chains.begin(), chains.end());
  std::vector<int> first;
  for (const auto& chain : chains)
    for (int a : chain)
      if (std::find(first.begin(), first.end(), a) == first.end()) first.push_back(a);
  std::stable_sort(chains.begin(), chains.end(), [](auto& a, auto& b) { return a.size() > b.size(); });
  Precedence precedence(extents_.size());
  for (const auto& chain : chains) precedence.chain(chain);
  std::vector<int> left = first, out;
  std::stable_sort(left.begin(), left.end(), [&](int a, int b) {
    return extents_[static_cast<std::size_t>(a)] < extents_[static_cast<std::size_t>(b)];
  });
  while (!left.empty()) {
    auto free = std::find_if(left.begin(), left.end(), [&](int a) {
      return std::none_of(left.begin(), left.end(), [&](int b) { return precedence.before(b, a); });
    });
    out.push_back(*free);
    left.erase(free);
  }
  return out;
}

Operand NormalForm::emit(Fn fn, Type type, std::vector<Operand> operands) {
  if (is_commutative(fn)) sort(operands);
  Node n;
  n.op = Op::Map;
  n.fn = fn;
  n.type = type;
  Operand out;
  // All operands through one view: the node is the function of whole nodes.
  const Operand* common = nullptr;
  bool one_view = true;
  for (const Operand& o : operands) {
    if (o.index.empty()) continue;
    if (!common) common = &o;
    one_view = one_view && o.index == common->index && node(o).shape == node(*common).shape;
  }
  if (common && one_view) {
    // A constant axis of the view (a broadcast or selected position) stays an axis of the node.
    n.shape = node(*common).shape;
    out.index = common->index;
    const std::vector<Sym> whole = whole_index(n.shape);
    for (Operand& o : operands)
      if (!o.index.empty()) o.index = whole;
    // Axes of size 1 say nothing.
    std::vector<Sym> place(n.shape.size(), Sym(0)), index;
    Shape shape;
    for (std::size_t k = 0; k < n.shape.size(); ++k) {
      if (n.shape[k].is_integer(1)) continue;
      place[k] = Sym::axis(static_cast<int>(shape.size()));
      shape.push_back(n.shape[k]);
      index.push_back(out.index[k]);
    }
    for (Operand& o : operands) o = seen_through(o, place);
    n.shape = shape;
    out.index = index;
  } else {
    const std::vector<int> order = axis_order(operands, fn == Fn::Lt || fn == Fn::Le);
    std::vector<Sym> place(extents_.size(), Sym(0));
    for (std::size_t k = 0; k < order.size(); ++k) {
      place[static_cast<std::size_t>(order[k])] = Sym::axis(static_cast<int>(k));
      n.shape.push_back(extents_[static_cast<std::size_t>(order[k])]);
      out.index.push_back(Sym::axis(order[k]));
    }
    for (Operand& o : operands) o = seen_through(o, place);
    if (is_commutative(fn)) sort(operands);
  }
  n.operands = std::move(operands);
  out.node = b_.intern(std::move(n));
  return out;
}

}  // namespace flashlight::graph
