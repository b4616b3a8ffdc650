// SPDX-License-Identifier: Apache-2.0
// Folding a program over the empty key set.
#include "fusion/algebra/empty_row.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace flashlight::fusion::algebra {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

std::optional<double> reduced(Op op) {
  switch (op) {
    case Op::kReduceSum:
    case Op::kReduceAny:
    case Op::kStreamLength: return 0;
    case Op::kReduceMax: return -kInf;
    case Op::kReduceMin: return kInf;
    case Op::kReduceProd:
    case Op::kReduceAll: return 1;
    default: return std::nullopt;
  }
}

std::optional<double> folded(Expr e, const std::vector<double>& x) {
  const auto binary = [&](auto f) {
    double value = x[0];
    for (std::size_t i = 1; i < x.size(); ++i) value = f(value, x[i]);
    return value;
  };
  switch (e.op()) {
    case Op::kAdd: return binary([](double a, double b) { return a + b; });
    case Op::kMul: return binary([](double a, double b) { return a * b; });
    case Op::kPow: return x[0] == 0 && e.value() < 0 ? 0 : std::pow(x[0], e.value());
    case Op::kExp: return std::exp(x[0]);
    case Op::kLog: return std::log(x[0]);
    case Op::kAbs: return std::abs(x[0]);
    case Op::kRelu: return std::isnan(x[0]) ? x[0] : std::max(x[0], 0.0);
    case Op::kTanh: return std::tanh(x[0]);
    case Op::kSigmoid: return 1 / (1 + std::exp(-x[0]));
    case Op::kMax2: return std::isnan(x[0]) || std::isnan(x[1]) ? NAN : std::max(x[0], x[1]);
    case Op::kMin2: return std::isnan(x[0]) || std::isnan(x[1]) ? NAN : std::min(x[0], x[1]);
    case Op::kWhere: return x[0] != 0 ? x[1] : x[2];
    case Op::kGt: return x[0] > x[1];
    case Op::kGe: return x[0] >= x[1];
    case Op::kEq: return x[0] == x[1];
    case Op::kAnd: return binary([](double a, double b) { return double(a != 0 && b != 0); });
    case Op::kOr: return binary([](double a, double b) { return double(a != 0 || b != 0); });
    case Op::kNot: return x[0] == 0;
    default: return std::nullopt;
  }
}

std::optional<double> eager(Expr e, std::map<Expr, std::optional<double>>& memo) {
  if (const auto it = memo.find(e); it != memo.end()) return it->second;
  std::optional<double> result = reduced(e.op());
  if (e.is(Op::kConstant)) result = e.value();
  if (!result && !e.args().empty()) {
    std::vector<double> numbers;
    for (Expr a : e.args())
      if (const auto x = eager(a, memo)) numbers.push_back(*x);
    if (numbers.size() == e.args().size())
      result = e.is(Op::kPow) ? std::pow(numbers[0], e.value()) : folded(e, numbers);
  }
  return memo[e] = result;
}

}  // namespace

std::optional<double> eager_over_empty_stream(Expr e) {
  std::map<Expr, std::optional<double>> memo;
  return eager(e, memo);
}

Expr over_empty_stream(Expr root) {
  Arena& arena = root.arena();
  std::map<Expr, Expr> memo;
  auto fold = [&](auto&& self, Expr e) -> Expr {
    if (const auto it = memo.find(e); it != memo.end()) return it->second;
    Expr result = e;
    if (const auto value = reduced(e.op())) {
      result = arena.constant(*value);
    } else if (!e.args().empty()) {
      std::vector<Expr> args;
      std::vector<double> numbers;
      for (Expr a : e.args()) {
        args.push_back(self(self, a));
        if (args.back().is(Op::kConstant)) numbers.push_back(args.back().value());
      }
      const auto value = numbers.size() == args.size() ? folded(e, numbers) : std::nullopt;
      if (value) result = arena.constant(*value);
      else if (e.is(Op::kWhere) && args[0].is(Op::kConstant)) result = args[args[0].value() != 0 ? 1 : 2];
      else if (e.is(Op::kMul) && !numbers.empty() && std::count(numbers.begin(), numbers.end(), 0.0) > 0)
        result = arena.constant(0);  // 0 times a finite row value
      else result = with_args(e, std::move(args));
    }
    return memo[e] = result;
  };
  return fold(fold, root);
}

}  // namespace flashlight::fusion::algebra
