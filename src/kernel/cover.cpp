// SPDX-License-Identifier: Apache-2.0
// See cover.h.
#include "kernel/cover.h"

#include <algorithm>
#include <tuple>

#include "kernel/cover_reader.h"

namespace flashlight::kernel {

namespace alg = fusion::algebra;
using fusion::Access;
using graph::Fn;
using graph::Op;
using graph::Sym;

bool Interval::operator==(const Interval&) const = default;

Cover CoverReader::combine(bool conjunction, std::vector<Cover> args) {
  Cover result;
  result.kind = conjunction ? Cover::And : Cover::Or;
  result.args = std::move(args);
  return result;
}

Cover CoverReader::constant(bool value) {
  Cover result;
  result.kind = Cover::Constant;
  result.value = value;
  return result;
}

Cover CoverReader::negated_if(bool negated, Cover cover) {
  if (!negated || cover.kind == Cover::Unknown) return cover;
  if (cover.kind == Cover::Not) return std::move(cover.args[0]);
  Cover result;
  result.kind = Cover::Not;
  result.args.push_back(std::move(cover));
  return result;
}

Cover CoverReader::of(Expr e, bool negated) {
  switch (e.op()) {
    case alg::Op::kAnd:
    case alg::Op::kOr: {
      std::vector<Cover> args;
      for (Expr arg : e.args()) args.push_back(of(arg, negated));
      return combine((e.op() == alg::Op::kAnd) != negated, std::move(args));
    }
    case alg::Op::kNot: return of(e.arg(0), !negated);
    case alg::Op::kConstant: return constant((e.value() != 0) != negated);
    case alg::Op::kLeaf: {
      if (program_.temporaries.contains(e.leaf_id())) return {};
      const fusion::Leaf& leaf = plan_.leaves[e.leaf_id()];
      return of(Access{leaf.node, leaf.index}, negated);
    }
    case alg::Op::kGt:
    case alg::Op::kGe:
    case alg::Op::kEq: return negated_if(negated, compare(e));
    default: return {};
  }
}

Cover CoverReader::of(const Access& at, bool negated) {
  const graph::Node& node = graph_[at.node];
  if (node.op == Op::Scalar) {
    if (auto c = node.value.as_integer()) return constant((*c != 0) != negated);
    return {};
  }
  Cover cover = node.op == Op::Map ? of_map(at, negated) : Cover{};
  if (cover.kind != Cover::Unknown) return cover;
  return negated_if(negated, holds(at));
}

Cover CoverReader::of_map(const Access& at, bool negated) {
  const graph::Node& node = graph_[at.node];
  auto operand = [&](std::size_t k) { return fusion::compose(node.operands[k], at.index); };
  switch (node.fn) {
    case Fn::And:
    case Fn::Or: {
      std::vector<Cover> args;
      for (std::size_t k = 0; k < node.operands.size(); ++k) args.push_back(of(operand(k), negated));
      return combine((node.fn == Fn::And) != negated, std::move(args));
    }
    case Fn::Not: return of(operand(0), !negated);
    case Fn::Lt:
    case Fn::Le:
    case Fn::Eq:
    case Fn::Ne: return compare(node.fn, operand(0), operand(1), negated);
    default: return {};
  }
}

// A condition of rows alone or of keys alone needs no analysis: it is looked up.
Cover CoverReader::holds(const Access& at) {
  const fusion::LoopSet loops = tile_loops(at);
  if (loops == both_ || !can_be_looked_up(at)) return {};
  Cover result;
  result.kind = Cover::Holds;
  result.left = point(at, loops);
  return result;
}

Cover CoverReader::compare(Fn fn, const Access& x, const Access& y, bool negated) {
  const CoverData before = data;
  if (graph_[x.node].type == graph::Type::Int && graph_[y.node].type == graph::Type::Int) {
    Cover cover = compare_affine(fn, x, y, negated);
    if (cover.kind != Cover::Unknown) return cover;
    data = before;
  }
  // What rows alone or keys alone decide is exact where it is looked up.
  const bool one_sided = (tile_loops(x) | tile_loops(y)) != both_;
  if (one_sided && (reads_tensor(x.node) || reads_tensor(y.node))) return {};
  const bool real = graph_[x.node].type == graph::Type::Float || graph_[y.node].type == graph::Type::Float;
  Cover cover = real ? compare_reals(fn, x, y) : compare_intervals(fn, x, y);
  if (cover.kind == Cover::Unknown) data = before;
  return negated_if(negated, std::move(cover));
}

// Of floats that no score enters.
Cover CoverReader::compare(Expr e) {
  const CoverData before = data;
  const auto left = real(e.arg(1)), right = left ? real(e.arg(0)) : std::nullopt;
  if (!right) {
    data = before;
    return {};
  }
  Cover result;
  result.kind = e.op() == alg::Op::kGt ? Cover::Below : e.op() == alg::Op::kGe ? Cover::AtMost : Cover::Equal;
  result.real = true;
  result.left = *left;
  result.right = *right;
  return result;
}

Cover CoverReader::compare_affine(Fn fn, const Access& x, const Access& y, bool negated) {
  const bool order = fn == Fn::Le || fn == Fn::Lt;
  if (order) {
    if (const auto inside = magnitude(x)) return compare_magnitude(fn, *inside, y, true, negated);
    if (const auto inside = magnitude(y)) return compare_magnitude(fn, *inside, x, false, negated);
  }
  const auto a = integer(x), b = a ? integer(y) : std::nullopt;
  if (!b) return {};
  return order ? ordered(fn, *a - *b, negated)
               : leaf((fn == Fn::Eq) != negated ? Cover::Zero : Cover::NotZero, *a - *b);
}

// |f| <= g where f <= g and -f <= g; g <= |f| where g <= f or g <= -f.
Cover CoverReader::compare_magnitude(Fn fn, const Access& inside, const Access& other, bool left,
                                     bool negated) {
  const auto f = integer(inside), g = f ? integer(other) : std::nullopt;
  if (!g) return {};
  std::vector<Cover> args;
  for (const Sym& side : {*f, -*f}) args.push_back(ordered(fn, left ? side - *g : *g - side, negated));
  if (args[0].kind == Cover::Unknown || args[1].kind == Cover::Unknown) return {};
  return combine(left != negated, std::move(args));
}

// difference <= 0, or < 0 for Lt.
Cover CoverReader::ordered(Fn fn, const Sym& difference, bool negated) {
  if (fn == Fn::Le) return leaf(Cover::AtMostZero, negated ? 1 - difference : difference);
  return leaf(Cover::AtMostZero, negated ? -difference : difference + 1);
}

Cover CoverReader::leaf(Cover::Kind kind, const Sym& form) {
  const auto split = affine(form);
  if (!split) return {};
  Cover result;
  result.kind = kind;
  result.a = split->a;
  result.b = split->b;
  result.rest = split->form;
  return result;
}

Cover CoverReader::compare_intervals(Fn fn, const Access& x, const Access& y) {
  Parts parts;
  if (!gather(x, Sym(1), parts) || !gather(y, Sym(-1), parts)) return {};
  Cover result;
  result.kind = fn == Fn::Le ? Cover::AtMost : fn == Fn::Lt ? Cover::Below : Cover::Equal;
  std::tie(result.left, result.right) = sides(std::move(parts));
  return negated_if(fn == Fn::Ne, std::move(result));
}

Cover CoverReader::compare_reals(Fn fn, const Access& x, const Access& y) {
  const auto left = real(x), right = left ? real(y) : std::nullopt;
  if (!right) return {};
  Cover result;
  result.kind = fn == Fn::Le ? Cover::AtMost : fn == Fn::Lt ? Cover::Below : Cover::Equal;
  result.real = true;
  result.left = *left;
  result.right = *right;
  return negated_if(fn == Fn::Ne, std::move(result));
}

namespace {

// Some part of it has no interval at all.
bool is_undecided(const Cover& cover) {
  return cover.kind == Cover::Unknown || std::any_of(cover.args.begin(), cover.args.end(), is_undecided);
}

// Of alternatives, drops those that another one holds wherever they do: b and c where there is b.
void absorb(std::vector<Cover>& args) {
  const auto implied = [&](const Cover& cover) {
    return cover.kind == Cover::And && std::any_of(args.begin(), args.end(), [&](const Cover& other) {
             return std::find(cover.args.begin(), cover.args.end(), other) != cover.args.end();
           });
  };
  std::vector<Cover> kept;
  for (const Cover& cover : args) {
    if (!implied(cover)) kept.push_back(cover);
  }
  args = std::move(kept);
}

}  // namespace

bool is_given(const Program& program, Expr condition) {
  fusion::Dependence dependence(program.function->graph);
  for (Expr leaf : alg::collect(condition, {alg::Op::kLeaf})) {
    if (program.temporaries.contains(leaf.leaf_id())) return false;
    const fusion::Leaf& point = program.plan->leaves[leaf.leaf_id()];
    if (point.kind != fusion::Leaf::Point || dependence.has_reduction(point.node)) return false;
  }
  return alg::collect(condition, {alg::Op::kCall, alg::Op::kStreamLength}).empty();
}

CoverOf cover_of(const Program& program, Expr condition) {
  CoverReader reader(program);
  Cover cover = reader.of(condition, false);
  return {std::move(cover), std::move(reader.data)};
}

SweepCovers covers_of(const Program& program, const Sweep& sweep, bool bets) {
  CoverReader reader(program);
  SweepCovers result;
  const auto& live = bets && sweep.bet ? sweep.bet->live : sweep.live;
  if (live.empty() || std::any_of(live.begin(), live.end(), [](Expr e) { return !e; })) {
    result.live = CoverReader::constant(true);
  } else {
    std::vector<Cover> args;
    for (Expr e : live) args.push_back(reader.of(e, false));
    absorb(args);
    result.live = args.size() == 1 ? std::move(args[0]) : CoverReader::combine(false, std::move(args));
  }
  for (const Masked& m : sweep.masked)
    result.masked.push_back(m.predicate ? reader.of(m.predicate, false) : CoverReader::constant(true));
  result.data = std::move(reader.data);
  if (live.size() == 1 && live[0] && is_undecided(result.live) && is_given(program, live[0]))
    result.elements = live[0];
  return result;
}

bool is_interval(const Cover& cover) {
  if (cover.kind == Cover::And) return std::all_of(cover.args.begin(), cover.args.end(), is_interval);
  // A condition on the row alone drops all keys or none, which no loop bound says.
  return cover.kind == Cover::Constant ||
         ((cover.kind == Cover::AtMostZero || cover.kind == Cover::Zero) && cover.b != 0);
}

bool has_intervals(const Cover& cover) {
  return cover.kind >= Cover::Not || std::any_of(cover.args.begin(), cover.args.end(), has_intervals);
}

namespace {

void find_uneven(const Cover& cover, bool& later, bool& earlier) {
  for (const Cover& arg : cover.args) find_uneven(arg, later, earlier);
  if (cover.kind != Cover::AtMostZero || cover.b == 0) return;
  // Of a * i + b * j + rest <= 0 the last key moves up, or the first one down, as a * i falls.
  later = later || cover.a < 0;
  earlier = earlier || cover.a > 0;
}

}  // namespace

Uneven uneven_rows(const Cover& cover) {
  bool later = false, earlier = false;
  find_uneven(cover, later, earlier);
  return later == earlier ? Uneven::Unknown : later ? Uneven::Later : Uneven::Earlier;
}

namespace {

bool reads_keys(const CoverData& data, const Interval& x) {
  if (x.kind == Interval::Key) return !data.keys[x.index].uniform;
  return std::any_of(x.args.begin(), x.args.end(),
                     [&](const Interval& arg) { return reads_keys(data, arg); }) ||
         std::any_of(x.conditions.begin(), x.conditions.end(),
                     [&](const Cover& c) { return kernel::reads_keys(data, c); });
}

}  // namespace

bool reads_keys(const CoverData& data, const Cover& cover) {
  return reads_keys(data, cover.left) || reads_keys(data, cover.right) ||
         std::any_of(cover.args.begin(), cover.args.end(),
                     [&](const Cover& arg) { return reads_keys(data, arg); });
}

}  // namespace flashlight::kernel
