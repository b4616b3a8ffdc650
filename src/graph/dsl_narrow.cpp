// SPDX-License-Identifier: Apache-2.0
// See dsl_narrow.h.
#include "graph/dsl_narrow.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "graph/dsl_rank.h"

namespace flashlight::graph {
namespace {

constexpr double kMillion = 1 << 20, kInf = std::numeric_limits<double>::infinity();

struct Range {
  double lo = -kInf, hi = kInf;
};

Range hull(Range a, Range b) { return {std::min(a.lo, b.lo), std::max(a.hi, b.hi)}; }
Range plus(Range a, Range b) { return {a.lo + b.lo, a.hi + b.hi}; }
Range times(Range a, Range b) {
  const auto at = [](double x, double y) { return x == 0 || y == 0 ? 0 : x * y; };
  const auto [lo, hi] = std::minmax({at(a.lo, b.lo), at(a.lo, b.hi), at(a.hi, b.lo), at(a.hi, b.hi)});
  return {lo, hi};
}
Range magnitude(Range a) {
  const double most = std::max(std::abs(a.lo), std::abs(a.hi));
  return {a.lo <= 0 && a.hi >= 0 ? 0 : std::min(std::abs(a.lo), std::abs(a.hi)), most};
}
// Of x modulo a divisor within `by`, which has the divisor's sign.
Range remainder(Range by) { return {std::min(0.0, by.lo + 1), std::max(0.0, by.hi - 1)}; }
// Of x divided by whole numbers.
Range quotient(Range x) {
  const double most = magnitude(x).hi;
  return {x.lo >= 0 ? 0 : -most, most};
}
Range power(Range x, Range by) {
  if (by.lo != by.hi || by.lo < 0) return {};
  const double most = std::pow(magnitude(x).hi, by.lo);
  return {x.lo >= 0 || std::fmod(by.lo, 2) == 0 ? 0 : -most, most};
}

Range range_of(const Sym& e) {
  if (const auto value = e.as_real()) return {*value, *value};
  if (e.type() == SymType::Boolean) return {0, 1};
  const std::vector<Sym>& a = e.args();
  const auto fold = [&](Range (*op)(Range, Range)) {
    Range all = range_of(a[0]);
    for (std::size_t k = 1; k < a.size(); ++k) all = op(all, range_of(a[k]));
    return all;
  };
  switch (e.op()) {
    case SymOp::Symbol:
      if (e.symbol_id().kind != SymbolId::Scalar) return {0, kMillion};
      return e.type() == SymType::Integer ? Range{-kMillion, kMillion} : Range{};
    case SymOp::Add: return fold(plus);
    case SymOp::Mul: return fold(times);
    case SymOp::Min:
      return fold([](Range x, Range y) -> Range { return {std::min(x.lo, y.lo), std::min(x.hi, y.hi)}; });
    case SymOp::Max:
      return fold([](Range x, Range y) -> Range { return {std::max(x.lo, y.lo), std::max(x.hi, y.hi)}; });
    case SymOp::FloorDiv: return quotient(range_of(a[0]));
    case SymOp::Mod: return remainder(range_of(a[1]));
    case SymOp::Select: return hull(range_of(a[1]), range_of(a[2]));
    case SymOp::ToInteger:
    case SymOp::ToReal: return range_of(a[0]);
    default: return {};
  }
}

class Ranges {
 public:
  // `input`: what the parameters that are integers hold.
  Ranges(const Builder& builder, Range input) : builder_(builder), input_(input) {}

  Range operator()(NodeId id) {
    if (const auto known = known_.find(id); known != known_.end()) return known->second;
    return known_[id] = compute(builder_.node(id));
  }

 private:
  Range operand(const Node& n, std::size_t k) { return (*this)(n.operands[k].node); }

