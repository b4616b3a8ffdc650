// SPDX-License-Identifier: Apache-2.0
// Parts of a function as functions of their own, and the tensors by which one hands values to another.
#pragma once
#include <map>

#include "fusion/plan.h"
#include "graph/rebuild.h"

namespace flashlight::fusion {

// A function to be computed by one step or several.
struct Piece {
  graph::Function function;
  std::vector<Target> targets;
};

// A node that is read from a tensor. The tensor holds it times `factors`, values over the node's axes that
// stand beside it wherever it is used.
struct Cut {
  int tensor = -1;
  std::vector<graph::Operand> factors = {};
  std::vector<int> order = {};  // of the node's axes in the tensor; empty: as view_of has them
};
using Cuts = std::map<graph::NodeId, Cut>;

bool is_pack(const graph::Sym& size);

// A node as a tensor, floats as float32: its axes in their order or in the given one, the batch pack in
// front.
graph::TensorView view_of(const graph::Graph& graph, graph::NodeId id, std::vector<int> order = {});

// A tensor as an operand over a node's axes, of which the view that it was stored by says where each stands.
graph::Operand read_from(graph::Builder& builder, const graph::TensorView& stored, int tensor);

// The function with other outputs, some of its nodes read from tensors. `ordered`: nodes that are so only
// where what an order has left is compared with them, or picks from them: computed again they would round
// otherwise than what was ordered.
graph::Function rebuilt(const graph::Function& f, std::vector<graph::Output> outputs, const Cuts& cuts,
                        const Cuts& ordered = {});

// The type in which the eager program would hold a value: the promotion of the floating tensors that it is
// made of.
graph::DTypeRule eager_type(const graph::Function& f, graph::NodeId node);

// The same for values of any category: integers and conditions are stored exactly.
graph::DTypeRule stored_type(const graph::Function& f, graph::NodeId node);

// Declares a tensor for the values of a view. Names are those of the program's variables where these have
// one.
graph::TensorParam tensor_for(const graph::TensorView& view, const std::string& name);

}  // namespace flashlight::fusion
