// SPDX-License-Identifier: Apache-2.0
// The invariants of a Function, checked between stages.
#include <limits>
#include <algorithm>
#include <set>
#include <stdexcept>

#include "graph/function.h"

namespace flashlight::graph {
namespace {

class Verification {
 public:
  explicit Verification(const Function& f) : f_(f), g_(f.graph) {}

  void run() {
    for (id_ = 0; id_ < g_.size(); ++id_) node(g_[id_]);
    for (std::size_t o = 0; o < f_.outputs.size(); ++o) output(o);
    parameters();
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    const std::string place =
        id_ < g_.size() ? "%" + std::to_string(id_) + " (" + name_of(g_[id_].op) + "): " : "";
    throw std::logic_error("verify " + f_.name + ": " + place + what);
  }
  void need(bool ok, const char* what) const {
    if (!ok) fail(what);
  }

  void size(const Sym& s, const char* what) const {
    need(s.type() == SymType::Integer, what);
    need(!contains(s, SymOp::Axis) && !contains(s, SymOp::Datum), what);
    need(!s.as_integer() || *s.as_integer() >= 0, what);
    symbols(s);
  }

  void symbols(const Sym& e) const {
    std::vector<SymbolId> ids;
    collect_symbols(e, ids);
    for (SymbolId id : ids) {
      const auto at = static_cast<std::size_t>(id.param);
      if (id.kind == SymbolId::Scalar) need(at < f_.scalars.size(), "names a scalar that is no parameter");
      else need(at < f_.tensors.size() && id.axis >= 0, "names a size of no parameter");
    }
  }

  // `data`: operands whose values the index may contain, counted from 1.
  void index(const Operand& o, const Shape& extents, int data = 0) const {
    const Node& of = g_[o.node];
    need(o.index.size() == of.shape.size(), "an operand's index has not one expression per axis");
    for (std::size_t k = 0; k < o.index.size(); ++k) {
      const Sym& e = o.index[k];
      need(e.type() == SymType::Integer, "an index is not an integer");
      leaves(e, static_cast<std::int64_t>(extents.size()), data);
      symbols(e);
      need(!of.shape[k].is_integer(1) || e.is_integer(0), "an axis of size 1 is read elsewhere than at 0");
      if (const auto c = e.as_integer(); c && of.shape[k].as_integer())
        need(*c >= 0 && *c < *of.shape[k].as_integer(), "a constant index is out of range");
    }
  }
  void leaves(const Sym& e, std::int64_t axes, int data) const {
    if (e.op() == SymOp::Axis)
      need(e.integer() >= 0 && e.integer() < axes, "an index names an axis that the node has not");
    if (e.op() == SymOp::Datum)
      need(e.integer() >= 1 && e.integer() <= data, "an index names a datum that the node has not");
    for (const Sym& a : e.args()) leaves(a, axes, data);
  }

  Type type_of(const Operand& o) const { return g_[o.node].type; }

  void node(const Node& n) {
    for (const Operand& o : n.operands)
      need(o.node >= 0 && o.node < id_, "an operand does not precede its user");
    for (const Sym& s : n.shape) size(s, "a size is not a host integer");
    for (const Sym& s : n.reduced) size(s, "a reduced size is not a host integer");
    need(n.op == Op::Reduce || is_order(n) || n.reduced.empty(),
         "only a reduction or an order has reduced axes");
    need(n.op == Op::Segment || n.segments.empty(), "only a concatenation has segments");
    for (std::size_t k = 0; k < n.operands.size(); ++k) {
      const bool table = n.op == Op::Gather && k == 0;
      if (n.op != Op::Segment)
        index(n.operands[k], iteration_of(n), table ? static_cast<int>(n.operands.size()) - 1 : 0);
    }
    switch (n.op) {
      case Op::Input: input(n); break;
      case Op::Scalar: scalar(n); break;
      case Op::Iota:
        need(n.operands.empty() && n.shape.size() == 1 && n.type == Type::Int, "is not a row of integers");
        break;
      case Op::Map: map(n); break;
      case Op::Reduce: reduce(n); break;
      case Op::Gather: gather(n); break;
      case Op::Scan:
        need(n.operands.size() == 1 && n.axis >= 0 && n.axis < static_cast<int>(n.shape.size()),
             "scans no axis of its own");
        need(n.type == type_of(n.operands[0]) && n.type != Type::Bool, "has not the type of its operand");
        break;
      case Op::Segment: segment(n); break;
      case Op::Sort:
      case Op::Order: order(n); break;
    }

    for (NodeId other = 0; other < id_; ++other) need(!(g_[other] == n), "an equal node exists");
  }

