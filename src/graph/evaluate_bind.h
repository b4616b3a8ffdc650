// SPDX-License-Identifier: Apache-2.0
// Binds a Function to arrays: the values of its symbols, its inputs at their full shapes, its launch checks.
#pragma once
#include <map>

#include "graph/evaluate.h"

namespace flashlight::graph {

using Extents = std::vector<std::int64_t>;

std::int64_t count(const Extents&);
Extents strides_of(const Extents&);  // row-major, in elements

class Binding {
 public:
  Binding(const Function&, const std::vector<Array>& tensors, const std::vector<double>& scalars);

  double value(const Sym&) const;
  Extents extents(const Shape&) const;
  // The expression with every symbol replaced by its value.
  Sym bound(const Sym&) const;
  // Parameter t with all its broadcasts carried out, in the shape of its Input node.
  std::vector<double> input(int t) const;
  // Sizes of the leading axes that the pack stands for.
  const Extents& leading() const { return leading_; }

 private:
  void bind_pack();
  void bind_sizes();
  void bind_axis(int t, int k);
  void run_checks() const;
  // Shape of array t with missing leading axes as 1 and without the pack's axes.
  Extents own_extents(int t) const;
  Extents pack_extents(int t) const;

  const Function& function_;
  const std::vector<Array>& arrays_;
  std::map<SymbolId, double> values_;
  Extents leading_;
};

}  // namespace flashlight::graph
