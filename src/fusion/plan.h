// SPDX-License-Identifier: Apache-2.0
// What is fused and how: loops with roles, a row program, and the sweeps the algebra derived from it.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fusion/algebra/expr.h"
#include "fusion/algebra/sweep.h"
#include "graph/function.h"

namespace flashlight::fusion {

// A loop of the kernel. Loop numbers are the k of Sym::axis(k) in every index below.
enum class Role : std::uint8_t {
  Batch,    // one CTA each (pack, heads, ...)
  Row,      // i: tiled by M
  Stream,   // j: swept in tiles of N
  Column,   // dv: only results have it
  Feature,  // d: reduced inside a score contraction
  Packed,   // a head of a group that shares keys, among the rows: see KernelPlan::Packing
};
struct Loop {
  Role role = Role::Batch;
  graph::Sym size;
  bool pack = false;
};

// A value of the row program that the algebra takes as given: a Graph node at a point of the loops.
struct Leaf {
  enum Kind : std::uint8_t {
    Point,        // computed point by point from inputs, iotas and scalars
    Composite,    // see KernelPlan::made_of
    Fold,         // see KernelPlan::folds
    Contraction,  // a sum over one feature loop of a product: factors over (row, feature) times factors over
                  // (key, feature)
  } kind = Point;
  graph::NodeId node = -1;
  std::vector<graph::Sym> index;  // over the loops
  int feature = -1;               // Contraction: the feature loop
  // Contraction: the product's factors as Graph operands over the loops, by side; what depends on neither
  // side is in `left`.
  std::vector<graph::Operand> left, right;
  unsigned loops = 0;  // bit k: varies with loop k
};

// One output of the kernel: its value is `sweeps.back().fixups[...]`, stored at these loops.
struct Result {
  int output = 0;               // index into Function::outputs
  std::vector<int> axis_loops;  // for each axis of the output's shape: its loop
};

// A reduction over the columns of a value that the last sweep leaves: the norm of a result's row. The laws
// take its leaf as a number of the row.
struct Fold {
  algebra::Expr leaf;
  graph::ReduceKind kind = graph::ReduceKind::Sum;
  int columns = -1;  // the column loop it reduces
};

struct KernelPlan {
  // Rows of a tile are (i, g), row i * group + g: head g of the `group` ones that share keys is head `heads`
  // * group + g of the tensors, where `heads`, as a loop, counts the groups. A result's axis along `heads` is
  // that of all heads.
  struct Packing {
    int heads = -1, inner = -1;  // loops
    graph::Sym group;
  };

