// SPDX-License-Identifier: Apache-2.0
// Bounds and signs by structure, one node at a time.
#include "fusion/algebra/interval.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace flashlight::fusion::algebra {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

double or_else(double x, double fallback) { return std::isnan(x) ? fallback : x; }

Interval add(Interval a, Interval b) { return {or_else(a.lo + b.lo, -kInf), or_else(a.hi + b.hi, kInf)}; }

// An open end times zero is zero: ends at infinity are not attained.
Interval multiply(Interval a, Interval b) {
  double lo = kInf, hi = -kInf;
  for (double x : {a.lo, a.hi})
    for (double y : {b.lo, b.hi}) {
      const double p = x == 0 || y == 0 ? 0 : x * y;
      lo = std::min(lo, p);
      hi = std::max(hi, p);
    }
  return {lo, hi};
}

Interval raise(Interval a, double n) {
  if (n == 0) return {1, 1};
  const bool integer = n == std::floor(n), even = integer && std::fmod(n, 2) == 0;
  if (!integer) a.lo = std::max(a.lo, 0.0), a.hi = std::max(a.hi, 0.0);  // else NaN
  if (a.lo >= 0)
    return n > 0 ? Interval{std::pow(a.lo, n), std::pow(a.hi, n)}
                 : Interval{std::pow(a.hi, n), std::pow(a.lo, n)};
  if (even && n > 0)
    return {a.hi < 0 ? std::pow(a.hi, n) : 0, std::max(std::pow(a.lo, n), std::pow(a.hi, n))};
  if (even) return {0, kInf};
  if (n > 0) return {std::pow(a.lo, n), std::pow(a.hi, n)};
  if (a.hi < 0) return {std::pow(a.hi, n), std::pow(a.lo, n)};
  return {};
}

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

Interval range_of(const Node& n, const LeafInfo* leaf) {
  const auto at = [&](std::size_t i) { return n.args[i].node().range; };
  const auto mapped = [&](auto f) { return Interval{f(at(0).lo), f(at(0).hi)}; };
  switch (n.op) {
    case Op::kConstant: return {n.numbers[0], n.numbers[0]};
    case Op::kLeaf:
      if (leaf->is_bool) return {0, 1};
      return {leaf->nonneg ? std::max(leaf->lo, 0.0) : leaf->lo, leaf->hi};
    case Op::kStreamLength: return {0, kInf};
    case Op::kAdd: {
      Interval r = at(0);
      for (std::size_t i = 1; i < n.args.size(); ++i) r = add(r, at(i));
      return r;
    }
    case Op::kMul: {
      Interval r = at(0);
      for (std::size_t i = 1; i < n.args.size(); ++i) r = multiply(r, at(i));
      return r;
    }
    case Op::kPow: return raise(at(0), n.numbers[0]);
    case Op::kExp: return mapped([](double x) { return std::exp(x); });
    case Op::kLog: return mapped([](double x) { return x > 0 ? std::log(x) : -kInf; });
    case Op::kTanh: return mapped([](double x) { return std::tanh(x); });
    case Op::kSigmoid: return mapped(sigmoid_of);
    case Op::kRelu: return mapped([](double x) { return std::max(x, 0.0); });
    case Op::kAbs: {
      const Interval r = at(0);
      return {r.lo > 0 ? r.lo : r.hi < 0 ? -r.hi : 0, std::max(std::abs(r.lo), std::abs(r.hi))};
    }
    case Op::kMax2: return {std::max(at(0).lo, at(1).lo), std::max(at(0).hi, at(1).hi)};
    case Op::kMin2: return {std::min(at(0).lo, at(1).lo), std::min(at(0).hi, at(1).hi)};
    case Op::kWhere: return {std::min(at(1).lo, at(2).lo), std::max(at(1).hi, at(2).hi)};
    case Op::kGt:
    case Op::kGe:
    case Op::kEq:
    case Op::kAnd:
    case Op::kOr:
    case Op::kNot:
    case Op::kReduceAny:
    case Op::kReduceAll:
    case Op::kIndicator:
    case Op::kAttainsMax:
    case Op::kRunningAny: return {0, 1};
    case Op::kCall: return n.numbers.empty() ? Interval{} : Interval{0, 1};
    case Op::kReduceSum:
    case Op::kScan:
    case Op::kCarried:
    case Op::kRawSum: return {at(0).lo >= 0 ? 0 : -kInf, at(0).hi <= 0 ? 0 : kInf};
    case Op::kReduceMax:
    case Op::kReduceMin:
    case Op::kRunningMax:
    case Op::kLazyMax:
    case Op::kCentre:
    case Op::kKnown: return at(0);
    case Op::kReduceProd:
    case Op::kRunningProd:
    case Op::kArgAccumulator: return {n.args[0].node().nonneg ? 0 : -kInf, kInf};
    case Op::kAccumulator: {
      bool nonneg = n.args[0].node().nonneg;
      for (std::size_t i = 1 + static_cast<std::size_t>(n.numbers[0]); i < n.numbers.size(); ++i)
        nonneg = nonneg && std::fmod(n.numbers[i], 2) == 0;
      return {nonneg ? 0 : -kInf, kInf};
    }
    case Op::kCentred: return {};
  }
  return {};
}