  void input(const Node& n) const {
    need(n.operands.empty() && n.input >= 0 && n.input < static_cast<int>(f_.tensors.size()),
         "is no parameter");
    const TensorParam& p = f_.tensors[static_cast<std::size_t>(n.input)];
    need(n.shape == p.shape && n.type == p.type, "differs from its parameter in shape or type");
  }

  void scalar(const Node& n) const {
    need(n.shape.empty() && n.operands.empty(), "a host value has no axes and no operands");
    need(!contains(n.value, SymOp::Axis) && !contains(n.value, SymOp::Datum),
         "a host value depends on an index");
    const SymType want = n.type == Type::Float ? SymType::Real
                         : n.type == Type::Int ? SymType::Integer
                                               : SymType::Boolean;
    need(n.value.type() == want, "the type of the host value is another one");
    symbols(n.value);
  }

  void map(const Node& n) const {
    const std::size_t count = n.operands.size();
    auto all = [&](Type t) {
      return std::all_of(n.operands.begin(), n.operands.end(),
                         [&](const Operand& o) { return type_of(o) == t; });
    };
    switch (n.fn) {
      case Fn::Add:
      case Fn::Mul:
      case Fn::And:
      case Fn::Or:
        need(count >= 2, "has fewer than two operands");
        need(all(n.type) && (n.type == Type::Bool) == (n.fn == Fn::And || n.fn == Fn::Or), "mixes types");
        break;
      case Fn::Pow:
      case Fn::Max:
      case Fn::Min:
      case Fn::FloorDiv:
      case Fn::Mod:
        need(count == 2 && all(n.type) && n.type != Type::Bool, "needs two operands of its own type");
        break;
      case Fn::Lt:
      case Fn::Le:
      case Fn::Eq:
      case Fn::Ne:
        need(count == 2 && n.type == Type::Bool && type_of(n.operands[0]) == type_of(n.operands[1]),
             "compares unlike types");
        break;
      case Fn::Not:
        need(count == 1 && n.type == Type::Bool && all(Type::Bool), "negates what is no condition");
        break;
      case Fn::Where: where(n); break;
      case Fn::IsNan:
      case Fn::IsInf: need(count == 1 && n.type == Type::Bool && all(Type::Float), "asks a non-float"); break;
      case Fn::ToFloat:
        need(count == 1 && n.type == Type::Float && !all(Type::Float), "converts to the same type");
        break;
      case Fn::ToInt:
        need(count == 1 && n.type == Type::Int && !all(Type::Int), "converts to the same type");
        break;
      case Fn::ToBool:
        need(count == 1 && n.type == Type::Bool && !all(Type::Bool), "converts to the same type");
        break;
      case Fn::Abs:
      case Fn::Sign: need(count == 1 && all(n.type) && n.type != Type::Bool, "needs one number"); break;
      default: need(count == 1 && n.type == Type::Float && all(Type::Float), "needs one float"); break;
    }
    if (n.fn != Fn::Add && n.fn != Fn::Mul && n.fn != Fn::And && n.fn != Fn::Or) return;
    const Type type = n.type;
    int scalars = 0;
    for (const Operand& o : n.operands) {
      const Node& of = g_[o.node];
      scalars += of.op == Op::Scalar;
      need(of.op != Op::Map || of.fn != n.fn || of.type != type, "is not flattened");
    }
    need(scalars <= 1, "has two host values");
  }

