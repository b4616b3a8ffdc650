// SPDX-License-Identifier: Apache-2.0
// One translated function: its parameters, its Graph, its results, and what must hold at launch.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace flashlight::graph {

// Storage types, numbered as in the runtime.
enum class DType : int { Float16, BFloat16, Float32, Float64, Int8, UInt8, Int32, Int64, Bool };

// The storage type of a result, known at launch: the promotion of the listed parameters' types and a constant
// one.
struct DTypeRule {
  std::vector<int> inputs;        // tensor parameters, sorted
  std::optional<DType> constant;  // joins the promotion
  bool operator==(const DTypeRule&) const = default;
};

// A tensor value as the program sees it: a node seen through an index map. Views change `index` and `shape`
// only. With `pack`, axis 0 is the batch pack: leading axes of unknown number, never touched by a view other
// than as a whole.
struct TensorView {
  NodeId node = -1;
  std::vector<Sym> index;  // one per axis of the node, over the axes of this view
  Shape shape;
  bool pack = false;
  Type type = Type::Float;
  DTypeRule dtype;
};

struct TensorParam {
  std::string name;                 // for messages and the emitted text: q
  std::string access;               // C++ expression in the function's scope: q, in.q, *mask
  bool pack = false;                // leading axes are the batch pack
  Shape shape;                      // sizes after unification; axis 0 is the pack if `pack`
  std::vector<bool> may_broadcast;  // per axis: size 1 at launch is read with stride 0
  Type type = Type::Float;          // category inferred from use
  bool may_lack_axes = false;       // leading axes that may broadcast may be missing
  bool truth_only = true;  // a Bool of which nothing is used but whether it is 0: any numbers will do
  // The storage types that the program explicitly converts it to; the conversions themselves are no nodes.
  std::vector<DTypeRule> conversions;
};

struct ScalarParam {
  std::string name, access;
  SymType type = SymType::Real;
};

struct Check {  // must hold at launch; `text` completes the message
  Sym condition;
  std::string text;
  SourceRange source;
};

// A promoted storage type that the program's values do not fit; what parameters are stored in is known at
// launch.
struct TooNarrow {
  DTypeRule rule;
  DType type = DType::Int8;
  SourceRange source;
};

struct Output {
  TensorView value;
  std::string path;  // position in the result: "" for a single Tensor, else ".first", "[1]", ...
};

struct Function {
  std::string name;
  std::vector<TensorParam> tensors;
  std::vector<ScalarParam> scalars;
  std::vector<Output> outputs;
  std::vector<Check> checks;
  std::vector<TooNarrow> too_narrow;
  std::vector<std::string> numerics;  // remarks on rounding that was dropped or moved
  Graph graph;
};

// Prints the Graph reachable from the outputs in index notation, one node a line; names only here.
std::string to_string(const Function&);
// A message with sizes and scalars as the program calls them: q.size(-1) for size(0,2).
std::string with_names(const Function&, std::string text);
// Throws std::logic_error naming the node that breaks an invariant of graph.h (operand order, index arity,
// types, bounds of axes).
void verify(const Function&);

}  // namespace flashlight::graph
