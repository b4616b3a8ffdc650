// SPDX-License-Identifier: Apache-2.0
// See cancelling.h.
#include "rewrite/cancelling.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace flashlight::rewrite {

namespace {

using graph::Fn;
using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::Op;

// Beside a number of this size what float32 loses in a difference of squares is small.
constexpr double kLargeAddend = 1e-3;

// What is as small as the value where that is small, and on which side of 0: 0 where that is not known.
using Open = std::map<NodeId, int>;

enum class Use { Bears, Passes, Breaks };

std::optional<double> number(const Graph& graph, const graph::Operand& operand) {
  const Node& n = graph[operand.node];
  return n.op == Op::Scalar ? n.value.as_real() : std::nullopt;
}

bool has_number(const Graph& graph, const Node& user, int sign) {
  return std::any_of(user.operands.begin(), user.operands.end(), [&](const graph::Operand& o) {
    const auto x = number(graph, o);
    return x && *x * sign >= kLargeAddend;
  });
}

int sign_of(const Graph& graph, const Node& user, NodeId x, int sign) {
  if (user.op != Op::Map || user.fn == Fn::Log1p || user.fn == Fn::Expm1) return sign;
  if (user.fn != Fn::Mul) return 0;
  for (const graph::Operand& o : user.operands) {
    const auto factor = number(graph, o);
    if (o.node != x) sign *= !factor ? 0 : *factor < 0 ? -1 : 1;
  }
  return sign;
}

Use use_in_map(const Graph& graph, const Node& user, NodeId x, int sign) {
  switch (user.fn) {
    case Fn::Add:
    case Fn::Max:
    case Fn::Min:
      return sign != 0 && user.operands.size() == 2 && has_number(graph, user, sign) ? Use::Bears
                                                                                     : Use::Passes;
    case Fn::Mul:
    case Fn::Where:
    case Fn::Log1p:
    case Fn::Expm1:
    case Fn::Sin:
    case Fn::Tanh:
    case Fn::Erf:
    case Fn::Abs: return Use::Passes;
    case Fn::Pow: {
      if (user.operands[0].node != x) return Use::Bears;
      const auto exponent = number(graph, user.operands[1]);
      return exponent && *exponent >= 1 && *exponent == std::floor(*exponent) ? Use::Passes : Use::Breaks;
    }
    case Fn::Exp:
    case Fn::Cos:
    case Fn::Sigmoid: return Use::Bears;
    case Fn::Lt:
    case Fn::Le: return has_number(graph, user, 1) || has_number(graph, user, -1) ? Use::Bears : Use::Breaks;
    default: return Use::Breaks;
  }
}

Use use_of(const Graph& graph, const Node& user, NodeId x, int sign) {
  if (user.op == Op::Map) return use_in_map(graph, user, x, sign);
  const bool sum = user.op == Op::Reduce && user.reduce == graph::ReduceKind::Sum;
  return sum ? Use::Bears : Use::Passes;
}

bool uses(const Node& user, NodeId x) {
  return std::any_of(user.operands.begin(), user.operands.end(),
                     [&](const graph::Operand& o) { return o.node == x; });
}

}  // namespace

bool bears_cancelling(const graph::Function& function, NodeId node) {
  const Graph& graph = function.graph;
  Open open{{node, 1}};
  for (NodeId user = node + 1; user < graph.size(); ++user) {  // operands stand before their users
    for (const auto& [x, sign] : Open(open)) {
      if (!uses(graph[user], x)) continue;
      const Use use = use_of(graph, graph[user], x, sign);
      if (use == Use::Breaks) return false;
      if (use == Use::Passes) open.emplace(user, sign_of(graph, graph[user], x, sign));
    }
  }
  return true;
}

}  // namespace flashlight::rewrite
