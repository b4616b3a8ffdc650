// SPDX-License-Identifier: Apache-2.0
// Builder: gathers. Positions that are known expressions become views, the others are numbered by where the
// table uses them.
#include <algorithm>

#include "graph/normal.h"

namespace flashlight::graph {
namespace {

void data_in(const Sym& e, std::vector<int>& out) {
  if (e.op() == SymOp::Datum && std::find(out.begin(), out.end(), static_cast<int>(e.integer())) == out.end())
    out.push_back(static_cast<int>(e.integer()));
  for (const Sym& a : e.args()) data_in(a, out);
}

Sym with_data(const Sym& e, const std::function<std::optional<Sym>(int)>& value) {
  return substitute(e, [&](const Sym& leaf) -> std::optional<Sym> {
    return leaf.op() == SymOp::Datum ? value(static_cast<int>(leaf.integer())) : std::nullopt;
  });
}

// Looks through copies. A lone datum wraps negative positions at the axis it reads; where the copy's index
// turns it into an expression, the wrapping is written out.
Operand through_copies(const Builder& b, Operand table) {
  while (b.is_copy(table.node)) {
    const Node& copy = b.node(table.node);
    const Operand& inner = copy.operands[0];
    std::vector<Sym> view = table.index;
    for (std::size_t p = 0; p < view.size(); ++p) {
      if (view[p].op() != SymOp::Datum) continue;
      bool same_axis = true;
      for (std::size_t q = 0; q < inner.index.size(); ++q)
        if (depends_on_axis(inner.index[q], static_cast<int>(p)))
          same_axis = same_axis && inner.index[q] == Sym::axis(static_cast<int>(p)) &&
                      b.node(inner.node).shape[q] == copy.shape[p];
      if (!same_axis) view[p] = mod(view[p], copy.shape[p]);
    }
    table = seen_through(inner, view);
  }
  return table;
}

}  // namespace

NodeId Builder::gather(const Shape& shape, Operand table, std::vector<Operand> indices) {
  NormalForm nf(*this, shape);
  table = through_copies(*this, std::move(table));
  for (Operand& i : indices) i = nf.resolve(i);
  const Shape table_shape = node(table.node).shape;
  const Type type = node(table.node).type;
  // A position of axes and sizes that stays within its axis is a view.
  for (std::size_t p = 0; p < table.index.size(); ++p) {
    const Sym known =
        simplify_index(with_data(table.index[p],
                                 [&](int k) -> std::optional<Sym> {
                                   const Operand& i = indices[static_cast<std::size_t>(k - 1)];
                                   if (node(i.node).type != Type::Int) return std::nullopt;
                                   Atoms atoms;
                                   nf.collect_atoms(i, atoms);
                                   return atoms.list.empty() ? nf.expression(i, atoms) : std::nullopt;
                                 }),
                       shape);
    if (contains(known, SymOp::Datum)) continue;
    if (proves_nonnegative(known, shape) && proves_nonnegative(table_shape[p] - Sym(1) - known, shape))
      table.index[p] = known;
  }
  std::vector<int> used;
  for (std::size_t p = 0; p < table.index.size(); ++p) {
    table.index[p] = table_shape[p].is_integer(1) ? Sym(0) : simplify_index(table.index[p], shape);
    data_in(table.index[p], used);
  }
  if (used.empty()) return node_for(nf.resolve(table), shape, type);
  std::vector<Operand> operands{table};
  std::vector<Sym> number(indices.size() + 1);
  for (int k : used) {
    const Operand& i = indices[static_cast<std::size_t>(k - 1)];
    auto it = std::find(operands.begin() + 1, operands.end(), i);
    number[static_cast<std::size_t>(k)] = Sym::datum(static_cast<int>(it - operands.begin()));
    if (it == operands.end()) operands.push_back(i);
  }
  for (Sym& e : operands[0].index)
    e = with_data(e, [&](int k) { return number[static_cast<std::size_t>(k)]; });
  const std::vector<int> order = nf.axis_order(operands);
  std::vector<Sym> place(shape.size(), Sym(0)), view;
  Node n;
  n.op = Op::Gather;
  n.type = type;
  for (std::size_t k = 0; k < order.size(); ++k) {
    place[static_cast<std::size_t>(order[k])] = Sym::axis(static_cast<int>(k));
    n.shape.push_back(shape[static_cast<std::size_t>(order[k])]);
    view.push_back(Sym::axis(order[k]));
  }
  for (const Operand& o : operands) n.operands.push_back(seen_through(o, place));
  return node_for({intern(std::move(n)), view}, shape, type);
}

}  // namespace flashlight::graph
