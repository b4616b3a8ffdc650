// SPDX-License-Identifier: Apache-2.0
// Matching modulo associativity and commutativity, by goals: what is left to show, with everything decided so far.
//
// Both sides are values over loops: first the axes of the root, then the axes of each reduction that was entered. A loop of
// the pattern stands for a loop of the function; loops that stand for none are the pack's. A parameter of the pattern may
// vary with the loops that index it and with the root's axes that the pattern does not name, and with nothing else.
#include "rewrite/match.h"

#include <algorithm>
#include <numeric>

#include "graph/finite.h"

namespace flashlight::rewrite {

using graph::Fn;
using graph::Function;
using graph::Node;
using graph::NodeId;
using graph::Op;
using graph::Operand;
using graph::Shape;
using graph::Sym;
using graph::SymbolId;
using graph::SymOp;

namespace {

constexpr int kMostSteps = 20'000;  // of one search; beyond it the pattern counts as absent

bool is_pack(const Sym& size) { return size.op() == SymOp::Symbol && size.symbol_id().kind == SymbolId::Pack; }
bool is_associative(Fn fn) { return fn == Fn::Add || fn == Fn::Mul || fn == Fn::And || fn == Fn::Or; }
bool is_commutative(Fn fn) { return fn == Fn::Max || fn == Fn::Min || fn == Fn::Eq || fn == Fn::Ne; }

// `pattern` holds at `value`; with `fn`, each of the patterns takes one or more of the values.
struct Goal {
  std::vector<Operand> pattern, value;
  std::optional<Fn> fn;
  bool is_root = false;  // values may be left over
};

struct State {
  Match match;
  std::vector<int> loop_of;       // per loop of the pattern; -1: the pack, or size 1
  std::vector<Sym> pattern_size;  // per loop of the pattern
  std::vector<Sym> value_size;    // per loop of the function
  std::vector<Goal> goals;        // the last is next
};

class Search {
 public:
  Search(const Rule& rule, const Function& function)
      : rule_(rule), p_(rule.pattern), f_(function), pattern_(p_.graph), graph_(f_.graph) {}

  std::optional<Match> at(NodeId root) {
    const graph::TensorView& out = p_.outputs[0].value;
    if (!could_be(pattern_[out.node], graph_[root])) return std::nullopt;
    State start;
    start.match.root = root;
    start.match.inputs.resize(p_.tensors.size());
    start.value_size = graph_[root].shape;
    start.pattern_size = out.shape;
    start.loop_of.assign(out.shape.size(), -1);
    start.goals = {{{{out.node, out.index}}, {{root, graph::identity_index(graph_[root].shape.size())}}, {}, true}};
    std::vector<int> axes;
    for (std::size_t k = 0; k < out.shape.size(); ++k)
      if (!is_pack(out.shape[k]) && !out.shape[k].is_integer(1)) axes.push_back(static_cast<int>(k));
    return name_axes(start, axes);
  }

 private:
  static bool could_be(const Node& p, const Node& s) {
    return p.op == s.op && p.type == s.type && (p.op != Op::Map || p.fn == s.fn) &&
           (p.op != Op::Reduce || p.reduce == s.reduce);
  }

