// SPDX-License-Identifier: Apache-2.0
// Functions made anew, so that what takes the place of a node is normalised like everything else.
#pragma once
#include <functional>

#include "graph/builder.h"

namespace flashlight::graph {

// Makes a function from another one, node by node.
class Rebuild {
 public:
  explicit Rebuild(const Function& f)
      : f_(f), builder_(f), place_(static_cast<std::size_t>(f.graph.size())) {}

  // What is to stand for a node, over its axes; nothing where the node is kept. Its operands are there
  // already: the new value may be made of any of them by `moved` and `builder`.
  using Replacement = std::function<std::optional<Operand>(NodeId)>;
  // The function with these outputs, which are on nodes of the old one. Sources and labels are kept.
  Function run(
      std::vector<Output> outputs, const Replacement& replacement = [](NodeId) { return std::nullopt; });

  // The same in two parts, between which nodes may be added: those of the old graph, then a function of some
  // of the new ones.
  void copy(const Replacement& replacement = [](NodeId) { return std::nullopt; });
  Function finish(std::vector<Output> outputs) { return builder_.finish(f_.name, std::move(outputs)); }

  // An operand on nodes of the old graph, on nodes of the new one.
  Operand moved(const Operand&) const;
  // A node of the old graph, changed or not, with its operands moved.
  Operand kept(Node);
  Builder& builder() { return builder_; }

 private:
  const Function& f_;
  Builder builder_;
  std::vector<Operand> place_;  // of each old node
};

}  // namespace flashlight::graph