  void where(const Node& n) const {
    need(n.operands.size() == 3, "has not three operands");
    need(type_of(n.operands[0]) == Type::Bool, "selects by what is no condition");
    need(type_of(n.operands[1]) == n.type && type_of(n.operands[2]) == n.type, "selects from unlike types");
    const Node& a = g_[n.operands[1].node];
    need(a.op != Op::Scalar || !(a.value == Sym(-std::numeric_limits<double>::infinity())),
         "has -inf in its first branch");
  }

  void reduce(const Node& n) const {
    need(n.operands.size() == 1 && !n.reduced.empty(), "reduces nothing");
    for (const Sym& s : n.reduced) need(!s.is_integer(1), "reduces an axis of size 1");
    const Type of = type_of(n.operands[0]);
    if (n.reduce == ReduceKind::Any || n.reduce == ReduceKind::All)
      need(of == Type::Bool && n.type == of, "needs conditions");
    else need(n.type == of && of != Type::Bool, "has not the type of its operand");
  }

  void order(const Node& n) const {
    need(n.operands.size() == 1 && n.reduced.size() == 1, "orders no axis");
    need(!n.shape.empty() && n.axis + 1 == static_cast<int>(n.shape.size()),
         "does not have its elements along its last axis");
    for (const Sym& e : n.operands[0].index)
      need(!depends_on_axis(e, n.axis), "orders something else for each of its elements");
    const Type of = type_of(n.operands[0]);
    need(of != Type::Bool && n.type == (n.op == Op::Order ? Type::Int : of),
         "needs numbers, and gives these or positions");
  }

  void gather(const Node& n) const {
    need(n.operands.size() >= 2, "has no positions");
    need(n.type == type_of(n.operands[0]), "has not the type of its table");
    for (std::size_t k = 1; k < n.operands.size(); ++k)
      need(type_of(n.operands[k]) == Type::Int, "a position is no integer");
    const auto& table = n.operands[0].index;
    need(std::any_of(table.begin(), table.end(), [](const Sym& e) { return contains(e, SymOp::Datum); }),
         "is a view");
  }

  void segment(const Node& n) {
    need(n.axis >= 0 && n.axis < static_cast<int>(n.shape.size()), "joins along no axis of its own");
    need(n.operands.size() >= 2 && n.operands.size() == n.segments.size(), "has not one size per operand");
    Sym total(0);
    for (const Sym& s : n.segments) {
      size(s, "a segment's size is not a host integer");
      total = total + s;
    }
    need(total == n.shape[static_cast<std::size_t>(n.axis)], "its segments do not sum to its axis");
    for (const Operand& o : n.operands) {
      need(type_of(o) == n.type, "joins unlike types");
      const Node& of = g_[o.node];
      need(o.index.size() == of.shape.size(), "an operand's index has not one expression per axis");
      for (const Sym& e : o.index) {
        need(e.type() == SymType::Integer, "an index is not an integer");
        leaves(e, static_cast<std::int64_t>(n.shape.size()), 0);
        symbols(e);
      }
    }
  }

  void output(std::size_t o) {
    id_ = g_.size();
    const TensorView& v = f_.outputs[o].value;
    if (v.node < 0 || v.node >= g_.size()) fail("output " + std::to_string(o) + " is no node");
    if (v.type != g_[v.node].type) fail("output " + std::to_string(o) + " has another type than its node");
    for (const Sym& s : v.shape) size(s, "the size of an output is not a host integer");
    index({v.node, v.index}, v.shape);
    for (int input : v.dtype.inputs)
      need(input >= 0 && input < static_cast<int>(f_.tensors.size()), "an output's dtype names no parameter");
  }

  void parameters() const {
    for (const TensorParam& p : f_.tensors) {
      need(p.may_broadcast.size() == p.shape.size(),
           "a parameter does not say of each axis whether it may broadcast");
      for (const Sym& s : p.shape) size(s, "the size of a parameter is not a host integer");
    }
    for (const Check& c : f_.checks) {
      need(c.condition.type() == SymType::Boolean, "a check is no condition");
      symbols(c.condition);
    }
  }

  const Function& f_;
  const Graph& g_;
  NodeId id_ = 0;
};

}  // namespace

void verify(const Function& f) { Verification(f).run(); }

}  // namespace flashlight::graph