  // Every choice of the root's axes for the axes that the pattern names, the last ones first.
  std::optional<Match> name_axes(const State& state, std::vector<int> left) {
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

  bool pair_loops(State& s, int pattern_loop, int loop) const {
    s.loop_of[static_cast<std::size_t>(pattern_loop)] = loop;
    const Sym& size = s.pattern_size[static_cast<std::size_t>(pattern_loop)];
    const Sym& actual = s.value_size[static_cast<std::size_t>(loop)];
    if (size.op() == SymOp::Symbol) return bind(s, size.symbol_id(), actual);
    return !size.is_constant() || size == actual;
  }
  static bool bind(State& s, SymbolId id, const Sym& value) {
    auto [at, fresh] = s.match.symbols.try_emplace(id, value);
    return fresh || at->second == value;
  }

  std::optional<Match> solve(State s) {
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
  Goal next_goal(State& s) const {
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
  bool only_open(const State& s, const Goal& g) const {
    return g.fn && std::all_of(g.pattern.begin(), g.pattern.end(), [&](const Operand& p) { return is_open(s, p); });
  }
  bool is_open(const State& s, const Operand& p) const {
    const Node& n = pattern_[p.node];
    return n.op == Op::Input && s.match.inputs[static_cast<std::size_t>(n.input)].parts.empty();
  }

  static std::vector<Operand> operands(const graph::Graph& g, const Operand& o) {
    std::vector<Operand> out;
    for (const Operand& p : g[o.node].operands) out.push_back(graph::seen_through(p, o.index));
    return out;
  }
  static void push_pairs(State& s, const std::vector<Operand>& p, const std::vector<Operand>& v) {
    for (std::size_t k = p.size(); k-- > 0;) s.goals.push_back({{p[k]}, {v[k]}, {}, false});
  }
  std::optional<Match> either_order(const State& s, const std::vector<Operand>& p, const std::vector<Operand>& v) {
    for (const auto& order : {v, std::vector<Operand>{v[1], v[0]}}) {
      State trial = s;
      push_pairs(trial, p, order);
      if (auto m = solve(std::move(trial))) return m;
    }
    return std::nullopt;
  }

  // A reduction: its axes become loops, in every order.
  std::optional<Match> enter(const State& s, const Operand& p, const Operand& v) {
    const Node &pn = pattern_[p.node], &vn = graph_[v.node];
    if (pn.reduced.size() != vn.reduced.size()) return std::nullopt;
    std::vector<int> order(pn.reduced.size());
    std::iota(order.begin(), order.end(), 0);
    do {
      State trial = s;
      std::vector<Sym> inside_p = p.index, inside_v = v.index;
      const int first_p = static_cast<int>(trial.loop_of.size()), first_v = static_cast<int>(trial.value_size.size());
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
                             {graph::seen_through(vn.operands[0], inside_v)}, {}, false});
      if (auto m = solve(std::move(trial))) return m;
    } while (std::next_permutation(order.begin(), order.end()));
    return std::nullopt;
  }

  bool match_scalar(State& s, const Node& pn, const Node& vn) const {
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
  std::optional<Sym> translate_index(const State& s, const Sym& e) const {
    std::vector<Sym> axes;
    for (int loop : s.loop_of) axes.push_back(loop < 0 ? Sym(0) : Sym::axis(loop));
    return translated(s.match, graph::substitute_axes(e, axes));
  }
  bool same_index(const State& s, const Sym& p, const Sym& v) const {
    const auto index = translate_index(s, p);
    return index && graph::simplify_index(*index, s.value_size) == graph::simplify_index(v, s.value_size);
  }

  // Branches over what stands for what among the operands of a sum or product.
  std::optional<Match> assign(State s, Goal g) {
    for (Operand& v : g.value) v = simplified(s, v);
    // A written operand first: it stands for exactly one value.
    for (std::size_t k = 0; k < g.pattern.size(); ++k)
      if (pattern_[g.pattern[k].node].op != Op::Input) return assign_written(s, g, k);
    for (std::size_t k = 0; k < g.pattern.size(); ++k)
      if (!is_open(s, g.pattern[k])) return assign_known(std::move(s), std::move(g), k);
    if (g.pattern.empty()) {
      if (!g.value.empty() && !g.is_root) return std::nullopt;
      s.match.rest = std::move(g.value);
      return solve(std::move(s));
    }
    return share_out(s, g);
  }

  std::optional<Match> assign_written(const State& s, const Goal& g, std::size_t k) {
    for (std::size_t v = 0; v < g.value.size(); ++v) {
      State trial = s;
      Goal left = g;
      left.pattern.erase(left.pattern.begin() + static_cast<std::ptrdiff_t>(k));
      left.value.erase(left.value.begin() + static_cast<std::ptrdiff_t>(v));
      trial.goals.push_back(std::move(left));
      trial.goals.push_back({{g.pattern[k]}, {g.value[v]}, {}, false});
      if (auto m = solve(std::move(trial))) return m;
    }
    return std::nullopt;
  }

  // A parameter that is known stands for exactly its parts, or for one value that is made of them.
  std::optional<Match> assign_known(State s, Goal g, std::size_t k) {
    const auto known = instance(s, g.pattern[k]);
    if (!known) return std::nullopt;
    std::vector<Bound> wanted;
    if (known->parts.size() > 1 && known->fn == *g.fn)
      for (const Operand& part : known->parts) wanted.push_back({{part}, *g.fn});
    else wanted.push_back(*known);
    for (const Bound& want : wanted) {
      const auto at = std::find_if(g.value.begin(), g.value.end(), [&](const Operand& v) { return same(whole(want, s), whole({{v}, *g.fn}, s)); });
      if (at == g.value.end()) return std::nullopt;
      g.value.erase(at);
    }
    g.pattern.erase(g.pattern.begin() + static_cast<std::ptrdiff_t>(k));
    return assign(std::move(s), std::move(g));
  }

  // Open parameters share the values that are left: each value goes to the parameter that may vary with the fewest loops
  // and can take it, since what another could take too belongs where it says most.
  std::optional<Match> share_out(const State& s, const Goal& g) {
    std::vector<std::size_t> order(g.pattern.size());
    std::iota(order.begin(), order.end(), 0);
    auto freedom = [&](std::size_t k) { return allowed_loops(s, g.pattern[k]).size(); };
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return freedom(a) < freedom(b); });
    std::vector<std::vector<Operand>> share(g.pattern.size());
    std::vector<Operand> rest;
    for (const Operand& v : g.value) {
      const auto taker = std::find_if(order.begin(), order.end(), [&](std::size_t k) {
        State trial = s;
        return bind_input(trial, g.pattern[k], {v}, *g.fn);
      });
      if (taker != order.end()) share[*taker].push_back(v);
      else if (g.is_root) rest.push_back(v);
      else return std::nullopt;
    }
    // Parameters that are equally free are told apart by order: one value each, the last takes what remains.
    for (std::size_t k = 0; k + 1 < order.size(); ++k) {
      const std::size_t a = order[k], b = order[k + 1];
      if (!share[b].empty() || share[a].size() < 2 || freedom(a) != freedom(b)) continue;
      share[b].assign(share[a].begin() + 1, share[a].end());
      share[a].resize(1);
    }
    State out = s;
    for (std::size_t k = 0; k < share.size(); ++k)
      if (share[k].empty() || !bind_input(out, g.pattern[k], share[k], *g.fn)) return std::nullopt;
    if (g.is_root) out.match.rest = std::move(rest);
    return solve(std::move(out));
  }

