// SPDX-License-Identifier: Apache-2.0
// Rebuilds a function through the Builder, so that what a rule writes is normalised like everything else.
#include "rewrite/instantiate.h"

#include <algorithm>
#include <stdexcept>

#include "graph/rebuild.h"

namespace flashlight::rewrite {

using graph::Function;
using graph::Node;
using graph::NodeId;
using graph::Op;
using graph::Operand;
using graph::Shape;
using graph::Sym;

namespace {

class Instantiation {
 public:
  Instantiation(const Function& f, const Rule& rule, const Match& match)
      : f_(f), rule_(rule), match_(match), rebuild_(f) {}

  Function run() {
    return rebuild_.run(f_.outputs, [&](NodeId id) {
      return id == match_.root ? std::optional(replacement()) : std::nullopt;
    });
  }

 private:
  // The new value of the root, over its axes.
  Operand replacement() {
    const Node& root = f_.graph[match_.root];
    const graph::TensorView& out = rule_.replacement.outputs[0].value;
    std::vector<Sym> view;  // the root's axes as the axes of the replacement's output
    for (int axis : match_.named) view.push_back(axis < 0 ? Sym(0) : Sym::axis(axis));
    Operand value = at(out.node, graph::seen_through({out.node, out.index}, view).index);
    if (match_.rest.empty()) return value;
    std::vector<Operand> parts{value};
    for (const Operand& o : match_.rest) parts.push_back(rebuild_.moved(o));
    return {rebuild_.builder().map(root.fn, root.shape, std::move(parts)),
            graph::identity_index(root.shape.size())};
  }

  // A node of the replacement read at `index` (one expression per axis of the node, symbols still the
  // rule's), with the match's extra axes read where the root has them.
  Operand at(NodeId id, const std::vector<Sym>& index) {
    std::vector<Sym> view;
    for (int axis : match_.extra) view.push_back(Sym::axis(axis));
    append_own(rule_.replacement.graph[id].shape, index, view);
    return graph::seen_through(built(id), view);
  }
  void append_own(const Shape& shape, const std::vector<Sym>& index, std::vector<Sym>& view) const {
    for (int k : own_axes(shape)) view.push_back(symbol(index[static_cast<std::size_t>(k)]));
  }
  Sym symbol(const Sym& e) const {
    const auto known = translated(match_, e);
    if (!known)
      throw std::logic_error("rule " + rule_.name +
                             ": its replacement names a size that its pattern does not bind");
    return *known;
  }

  // The new value of a replacement's node, over the extra axes and then the node's own.
  const Operand& built(NodeId id) {
    auto [at, fresh] = built_.try_emplace(id);
    if (fresh) {
      const Operand value = build(rule_.replacement.graph[id]);
      at = built_.find(id);
      at->second = value;
    }
    return at->second;
  }

  Operand build(const Node& n) {
    Shape shape;
    for (int axis : match_.extra)
      shape.push_back(f_.graph[match_.root].shape[static_cast<std::size_t>(axis)]);
    for (int k : own_axes(n.shape)) shape.push_back(symbol(n.shape[static_cast<std::size_t>(k)]));
    if (n.op == Op::Input) return input(n, shape);
    // Where the node's iteration axes stand among those of the new node.
    std::vector<Sym> iteration;
    int next = static_cast<int>(match_.extra.size());
    const std::vector<int> own = own_axes(n.shape);
    for (std::size_t k = 0; k < n.shape.size(); ++k)
      iteration.push_back(
          std::find(own.begin(), own.end(), static_cast<int>(k)) == own.end() ? Sym(0) : Sym::axis(next++));
    Node made = n;
    made.shape = shape;
    for (Sym& size : made.reduced) {
      size = symbol(size);
      iteration.push_back(Sym::axis(next++));
    }
    made.value = symbol(n.value);
    made.operands.clear();
    for (const Operand& o : n.operands) {
      std::vector<Sym> view;
      for (std::size_t k = 0; k < match_.extra.size(); ++k) view.push_back(Sym::axis(static_cast<int>(k)));
      append_own(rule_.replacement.graph[o.node].shape, graph::seen_through(o, iteration).index, view);
      made.operands.push_back(graph::seen_through(built(o.node), view));
    }
    if (n.op == Op::Scalar || n.op == Op::Iota) made.shape = n.op == Op::Iota ? Shape{shape.back()} : Shape{};
    Operand out{rebuild_.builder().add(made), {}};
    if (n.op == Op::Iota) out.index = {Sym::axis(static_cast<int>(match_.extra.size()))};
    else if (n.op != Op::Scalar) out.index = graph::identity_index(shape.size());
    return out;
  }

  Operand input(const Node& n, const Shape& shape) {
    const Bound& bound = match_.inputs[static_cast<std::size_t>(n.input)];
    std::vector<Operand> parts;
    for (const Operand& o : bound.parts) parts.push_back(rebuild_.moved(o));
    if (parts.size() == 1) return parts[0];
    return {rebuild_.builder().map(bound.fn, shape, std::move(parts)), graph::identity_index(shape.size())};
  }

  const Function& f_;
  const Rule& rule_;
  const Match& match_;
  graph::Rebuild rebuild_;
  std::map<NodeId, Operand> built_;  // per node of the replacement
};

}  // namespace

Function instantiate(const Function& f, const Rule& rule, const Match& match) {
  return Instantiation(f, rule, match).run();
}

}  // namespace flashlight::rewrite
