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

// What reading a function has taught about its parameters. Reading repeats with a larger Facts until nothing
// new is learned; ranks and types only grow, and sizes grow between two changes of a rank, so it ends.
struct Facts {
  struct Rank {
    bool known = false;  // the rank is exactly `axes`; else the batch pack and `axes` trailing axes
    int axes = 0;
    bool named =
        false;  // the program names axes by it; else it is that of what the parameter broadcasts against
    bool guessed = false;  // a view as a vector said no more: a dim beyond it, or another rank, overrules it
    auto operator<=>(const Rank&) const = default;
  };
  std::map<int, Rank> ranks;      // by tensor parameter; default: pack + 0
  std::map<int, Type> types;      // by tensor parameter; default: Float
  std::map<SymbolId, Sym> sizes;  // size symbol := canonical size
  std::set<SymbolId> exact;  // sizes the program reads or contracts over: size 1 does not broadcast there
  std::set<SymbolId> loose;  // axes that broadcast against several others: 1, or the size of each
  bool operator==(const Facts&) const = default;
  void merge(const Facts& learned);
};

// Thrown when lowering cannot go on with the facts at hand; `facts` is strictly larger in ranks or types.
// Facts on sizes start anew with a rank, since a size symbol counts axes from the front; those of an
// unfinished reading are dropped, so that `exact` is first learned while every parameter still has size
// symbols of its own.
struct NeedFacts {
  Facts facts;
};

// Thrown where a dim counts from the front of a parameter of unknown rank, which has `least` axes or more. A
// reader may try the ranks from there and keep the one that makes sense; the facts carried have the usual
// one.
struct NeedRank : NeedFacts {
  int param = 0, least = 0;
  std::string name;     // as the program may write it in assume()
  bool places = false;  // the dim places a new axis: unsqueeze(0)
};

// What a reading says about the ranks it was given: signs that another was meant.
struct RankSigns {
  int odd = 0;               // parameters that are indexed by fewer indices than they have dims
  int unusual = 0;           // axes by which views that broadcast together miss the common rank
  int unusual_operands = 0;  // axes by which operands of matrix products miss the usual number
  std::set<int> multiplied;  // parameters that are operands of a matrix product as they are
};

class Builder {
 public:
  explicit Builder(Facts facts) : facts_(std::move(facts)) {}
  // For rewriting: the parameters, checks and remarks of a function, and no nodes yet.
  explicit Builder(const Function&);

  const Facts& facts() const { return facts_; }
  // Facts learned during this reading (equalities of sizes); merged before the next one.
  const Facts& learned() const { return learned_; }
  [[noreturn]] void need_rank(int param, Facts::Rank);
  [[noreturn]] void choose_rank(int param, int least, int usual, bool places);
  RankSigns& signs() { return signs_; }
  [[noreturn]] void need_type(int param, Type);
  // Makes two sizes equal: proven, learned (one is a symbol), or checked at launch. Returns the common size.
  Sym unify(const Sym& a, const Sym& b, const std::string& what);
  // As unify, for a broadcast: constant 1 yields the other size, a parameter's axis may be 1 at launch.
  Sym unify_broadcast(const Sym& a, const Sym& b, const std::string& what);
  // A parameter as it is broadcasts its axis `size` against `others` in one op. Where two ops bring sizes
  // that nothing else makes equal, the axis becomes loose.
  void meets(const Sym& size, const Shape& others);
  // Axes that became loose in this reading; sizes are learned anew with them.
  std::set<SymbolId> loosened() const;
  // The program reads these sizes: a parameter's size 1 does not stand for a larger one. Sizes that become
  // values, are unified or reduced over are marked by the Builder itself.
  void exact(const Sym& size);
  // The program sums over these sizes, or makes them equal to others: exact, unless the size is that of a
  // broadcast, of which any axis may be the larger one.
  void contracted(const Sym& size);
  // The size as everything learned so far writes it.
  Sym canonical(const Sym& size) const;
  void check(Sym condition, std::string text);
  void assume(const Sym& condition);  // the program's assume(): a fact and a launch check