  // Loops of the function that a parameter, read at `p`, may vary with.
  std::vector<int> allowed_loops(const State& s, const Operand& p) const {
    std::vector<int> out = s.match.extra;
    for (const Sym& e : p.index)
      if (e.op() == SymOp::Axis && s.loop_of[static_cast<std::size_t>(e.integer())] >= 0)
        out.push_back(s.loop_of[static_cast<std::size_t>(e.integer())]);
    return out;
  }

  // The loops that stand for the axes of a Bound, or nullopt if the pattern reads the parameter otherwise than in place.
  std::optional<std::vector<int>> axis_loops(const State& s, const Operand& p) const {
    std::vector<int> out = s.match.extra;
    const Shape& shape = pattern_[p.node].shape;
    for (int k : own_axes(shape)) {
      const Sym& e = p.index[static_cast<std::size_t>(k)];
      if (shape[static_cast<std::size_t>(k)].is_integer(1)) {
        out.push_back(-1);
        continue;
      }
      if (e.op() != SymOp::Axis) return std::nullopt;
      const int loop = s.loop_of[static_cast<std::size_t>(e.integer())];
      if (loop < 0 || std::find(out.begin(), out.end(), loop) != out.end()) return std::nullopt;
      out.push_back(loop);
    }
    return out;
  }

