// SPDX-License-Identifier: Apache-2.0
// See interpret_values.h.
#include "kernel/interpret_values.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "graph/evaluate_functions.h"

namespace flashlight::kernel {

namespace alg = fusion::algebra;

namespace {

// A product as the emitted code writes it: reciprocals of factors are one division.
double product(Expr e, const std::vector<double>& x) {
  double over = 1, under = 1;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const Expr arg = e.arg(k);
    if (arg.is(alg::Op::kPow) && arg.value() == -1) under *= x[k];
    else over *= x[k];
  }
  return over / under;
}

double power(double x, double exponent) {
  if (exponent == -1) return 1 / x;
  if (exponent == 2) return x * x;
  if (exponent == 0.5) return std::sqrt(x);
  if (exponent == -0.5) return 1 / std::sqrt(x);
  return std::pow(x, exponent);
}

double called(Expr e, const std::vector<double>& x) {
  if (e.function_id() == kExp2) return std::exp2(x[0]);
  return graph::apply(static_cast<graph::Fn>(e.function_id()), graph::Type::Float, x.data(),
                      static_cast<int>(x.size()));
}

// One element.
double element(Expr e, const std::vector<double>& x) {
  switch (e.op()) {
    case alg::Op::kAdd: {
      double sum = x[0];
      for (std::size_t k = 1; k < x.size(); ++k) sum += x[k];
      return sum;
    }
    case alg::Op::kMul: return product(e, x);
    case alg::Op::kPow: return power(x[0], e.value());
    case alg::Op::kExp: return std::exp(x[0]);
    case alg::Op::kLog: return std::log(x[0]);
    case alg::Op::kWhere: return x[0] != 0 ? x[1] : x[2];
    case alg::Op::kMax2: return greatest(x[0], x[1]);
    case alg::Op::kMin2: return least(x[0], x[1]);
    case alg::Op::kGt: return x[0] > x[1];
    case alg::Op::kGe: return x[0] >= x[1];
    case alg::Op::kEq: return x[0] == x[1];
    case alg::Op::kAnd: return std::all_of(x.begin(), x.end(), [](double v) { return v != 0; });
    case alg::Op::kOr: return std::any_of(x.begin(), x.end(), [](double v) { return v != 0; });
    case alg::Op::kNot: return x[0] == 0;
    case alg::Op::kAbs: return std::fabs(x[0]);
    case alg::Op::kRelu: return x[0] < 0 ? 0 : x[0];
    case alg::Op::kTanh: return std::tanh(x[0]);
    case alg::Op::kSigmoid: return 1 / (1 + std::exp(-x[0]));
    case alg::Op::kCall: return called(e, x);
    default: throw std::logic_error(std::string("interpret: no value for ") + alg::op_name(e.op()));
  }
}

}  // namespace

double greatest(double a, double b) { return a > b || std::isnan(a) ? a : b; }
double least(double a, double b) { return a < b || std::isnan(a) ? a : b; }

TileEvaluator::TileEvaluator(const Program& program, Points& points, TilePlace& place, Variables variable)
    : program_(program), points_(points), place_(place), variable_(std::move(variable)) {}

TileValues TileEvaluator::value(Expr e, int column_loop) {
  std::map<Expr, TileValues> memo;
  return memoised(e, column_loop, memo);
}

double TileEvaluator::point(const PointCode& code, Space space, std::int64_t row, std::int64_t column,
                            int column_loop) {
  std::vector<std::int64_t>& at = place_.loops;
  if (space & kRow) place_.stand_at(std::min(place_.row0 + row, place_.row_end - 1));
  if (space & kKey) at[program_.plan->stream] = std::min(place_.col0 + column, place_.key_end - 1);
  if (space & kColumn) at[column_loop] = column;
  return code.run(at.data());
}

TileValues TileEvaluator::leaf(Expr e, int column_loop) {
  const fusion::Leaf& leaf = program_.plan->leaves[e.leaf_id()];
  const Space space = space_of(program_, e);
  const std::int64_t columns = space & kColumn ? extents_.at(column_loop) : place_.keys;
  TileValues result(space, place_.rows, columns);
  const PointCode& code = points_.compile({leaf.node, leaf.index});
  const std::int64_t rows = space & kRow ? place_.rows : 1;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < result.columns; ++c) result.at(r, c) = point(code, space, r, c, column_loop);
  }
  return result;
}

const TileValues& TileEvaluator::memoised(Expr e, int column_loop, std::map<Expr, TileValues>& memo) {
  if (const TileValues* known = variable_(e)) return *known;
  if (e.is(alg::Op::kLeaf)) {
    const auto found = leaves_.find(e);
    return found != leaves_.end() ? found->second : leaves_.emplace(e, leaf(e, column_loop)).first->second;
  }
  const auto found = memo.find(e);
  return found != memo.end() ? found->second : memo.emplace(e, compute(e, column_loop, memo)).first->second;
}

TileValues TileEvaluator::compute(Expr e, int column_loop, std::map<Expr, TileValues>& memo) {
  if (e.is(alg::Op::kConstant)) return {kUniform, 1, 1, e.value()};
  if (e.is(alg::Op::kStreamLength)) return {kUniform, 1, 1, static_cast<double>(place_.key_end)};
  if (e.is(alg::Op::kCall) && e.function_id() == kKeysThrough)
    return {kUniform, 1, 1, static_cast<double>(std::min(place_.col0 + place_.keys, place_.key_end))};
  std::vector<const TileValues*> args;
  Space space = kUniform;
  std::int64_t columns = 1;
  for (Expr arg : e.args()) {
    // A reciprocal among factors is read as what it divides by.
    const bool divides = e.is(alg::Op::kMul) && arg.is(alg::Op::kPow) && arg.value() == -1;
    args.push_back(&memoised(divides ? arg.arg(0) : arg, column_loop, memo));
    space |= args.back()->space;
    columns = std::max(columns, args.back()->columns);
  }
  TileValues result(space, place_.rows, columns);
  std::vector<double> x(args.size());
  const std::int64_t rows = space & kRow ? place_.rows : 1;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < result.columns; ++c) {
      for (std::size_t k = 0; k < x.size(); ++k) x[k] = args[k]->at(r, c);
      result.at(r, c) = element(e, x);
    }
  }
  return result;
}

}  // namespace flashlight::kernel
