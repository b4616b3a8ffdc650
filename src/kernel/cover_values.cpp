// SPDX-License-Identifier: Apache-2.0
// The values that a mask compares, as intervals over a tile. See cover_reader.h.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernel/cover_reader.h"

namespace flashlight::kernel {

using fusion::Access;
using graph::Fn;
using graph::Op;
using graph::Sym;
using graph::SymOp;

namespace {

Interval make(Interval::Kind kind, std::vector<Interval> args, Sym form = {}) {
  Interval result;
  result.kind = kind;
  result.args = std::move(args);
  result.form = std::move(form);
  return result;
}

Interval times(const Sym& factor, Interval x) {
  if (factor.is_integer(1)) return x;
  return make(Interval::Times, {std::move(x)}, factor);
}

bool is_minus_one(const graph::Node& node) { return node.op == Op::Scalar && node.value.as_real() == -1.0; }

bool is_negative(const Sym& e) {
  if (const auto c = e.as_integer()) return *c < 0;
  return e.op() == SymOp::Mul && std::any_of(e.args().begin(), e.args().end(), is_negative);
}

}  // namespace

std::pair<Interval, Interval> sides_of(const Interval& form) {
  Interval left, right;
  (form.a < 0 ? right : left).a = std::abs(form.a);
  (form.b < 0 ? right : left).b = std::abs(form.b);
  const std::vector<Sym> terms =
      form.form.op() == SymOp::Add ? form.form.args() : std::vector<Sym>{form.form};
  for (const Sym& term : terms) {
    if (is_negative(term)) right.form = right.form - term;
    else left.form = left.form + term;
  }
  return {left, right};
}

bool CoverReader::reads_tensor(graph::NodeId id) const {
  const graph::Node& node = graph_[id];
  return node.op == Op::Input || std::any_of(node.operands.begin(), node.operands.end(),
                                             [&](const graph::Operand& o) { return reads_tensor(o.node); });
}

// The f of |f|; nothing for another value.
std::optional<Access> CoverReader::magnitude(const Access& at) const {
  const graph::Node& node = graph_[at.node];
  if (node.op != Op::Map || node.fn != Fn::Abs) return std::nullopt;
  return fusion::compose(node.operands[0], at.index);
}

// An integer value as a Sym over the loops; captured integers that are uniform in a tile become Datum.
std::optional<Sym> CoverReader::integer(const Access& at) {
  const graph::Node& node = graph_[at.node];
  if (node.type != graph::Type::Int) return std::nullopt;
  if (node.op == Op::Iota) return at.index[0];
  if (node.op == Op::Scalar) return node.value;
  if (node.op == Op::Map) {
    if (auto e = formula(at)) return e;
  }
  if (tile_loops(at) || dependence_.has_reduction(at.node)) return std::nullopt;
  auto found = std::find(data.uniform.begin(), data.uniform.end(), at);
  if (found == data.uniform.end()) found = data.uniform.insert(data.uniform.end(), at);
  return Sym::datum(static_cast<int>(found - data.uniform.begin()));
}

std::optional<Sym> CoverReader::formula(const Access& at) {
  const graph::Node& node = graph_[at.node];
  const CoverData before = data;
  std::vector<Sym> args;
  for (const graph::Operand& operand : node.operands) {
    const auto arg = integer(fusion::compose(operand, at.index));
    if (!arg) {
      data = before;
      return std::nullopt;
    }
    args.push_back(*arg);
  }
  switch (node.fn) {
    case Fn::Add: return graph::make_sym(SymOp::Add, args);
    case Fn::Mul: return graph::make_sym(SymOp::Mul, args);
    case Fn::FloorDiv: return graph::make_sym(SymOp::FloorDiv, args);
    case Fn::Mod: return graph::make_sym(SymOp::Mod, args);
    case Fn::Min: return graph::make_sym(SymOp::Min, args);
    case Fn::Max: return graph::make_sym(SymOp::Max, args);
    default: data = before; return std::nullopt;
  }
}

bool CoverReader::is_uniform(const Sym& e) const { return !(fusion::loops_of(e) & (both_ | inner_)); }

// a * i + b * j + the rest, with integer a and b.
std::optional<Interval> CoverReader::affine(const Sym& e) const {
  const auto by_row = graph::affine_in(e, plan_.row);
  if (!by_row) return std::nullopt;
  const auto by_key = graph::affine_in(by_row->second, plan_.stream);
  const auto a = by_row->first.as_integer();
  const auto b = by_key ? by_key->first.as_integer() : std::nullopt;
  if (!a || !b || !is_uniform(by_key->second)) return std::nullopt;
  Interval result = make(Interval::Form, {}, by_key->second);
  result.a = *a;
  result.b = *b;
  return result;
}

std::optional<Interval> CoverReader::interval(const Sym& e) const {
  if (auto form = affine(e)) return form;
  const std::vector<Sym>& args = e.args();
  std::vector<Interval> parts;
  if (e.op() == SymOp::FloorDiv || e.op() == SymOp::Mod) {
    if (!is_uniform(args[1])) return std::nullopt;
    auto x = interval(args[0]);
    if (!x) return std::nullopt;
    return make(e.op() == SymOp::Mod ? Interval::Mod : Interval::FloorDiv, {std::move(*x)}, args[1]);
  }
  Sym fixed = e.op() == SymOp::Mul ? Sym(1) : Sym(0);
  for (const Sym& arg : args) {
    if (e.op() == SymOp::Mul && is_uniform(arg)) {
      fixed = fixed * arg;
    } else if (e.op() == SymOp::Add && affine(fixed + arg)) {
      fixed = fixed + arg;
    } else {
      auto part = interval(arg);
      if (!part) return std::nullopt;
      parts.push_back(std::move(*part));
    }
  }
  switch (e.op()) {
    case SymOp::Add:
      if (!fixed.is_integer(0)) parts.push_back(*affine(fixed));
      return make(Interval::Sum, std::move(parts));
    case SymOp::Mul:
      for (; parts.size() > 1; parts.pop_back()) {
        Interval& x = parts[parts.size() - 2];
        x = make(Interval::Product, {x, parts.back()});
      }
      return times(fixed, std::move(parts[0]));
    case SymOp::Min: return make(Interval::Least, std::move(parts));
    case SymOp::Max: return make(Interval::Greatest, std::move(parts));
    default: return std::nullopt;
  }
}

Interval CoverReader::captured(std::vector<PointSum>& all, PointSum sum) {
  Interval result;
  result.kind = &all == &data.rows ? Interval::Rows : Interval::Key;
  auto found = std::find(all.begin(), all.end(), sum);
  if (found == all.end()) found = all.insert(all.end(), std::move(sum));
  result.index = static_cast<int>(found - all.begin());
  return result;
}

Interval CoverReader::point(const Access& at, fusion::LoopSet loops) {
  PointSum sum;
  sum.type = graph_[at.node].type;
  sum.terms = {{Sym(1), at}};
  sum.uniform = loops == 0;
  return captured(loops == fusion::bit(plan_.row) ? data.rows : data.keys, std::move(sum));
}

// An integer, or a bool as one.
std::optional<Interval> CoverReader::interval(const Access& at) {
  if (const auto e = integer(at)) return interval(*e);
  const graph::Node& node = graph_[at.node];
  if (node.type == graph::Type::Float) return std::nullopt;
  const fusion::LoopSet loops = tile_loops(at);
  const bool captured = loops != both_ && reads_tensor(at.node);
  if (!captured && node.op == Op::Map) {
    if (auto x = node.type == graph::Type::Bool ? truth(at) : interval_of_map(at)) return x;
  }
  if (loops == both_ || !can_be_looked_up(at)) return std::nullopt;
  return point(at, loops);
}

std::optional<Interval> CoverReader::truth(const Access& at) {
  Cover cover = of(at, false);
  if (cover.kind == Cover::Unknown) return std::nullopt;
  Interval result = make(Interval::Truth, {});
  result.conditions.push_back(std::move(cover));
  return result;
}

std::optional<Interval> CoverReader::interval_of_map(const Access& at) {
  const graph::Node& node = graph_[at.node];
  auto operand = [&](std::size_t k) { return fusion::compose(node.operands[k], at.index); };
  switch (node.fn) {
    case Fn::Mul: return interval_of_product(at);
    case Fn::Pow: return interval_of_power(at);
    case Fn::ToInt:
      return graph_[operand(0).node].type == graph::Type::Bool ? interval(operand(0)) : std::nullopt;
    case Fn::FloorDiv:
    case Fn::Mod: {
      auto x = interval(operand(0));
      const auto by = integer(operand(1));
      if (!x || !by || !is_uniform(*by)) return std::nullopt;
      return make(node.fn == Fn::Mod ? Interval::Mod : Interval::FloorDiv, {std::move(*x)}, *by);
    }
    case Fn::Where: {
      Cover cover = of(operand(0), false);
      auto x = interval(operand(1)), y = interval(operand(2));
      if (!x || !y) return std::nullopt;
      Interval result = make(Interval::Choice, {std::move(*x), std::move(*y)});
      result.conditions.push_back(std::move(cover));
      return result;
    }
    default: break;
  }
  Interval::Kind kind = Interval::Form;
  switch (node.fn) {
    case Fn::Add: kind = Interval::Sum; break;
    case Fn::Min: kind = Interval::Least; break;
    case Fn::Max: kind = Interval::Greatest; break;
    case Fn::Abs: kind = Interval::Magnitude; break;
    default: return std::nullopt;
  }
  std::vector<Interval> args;
  for (std::size_t k = 0; k < node.operands.size(); ++k) {
    auto arg = interval(operand(k));
    if (!arg) return std::nullopt;
    args.push_back(std::move(*arg));
  }
  return make(kind, std::move(args));
}

std::optional<Interval> CoverReader::interval_of_product(const Access& at) {
  Sym factor(1);
  std::optional<Interval> product;
  for (const graph::Operand& operand : graph_[at.node].operands) {
    const Access arg = fusion::compose(operand, at.index);
    if (!tile_loops(arg)) {
      const auto e = integer(arg);
      if (!e) return std::nullopt;
      factor = factor * *e;
      continue;
    }
    auto x = interval(arg);
    if (!x) return std::nullopt;
    product = product ? make(Interval::Product, {std::move(*product), std::move(*x)}) : std::move(*x);
  }
  return product ? std::optional(times(factor, std::move(*product))) : std::nullopt;
}

// Even powers are those of the magnitude.
std::optional<Interval> CoverReader::interval_of_power(const Access& at) {
  const graph::Node& node = graph_[at.node];
  const auto exponent = integer(fusion::compose(node.operands[1], at.index));
  const std::int64_t n = exponent ? exponent->as_integer().value_or(0) : 0;
  auto base = interval(fusion::compose(node.operands[0], at.index));
  constexpr int kMost = 8;
  if (!base || n < 1 || n > kMost) return std::nullopt;
  const Interval size = make(Interval::Magnitude, {*base});
  Interval result = n % 2 ? *base : make(Interval::Product, {size, size});
  for (std::int64_t k = n % 2 ? 1 : 2; k < n; ++k)
    result = make(Interval::Product, {std::move(result), size});
  return result;
}

// A value that is looked up in one place and computed in another must be the same in both: none of its
// operations rounds, but for sums, which are added up in the same order in both and leave a compiler nothing
// to contract.
bool CoverReader::is_exact(graph::NodeId id) const {
  const graph::Node& node = graph_[id];
  if (node.op == Op::Map && node.type == graph::Type::Float) {
    switch (node.fn) {
      case Fn::Max:
      case Fn::Min:
      case Fn::Abs:
      case Fn::Floor:
      case Fn::Ceil:
      case Fn::Where:
      case Fn::ToFloat:
      case Fn::Add: break;
      case Fn::Mul:  // a sign
        if (node.operands.size() != 2 || !is_minus_one(graph_[node.operands[0].node])) return false;
        break;
      default: return false;
    }
  }
  return std::all_of(node.operands.begin(), node.operands.end(),
                     [&](const graph::Operand& o) { return is_exact(o.node); });
}

std::optional<Interval> CoverReader::real(const Access& at) {
  const graph::Node& node = graph_[at.node];
  const fusion::LoopSet loops = tile_loops(at);
  if (loops != both_) {
    if (!can_be_looked_up(at)) return std::nullopt;
    return point(at, loops);
  }
  if (node.op != Op::Map) return std::nullopt;
  if (node.fn == Fn::ToFloat) {
    auto x = interval(fusion::compose(node.operands[0], at.index));
    return x ? std::optional(make(Interval::Real, {std::move(*x)})) : std::nullopt;
  }
  std::vector<Interval> args;
  for (const graph::Operand& operand : node.operands) {
    auto arg = real(fusion::compose(operand, at.index));
    if (!arg) return std::nullopt;
    args.push_back(std::move(*arg));
  }
  switch (node.fn) {
    case Fn::Min: return make(Interval::Least, std::move(args));
    case Fn::Max: return make(Interval::Greatest, std::move(args));
    case Fn::Abs: return make(Interval::Magnitude, std::move(args));
    // One addition rounds to the same wherever it is done, and rounding keeps the order.
    case Fn::Add:
      return args.size() == 2 ? std::optional(make(Interval::Sum, std::move(args))) : std::nullopt;
    default: return std::nullopt;
  }
}

std::optional<Interval> CoverReader::real(Expr e) {
  if (e.is(fusion::algebra::Op::kConstant)) {
    Interval result = make(Interval::Number, {});
    result.number = e.value();
    return result;
  }
  if (!e.is(fusion::algebra::Op::kLeaf) || program_.temporaries.contains(e.leaf_id())) return std::nullopt;
  const fusion::Leaf& leaf = plan_.leaves[e.leaf_id()];
  if (leaf.kind != fusion::Leaf::Point || graph_[leaf.node].type != graph::Type::Float) return std::nullopt;
  return real(Access{leaf.node, leaf.index});
}

// ---- the two sides of a comparison

bool CoverReader::gather(const Access& at, const Sym& factor, Parts& parts) {
  if (const auto e = integer(at)) return gather(*e, factor, parts);
  const graph::Node& node = graph_[at.node];
  if (const fusion::LoopSet loops = tile_loops(at); loops != both_ && reads_tensor(at.node)) {
    if (node.type == graph::Type::Float || !can_be_looked_up(at)) return false;
    (loops == fusion::bit(plan_.row) ? parts.row : parts.key).terms.push_back({factor, at});
    return true;
  }
  if (node.op == Op::Map && node.fn == Fn::Add) {
    return std::all_of(node.operands.begin(), node.operands.end(), [&](const graph::Operand& operand) {
      return gather(fusion::compose(operand, at.index), factor, parts);
    });
  }
  auto x = interval(at);
  if (x) parts.mixed.push_back(times(factor, std::move(*x)));
  return x.has_value();
}

bool CoverReader::gather(const Sym& e, const Sym& factor, Parts& parts) {
  const Sym scaled = factor * e;
  if (affine(scaled)) {
    parts.form = parts.form + scaled;
    return true;
  }
  if (e.op() == SymOp::Add) {
    return std::all_of(e.args().begin(), e.args().end(),
                       [&](const Sym& arg) { return gather(arg, factor, parts); });
  }
  auto x = interval(e);
  if (x) parts.mixed.push_back(times(factor, std::move(*x)));
  return x.has_value();
}

// Rows on one side, keys on the other as far as they go, and nothing subtracted that need not be: ids may be
// as large as integers are.
std::pair<Interval, Interval> CoverReader::sides(Parts parts) {
  std::vector<Interval> left, right;
  for (Interval& x : parts.mixed) {
    if (x.kind == Interval::Times && is_negative(x.form))
      right.push_back(times(-x.form, std::move(x.args[0])));
    else left.push_back(std::move(x));
  }
  Interval form = *affine(parts.form);
  if (!parts.row.terms.empty()) {
    parts.row.form = Sym(static_cast<long>(form.a)) * Sym::axis(plan_.row);
    form.a = 0;
  }
  for (PointSum* sum : {&parts.key, &parts.row}) {
    if (sum->terms.empty()) continue;
    const bool negative = is_negative(sum->terms[0].factor);
    if (negative) {
      for (PointSum::Term& term : sum->terms) term.factor = -term.factor;
      sum->form = -sum->form;
    }
    (negative ? right : left).push_back(captured(sum == &parts.row ? data.rows : data.keys, std::move(*sum)));
  }
  auto [over, under] = sides_of(form);
  auto side = [](std::vector<Interval>& terms, Interval&& rest) {
    if (terms.empty() || rest.a != 0 || rest.b != 0 || !rest.form.is_integer(0))
      terms.push_back(std::move(rest));
    return terms.size() == 1 ? std::move(terms[0]) : make(Interval::Sum, std::move(terms));
  };
  return {side(left, std::move(over)), side(right, std::move(under))};
}

}  // namespace flashlight::kernel
