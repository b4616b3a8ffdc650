// SPDX-License-Identifier: Apache-2.0
// See cover.h.
#include "kernel/cover.h"

#include <algorithm>

namespace flashlight::kernel {

namespace {

namespace alg = fusion::algebra;
using fusion::Access;
using graph::Fn;
using graph::Op;
using graph::Sym;
using graph::SymOp;

class Analysis {
 public:
  explicit Analysis(const Program& program)
      : program_(program), plan_(*program.plan), graph_(program.function->graph), dependence_(graph_) {}

  Cover of(Expr e, bool negated) {
    switch (e.op()) {
      case alg::Op::kAnd:
      case alg::Op::kOr: {
        std::vector<Cover> args;
        for (Expr arg : e.args()) args.push_back(of(arg, negated));
        return combine((e.op() == alg::Op::kAnd) != negated, std::move(args));
      }
      case alg::Op::kNot: return of(e.arg(0), !negated);
      case alg::Op::kConstant: return constant((e.value() != 0) != negated);
      case alg::Op::kLeaf:
        if (program_.temporaries.contains(e.leaf_id())) return {};
        return of(access(plan_.leaves[e.leaf_id()]), negated);
      default: return {};
    }
  }

  Cover combine(bool conjunction, std::vector<Cover> args) {
    Cover result;
    result.kind = conjunction ? Cover::And : Cover::Or;
    result.args = std::move(args);
    return result;
  }
  Cover constant(bool value) {
    Cover result;
    result.kind = Cover::Constant;
    result.value = value;
    return result;
  }

  std::vector<Access> data;

 private:
  static Access access(const fusion::Leaf& leaf) { return {leaf.node, leaf.index}; }

  Cover of(const Access& at, bool negated) {
    const graph::Node& node = graph_[at.node];
    if (node.op == Op::Scalar) {
      if (auto c = node.value.as_integer()) return constant((*c != 0) != negated);
      return {};
    }
    if (node.op != Op::Map) return {};
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

  // The f of |f|; nothing for another value.
  std::optional<Access> magnitude(const Access& at) const {
    const graph::Node& node = graph_[at.node];
    if (node.op != Op::Map || node.fn != Fn::Abs) return std::nullopt;
    return fusion::compose(node.operands[0], at.index);
  }

  // |f| <= g where f <= g and -f <= g; g <= |f| where g <= f or g <= -f.
  Cover compare_magnitude(Fn fn, const Access& inside, const Access& other, bool left, bool negated) {
    const auto f = integer(inside), g = integer(other);
    if (!f || !g) return {};
    std::vector<Cover> args;
    for (const Sym& side : {*f, -*f}) args.push_back(ordered(fn, left ? side - *g : *g - side, negated));
    return combine(left != negated, std::move(args));
  }

  Cover compare(Fn fn, const Access& x, const Access& y, bool negated) {
    if (graph_[x.node].type != graph::Type::Int || graph_[y.node].type != graph::Type::Int) return {};
    if (fn == Fn::Le || fn == Fn::Lt) {
      if (const auto inside = magnitude(x)) return compare_magnitude(fn, *inside, y, true, negated);
      if (const auto inside = magnitude(y)) return compare_magnitude(fn, *inside, x, false, negated);
    }
    const auto a = integer(x), b = integer(y);
    if (!a || !b) return {};
    if (fn == Fn::Le || fn == Fn::Lt) return ordered(fn, *a - *b, negated);
    return leaf((fn == Fn::Eq) != negated ? Cover::Zero : Cover::NotZero, *a - *b);
  }

  // difference <= 0, or < 0 for Lt.
  Cover ordered(Fn fn, const Sym& difference, bool negated) {
    if (fn == Fn::Le) return leaf(Cover::AtMostZero, negated ? 1 - difference : difference);
    return leaf(Cover::AtMostZero, negated ? -difference : difference + 1);
  }

  Cover leaf(Cover::Kind kind, const Sym& form) {
    const auto by_row = graph::affine_in(form, plan_.row);
    if (!by_row) return {};
    const auto by_key = graph::affine_in(by_row->second, plan_.stream);
    const auto a = by_row->first.as_integer();
    const auto b = by_key ? by_key->first.as_integer() : std::nullopt;
    if (!a || !b) return {};
    Cover result;
    result.kind = kind;
    result.a = *a;
    result.b = *b;
    result.rest = by_key->second;
    return result;
  }

  // An integer value as a Sym over the loops; captured integers that are uniform in a tile become Datum.
  std::optional<Sym> integer(const Access& at) {
    const graph::Node& node = graph_[at.node];
    if (node.op == Op::Iota) return at.index[0];
    if (node.op == Op::Scalar) return node.value;
    const fusion::LoopSet tile = fusion::bit(plan_.row) | fusion::bit(plan_.stream);
    if (node.op == Op::Input || node.op == Op::Gather) {
      if (dependence_(at) & tile) return std::nullopt;
      auto found = std::find(data.begin(), data.end(), at);
      if (found == data.end()) found = data.insert(data.end(), at);
      return Sym::datum(static_cast<int>(found - data.begin()));
    }
    if (node.op != Op::Map) return std::nullopt;
    std::vector<Sym> args;
    for (const graph::Operand& operand : node.operands) {
      const auto arg = integer(fusion::compose(operand, at.index));
      if (!arg) return std::nullopt;
      args.push_back(*arg);
    }
    switch (node.fn) {
      case Fn::Add: return graph::make_sym(SymOp::Add, args);
      case Fn::Mul: return graph::make_sym(SymOp::Mul, args);
      case Fn::FloorDiv: return graph::make_sym(SymOp::FloorDiv, args);
      case Fn::Mod: return graph::make_sym(SymOp::Mod, args);
      case Fn::Min: return graph::make_sym(SymOp::Min, args);
      case Fn::Max: return graph::make_sym(SymOp::Max, args);
      default: return std::nullopt;
    }
  }

  const Program& program_;
  const fusion::KernelPlan& plan_;
  const graph::Graph& graph_;
  fusion::Dependence dependence_;
};

}  // namespace

CoverOf cover_of(const Program& program, Expr condition) {
  Analysis analysis(program);
  Cover cover = analysis.of(condition, false);
  return {std::move(cover), std::move(analysis.data)};
}

CoverOf cover_of_any(const Program& program, const std::vector<Expr>& conditions) {
  Analysis analysis(program);
  if (conditions.empty() || std::any_of(conditions.begin(), conditions.end(), [](Expr e) { return !e; })) {
    return {analysis.constant(true), {}};
  }
  std::vector<Cover> args;
  for (Expr e : conditions) args.push_back(analysis.of(e, false));
  Cover cover = args.size() == 1 ? std::move(args[0]) : analysis.combine(false, std::move(args));
  return {std::move(cover), std::move(analysis.data)};
}

bool is_interval(const Cover& cover) {
  if (cover.kind == Cover::And) return std::all_of(cover.args.begin(), cover.args.end(), is_interval);
  // A condition on the row alone drops all keys or none, which no loop bound says.
  return cover.kind == Cover::Constant || ((cover.kind == Cover::AtMostZero || cover.kind == Cover::Zero) && cover.b != 0);
}

bool has_unknown(const Cover& cover) {
  return cover.kind == Cover::Unknown || std::any_of(cover.args.begin(), cover.args.end(), has_unknown);
}

}  // namespace flashlight::kernel