  // What a bound parameter stands for where the pattern reads it, over the loops.
  std::optional<Bound> instance(const State& s, const Operand& p) const {
    const Node& n = pattern_[p.node];
    const Bound& bound = s.match.inputs[static_cast<std::size_t>(n.input)];
    std::vector<Sym> axes;
    for (int loop : s.match.extra) axes.push_back(Sym::axis(loop));
    for (int k : own_axes(n.shape)) {
      const auto index = translate_index(s, p.index[static_cast<std::size_t>(k)]);
      if (!index) return std::nullopt;
      axes.push_back(*index);
    }
    Bound out{{}, bound.fn};
    for (const Operand& part : bound.parts) out.parts.push_back(simplified(s, graph::seen_through(part, axes)));
    return whole(out, s);
  }
  static Operand simplified(const State& s, Operand o) {
    for (Sym& e : o.index) e = graph::simplify_index(e, s.value_size);
    return o;
  }
  // One value that is a sum or product, as its operands.
  Bound whole(const Bound& b, const State& s) const {
    if (b.parts.size() != 1) return b;
    const Node& n = graph_[b.parts[0].node];
    if (n.op != Op::Map || !is_associative(n.fn) || n.operands.size() < 2) return b;
    Bound out{{}, n.fn};
    for (const Operand& o : operands(graph_, b.parts[0])) out.parts.push_back(simplified(s, o));
    return out;
  }
  static bool same(const Bound& a, const Bound& b) {
    return (a.parts.size() == 1 || a.fn == b.fn) &&
           std::is_permutation(a.parts.begin(), a.parts.end(), b.parts.begin(), b.parts.end());
  }

  bool bind_input(State& s, const Operand& p, std::vector<Operand> values, Fn fn) const {
    const Node& n = pattern_[p.node];
    Bound& bound = s.match.inputs[static_cast<std::size_t>(n.input)];
    for (Operand& v : values) {
      if (graph_[v.node].type != n.type) return false;
      v = simplified(s, v);
    }
    if (!bound.parts.empty()) {
      const auto known = instance(s, p);
      return known && same(*known, whole({values, fn}, s));
    }
    const auto loops = axis_loops(s, p);
    if (!loops) return false;
    std::vector<Sym> place(s.value_size.size(), Sym(0));
    for (std::size_t loop = 0; loop < place.size(); ++loop) {
      const auto at = std::find(loops->begin(), loops->end(), static_cast<int>(loop));
      if (at != loops->end()) place[loop] = Sym::axis(static_cast<int>(at - loops->begin()));
      else if (varies(values, static_cast<int>(loop))) return false;
    }
    if (rule_.finite[static_cast<std::size_t>(n.input)])
      for (const Operand& v : values)
        if (may_mask(graph_, v.node)) return false;
    for (Operand& v : values) v = graph::seen_through(v, place);
    bound = {std::move(values), fn};
    return true;
  }
  static bool varies(const std::vector<Operand>& values, int loop) {
    for (const Operand& v : values)
      for (const Sym& e : v.index)
        if (graph::depends_on_axis(e, loop)) return true;
    return false;
  }

  // Nothing is left to show: sizes that are expressions, and assumptions.
  std::optional<Match> accept(State& s) const {
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

  const Rule& rule_;
  const Function &p_, &f_;
  const graph::Graph &pattern_, &graph_;
  int steps_ = 0;
};

}  // namespace

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
