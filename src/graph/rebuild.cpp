// SPDX-License-Identifier: Apache-2.0
// See rebuild.h.
#include "graph/rebuild.h"

namespace flashlight::graph {

Operand Rebuild::moved(const Operand& o) const {
  return seen_through(place_[static_cast<std::size_t>(o.node)], o.index);
}

Operand Rebuild::kept(Node node) {
  for (Operand& o : node.operands) o = moved(o);
  return {builder_.add(node), identity_index(node.shape.size())};
}

void Rebuild::copy(const Replacement& replacement) {
  for (NodeId id = 0; id < f_.graph.size(); ++id) {
    builder_.at(f_.graph.source(id));
    const std::optional<Operand> other = replacement(id);
    Operand& at = place_[static_cast<std::size_t>(id)];
    at = other ? *other : kept(f_.graph[id]);
    if (const std::string& name = f_.graph.label(id); !name.empty()) builder_.label(at.node, name);
  }
}

Function Rebuild::run(std::vector<Output> outputs, const Replacement& replacement) {
  copy(replacement);
  for (Output& out : outputs) {
    const Operand value = moved({out.value.node, out.value.index});
    out.value.node = value.node;
    out.value.index = value.index;
  }
  return finish(std::move(outputs));
}

}  // namespace flashlight::graph
