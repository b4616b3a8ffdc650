// SPDX-License-Identifier: Apache-2.0
// Finds the matrix products of a function that a library makes better than a kernel of attention would:
// projections.
#pragma once
#include <set>

#include "fusion/access.h"
#include "graph/function.h"

namespace flashlight::fusion {

// C[.., m, n] = sum_k left * right. Factors are values over the product's iteration axes: the node's own,
// then the reduced ones, of sizes `extents`. A reduced axis that factors read in two parts, k / D and k % D,
// stands there as two axes, so that what is flattened in the program (the heads' results) is not flattened
// here.
struct MatrixProduct {
  graph::NodeId node = -1;
  std::vector<Access> left, right;
  graph::Shape extents;
  std::vector<int>
      order;  // the node's axes as they are stored: batches, rows, and the columns that the weight has
  // What multiplies the product wherever it is used and varies with one side's rows only: it stands among
  // that side's factors too, so that `node` times these (over the node's own axes) is what the product
  // computes. Rules take such factors, the statistic of a norm, out of the sum; a kernel before writes them
  // into its operand once.
  std::vector<graph::Operand> taken_back;
};

// All of them, operands before users. Neither scores nor what is summed with weights made of scores is among
// them: a contraction is one of scores where a reduction along one side's axis, with the other side's still
// free, holds it inside of a function that is not linear, beside values with columns; or linearly, where
// neither side is a weight. A weight is made of tensors without reductions that share no axis with the other
// side but one that may broadcast.
std::vector<MatrixProduct> find_products(const graph::Function& function, Dependence& dependence);

// The scores of the attentions in it.
std::set<graph::NodeId> find_scores(const graph::Function& function, Dependence& dependence);

// A reduction along keys, of what scores are made into. Where it is one over other axes as well, as a sum
// over the heads of weighted sums over the keys is, that along its reduced axis `keys` alone.
struct Attended {
  graph::NodeId node = -1;
  int keys = -1;
};

// Those that something else than such a reduction reads: what an attention leaves. Where a result is one
// itself, those over several axes that it is made of.
std::vector<Attended> attended_values(const graph::Function& function, Dependence& dependence);

// Whether the node is a sum of products, over more than a handful of elements, of two sides that each have an
// axis of their own.
bool is_matrix_product(const graph::Function& function, Dependence& dependence, graph::NodeId node);

}  // namespace flashlight::fusion