bool positive_of(const Node& n) {
  const auto positive = [](Expr a) { return a.node().positive; };
  if (n.range.lo > 0) return true;
  switch (n.op) {
    case Op::kStreamLength:
    case Op::kExp:
    case Op::kSigmoid: return true;
    case Op::kPow: return positive(n.args[0]) || (n.numbers[0] < 0 && n.args[0].node().nonneg);
    case Op::kMul: return std::all_of(n.args.begin(), n.args.end(), positive);
    case Op::kAdd:
      return n.nonneg && std::any_of(n.args.begin(), n.args.end(), positive) &&
             std::all_of(n.args.begin(), n.args.end(), [](Expr a) { return a.node().nonneg; });
    case Op::kMax2: return positive(n.args[0]) || positive(n.args[1]);
    case Op::kMin2: return positive(n.args[0]) && positive(n.args[1]);
    case Op::kWhere: return positive(n.args[1]) && positive(n.args[2]);
    case Op::kRawSum:
    case Op::kReduceSum:
    case Op::kKnown:
    case Op::kAccumulator: {
      Expr term = n.args[0];  // a guard leaves a sum positive: rows it empties have their own convention
      if (term.is(Op::kWhere) && term.arg(2).is_constant(0)) term = term.arg(1);
      return n.nonneg && positive(term);
    }
    default: return false;
  }
}

std::uint8_t kind_of(const Node& n, const LeafInfo* leaf) {
  if (is_state(n.op) || is_reduction(n.op)) return kUnknown;
  switch (n.op) {
    case Op::kConstant:
    case Op::kStreamLength:
    case Op::kKnown: return kFixed;
    case Op::kLeaf: return leaf->streamed ? kKeyed : kFixed;
    case Op::kCarried:
    case Op::kAttainsMax:
    case Op::kCentred: return kKeyed;
    default: break;
  }
  std::uint8_t kind = kFixed;
  for (Expr a : n.args) kind |= a.node().kind;
  return kind;
}

}  // namespace

void annotate(Node& n, const LeafInfo* leaf) {
  n.kind = kind_of(n, leaf);
  n.column = leaf != nullptr && leaf->column;
  for (Expr a : n.args) n.column = n.column || a.node().column;
  n.range = range_of(n, leaf);
  const bool product_nonneg =
      n.op == Op::kMul && std::all_of(n.args.begin(), n.args.end(), [](Expr a) { return a.node().nonneg; });
  n.nonneg = n.range.lo >= 0 || product_nonneg;
  n.positive = positive_of(n);
}

Interval range(Expr e) { return e.node().range; }
bool is_nonneg(Expr e) { return e.node().nonneg; }
bool is_positive(Expr e) { return e.node().positive; }

Interval finite_range(Expr e) {
  switch (e.op()) {
    case Op::kWhere:
      if (e.arg(2).is_constant(-kInf)) return finite_range(e.arg(1));
      return e.node().range;
    case Op::kAdd: {
      Interval r{0, 0};
      for (Expr a : e.args()) r = add(r, finite_range(a));
      return r;
    }
    case Op::kMul: {
      Interval r{1, 1};
      for (Expr a : e.args()) r = multiply(r, finite_range(a));
      return r;
    }
    default: return e.node().range;
  }
}

}  // namespace flashlight::fusion::algebra
