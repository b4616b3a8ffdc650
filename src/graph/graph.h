// SPDX-License-Identifier: Apache-2.0
// The Graph: every tensor is a function of axes; every operand edge carries an index map. Views do not exist
// in it.
#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "graph/sym.h"

namespace flashlight::graph {

using NodeId = int;
using Shape = std::vector<Sym>;

// What a node's values are. Storage types are no concern of the Graph: float arithmetic is float32 in a fused
// region (rounding per op is dropped there), integers are exact.
enum class Type : std::uint8_t { Bool, Int, Float };

enum class Op : std::uint8_t {
  Input,    // a tensor parameter
  Scalar,   // a host value, rank 0
  Iota,     // rank 1: value = index
  Map,      // a scalar function, point by point
  Reduce,   // over trailing iteration axes; a contraction is Reduce(Sum) of a Map(Mul)
  Gather,   // operand 0 read at an index that contains Datum(k): the value of operand k
  Scan,     // inclusive running sum along one axis
  Segment,  // concatenation along one axis
  Sort,     // over one reduced axis: its elements in order, the first of them along the node's last axis
  Order,    // the same order: where these elements stand along the reduced axis
};

// Scalar functions of Map. Composite DSL ops (silu, sqrt, sigmoid's relatives, ...) are expanded where they
// are lowered.
enum class Fn : std::uint8_t {
  Add,
  Mul,  // n-ary, flattened, sorted; a - b is a + (-1)*b, a / b is a * b^-1
  Pow,  // x^y; sqrt is x^0.5, reciprocal x^-1
  Max,
  Min,  // binary, NaN-propagating; a chain is nested to the left
  FloorDiv,
  Mod,  // floor semantics for Int and Float
  Lt,
  Le,
  Eq,
  Ne,  // > and >= are swapped
  And,
  Or,  // n-ary, flattened, sorted
  Not,
  Where,  // (cond, a, b); a -inf branch always stands in b
  Exp,
  Log,
  Log1p,
  Expm1,
  Sin,
  Cos,
  Tanh,
  Erf,
  Sigmoid,
  Abs,
  Sign,
  Floor,
  Ceil,
  Round,
  IsNan,
  IsInf,
  ToFloat,
  ToInt,
  ToBool,  // conversions between categories (ToInt truncates, ToBool is x != 0)
};
enum class ReduceKind : std::uint8_t { Sum, Prod, Max, Min, Any, All };

// An edge: the operand's value at `index`, one expression per axis of the operand, over the iteration axes of
// the user (its own axes first, then the reduced ones). A broadcast axis has index 0.
struct Operand {
  NodeId node = -1;
  std::vector<Sym> index;
  bool operator==(const Operand&) const = default;
};
// The operand of a node that is itself seen through `view`: axis k of the operand's iteration space is
// view[k].
Operand seen_through(const Operand&, const std::vector<Sym>& view);
// axis(0), axis(1), ...: every axis of a node in its place.
std::vector<Sym> identity_index(std::size_t rank);

struct Node {
  Op op = Op::Scalar;
  Type type = Type::Float;
  Fn fn = Fn::Add;                      // Map
  ReduceKind reduce = ReduceKind::Sum;  // Reduce
  Shape shape;                          // own axes
  Shape reduced;   // Reduce, Sort, Order: sizes of the reduced axes, iteration axes shape.size()..
  Shape segments;  // Segment: sizes along `axis`, one per operand; they sum to shape[axis]
  std::vector<Operand> operands;
  Sym value;                // Scalar
  int input = -1;           // Input: which tensor parameter
  int axis = -1;            // Scan, Segment, Sort, Order
  bool descending = false;  // Sort, Order: equal elements keep their order, NaN counts as the largest
  bool operator==(const Node&) const = default;
};

// Where in the user's program a node came from; line 0: nowhere.
struct SourceRange {
  std::string file;
  unsigned line = 0, column = 0;
};

// Immutable once built, hash-consed: equal nodes have one id; operands precede users. The nodes of a Map,
// Reduce or Scan have only axes that some operand depends on (a Reduce's reduced axes and a Scan's own
// aside), in an order that the operands give: an axis that the program has beyond them is in the index map of
// the user, or of the output.
class Graph {
 public:
  Graph() = default;
  // Takes nodes as they are, normalised or not; verify() tells whether they are a Graph.
  static Graph assemble(std::vector<Node> nodes);

  const Node& operator[](NodeId id) const { return nodes_[id]; }
  int size() const { return static_cast<int>(nodes_.size()); }
  const SourceRange& source(NodeId id) const { return sources_[id]; }
  const std::string& label(NodeId id) const { return labels_[id]; }  // the user's variable name, may be empty

 private:
  friend class Builder;
  std::deque<Node> nodes_;  // references to nodes stay valid while others are added
  std::vector<SourceRange> sources_;
  std::vector<std::string> labels_;
};

inline bool is_order(const Node& n) { return n.op == Op::Sort || n.op == Op::Order; }

// Whether the function jumps where its argument is a whole number, or one equals the other.
bool jumps(Fn);

// Iteration axes of a node: its own, then the reduced ones.
Shape iteration_of(const Node&);

const char* name_of(Op);
const char* name_of(Fn);
const char* name_of(ReduceKind);
const char* name_of(Type);

}  // namespace flashlight::graph
