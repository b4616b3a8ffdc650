// SPDX-License-Identifier: Apache-2.0
// For tests of the Builder: programs in a few words, over tensors whose shapes are stated.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "graph/builder.h"

namespace flashlight::graph::build {

inline Sym size_symbol(int param, int axis) { return Sym::symbol({SymbolId::Size, param, axis}); }
inline Sym real_symbol(int k) { return Sym::symbol({SymbolId::Scalar, k, 0}, SymType::Real); }
inline Sym integer_symbol(int k) { return Sym::symbol({SymbolId::Scalar, k, 0}); }

// Parameters x: [n, m], y: [n, m], w: [m], ids: Int [n], mask: Bool [n, m]; scalars s: real, window: integer.
inline const Sym N = size_symbol(0, 0), M = size_symbol(0, 1);
constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

class Program {
 public:
  Program() : b(facts()) {
    const char* names[] = {"x", "y", "w", "ids", "mask"};
    for (int p = 0; p < 5; ++p) inputs.push_back(b.input(p, names[p], names[p]));
    b.scalar_param(0, SymType::Real, "s", "s");
    b.scalar_param(1, SymType::Integer, "window", "window");
  }
  static Facts facts() {
    Facts f;
    f.ranks = {{0, {true, 2}}, {1, {true, 2}}, {2, {true, 1}}, {3, {true, 1}}, {4, {true, 2}}};
    f.types = {{3, Type::Int}, {4, Type::Bool}};
    f.sizes = {{{SymbolId::Size, 1, 0}, N}, {{SymbolId::Size, 1, 1}, M}, {{SymbolId::Size, 2, 0}, M},
               {{SymbolId::Size, 3, 0}, N}, {{SymbolId::Size, 4, 0}, N}, {{SymbolId::Size, 4, 1}, M}};
    f.exact = {N.symbol_id(), M.symbol_id()};
    for (const auto& [id, size] : f.sizes) f.exact.insert(id);
    return f;
  }

  Builder b;
  std::vector<TensorView> inputs;
};

// A value of the program that is being built; operators broadcast.
struct V {
  TensorView view;
  inline static Builder* b = nullptr;