  // A message about sizes, in the program's terms.
  std::string named(const std::string& text) const { return with_names(function_, text); }
  void at(SourceRange where) { where_ = std::move(where); }
  void label(NodeId, const std::string& name);  // the first label stays

  // Declares tensor parameter `param` and returns it as the program sees it.
  TensorView input(int param, const std::string& name, const std::string& access);
  // The program converts the parameter's values to this storage type.
  void convert_param(int param, const DTypeRule& to);
  // The program uses the parameter as conditions, which only kBool is, or as a kBool's numbers.
  void need_conditions(int param) { function_.tensors[static_cast<std::size_t>(param)].truth_only = false; }
  // Values whose storage type follows this rule do not fit `type`.
  void too_narrow(const DTypeRule& rule, DType type);
  Sym scalar_param(int param, SymType, const std::string& name, const std::string& access);

  // Nodes; each normalises (flattening, sorting, constant folding, where/-inf forms) and hash-conses. The
  // caller gives the operands indexed for `shape` (and `reduced`); the node returned has exactly that shape.
  // Where the normal form has fewer axes or another order, or is a view of an existing node, that is a *copy*
  // (a Map(Add) of one operand): users look through it, and finish() leaves none.
  NodeId scalar(const Sym&, Type);
  NodeId iota(const Sym& size);
  NodeId map(Fn, const Shape&, std::vector<Operand>);
  NodeId reduce(ReduceKind, const Shape&, const Shape& reduced, Operand);
  NodeId gather(const Shape&, Operand table, std::vector<Operand> indices);  // table.index holds Datum(1..)
  NodeId scan(const Shape&, int axis, Operand);
  // Operand s has its own index, already shifted by its offset. `sizes` along the axis, one per operand, may
  // be left out where the operands' nodes tell them (no operand is a part of a node or lacks the axis, at
  // most one aside).
  NodeId segment(const Shape&, int axis, std::vector<Operand>, Shape sizes = {});
  // Sort or Order of `length` elements, as many of them as the last axis of the shape has. The operand is
  // indexed for the other axes of the shape, that one, which it does not read, and the elements.
  NodeId order(Op, const Shape&, const Sym& length, bool descending, Operand);

  // Adds a node whose operands are nodes of this Builder, as the function above that makes its kind; an Input
  // as it is.
  NodeId add(const Node&);
  const Node& node(NodeId id) const { return graph_.nodes_[static_cast<std::size_t>(id)]; }
  bool is_copy(NodeId) const;
  // The same value without copies, its index simplified for iteration axes of these extents.
  Operand resolve(const Operand&, const Shape& extents);
  // Reads each axis of its node in its place, over exactly this shape.
  bool is_identity(const Operand&, const Shape&) const;
  // A deterministic order of node contents that does not depend on when nodes were made.
  std::strong_ordering compare(NodeId, NodeId) const;

  // The finished function: nodes that the outputs need, numbered from the outputs in depth-first order, so
  // that equal programs have equal Graphs. The Builder is spent.
  Function finish(std::string name, std::vector<Output> outputs);

 private:
  friend class NormalForm;
  NodeId intern(Node);
  NodeId node_for(const Operand&, const Shape&, Type);
  Facts with_rank(int param, Facts::Rank) const;
  bool is_loose(const Sym& size) const;
  void learn(SymbolId, const Sym& size);
  bool unify_symbols(const Sym& a, const Sym& b);
  void add_check(Sym condition, std::string text);
  Shape segment_sizes(const Shape&, int axis, const std::vector<Operand>&) const;

  Facts facts_, learned_;
  RankSigns signs_;
  struct Meeting {
    SymbolId axis;
    Shape others;
  };
  std::vector<Meeting> meetings_;
  std::set<SymbolId> broadcast_;  // sizes that stand for those of several axes, any of which may be 1
  std::vector<std::pair<SymbolId, SymbolId>> equal_;  // sizes that an op has made equal
  Graph graph_;
  Function function_;
  SourceRange where_;
  std::unordered_multimap<std::size_t, NodeId> table_;
  std::vector<int> map_size_;  // per node: the Maps that it is made of, counted once per use
};

}  // namespace flashlight::graph
