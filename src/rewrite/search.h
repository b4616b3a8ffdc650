// SPDX-License-Identifier: Apache-2.0
// Inside the rewrite stage: the search for a pattern. Its parts stand in match.cpp (goals: what is left to
// show) and match_parameters.cpp (what the parameters of the pattern stand for).
#pragma once
#include "rewrite/match.h"

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

inline bool is_associative(Fn fn) { return fn == Fn::Add || fn == Fn::Mul || fn == Fn::And || fn == Fn::Or; }

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
  std::optional<Match> at(NodeId root);

 private:
  // match.cpp
  static bool could_be(const Node& p, const Node& s);
  std::optional<Match> name_axes(const State& state, std::vector<int> left);
  bool pair_loops(State& s, int pattern_loop, int loop) const;
  static bool bind(State& s, SymbolId id, const Sym& value);
  std::optional<Match> solve(State s);
  Goal next_goal(State& s) const;
  bool only_open(const State& s, const Goal& g) const;
  static std::vector<Operand> operands(const graph::Graph& g, const Operand& o);
  static void push_pairs(State& s, const std::vector<Operand>& p, const std::vector<Operand>& v);
  std::optional<Match> either_order(const State& s, const std::vector<Operand>& p,
                                    const std::vector<Operand>& v);
  std::optional<Match> enter(const State& s, const Operand& p, const Operand& v);
  bool match_scalar(State& s, const Node& pn, const Node& vn) const;
  std::optional<Sym> translate_index(const State& s, const Sym& e) const;
  bool same_index(const State& s, const Sym& p, const Sym& v) const;
  std::optional<Match> accept(State& s) const;

  // match_parameters.cpp
  bool is_open(const State& s, const Operand& p) const;
  std::optional<Match> assign(State s, Goal g);
  std::optional<Match> assign_written(const State& s, const Goal& g, std::size_t k);
  std::optional<Match> assign_known(State s, Goal g, std::size_t k);
  std::optional<Match> share_out(const State& s, const Goal& g);
  std::vector<int> allowed_loops(const State& s, const Operand& p) const;
  std::optional<std::vector<int>> axis_loops(const State& s, const Operand& p) const;
  std::optional<Bound> instance(const State& s, const Operand& p) const;
  static Operand simplified(const State& s, Operand o);
  Bound whole(const Bound& b, const State& s) const;
  static bool same(const Bound& a, const Bound& b);
  bool bind_input(State& s, const Operand& p, std::vector<Operand> values, Fn fn) const;
  static bool varies(const std::vector<Operand>& values, int loop);

  const Rule& rule_;
  const Function &p_, &f_;
  const graph::Graph &pattern_, &graph_;
  int steps_ = 0;
};

}  // namespace flashlight::rewrite