  static V whole(NodeId id, const Shape& shape) {
    V v{{id, identity_index(shape.size()), shape, false, b->node(id).type, {}}};
    for (std::size_t k = 0; k < shape.size(); ++k)
      if (shape[k].is_integer(1)) v.view.index[k] = Sym(0);
    return v;
  }
  Operand at(const std::vector<Sym>& axes) const { return seen_through({view.node, view.index}, axes); }
  // The axes of this view in an iteration over `shape`, aligned at the end.
  Operand within(const Shape& shape) const {
    std::vector<Sym> axes;
    for (std::size_t k = 0; k < view.shape.size(); ++k)
      axes.push_back(view.shape[k].is_integer(1)
                         ? Sym(0)
                         : Sym::axis(static_cast<int>(k + shape.size() - view.shape.size())));
    return at(axes);
  }
  // A view: axis k of this one is axes[k] over the axes of `shape`.
  V seen(const Shape& shape, const std::vector<Sym>& axes) const {
    V v = *this;
    v.view.index = at(axes).index;
    v.view.shape = shape;
    return v;
  }
  V t() const { return seen({view.shape[1], view.shape[0]}, {Sym::axis(1), Sym::axis(0)}); }
  V column() const { return seen({view.shape[0], Sym(1)}, {Sym::axis(0)}); }  // [n] as [n, 1]
};

inline V constant(const Sym& value, Type type = Type::Float) {
  return V::whole(V::b->scalar(value, type), {});
}
inline V constant(double value) { return constant(Sym(value)); }
inline V arange(const Sym& size) { return V::whole(V::b->iota(size), {size}); }

inline V map(Fn fn, const std::vector<V>& args) {
  Shape shape;
  for (const V& v : args)
    if (v.view.shape.size() > shape.size()) shape = v.view.shape;
  for (const V& v : args)
    for (std::size_t k = 0; k < v.view.shape.size(); ++k) {
      Sym& s = shape[k + shape.size() - v.view.shape.size()];
      if (s.is_integer(1)) s = v.view.shape[k];
    }
  std::vector<Operand> operands;
  for (const V& v : args) operands.push_back(v.within(shape));
  return V::whole(V::b->map(fn, shape, operands), shape);
}
// Over the last axis.
inline V reduce(ReduceKind kind, const V& v, bool keep = false) {
  Shape own(v.view.shape.begin(), v.view.shape.end() - 1);
  V out = V::whole(V::b->reduce(kind, own, {v.view.shape.back()}, {v.view.node, v.view.index}), own);
  if (!keep) return out;
  Shape kept = own;
  kept.push_back(Sym(1));
  return out.seen(kept, identity_index(own.size()));
}
inline V sum(const V& v, bool keep = false) { return reduce(ReduceKind::Sum, v, keep); }
inline V amax(const V& v, bool keep = false) { return reduce(ReduceKind::Max, v, keep); }

inline V operator+(const V& a, const V& b) { return map(Fn::Add, {a, b}); }
inline V operator*(const V& a, const V& b) { return map(Fn::Mul, {a, b}); }
inline V operator-(const V& a) { return map(Fn::Mul, {constant(Sym(-1), Type::Int), a}); }
inline V operator-(const V& a, const V& b) { return map(Fn::Add, {a, -b}); }
inline V power(const V& a, double e) { return map(Fn::Pow, {a, constant(e)}); }
inline V operator/(const V& a, const V& b) { return a * power(b, -1); }
inline V operator+(const V& a, double b) { return a + constant(b); }
inline V operator*(const V& a, double b) { return a * constant(b); }
inline V operator/(const V& a, double b) { return a / constant(b); }
inline V operator-(const V& a, double b) { return a + constant(-b); }
inline V operator<(const V& a, const V& b) { return map(Fn::Lt, {a, b}); }
inline V operator<=(const V& a, const V& b) { return map(Fn::Le, {a, b}); }
inline V operator>(const V& a, const V& b) { return map(Fn::Lt, {b, a}); }
inline V operator>=(const V& a, const V& b) { return map(Fn::Le, {b, a}); }
inline V operator==(const V& a, const V& b) { return map(Fn::Eq, {a, b}); }
inline V operator!=(const V& a, const V& b) { return map(Fn::Ne, {a, b}); }
inline V operator&(const V& a, const V& b) { return map(Fn::And, {a, b}); }
inline V operator|(const V& a, const V& b) { return map(Fn::Or, {a, b}); }
inline V operator!(const V& a) { return map(Fn::Not, {a}); }
inline V where(const V& c, const V& a, const V& b) { return map(Fn::Where, {c, a, b}); }
inline V where(const V& c, const V& a, double b) { return where(c, a, constant(b)); }
inline V where(const V& c, double a, const V& b) { return where(c, constant(a), b); }
inline V where(const V& c, double a, double b) { return where(c, constant(a), constant(b)); }
inline V exp(const V& a) { return map(Fn::Exp, {a}); }
inline V to_float(const V& a) { return map(Fn::ToFloat, {a}); }
inline V integer(long v) { return constant(Sym(v), Type::Int); }

struct Inputs {
  V x, y, w, ids, mask;
  V i, j;  // positions: i of rows as [n, 1], j of columns as [m]
};
using Body = std::function<V(const Inputs&)>;

inline Function built(const Body& body) {
  Program p;
  V::b = &p.b;
  const Inputs in{{p.inputs[0]}, {p.inputs[1]},      {p.inputs[2]}, {p.inputs[3]},
                  {p.inputs[4]}, arange(N).column(), arange(M)};
  const V out = body(in);
  return p.b.finish("f", {{out.view, ""}});
}
// The function again, node by node through another Builder.
inline Function rebuilt(const Function& f) {
  Builder b(f);
  std::vector<NodeId> at;
  for (NodeId id = 0; id < f.graph.size(); ++id) {
    Node n = f.graph[id];
    for (Operand& o : n.operands) o.node = at[static_cast<std::size_t>(o.node)];
    at.push_back(b.add(n));
  }
  std::vector<Output> outputs = f.outputs;
  for (Output& o : outputs) o.value.node = at[static_cast<std::size_t>(o.value.node)];
  return b.finish(f.name, outputs);
}
inline std::string text_of(const Body& body) { return to_string(built(body)); }

}  // namespace flashlight::graph::build