  std::vector<Loop> loops;
  int row = -1, stream = -1;  // loop numbers
  std::vector<Leaf> leaves;   // by leaf id of the arena
  int reserved = 0;           // ids behind them that stand for other things in the arena
  std::optional<Packing> packing;
  std::shared_ptr<algebra::Arena> arena;
  // Composite leaves, which the laws take as one value, by what they are made of.
  std::map<algebra::Expr, algebra::Expr> made_of;
  std::vector<algebra::Sweep> sweeps;
  std::vector<Result> results;  // in the order of the last sweep's targets
  std::vector<Fold>
      folds;  // the targets behind them: what each fold reduces; later ones may read earlier ones
  bool strict_nan = false;                              // as it was asked for: see PlanOptions
  std::string explanation;                              // references, states and fix-ups in words
  std::map<algebra::Expr, graph::SourceRange> sources;  // where expressions of the row program come from
};

// The place of an expression, or of the first part of it that has one; line 0 where none has.
graph::SourceRange source_of(const KernelPlan&, algebra::Expr);

enum class Status : std::uint8_t { Fused, Partial, Unfused };

// Why a function, or a part of it, was left alone.
struct Reason {
  std::string id;    // stable, e.g. inseparable-log, no-attention, opaque
  std::string text;  // names the expression
  std::string hint;
  graph::SourceRange where;
};

// How a step sees the tensor that it writes to: as a view of it. Axes are told by the number of those behind
// them, since the batch pack in front may be several.
struct Reshaping {
  enum Kind : std::uint8_t {
    Merge,  // `count` axes, the last of which is meant, are one
    Split,  // the axis is two, of sizes `first` and `second`
    One,    // an axis of size 1 stands in front of those behind
    Part,   // only `second` elements of the axis, from `first` on
  } kind = Merge;
  int behind = 0;
  int count = 0;
  graph::Sym first = {}, second = {};
};

// Where an output of a step goes: to that result of the function, or to an intermediate, which later steps
// read as the tensor parameter of that number; seen as the views say, one after the other.
struct Target {
  bool intermediate = false;
  int number = 0;
  std::vector<Reshaping> views = {};
  // The step writes a part of the result, others the rest.
  bool is_part() const;
};

// What a product or a step over rows reads: a tensor parameter, at `index` over the step's axes, in which it
// is affine.
struct ProductSide {
  int tensor = -1;
  std::vector<graph::Sym> index;
};

// result[axes of the output] = sum over the others of left * right, of plain tensors.
struct ProductPlan {
  graph::Shape extents;            // the output's axes, then those summed over
  std::vector<graph::Sym> result;  // where the output's tensor has its element, over these axes
  ProductSide left, right;
};

// Rows of a tensor as a whole. Of an order, the first `count` elements: the step's outputs are Sort and Order
// nodes, elements or where they stand in the row. Of a running sum all: the output is a Scan node.
struct RowsPlan {
  graph::Shape extents;  // the axes that tell rows apart, then the elements of a row
  ProductSide source;    // over these
  graph::Sym count;
  bool descending = false;
  std::vector<std::vector<int>>
      places;  // by output: which axis of its tensor each of these is; -1: none, of one element
};

enum class StepKind : std::uint8_t {
  Kernel,   // fused: sweeps over keys, derived by algebra
  Product,  // a matrix product, made by a library
  Order,    // rows brought into order: a kernel of the library, since no law makes it tile by tile
  Group,    // maps and small reductions, element by element: a generated kernel without a sweep
  Scan,  // running sums along rows of what is no score: a kernel of the library, made once and not in every
         // CTA
};

// `function` is what the step computes: its outputs are the step's, its tensor parameters those of the whole
// function and then all intermediates.
struct Step {
  StepKind kind = StepKind::Kernel;
  std::shared_ptr<const graph::Function> function;
  KernelPlan plan;  // of a Kernel; of a Group the loops
  ProductPlan product = {};
  RowsPlan rows = {};                // of an Order and a Scan
  std::vector<Target> targets = {};  // of each output
};

// Fused: all of the function runs in fused kernels. Partial: all of it runs on the device, not all in such
// kernels.
struct FusionPlan {
  Status status = Status::Unfused;
  std::vector<Step> steps;       // in the order in which they run
  std::optional<Reason> reason;  // unless Fused; of a partial one, why it is not one kernel
};

struct PlanOptions {
  int max_sweeps = 4;
  bool strict_nan = false;  // rows without keys keep the eager program's NaN; otherwise they give 0
  // What later stages say to a kernel: throws Refused where they cannot make it, and the function is taken
  // apart otherwise.
  std::function<void(const graph::Function&, const KernelPlan&)> accept = [](const graph::Function&,
                                                                             const KernelPlan&) {};
};

// The function as one kernel. Throws Refused (roles.h).
KernelPlan plan_kernel(const graph::Function&, const PlanOptions& = {});

// Partitions a function into fused kernels; where that cannot be, into these, matrix products, orders and
// groups of what is left, if there is attention in it (partition.cpp). Never throws for a program it cannot
// fuse: the reason is in the result.
FusionPlan plan_fusion(const graph::Function&, const PlanOptions& = {});

std::string to_string(const FusionPlan&, const graph::Function&);

}  // namespace flashlight::fusion
