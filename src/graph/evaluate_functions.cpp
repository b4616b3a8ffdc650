// SPDX-License-Identifier: Apache-2.0
// The scalar functions of Map and the monoids of Reduce in float64.
#include "graph/evaluate_functions.h"

#include <cmath>
#include <limits>
#include <stdexcept>

namespace flashlight::graph {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Both propagate NaN, from either side.
double maximum(double a, double b) { return a > b || std::isnan(a) ? a : b; }
double minimum(double a, double b) { return a < b || std::isnan(a) ? a : b; }

double floor_remainder(double a, double b) {
  double r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

// By way of the remainder: rounding a / b could step over the integer.
double floor_quotient(double a, double b) {
  if (b == 0 || !std::isfinite(a) || !std::isfinite(b)) return std::floor(a / b);
  return std::rint((a - floor_remainder(a, b)) / b);
}

double power(double a, double b) {
  if (b == -1) return 1 / a;
  if (b == 0.5) return std::sqrt(a);
  if (b == -0.5) return 1 / std::sqrt(a);
  return std::pow(a, b);
}

double fold(Fn fn, const double* x, int count) {
  double total = x[0];
  for (int k = 1; k < count; ++k) switch (fn) {
      case Fn::Add: total += x[k]; break;
      case Fn::Mul: total *= x[k]; break;
      case Fn::And: total = total != 0 && x[k] != 0; break;
      case Fn::Or: total = total != 0 || x[k] != 0; break;
      case Fn::Max: total = maximum(total, x[k]); break;
      default: total = minimum(total, x[k]); break;
    }
  return total;
}

double unary(Fn fn, double x) {
  switch (fn) {
    case Fn::Not: return x == 0;
    case Fn::Exp: return std::exp(x);
    case Fn::Log: return std::log(x);
    case Fn::Log1p: return std::log1p(x);
    case Fn::Expm1: return std::expm1(x);
    case Fn::Sin: return std::sin(x);
    case Fn::Cos: return std::cos(x);
    case Fn::Tanh: return std::tanh(x);
    case Fn::Erf: return std::erf(x);
    case Fn::Sigmoid: return 1 / (1 + std::exp(-x));
    case Fn::Abs: return std::fabs(x);
    case Fn::Sign: return (x > 0) - (x < 0);
    case Fn::Floor: return std::floor(x);
    case Fn::Ceil: return std::ceil(x);
    case Fn::Round: return std::nearbyint(x);
    case Fn::IsNan: return std::isnan(x);
    case Fn::IsInf: return std::isinf(x);
    case Fn::ToFloat: return x;
    case Fn::ToInt: return std::trunc(x);
    case Fn::ToBool: return x != 0;
    default: throw std::logic_error(std::string("no evaluation for ") + name_of(fn));
  }
}

}  // namespace

double apply(Fn fn, Type, const double* x, int count) {
  switch (fn) {
    case Fn::Add:
    case Fn::Mul:
    case Fn::And:
    case Fn::Or:
    case Fn::Max:
    case Fn::Min: return fold(fn, x, count);
    case Fn::Pow: return power(x[0], x[1]);
    case Fn::FloorDiv: return floor_quotient(x[0], x[1]);
    case Fn::Mod: return floor_remainder(x[0], x[1]);
    case Fn::Lt: return x[0] < x[1];
    case Fn::Le: return x[0] <= x[1];
    case Fn::Eq: return x[0] == x[1];
    case Fn::Ne: return x[0] != x[1];
    case Fn::Where: return x[0] != 0 ? x[1] : x[2];
    default: return unary(fn, x[0]);
  }
}

double initial(ReduceKind kind) {
  switch (kind) {
    case ReduceKind::Prod:
    case ReduceKind::All: return 1;
    case ReduceKind::Max: return -kInfinity;
    case ReduceKind::Min: return kInfinity;
    default: return 0;
  }
}

double accumulate(ReduceKind kind, double total, double value) {
  switch (kind) {
    case ReduceKind::Sum: return total + value;
    case ReduceKind::Prod: return total * value;
    case ReduceKind::Max: return maximum(total, value);
    case ReduceKind::Min: return minimum(total, value);
    case ReduceKind::Any: return total != 0 || value != 0;
    case ReduceKind::All: return total != 0 && value != 0;
  }
  throw std::logic_error("accumulate: unknown reduction");
}

}  // namespace flashlight::graph
