// SPDX-License-Identifier: Apache-2.0
// Graph values at a point of the loops, as C++ expressions of device code; and what they need from the
// launcher.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "emit/text.h"
#include "fusion/local.h"
#include "kernel/program.h"

namespace flashlight::emit {

// What the kernel's parameter struct holds: tensors and host scalars, in order of first use.
class Parameters {
 public:
  Parameters(const graph::Function& function, const fusion::KernelPlan& plan)
      : function_(function), plan_(plan) {}

  // The field of a tensor parameter ("q"), registered on first use.
  std::string tensor(int input);
  // The field that holds a host value: n<k> (int) or c<k> (float).
  std::string scalar(const graph::Sym& value);

  // A host value that integers are divided by in the kernel: the launcher refuses 0, as the eager program
  // does.
  void divides(const graph::Sym& value);
  const std::vector<graph::Sym>& divisors() const { return divisors_; }

  // In order of declaration.
  const std::set<int>& tensors() const { return tensors_; }
  const std::vector<std::pair<graph::Sym, std::string>>& scalars() const { return scalars_; }
  std::string tensor_field(int input) const;

 private:
  const graph::Function& function_;
  const fusion::KernelPlan& plan_;
  std::set<int> tensors_;
  std::vector<std::pair<graph::Sym, std::string>> scalars_;
  std::vector<graph::Sym> divisors_;
};

// What the rows of a tile are called: the first of them, and where they are the queries of several heads, how
// many those are.
struct RowNames {
  std::string first = "row0", group = {};
};

// Prints Graph nodes at indices over the plan's loops. Loop variables: `i` (row), `j` (stream), `b<k>` (other
// batch loops), `c` (output column), `d` (feature); the pack is `pack`, a PackIndex.
class PointPrinter {
 public:
  PointPrinter(const graph::Function& function, const fusion::KernelPlan& plan, Parameters& parameters)
      : function_(function), plan_(plan), parameters_(parameters), dependence_(function.graph) {}

  Code value(graph::NodeId node, const fusion::Index& index);
  // An index expression; `long long` where captured data enters it.
  Code index(const graph::Sym& e, const std::vector<Code>& data = {});
  // An element of a tensor parameter as it is stored, and what it is worth, from the name that its load has
  // got.
  std::string load_raw(const fusion::Access& access);
  Code worth(const fusion::Access& access, const std::string& name);
  // "p.q.offset(pack, b1, i, d)": the element offset of a tensor parameter.
  std::string offset(int input, const fusion::Index& index, const std::vector<Code>& data = {});
  std::string loop_name(int loop) const;
  // How many loops have been printed so far: where it grows, a value takes one.
  int loops() const { return loops_; }
  RowNames rows();

  // Additions of floats are rounded for themselves: values are computed in two places and must be equal.
  bool rounds_sums = false;

  // Values that have a variable, reductions above all; printed by its name.
  std::map<fusion::Access, Code> known;
  // Tensors whose rows are at hand in shared memory: what to print for one read at `index`; nothing where it
  // is not.
  std::function<std::optional<std::string>(int input, const fusion::Index& index)> staged;

  // Who computes the reductions that are declared: the four lanes of a quad that stand at one row, or a warp
  // ("warp_").
  std::string together = "quad_";
  // Declarations of the reductions inside values, each computed by those lanes together, and known from then
  // on until forget(). `except`: reductions that vary with this loop stay where they are.
  std::vector<std::string> declare_reductions(const std::vector<fusion::Access>& values, int except = -1);
  void forget() { known.clear(); }

 private:
  Code map(const graph::Node& node, const fusion::Index& index);
  Code multiply(const graph::Node& node, std::vector<Code> factors, CType type);
  Code power(const graph::Node& node, const std::vector<Code>& args);
  Code reduce(const graph::Node& node, const fusion::Index& index, bool jointly);
  Code segment(const graph::Node& node, const fusion::Index& index);
  Code load(const graph::Node& node, const fusion::Index& index, const std::vector<Code>& data);
  const graph::Function& function_;
  const fusion::KernelPlan& plan_;
  Parameters& parameters_;
  fusion::Dependence dependence_;
  int bound_ = fusion::kFirstBound;  // the next loop that a reduction binds
  int reductions_ = 0, loops_ = 0;
  bool in_step_ = false;  // inside the argument of a function that jumps
};

}  // namespace flashlight::emit
