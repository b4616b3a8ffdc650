// SPDX-License-Identifier: Apache-2.0
// Builder: hash-consing, the order of nodes, and functions point by point.
#include "graph/builder.h"

#include <algorithm>

#include "graph/normal.h"

namespace flashlight::graph {
namespace {

std::size_t mix(std::size_t h, std::size_t v) { return (h ^ v) * 0x100000001b3ULL + (h >> 29); }

std::size_t hash_of(const Node& n) {
  std::size_t h = mix(static_cast<std::size_t>(n.op), static_cast<std::size_t>(n.type));
  h = mix(mix(h, static_cast<std::size_t>(n.fn)), static_cast<std::size_t>(n.reduce));
  h = mix(mix(h, static_cast<std::size_t>(n.input + 1)), static_cast<std::size_t>(n.axis + 1));
  for (const Shape* s : {&n.shape, &n.reduced, &n.segments})
    for (const Sym& e : *s) h = mix(h, e.hash());
  for (const Operand& o : n.operands) {
    h = mix(h, static_cast<std::size_t>(o.node));
    for (const Sym& e : o.index) h = mix(h, e.hash());
  }
  return mix(mix(h, n.descending), n.value.hash());
}

std::strong_ordering compare_lists(const std::vector<Sym>& a, const std::vector<Sym>& b) {
  if (auto c = a.size() <=> b.size(); c != 0) return c;
  for (std::size_t k = 0; k < a.size(); ++k)
    if (auto c = a[k] <=> b[k]; c != 0) return c;
  return std::strong_ordering::equal;
}

// Host values stand first, as coefficients do; then parameters.
int rank(Op op) { return op == Op::Scalar ? -1 : static_cast<int>(op); }

}  // namespace

Builder::Builder(const Function& f) {
  function_.tensors = f.tensors;
  function_.scalars = f.scalars;
  function_.checks = f.checks;
  function_.too_narrow = f.too_narrow;
  function_.numerics = f.numerics;
}

NodeId Builder::intern(Node n) {
  const std::size_t h = hash_of(n);
  for (auto [it, end] = table_.equal_range(h); it != end; ++it)
    if (node(it->second) == n) return it->second;
  const NodeId id = graph_.size();
  constexpr int kMost = 1 << 20;
  int size = 1;
  if (n.op == Op::Map)
    for (const Operand& o : n.operands)
      size = std::min(kMost, size + map_size_[static_cast<std::size_t>(o.node)]);
  map_size_.push_back(size);
  graph_.nodes_.push_back(std::move(n));
  graph_.sources_.push_back(where_);
  graph_.labels_.emplace_back();
  table_.emplace(h, id);
  return id;
}

// Different nodes differ in their first differing operand, so that one path of the graph is walked.
std::strong_ordering Builder::compare(NodeId x, NodeId y) const {
  if (x == y) return std::strong_ordering::equal;
  const Node &a = node(x), &b = node(y);
  if (auto c = rank(a.op) <=> rank(b.op); c != 0) return c;
  if (auto c = a.input <=> b.input; c != 0) return c;
  if (auto c = a.type <=> b.type; c != 0) return c;
  if (auto c = a.value <=> b.value; c != 0) return c;
  if (auto c = a.fn <=> b.fn; c != 0) return c;
  if (auto c = a.reduce <=> b.reduce; c != 0) return c;
  if (auto c = a.axis <=> b.axis; c != 0) return c;
  if (auto c = a.descending <=> b.descending; c != 0) return c;
  if (auto c = a.operands.size() <=> b.operands.size(); c != 0) return c;
  for (std::size_t k = 0; k < a.operands.size(); ++k) {
    if (auto c = compare(a.operands[k].node, b.operands[k].node); c != 0) return c;
    if (auto c = compare_lists(a.operands[k].index, b.operands[k].index); c != 0) return c;
  }
  if (auto c = compare_lists(a.shape, b.shape); c != 0) return c;
  if (auto c = compare_lists(a.reduced, b.reduced); c != 0) return c;
  return compare_lists(a.segments, b.segments);
}

bool Builder::is_copy(NodeId id) const {
  const Node& n = node(id);
  return n.op == Op::Map && n.fn == Fn::Add && n.operands.size() == 1;
}

bool Builder::is_identity(const Operand& o, const Shape& shape) const {
  const Node& n = node(o.node);
  if (n.shape != shape) return false;
  for (std::size_t k = 0; k < shape.size(); ++k)
    if (o.index[k] != (shape[k].is_integer(1) ? Sym(0) : Sym::axis(static_cast<int>(k)))) return false;
  return true;
}

Operand Builder::resolve(const Operand& o, const Shape& extents) {
  return NormalForm(*this, extents).resolve(o);
}

NodeId Builder::node_for(const Operand& o, const Shape& shape, Type type) {
  if (is_identity(o, shape)) return o.node;
  Node copy;
  copy.op = Op::Map;
  copy.fn = Fn::Add;
  copy.type = type;
  copy.shape = shape;
  copy.operands = {o};
  return intern(std::move(copy));
}

void Builder::label(NodeId id, const std::string& name) {
  while (is_copy(id)) id = node(id).operands[0].node;
  std::string& label = graph_.labels_[static_cast<std::size_t>(id)];
  const Op op = node(id).op;
  if (label.empty() && op != Op::Input && op != Op::Scalar) label = name;
}

NodeId Builder::scalar(const Sym& value, Type type) {
  exact(value);
  Node n;
  n.op = Op::Scalar;
  n.type = type;
  n.value = type == Type::Float ? make_sym(SymOp::ToReal, {value})
            : type == Type::Int ? make_sym(SymOp::ToInteger, {value})
                                : make_sym(SymOp::Ne, {value, Sym::boolean(false)});
  return intern(std::move(n));
}

NodeId Builder::iota(const Sym& size) {
  exact(size);
  Node n;
  n.op = Op::Iota;
  n.type = Type::Int;
  n.shape = {size};
  return intern(std::move(n));
}

NodeId Builder::map(Fn fn, const Shape& shape, std::vector<Operand> operands) {
  const Operand out = NormalForm(*this, shape).apply(fn, std::move(operands));
  return node_for(out, shape, node(out.node).type);
}

NodeId Builder::add(const Node& n) {
  switch (n.op) {
    case Op::Input: return intern(n);
    case Op::Scalar: return scalar(n.value, n.type);
    case Op::Iota: return iota(n.shape[0]);
    case Op::Map: return map(n.fn, n.shape, n.operands);
    case Op::Reduce: return reduce(n.reduce, n.shape, n.reduced, n.operands[0]);
    case Op::Gather: return gather(n.shape, n.operands[0], {n.operands.begin() + 1, n.operands.end()});
    case Op::Scan: return scan(n.shape, n.axis, n.operands[0]);
    case Op::Segment: return segment(n.shape, n.axis, n.operands, n.segments);
    case Op::Sort:
    case Op::Order: return order(n.op, n.shape, n.reduced[0], n.descending, n.operands[0]);
  }
  throw std::logic_error("add: unknown op");
}

namespace {

// Depth-first from the outputs, operands in order: equal programs number their nodes alike.
void visit(const std::deque<Node>& nodes, NodeId root, std::vector<NodeId>& number,
           std::vector<NodeId>& order_out) {
  std::vector<std::pair<NodeId, std::size_t>> stack{{root, 0}};
  while (!stack.empty()) {
    auto& [id, next] = stack.back();
    const Node& n = nodes[static_cast<std::size_t>(id)];
    if (number[static_cast<std::size_t>(id)] >= 0) {
      stack.pop_back();
    } else if (next < n.operands.size()) {
      const NodeId operand = n.operands[next++].node;
      if (number[static_cast<std::size_t>(operand)] < 0) stack.emplace_back(operand, 0);
    } else {
      number[static_cast<std::size_t>(id)] = static_cast<NodeId>(order_out.size());
      order_out.push_back(id);
      stack.pop_back();
    }
  }
}

}  // namespace

Function Builder::finish(std::string name, std::vector<Output> outputs) {
  for (Output& out : outputs) {
    const Operand o = resolve({out.value.node, out.value.index}, out.value.shape);
    out.value.node = o.node;
    out.value.index = o.index;
    out.value.type = node(o.node).type;
  }
  std::vector<NodeId> number(graph_.nodes_.size(), -1), order_of_nodes;
  for (const Output& out : outputs) visit(graph_.nodes_, out.value.node, number, order_of_nodes);
  Graph g;
  for (NodeId old : order_of_nodes) {
    const auto at = static_cast<std::size_t>(old);
    g.nodes_.push_back(std::move(graph_.nodes_[at]));
    for (Operand& o : g.nodes_.back().operands) o.node = number[static_cast<std::size_t>(o.node)];
    g.sources_.push_back(std::move(graph_.sources_[at]));
    g.labels_.push_back(std::move(graph_.labels_[at]));
  }
  for (Output& out : outputs) out.value.node = number[static_cast<std::size_t>(out.value.node)];
  // An axis that was unified, but neither read nor contracted over, has been broadcast.
  std::set<SymbolId> targets;
  Facts all = facts_;
  all.merge(learned_);
  for (const auto& [id, size] : all.sizes)
    if (size.op() == SymOp::Symbol) targets.insert(size.symbol_id());
  for (std::size_t p = 0; p < function_.tensors.size(); ++p) {
    TensorParam& t = function_.tensors[p];
    if (!t.may_broadcast.empty()) continue;  // a rewritten function knows
    for (std::size_t k = 0; k < t.shape.size(); ++k) {
      const SymbolId id{t.pack && k == 0 ? SymbolId::Pack : SymbolId::Size, static_cast<int>(p),
                        static_cast<int>(k)};
      t.may_broadcast.push_back(!all.exact.contains(id) &&
                                (all.sizes.contains(id) || targets.contains(id) || all.loose.contains(id)));
    }
  }
  function_.name = std::move(name);
  function_.outputs = std::move(outputs);
  for (Check& c : function_.checks) c.condition = canonical(c.condition);
  std::erase_if(function_.checks, [](const Check& c) {
    return c.condition == Sym::boolean(true);
  });  // parameters' shapes say it
  function_.graph = std::move(g);
  table_.clear();
  return std::move(function_);
}

}  // namespace flashlight::graph
