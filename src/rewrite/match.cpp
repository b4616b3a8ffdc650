// SPDX-License-Identifier: Apache-2.0
// Matching modulo associativity and commutativity, by goals: what is left to show, with everything decided so
// far.
//
// Both sides are values over loops: first the axes of the root, then the axes of each reduction that was
// entered. A loop of the pattern stands for a loop of the function; loops that stand for none are the pack's.
// A parameter of the pattern may vary with the loops that index it and with the root's axes that the pattern
// does not name, and with nothing else.
#include "rewrite/match.h"

#include <algorithm>
#include <numeric>

#include "rewrite/cancelling.h"
#include "rewrite/search.h"

namespace flashlight::rewrite {

namespace {

constexpr int kMostSteps = 20'000;  // of one search; beyond it the pattern counts as absent

bool is_pack(const Sym& size) {
  return size.op() == SymOp::Symbol && size.symbol_id().kind == SymbolId::Pack;
}
bool is_commutative(Fn fn) { return fn == Fn::Max || fn == Fn::Min || fn == Fn::Eq || fn == Fn::Ne; }

}  // namespace

std::optional<Match> Search::at(NodeId root) {
  const graph::TensorView& out = p_.outputs[0].value;
  if (!could_be(pattern_[out.node], graph_[root])) return std::nullopt;
  if (rule_.cancels && !bears_cancelling(f_, root)) return std::nullopt;
  State start;
  start.match.root = root;
  start.match.inputs.resize(p_.tensors.size());
  start.value_size = graph_[root].shape;
  start.pattern_size = out.shape;
  start.loop_of.assign(out.shape.size(), -1);
  start.goals = {
      {{{out.node, out.index}}, {{root, graph::identity_index(graph_[root].shape.size())}}, {}, true}};
  std::vector<int> axes;
  for (std::size_t k = 0; k < out.shape.size(); ++k)
    if (!is_pack(out.shape[k]) && !out.shape[k].is_integer(1)) axes.push_back(static_cast<int>(k));
  return name_axes(start, axes);
}

bool Search::could_be(const Node& p, const Node& s) {
  return p.op == s.op && p.type == s.type && (p.op != Op::Map || p.fn == s.fn) &&
         (p.op != Op::Reduce || p.reduce == s.reduce);
}

// Every choice of the root's axes for the axes that the pattern names, the last ones first.
std::optional<Match> Search::name_axes(const State& state, std::vector<int> left) {
  if (left.empty()) {
    State s = state;
    for (int k = 0; k < static_cast<int>(s.value_size.size()); ++k)
      if (std::find(s.loop_of.begin(), s.loop_of.end(), k) == s.loop_of.end()) s.match.extra.push_back(k);
    s.match.named = s.loop_of;
    return solve(std::move(s));
  }
  const int axis = left.back();
  left.pop_back();
  for (int k = static_cast<int>(state.value_size.size()) - 1; k >= 0; --k) {
    if (std::find(state.loop_of.begin(), state.loop_of.end(), k) != state.loop_of.end()) continue;
    State s = state;
    if (!pair_loops(s, axis, k)) continue;
    if (auto m = name_axes(s, left)) return m;
  }
  return std::nullopt;
}

bool Search::pair_loops(State& s, int pattern_loop, int loop) const {
  s.loop_of[static_cast<std::size_t>(pattern_loop)] = loop;
  const Sym& size = s.pattern_size[static_cast<std::size_t>(pattern_loop)];
  const Sym& actual = s.value_size[static_cast<std::size_t>(loop)];
  if (size.op() == SymOp::Symbol) return bind(s, size.symbol_id(), actual);
  return !size.is_constant() || size == actual;
}

bool Search::bind(State& s, SymbolId id, const Sym& value) {
  auto [at, fresh] = s.match.symbols.try_emplace(id, value);
  return fresh || at->second == value;
}

std::optional<Match> Search::solve(State s) {
  while (!s.goals.empty()) {
    if (++steps_ > kMostSteps) return std::nullopt;
    Goal g = next_goal(s);
    if (g.fn) return assign(std::move(s), std::move(g));
    const Operand p = g.pattern[0], v = g.value[0];
    const Node& pn = pattern_[p.node];
    if (pn.op == Op::Input) {
      if (!bind_input(s, p, {v}, Fn::Add)) return std::nullopt;
      continue;
    }
    const Node& vn = graph_[v.node];
    if (pn.op == Op::Scalar) {
      if (!match_scalar(s, pn, vn)) return std::nullopt;
    } else if (!could_be(pn, vn)) {
      return std::nullopt;
    } else if (pn.op == Op::Map && is_associative(pn.fn)) {
      s.goals.push_back({operands(pattern_, p), operands(graph_, v), pn.fn, g.is_root});
    } else if (pn.op == Op::Map && is_commutative(pn.fn)) {
      return either_order(s, operands(pattern_, p), operands(graph_, v));
    } else if (pn.op == Op::Map) {
      push_pairs(s, operands(pattern_, p), operands(graph_, v));
    } else if (pn.op == Op::Reduce) {
      return enter(s, p, v);
    } else if (pn.op == Op::Iota) {
      if (!same_index(s, p.index[0], v.index[0])) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return accept(s);
}

// What leaves least open comes first: parameters of a sum that are not known yet take what others leave.
Goal Search::next_goal(State& s) const {
  std::size_t best = s.goals.size() - 1;
  for (std::size_t k = s.goals.size(); k-- > 0;) {
    if (only_open(s, s.goals[k])) continue;
    best = k;
    break;
  }
  Goal g = std::move(s.goals[best]);
  s.goals.erase(s.goals.begin() + static_cast<std::ptrdiff_t>(best));
  return g;
}

bool Search::only_open(const State& s, const Goal& g) const {
  return g.fn &&
         std::all_of(g.pattern.begin(), g.pattern.end(), [&](const Operand& p) { return is_open(s, p); });
}

std::vector<Operand> Search::operands(const graph::Graph& g, const Operand& o) {
  std::vector<Operand> out;
  for (const Operand& p : g[o.node].operands) out.push_back(graph::seen_through(p, o.index));
  return out;
}

void Search::push_pairs(State& s, const std::vector<Operand>& p, const std::vector<Operand>& v) {
  for (std::size_t k = p.size(); k-- > 0;) s.goals.push_back({{p[k]}, {v[k]}, {}, false});
}

std::optional<Match> Search::either_order(const State& s, const std::vector<Operand>& p,
                                          const std::vector<Operand>& v) {
  for (const auto& order : {v, std::vector<Operand>{v[1], v[0]}}) {
    State trial = s;
    push_pairs(trial, p, order);
    if (auto m = solve(std::move(trial))) return m;
  }
  return std::nullopt;
}

// A reduction: its axes become loops, in every order.
std::optional<Match> Search::enter(const State& s, const Operand& p, const Operand& v) {
  const Node &pn = pattern_[p.node], &vn = graph_[v.node];
  if (pn.reduced.size() != vn.reduced.size()) return std::nullopt;
  std::vector<int> order(pn.reduced.size());
  std::iota(order.begin(), order.end(), 0);
  do {
    State trial = s;
    std::vector<Sym> inside_p = p.index, inside_v = v.index;
    const int first_p = static_cast<int>(trial.loop_of.size()),
              first_v = static_cast<int>(trial.value_size.size());
    for (std::size_t k = 0; k < order.size(); ++k) {
      inside_p.push_back(Sym::axis(first_p + static_cast<int>(k)));
      inside_v.push_back(Sym::axis(first_v + static_cast<int>(k)));
      trial.pattern_size.push_back(pn.reduced[k]);
      trial.value_size.push_back(vn.reduced[k]);
      trial.loop_of.push_back(-1);
    }
    bool fits = true;
    for (std::size_t k = 0; k < order.size() && fits; ++k)
      fits = pair_loops(trial, first_p + static_cast<int>(k), first_v + order[k]);
    if (!fits) continue;
    trial.goals.push_back({{graph::seen_through(pn.operands[0], inside_p)},
                           {graph::seen_through(vn.operands[0], inside_v)},
                           {},
                           false});
    if (auto m = solve(std::move(trial))) return m;
  } while (std::next_permutation(order.begin(), order.end()));
  return std::nullopt;
}

bool Search::match_scalar(State& s, const Node& pn, const Node& vn) const {
  if (vn.op != Op::Scalar || vn.type != pn.type) return false;
  const Sym& want = pn.value;
  const bool wrapped = want.op() == SymOp::ToReal && want.args()[0].op() == SymOp::Symbol;
  const Sym& symbol = wrapped ? want.args()[0] : want;
  if (symbol.op() == SymOp::Symbol && symbol.symbol_id().kind == SymbolId::Scalar && !wrapped)
    return bind(s, symbol.symbol_id(), vn.value);
  const auto known = translated(s.match, want);
  return known && *known == vn.value;
}

// An index of the pattern, as an index of the function. Loops of size 1 are read at 0.
std::optional<Sym> Search::translate_index(const State& s, const Sym& e) const {
  std::vector<Sym> axes;
  for (int loop : s.loop_of) axes.push_back(loop < 0 ? Sym(0) : Sym::axis(loop));
  return translated(s.match, graph::substitute_axes(e, axes));
}

bool Search::same_index(const State& s, const Sym& p, const Sym& v) const {
  const auto index = translate_index(s, p);
  return index && graph::simplify_index(*index, s.value_size) == graph::simplify_index(v, s.value_size);
}

// Nothing is left to show: sizes that are expressions, and assumptions.
std::optional<Match> Search::accept(State& s) const {
  for (std::size_t k = 0; k < s.loop_of.size(); ++k) {
    if (s.loop_of[k] < 0) continue;
    const auto size = translated(s.match, s.pattern_size[k]);
    if (!size || *size != s.value_size[static_cast<std::size_t>(s.loop_of[k])]) return std::nullopt;
  }
  for (const Bound& b : s.match.inputs)
    if (b.parts.empty()) return std::nullopt;
  for (const graph::Check& c : p_.checks) {
    const auto holds = translated(s.match, c.condition);
    if (!holds) return std::nullopt;
    const bool known = std::any_of(f_.checks.begin(), f_.checks.end(),
                                   [&](const graph::Check& fact) { return fact.condition == *holds; });
    if (!known && *holds != Sym::boolean(true)) return std::nullopt;
  }
  return s.match;
}

std::vector<int> own_axes(const Shape& shape) {
  std::vector<int> out;
  for (std::size_t k = 0; k < shape.size(); ++k)
    if (!is_pack(shape[k])) out.push_back(static_cast<int>(k));
  return out;
}

std::optional<Sym> translated(const Match& match, const Sym& e) {
  bool whole = true;
  const Sym out = graph::substitute(e, [&](const Sym& leaf) -> std::optional<Sym> {
    if (leaf.op() != SymOp::Symbol) return std::nullopt;
    const auto at = match.symbols.find(leaf.symbol_id());
    if (at != match.symbols.end()) return at->second;
    whole = false;
    return std::nullopt;
  });
  return whole ? std::optional(out) : std::nullopt;
}

std::optional<Match> find_match(const Rule& rule, const Function& function, NodeId root) {
  return Search(rule, function).at(root);
}

}  // namespace flashlight::rewrite
