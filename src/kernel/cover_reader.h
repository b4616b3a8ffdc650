// SPDX-License-Identifier: Apache-2.0
// Inside of cover.h: reads covers off the row program. Its parts stand in cover.cpp (conditions) and
// cover_values.cpp (what they compare).
#pragma once
#include <optional>

#include "kernel/cover.h"

namespace flashlight::kernel {

class CoverReader {
 public:
  explicit CoverReader(const Program& program)
      : program_(program),
        plan_(*program.plan),
        graph_(program.function->graph),
        dependence_(graph_),
        both_(fusion::bit(plan_.row) | fusion::bit(plan_.stream)),
        inner_(plan_.packing ? fusion::bit(plan_.packing->inner) : 0) {}

  Cover of(Expr condition, bool negated);
  static Cover combine(bool conjunction, std::vector<Cover> args);
  static Cover constant(bool value);

  CoverData data;

 private:
  // What a comparison's sides are made of, as one sum: left - right.
  struct Parts {
    PointSum row, key;
    graph::Sym form;              // affine, uniform terms among it
    std::vector<Interval> mixed;  // that vary with rows and keys, or are formulas of either
  };

  // cover.cpp
  Cover of(const fusion::Access& at, bool negated);
  Cover of_map(const fusion::Access& at, bool negated);
  Cover compare(Expr comparison);
  Cover compare(graph::Fn fn, const fusion::Access& x, const fusion::Access& y, bool negated);
  Cover compare_affine(graph::Fn fn, const fusion::Access& x, const fusion::Access& y, bool negated);
  Cover compare_magnitude(graph::Fn fn, const fusion::Access& inside, const fusion::Access& other, bool left,
                          bool negated);
  Cover ordered(graph::Fn fn, const graph::Sym& difference, bool negated);
  Cover leaf(Cover::Kind kind, const graph::Sym& form);
  Cover compare_intervals(graph::Fn fn, const fusion::Access& x, const fusion::Access& y);
  Cover compare_reals(graph::Fn fn, const fusion::Access& x, const fusion::Access& y);
  Cover holds(const fusion::Access& at);
  static Cover negated_if(bool negated, Cover cover);

  // cover_values.cpp
  // What varies from head to head of a tile is of neither rows nor keys alone.
  fusion::LoopSet tile_loops(const fusion::Access& at) {
    const fusion::LoopSet loops = dependence_(at);
    return loops & inner_ ? both_ : loops & both_;
  }
  bool reads_tensor(graph::NodeId node) const;
  std::optional<fusion::Access> magnitude(const fusion::Access& at) const;
  std::optional<graph::Sym> integer(const fusion::Access& at);
  std::optional<graph::Sym> formula(const fusion::Access& at);
  bool is_uniform(const graph::Sym& e) const;
  std::optional<Interval> affine(const graph::Sym& e) const;
  std::optional<Interval> interval(const graph::Sym& e) const;
  std::optional<Interval> interval(const fusion::Access& at);
  std::optional<Interval> truth(const fusion::Access& at);
  std::optional<Interval> interval_of_map(const fusion::Access& at);
  std::optional<Interval> interval_of_product(const fusion::Access& at);
  std::optional<Interval> interval_of_power(const fusion::Access& at);
  std::optional<Interval> real(const fusion::Access& at);
  std::optional<Interval> real(Expr e);
  bool is_exact(graph::NodeId node) const;
  bool can_be_looked_up(const fusion::Access& at) {
    return !dependence_.has_reduction(at.node) && is_exact(at.node);
  }
  Interval captured(std::vector<PointSum>& all, PointSum sum);
  Interval point(const fusion::Access& at, fusion::LoopSet loops);
  bool gather(const fusion::Access& at, const graph::Sym& factor, Parts& parts);
  bool gather(const graph::Sym& e, const graph::Sym& factor, Parts& parts);
  std::pair<Interval, Interval> sides(Parts parts);

  const Program& program_;
  const fusion::KernelPlan& plan_;
  const graph::Graph& graph_;
  fusion::Dependence dependence_;
  const fusion::LoopSet both_;   // rows and keys
  const fusion::LoopSet inner_;  // heads that share a tile
};

}  // namespace flashlight::kernel
