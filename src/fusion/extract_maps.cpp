// SPDX-License-Identifier: Apache-2.0
// Values computed element by element: what stays whole to the laws and what they take apart.
#include "fusion/extraction.h"

#include <algorithm>
#include <cmath>

#include "graph/finite.h"

namespace flashlight::fusion {

using algebra::Expr;
using graph::Fn;
using graph::Op;
using graph::Type;

bool Extraction::is_point(const Access& access) {
  if (!local_(access)) return false;
  const LoopSet loops = dependence_(access);
  const bool key = loops & bit(plan_.stream);
  if (dependence_.has_reduction(access.node) && key) {
    // A value of the key as a whole is computed once a key; what also varies with the query reads it.
    return !(loops & bit(plan_.row)) &&
           (graph_[access.node].type != Type::Float || is_power(access) || is_value(access));
  }
  return graph_[access.node].type != Type::Float || !key || is_offset(access) || is_value(access);
}

bool Extraction::is_offset(const Access& access) const {
  const graph::Node& node = graph_[access.node];
  return node.fn == Fn::Add &&
         std::any_of(node.operands.begin(), node.operands.end(),
                     [&](const graph::Operand& o) { return graph_[o.node].op == Op::Scalar; });
}

bool Extraction::is_power(const Access& access) const {
  const Fn fn = graph_[access.node].fn;
  return fn == Fn::Pow || fn == Fn::Max || fn == Fn::Min || fn == Fn::Abs;
}

bool Extraction::is_value(const Access& access) {
  if (graph_[access.node].fn == Fn::Mul) return false;
  const LoopSet loops = dependence_(access);
  return !(loops & bit(plan_.row)) && varies_with_columns(loops);
}

std::vector<Expr> Extraction::operands(const Access& access) {
  std::vector<Expr> result;
  for (const graph::Operand& operand : graph_[access.node].operands)
    result.push_back(value(compose(operand, access.index)));
  return result;
}

Expr Extraction::map(const Access& access) {
  if (is_point(access)) return point(access);
  const graph::Node& node = graph_[access.node];
  if (node.type == Type::Int) {
    refuse(access.node, "unsupported-integer", "integer arithmetic on a value that depends on a reduction",
           "compute it in floating point");
  }
  const std::vector<Expr> a = operands(access);
  switch (node.fn) {
    case Fn::Add: return sum(access, a);
    case Fn::Mul: return product(a);
    case Fn::Pow:
      if (a[1].is(algebra::Op::kConstant)) return pow(a[0], a[1].value());
      return algebra::call(arena_, static_cast<int>(node.fn), a);
    case Fn::Max: return max2(a[0], a[1]);
    case Fn::Min: return min2(a[0], a[1]);
    case Fn::Lt: return lt(a[0], a[1]);
    case Fn::Le: return le(a[0], a[1]);
    case Fn::Eq: return eq(a[0], a[1]);
    case Fn::Ne: return ne(a[0], a[1]);
    case Fn::And: return algebra::all_of(a);
    case Fn::Or: return algebra::any_of(a);
    case Fn::Not: return algebra::not_of(a[0]);
    case Fn::Where: return where(a[0], a[1], a[2]);
    case Fn::Exp: return exp(a[0]);
    case Fn::Log: return log(a[0]);
    case Fn::Tanh: return tanh(a[0]);
    case Fn::Sigmoid: return sigmoid(a[0]);
    case Fn::Abs: return algebra::abs(a[0]);
    case Fn::ToFloat: return a[0].is_bool() ? where(a[0], 1.0, 0.0) : a[0];
    case Fn::ToBool: return ne(a[0], 0.0);
    default: return algebra::call(arena_, static_cast<int>(node.fn), a, node.type == Type::Bool);
  }
}

Expr Extraction::total(const std::vector<Term>& terms) {
  std::vector<Expr> values;
  for (const Term& term : terms) values.push_back(term.value);
  return values.size() == 1 ? values[0] : arena_.make(algebra::Op::kAdd, values);
}

Expr Extraction::with_offset(const std::vector<Term>& terms) {
  std::vector<Expr> balanced;
  std::vector<Term> numbers, others;
  for (const Term& term : terms) {
    const bool keyed =
        (dependence_(term.access) & bit(plan_.stream)) && !term.value.node().column && local_(term.access);
    if (graph::may_balance(graph_, term.access.node)) numbers.push_back(term);
    else if (keyed) balanced.push_back(term.value);
    else others.push_back(term);
  }
  if (numbers.empty() || balanced.empty()) return total(terms);
  for (const Term& number : numbers) balanced.push_back(number.value);
  others.push_back({algebra::call(arena_, static_cast<int>(Fn::Add), balanced), numbers[0].access});
  return total(others);
}

std::vector<Extraction::Term> Extraction::with_differences(const std::vector<Term>& terms) {
  std::vector<Expr> positions;
  std::vector<Term> result;
  std::optional<Access> key;
  bool row = false;
  for (const Term& term : terms) {
    if (!graph::is_of_positions(graph_, term.access.node)) {
      result.push_back(term);
      continue;
    }
    positions.push_back(term.value);
    const LoopSet loops = dependence_(term.access);
    if (loops & bit(plan_.stream)) key = term.access;
    else row = row || (loops & bit(plan_.row));
  }
  if (!row || !key) return terms;
  result.push_back({composite(arena_.make(algebra::Op::kAdd, positions)), *key});
  return result;
}

Expr Extraction::sum(const Access& access, const std::vector<Expr>& operands) {
  std::vector<Term> terms;
  for (std::size_t k = 0; k < operands.size(); ++k)
    terms.push_back({operands[k], compose(graph_[access.node].operands[k], access.index)});
  if (!(dependence_(access) & bit(plan_.stream))) return total(terms);
  terms = with_differences(terms);
  std::vector<Expr> masks, kept;
  for (const Term& term : terms) {
    const bool of_row = term.value.is(algebra::Op::kLeaf) && !(dependence_(term.access) & bit(plan_.stream));
    if (of_row && graph::may_mask(graph_, term.access.node)) masks.push_back(term.value);
    else kept.push_back(term.value);
  }
  if (masks.empty()) return with_offset(terms);
  // First what is computed point by point: of a bias F_i - F_j the difference is kept, which may be small.
  for (bool contracted : {false, true}) {
    for (Expr& term : kept) {
      if (holds_contraction(term) != contracted) continue;
      const Expr joined = with_row(term, masks);
      if (!joined) continue;
      term = joined;
      const Expr scores = kept.size() == 1 ? joined : arena_.make(algebra::Op::kAdd, kept);
      return plan_.strict_nan ? scores : hidden_by(masks, scores);  // strictly, the scores alone say it
    }
  }
  return hidden_by(masks, total(terms));
}

Expr Extraction::hidden_by(std::vector<Expr> biases, Expr scores) {
  for (Expr& bias : biases) bias = algebra::not_of(eq(bias, -INFINITY));
  return where(algebra::all_of(biases), scores, -INFINITY);
}

bool Extraction::holds_contraction(Expr e) const {
  const std::vector<Expr> leaves = algebra::collect(e, {algebra::Op::kLeaf});
  return std::any_of(leaves.begin(), leaves.end(),
                     [&](Expr l) { return plan_.leaves[l.leaf_id()].kind != Leaf::Point; });
}

Expr Extraction::with_row(Expr term, const std::vector<Expr>& row) {
  const bool masked = term.is(algebra::Op::kWhere) && term.arg(2).is_constant(-INFINITY);
  if (masked) {
    const Expr inside = with_row(term.arg(1), row);
    return inside ? where(term.arg(0), inside, -INFINITY) : Expr();
  }
  using enum algebra::Op;
  const bool is_made = !algebra::collect(term, {kReduceSum, kReduceMax, kReduceMin, kReduceProd, kReduceAny,
                                                kReduceAll, kScan})
                            .empty();
  if (is_made || term.node().kind != algebra::kKeyed || term.node().column) return {};
  std::vector<Expr> terms{term};
  terms.insert(terms.end(), row.begin(), row.end());
  return composite(arena_.make(kAdd, terms));
}

bool Extraction::is_launch_number(Expr e) const {
  if (!e.is(algebra::Op::kLeaf)) return false;
  const Leaf& leaf = plan_.leaves[e.leaf_id()];
  return leaf.kind == Leaf::Point && graph_[leaf.node].op == Op::Scalar;
}

Expr Extraction::product(const std::vector<Expr>& factors) {
  std::vector<Expr> rest, parts;
  Expr contraction;
  for (Expr f : factors) {
    const bool contracts = f.is(algebra::Op::kLeaf) && plan_.leaves[f.leaf_id()].kind == Leaf::Contraction;
    if (is_launch_number(f)) parts.push_back(f);
    else if (contracts && !contraction) contraction = f;
    else rest.push_back(f);
  }
  if (!contraction || parts.empty()) return arena_.make(algebra::Op::kMul, factors);
  parts.push_back(contraction);
  rest.push_back(composite(arena_.make(algebra::Op::kMul, parts)));
  return rest.size() == 1 ? rest[0] : arena_.make(algebra::Op::kMul, rest);
}

Expr Extraction::composite(Expr whole) {
  whole = expanded(whole);
  for (const auto& [leaf, made_of] : plan_.made_of) {
    if (made_of == whole) return leaf;
  }
  const std::vector<Expr> parts = algebra::collect(whole, {algebra::Op::kLeaf});
  Leaf leaf = plan_.leaves[parts.front().leaf_id()];
  leaf.kind = Leaf::Composite;
  for (Expr part : parts) leaf.loops |= plan_.leaves[part.leaf_id()].loops;
  algebra::LeafInfo info;
  info.streamed = true;
  info.name = to_string(whole);
  const Expr result = arena_.leaf(static_cast<int>(plan_.leaves.size()), info);
  plan_.leaves.push_back(std::move(leaf));
  plan_.made_of[result] = whole;
  return result;
}

Expr Extraction::expanded(Expr e) const {
  if (const auto found = plan_.made_of.find(e); found != plan_.made_of.end()) return found->second;
  if (e.args().empty()) return e;
  std::vector<Expr> args;
  for (Expr arg : e.args()) args.push_back(expanded(arg));
  return algebra::with_args(e, args);
}

}  // namespace flashlight::fusion
