// SPDX-License-Identifier: Apache-2.0
// What the parameters of a pattern stand for: how the operands of a sum or product are shared among them.
#include <algorithm>
#include <numeric>

#include "graph/finite.h"
#include "rewrite/search.h"

namespace flashlight::rewrite {

bool Search::is_open(const State& s, const Operand& p) const {
  const Node& n = pattern_[p.node];
  return n.op == Op::Input && s.match.inputs[static_cast<std::size_t>(n.input)].parts.empty();
}

// Branches over what stands for what among the operands of a sum or product.
std::optional<Match> Search::assign(State s, Goal g) {
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

std::optional<Match> Search::assign_written(const State& s, const Goal& g, std::size_t k) {
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
std::optional<Match> Search::assign_known(State s, Goal g, std::size_t k) {
  const auto known = instance(s, g.pattern[k]);
  if (!known) return std::nullopt;
  std::vector<Bound> wanted;
  if (known->parts.size() > 1 && known->fn == *g.fn)
    for (const Operand& part : known->parts) wanted.push_back({{part}, *g.fn});
  else wanted.push_back(*known);
  for (const Bound& want : wanted) {
    const auto at = std::find_if(g.value.begin(), g.value.end(), [&](const Operand& v) {
      return same(whole(want, s), whole({{v}, *g.fn}, s));
    });
    if (at == g.value.end()) return std::nullopt;
    g.value.erase(at);
  }
  g.pattern.erase(g.pattern.begin() + static_cast<std::ptrdiff_t>(k));
  return assign(std::move(s), std::move(g));
}

// Open parameters share the values that are left: each value goes to the parameter that may vary with the
// fewest loops and can take it, since what another could take too belongs where it says most.
std::optional<Match> Search::share_out(const State& s, const Goal& g) {
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
std::vector<int> Search::allowed_loops(const State& s, const Operand& p) const {
  std::vector<int> out = s.match.extra;
  for (const Sym& e : p.index)
    if (e.op() == SymOp::Axis && s.loop_of[static_cast<std::size_t>(e.integer())] >= 0)
      out.push_back(s.loop_of[static_cast<std::size_t>(e.integer())]);
  return out;
}

// The loops that stand for the axes of a Bound, or nullopt if the pattern reads the parameter otherwise than
// in place.
std::optional<std::vector<int>> Search::axis_loops(const State& s, const Operand& p) const {
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
std::optional<Bound> Search::instance(const State& s, const Operand& p) const {
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

Operand Search::simplified(const State& s, Operand o) {
  for (Sym& e : o.index) e = graph::simplify_index(e, s.value_size);
  return o;
}

// One value that is a sum or product, as its operands.
Bound Search::whole(const Bound& b, const State& s) const {
  if (b.parts.size() != 1) return b;
  const Node& n = graph_[b.parts[0].node];
  if (n.op != Op::Map || !is_associative(n.fn) || n.operands.size() < 2) return b;
  Bound out{{}, n.fn};
  for (const Operand& o : operands(graph_, b.parts[0])) out.parts.push_back(simplified(s, o));
  return out;
}

bool Search::same(const Bound& a, const Bound& b) {
  return (a.parts.size() == 1 || a.fn == b.fn) &&
         std::is_permutation(a.parts.begin(), a.parts.end(), b.parts.begin(), b.parts.end());
}

bool Search::bind_input(State& s, const Operand& p, std::vector<Operand> values, Fn fn) const {
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
      if (may_mask(graph_, v.node) || may_balance(graph_, v.node)) return false;
  for (Operand& v : values) v = graph::seen_through(v, place);
  bound = {std::move(values), fn};
  return true;
}

bool Search::varies(const std::vector<Operand>& values, int loop) {
  for (const Operand& v : values)
    for (const Sym& e : v.index)
      if (graph::depends_on_axis(e, loop)) return true;
  return false;
}

}  // namespace flashlight::rewrite
