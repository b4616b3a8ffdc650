// SPDX-License-Identifier: Apache-2.0
// See thresholds.h.
#include "emit/thresholds.h"

#include <algorithm>
#include <cstdlib>

namespace flashlight::emit {

using graph::Fn;
using graph::Node;
using graph::NodeId;
using graph::Op;
using graph::Sym;
using graph::SymbolId;
using graph::SymOp;
using graph::Type;

namespace {

constexpr std::int64_t kSmall = 1 << 20;  // constants that stand beside the parameter

bool is_size(const Sym& e) { return e.op() == SymOp::Symbol && e.symbol_id().kind == SymbolId::Size; }

// A sum of at most two sizes, their opposites and a small constant.
bool is_offset(const Sym& e) {
  const std::vector<Sym> terms = e.op() == SymOp::Add ? e.args() : std::vector<Sym>{e};
  int sizes = 0;
  return std::all_of(terms.begin(), terms.end(), [&](const Sym& term) {
    if (const auto n = term.as_integer()) return std::abs(*n) <= kSmall;
    if (is_size(term)) return ++sizes <= 2;
    return term.op() == SymOp::Mul && term.args().size() == 2 && term.args()[0].is_integer(-1) &&
           is_size(term.args()[1]) && ++sizes <= 2;
  });
}

class Uses {
 public:
  Uses(const graph::Function& function, int parameter)
      : function_(function), graph_(function.graph), symbol_(Sym::symbol({SymbolId::Scalar, parameter, 0})) {}

  // Whether the parameter enters comparisons with positions only, and at least one.
  bool are_comparisons() {
    bool any = false;
    for (const graph::Output& out : function_.outputs)
      if (holds(out.value.shape) || holds(out.value.index)) return false;
    for (const graph::TensorParam& tensor : function_.tensors)
      if (holds(tensor.shape)) return false;
    for (NodeId id = 0; id < graph_.size(); ++id) {
      const Node& n = graph_[id];
      if (holds(n.shape) || holds(n.reduced) || holds(n.segments)) return false;
      if (n.op == Op::Scalar && holds({n.value})) {
        if (n.type != Type::Int || !(is_offset(n.value - symbol_) || is_offset(n.value + symbol_)) ||
            is_output(id))
          return false;
        any = true;
      }
      bool used = false;
      for (const graph::Operand& operand : n.operands) {
        if (holds(operand.index)) return false;
        used = used || is_threshold(operand.node);
      }
      if (used && !(is_comparison(n) || (is_sum(n) && !is_output(id)))) return false;
    }
    return any;
  }

 private:
  bool holds(const std::vector<Sym>& all) const {
    return std::any_of(all.begin(), all.end(), [&](const Sym& e) {
      std::vector<SymbolId> ids;
      graph::collect_symbols(e, ids);
      return std::find(ids.begin(), ids.end(), symbol_.symbol_id()) != ids.end();
    });
  }
  bool is_output(NodeId id) const {
    return std::any_of(function_.outputs.begin(), function_.outputs.end(),
                       [&](const graph::Output& out) { return out.value.node == id; });
  }
  // The parameter with its offset, or a sum of that and positions.
  bool is_threshold(NodeId id) const {
    const Node& n = graph_[id];
    if (n.op == Op::Scalar) return holds({n.value});
    return is_sum(n) && std::any_of(n.operands.begin(), n.operands.end(), [&](const graph::Operand& o) {
             return graph_[o.node].op == Op::Scalar && holds({graph_[o.node].value});
           });
  }
  // One threshold and at most two positions.
  bool is_sum(const Node& n) const {
    return n.op == Op::Map && n.fn == Fn::Add && n.type == Type::Int && joins(n, 2);
  }
  bool is_comparison(const Node& n) const {
    const bool compares = n.fn == Fn::Lt || n.fn == Fn::Le || n.fn == Fn::Eq || n.fn == Fn::Ne;
    return n.op == Op::Map && compares && joins(n, 1);
  }
  bool joins(const Node& n, int most) const {
    int sums = 0, positions = 0;
    for (const graph::Operand& o : n.operands)
      (is_threshold(o.node) ? sums : positions) += is_threshold(o.node) || is_position(o.node, 2);
    return sums == 1 && positions == static_cast<int>(n.operands.size()) - 1 && positions <= most;
  }
  // Up to `terms` iotas, added or subtracted, or what lies between such sums.
  bool is_position(NodeId id, int terms) const {
    const Node& n = graph_[id];
    auto all = [&](int each) {
      return std::all_of(n.operands.begin(), n.operands.end(),
                         [&](const graph::Operand& o) { return is_position(o.node, each); });
    };
    if (n.op == Op::Iota)
      return is_size(n.shape[0]) || n.shape[0].as_integer().value_or(kSmall + 1) <= kSmall;
    if (n.op == Op::Scalar)
      return n.type == Type::Int && std::abs(n.value.as_integer().value_or(kSmall + 1)) <= kSmall;
    if (n.op != Op::Map || n.type != Type::Int) return false;
    switch (n.fn) {
      case Fn::Add: return static_cast<int>(n.operands.size()) <= terms && all(1);
      case Fn::Mul: {
        const Node& factor = graph_[n.operands[0].node];
        return n.operands.size() == 2 && factor.op == Op::Scalar && factor.value.is_integer(-1) &&
               is_position(n.operands[1].node, 1);
      }
      case Fn::Abs:
      case Fn::Max:
      case Fn::Min: return all(terms);
      default: return false;
    }
  }

  const graph::Function& function_;
  const graph::Graph& graph_;
  Sym symbol_;
};

}  // namespace

std::vector<int> thresholds(const graph::Function& function) {
  std::vector<int> found;
  for (std::size_t s = 0; s < function.scalars.size(); ++s)
    if (function.scalars[s].type == graph::SymType::Integer &&
        Uses(function, static_cast<int>(s)).are_comparisons())
      found.push_back(static_cast<int>(s));
  return found;
}

}  // namespace flashlight::emit
