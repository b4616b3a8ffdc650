// SPDX-License-Identifier: Apache-2.0
// Builds a Graph: hash-consing and the normal forms that make equal programs equal graphs.
#pragma once
#include <set>
#include <stdexcept>
#include <unordered_map>

#include "graph/function.h"

namespace flashlight::graph {

// A program error or a limit of the translator, found while lowering; the frontend adds the place.
struct LoweringError : std::runtime_error {
  LoweringError(std::string id_, const std::string& text, std::string hint_ = {})
      : std::runtime_error(text), id(std::move(id_)), hint(std::move(hint_)) {}
  std::string id;    // stable: "shape-mismatch", "unsupported-op", ...
  std::string hint;  // how to change the program; may be empty
};

// What reading a function has taught about its parameters. Reading repeats with a larger Facts until nothing new is learned;
// facts only grow, so it ends.
struct Facts {
  struct Rank {
    bool known = false;  // the rank is exactly `axes`; else the batch pack and `axes` trailing axes
    int axes = 0;
    auto operator<=>(const Rank&) const = default;
  };
  std::map<int, Rank> ranks;            // by tensor parameter; default: pack + 0
  std::map<int, Type> types;            // by tensor parameter; default: Float
  std::map<SymbolId, Sym> sizes;        // size symbol := canonical size
  std::set<SymbolId> exact;             // sizes the program reads or contracts over: size 1 does not broadcast there
  bool operator==(const Facts&) const = default;
};

// Thrown when lowering cannot go on with the facts at hand; `facts` is strictly larger.
struct NeedFacts {
  Facts facts;
};

class Builder {
 public:
  explicit Builder(Facts facts) : facts_(std::move(facts)) {}

  const Facts& facts() const { return facts_; }
  // Facts learned during this reading (equalities of sizes); merged before the next one.
  const Facts& learned() const { return learned_; }
  [[noreturn]] void need_rank(int param, Facts::Rank);
  [[noreturn]] void need_type(int param, Type);
  // Makes two sizes equal: proven, learned (one is a symbol), or checked at launch. Returns the common size.
  Sym unify(const Sym& a, const Sym& b, const std::string& what);
  // As unify, for a broadcast: constant 1 yields the other size, a parameter's axis may be 1 at launch.
  Sym unify_broadcast(const Sym& a, const Sym& b, const std::string& what);
  void check(Sym condition, std::string text);
  void assume(const Sym& condition);  // the program's assume(): a fact and a launch check

  void at(SourceRange where) { where_ = std::move(where); }
  void label(NodeId, const std::string& name);  // the first label stays

  // Declares tensor parameter `param` and returns it as the program sees it.
  TensorView input(int param, const std::string& name, const std::string& access);
  Sym scalar_param(int param, SymType, const std::string& name, const std::string& access);

  // Nodes; each normalises (flattening, sorting, constant folding, where/-inf forms) and hash-conses.
  NodeId scalar(const Sym&, Type);
  NodeId iota(const Sym& size);
  NodeId map(Fn, const Shape&, std::vector<Operand>);
  NodeId reduce(ReduceKind, const Shape&, const Shape& reduced, Operand);
  NodeId gather(const Shape&, Operand table, std::vector<Operand> indices);  // table.index holds Datum(1..)
  NodeId scan(const Shape&, int axis, Operand);
  NodeId segment(const Shape&, int axis, std::vector<Operand>);  // operand s has its own index, already shifted by its offset
  NodeId opaque(const std::string& name, Type, const Shape&, std::vector<Operand>);

  const Node& node(NodeId id) const { return graph_.nodes_[id]; }
  // The finished function; the Builder is spent.
  Function finish(std::string name, std::vector<Output> outputs);

 private:
  NodeId intern(Node);
  Facts facts_, learned_;
  Graph graph_;
  Function function_;
  SourceRange where_;
  std::unordered_multimap<std::size_t, NodeId> table_;
};

}  // namespace flashlight::graph