  Range compute(const Node& n) {
    if (n.type == Type::Bool) return {0, 1};
    switch (n.op) {
      case Op::Input: return n.type == Type::Int ? input_ : Range{};
      case Op::Scalar: return range_of(n.value);
      case Op::Iota: return {0, std::max(0.0, range_of(n.shape[0]).hi - 1)};
      case Op::Gather: return operand(n, 0);
      case Op::Segment: {
        Range all = operand(n, 0);
        for (std::size_t k = 1; k < n.operands.size(); ++k) all = hull(all, operand(n, k));
        return all;
      }
      case Op::Reduce:
        return n.reduce == ReduceKind::Max || n.reduce == ReduceKind::Min ? operand(n, 0) : Range{};
      case Op::Sort: return operand(n, 0);
      case Op::Order: return {0, kMillion};
      case Op::Map: return map(n);
      default: return {};
    }
  }

  Range map(const Node& n) {
    const Range x = operand(n, 0);
    switch (n.fn) {
      case Fn::Add:
      case Fn::Mul: {
        Range all = x;
        for (std::size_t k = 1; k < n.operands.size(); ++k)
          all = n.fn == Fn::Add ? plus(all, operand(n, k)) : times(all, operand(n, k));
        return all;
      }
      case Fn::Max: return {std::max(x.lo, operand(n, 1).lo), std::max(x.hi, operand(n, 1).hi)};
      case Fn::Min: return {std::min(x.lo, operand(n, 1).lo), std::min(x.hi, operand(n, 1).hi)};
      case Fn::FloorDiv: return quotient(x);
      case Fn::Mod: return remainder(operand(n, 1));
      case Fn::Pow: return power(x, operand(n, 1));
      case Fn::Where: return hull(operand(n, 1), operand(n, 2));
      case Fn::Abs: return magnitude(x);
      case Fn::Sign: return {-1, 1};
      case Fn::Tanh: return {-1, 1};
      case Fn::Sigmoid: return {0, 1};
      case Fn::Floor:
      case Fn::Ceil:
      case Fn::Round: return {std::floor(x.lo), std::ceil(x.hi)};
      case Fn::ToInt:
      case Fn::ToFloat: return x;
      default: return {};
    }
  }

  const Builder& builder_;
  Range input_;
  std::map<NodeId, Range> known_;
};

// What a value of this storage type holds; nothing where it holds all that a kernel does. The type of
// parameters is known at launch: kInt32, say, of which the eager program makes kInt32.
std::optional<std::pair<Range, const char*>> limits(const DTypeRule& rule) {
  const DType type = rule.inputs.empty() ? rule.constant.value_or(DType::Int64) : DType::Int32;
  if (rule.constant == DType::Int64) return std::nullopt;
  switch (type) {
    case DType::Int8: return {{{-128, 127}, "kInt8"}};
    case DType::UInt8: return {{{0, 255}, "kUInt8"}};
    case DType::Int32:
      return {
          {{-2147483648.0, 2147483647.0}, rule.inputs.empty() ? "kInt32" : "kInt32, as a parameter may be,"}};
    default: return std::nullopt;
  }
}

bool within(Range x, Range most) { return x.lo >= most.lo && x.hi <= most.hi; }

}  // namespace

void check_narrow(Builder& builder, const TensorView& value) {
  if (value.type != Type::Int || value.node < 0) return;
  const auto most = limits(value.dtype);
  if (!most) return;
  const Range range = Ranges(builder, {-kMillion, kMillion})(value.node);
  if (!value.dtype.inputs.empty() && raw_parameter(builder, value) < 0)
    for (const DType type : {DType::Int8, DType::UInt8}) {
      const Range held = limits({{}, type})->first;
      if (!within(Ranges(builder, held)(value.node), held)) builder.too_narrow(value.dtype, type);
    }
  if (within(range, most->first)) return;
  // Any float becomes some 32-bit integer in the eager program, too.
  const bool unknown = range.lo == -kInf || range.hi == kInf;
  const Node& node = builder.node(value.node);
  if (unknown && most->first.hi > kMillion && node.op == Op::Map && node.fn == Fn::ToInt) return;
  throw LoweringError(
      "narrow-integer",
      std::string("a value of ") + most->second + " may wrap around here, which a kernel does not do",
      "compute with kInt64: x.to(kInt64)");
}

}  // namespace flashlight::graph
