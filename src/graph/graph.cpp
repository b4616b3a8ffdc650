// SPDX-License-Identifier: Apache-2.0
// Graph: names of its enumerations, and index maps.
#include "graph/graph.h"

#include <iterator>

namespace flashlight::graph {

Operand seen_through(const Operand& operand, const std::vector<Sym>& view) {
  Operand out = operand;
  for (Sym& e : out.index) e = substitute_axes(e, view);
  return out;
}

std::vector<Sym> identity_index(std::size_t rank) {
  std::vector<Sym> out;
  for (std::size_t k = 0; k < rank; ++k) out.push_back(Sym::axis(static_cast<int>(k)));
  return out;
}

Shape iteration_of(const Node& n) {
  Shape out = n.shape;
  out.insert(out.end(), n.reduced.begin(), n.reduced.end());
  return out;
}

bool jumps(Fn fn) {
  switch (fn) {
    case Fn::FloorDiv:
    case Fn::Mod:
    case Fn::Lt:
    case Fn::Le:
    case Fn::Eq:
    case Fn::Ne:
    case Fn::Sign:
    case Fn::Floor:
    case Fn::Ceil:
    case Fn::Round:
    case Fn::ToInt: return true;
    default: return false;
  }
}

Graph Graph::assemble(std::vector<Node> nodes) {
  Graph g;
  g.sources_.resize(nodes.size());
  g.labels_.resize(nodes.size());
  g.nodes_.assign(std::make_move_iterator(nodes.begin()), std::make_move_iterator(nodes.end()));
  return g;
}

const char* name_of(Op op) {
  switch (op) {
    case Op::Input: return "input";
    case Op::Scalar: return "scalar";
    case Op::Iota: return "iota";
    case Op::Map: return "map";
    case Op::Reduce: return "reduce";
    case Op::Gather: return "gather";
    case Op::Scan: return "scan";
    case Op::Segment: return "segment";
    case Op::Sort: return "sort";
    case Op::Order: return "order";
  }
  return "?";
}

const char* name_of(Fn fn) {
  switch (fn) {
    case Fn::Add: return "add";
    case Fn::Mul: return "mul";
    case Fn::Pow: return "pow";
    case Fn::Max: return "max";
    case Fn::Min: return "min";
    case Fn::FloorDiv: return "floordiv";
    case Fn::Mod: return "mod";
    case Fn::Lt: return "lt";
    case Fn::Le: return "le";
    case Fn::Eq: return "eq";
    case Fn::Ne: return "ne";
    case Fn::And: return "and";
    case Fn::Or: return "or";
    case Fn::Not: return "not";
    case Fn::Where: return "where";
    case Fn::Exp: return "exp";
    case Fn::Log: return "log";
    case Fn::Log1p: return "log1p";
    case Fn::Expm1: return "expm1";
    case Fn::Sin: return "sin";
    case Fn::Cos: return "cos";
    case Fn::Tanh: return "tanh";
    case Fn::Erf: return "erf";
    case Fn::Sigmoid: return "sigmoid";
    case Fn::Abs: return "abs";
    case Fn::Sign: return "sign";
    case Fn::Floor: return "floor";
    case Fn::Ceil: return "ceil";
    case Fn::Round: return "round";
    case Fn::IsNan: return "isnan";
    case Fn::IsInf: return "isinf";
    case Fn::ToFloat: return "float";
    case Fn::ToInt: return "int";
    case Fn::ToBool: return "bool";
  }
  return "?";
}

const char* name_of(ReduceKind kind) {
  switch (kind) {
    case ReduceKind::Sum: return "sum";
    case ReduceKind::Prod: return "prod";
    case ReduceKind::Max: return "max";
    case ReduceKind::Min: return "min";
    case ReduceKind::Any: return "any";
    case ReduceKind::All: return "all";
  }
  return "?";
}

const char* name_of(Type type) {
  switch (type) {
    case Type::Bool: return "bool";
    case Type::Int: return "int";
    case Type::Float: return "float";
  }
  return "?";
}

}  // namespace flashlight::graph
