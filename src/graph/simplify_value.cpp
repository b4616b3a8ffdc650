// SPDX-License-Identifier: Apache-2.0
// Values of expressions: host functions and evaluation, exact for integers.
#include <cmath>
#include <map>
#include <stdexcept>

#include "graph/simplify.h"

namespace flashlight::graph {
namespace simplify {

double host_function(const std::string& callee, const std::vector<double>& args) {
  using Unary = double (*)(double);
  static const std::map<std::string, Unary, std::less<>> unary = {
      {"exp", std::exp},     {"exp2", std::exp2},     {"expm1", std::expm1}, {"log", std::log},
      {"log2", std::log2},   {"log10", std::log10},   {"log1p", std::log1p}, {"sin", std::sin},
      {"cos", std::cos},     {"tan", std::tan},       {"asin", std::asin},   {"acos", std::acos},
      {"atan", std::atan},   {"sinh", std::sinh},     {"cosh", std::cosh},   {"tanh", std::tanh},
      {"erf", std::erf},     {"cbrt", std::cbrt},     {"floor", std::floor}, {"ceil", std::ceil},
      {"round", std::round}, {"trunc", std::trunc},   {"abs", std::fabs},    {"nearbyint", std::nearbyint},
      {"erfc", std::erfc},   {"rint", std::nearbyint}};
  if (auto it = unary.find(callee); it != unary.end() && args.size() == 1) return it->second(args[0]);
  if (callee == "fmod" && args.size() == 2) return std::fmod(args[0], args[1]);
  if (callee == "atan2" && args.size() == 2) return std::atan2(args[0], args[1]);
  if (callee == "hypot" && args.size() == 2) return std::hypot(args[0], args[1]);
  if (callee == "ldexp" && args.size() == 2) return std::ldexp(args[0], static_cast<int>(args[1]));
  // Real arithmetic as it is written, which no normal form may change.
  if (callee == "sum" && args.size() == 2) return args[0] + args[1];
  if (callee == "difference" && args.size() == 2) return args[0] - args[1];
  if (callee == "product" && args.size() == 2) return args[0] * args[1];
  if (callee == "quotient" && args.size() == 2) return args[0] / args[1];
  if (callee == "float32" && args.size() == 1) return static_cast<float>(args[0]);
  throw std::invalid_argument("no host function " + callee + " of " + std::to_string(args.size()) +
                              " arguments");
}

}  // namespace simplify

namespace {

struct Value {
  bool is_real = false;
  std::int64_t i = 0;
  double r = 0;
  double real() const { return is_real ? r : static_cast<double>(i); }
  bool truth() const { return is_real ? r != 0 : i != 0; }
};
Value integer(std::int64_t i) { return {false, i, 0}; }
Value real(double r) { return {true, 0, r}; }

struct Evaluation {
  const std::function<double(SymbolId)>& symbol;
  const std::vector<std::int64_t>&axes, &data;

  Value leaf(const Sym& e) const {
    switch (e.op()) {
      case SymOp::Real: return real(e.real());
      case SymOp::Symbol: {
        const double v = symbol(e.symbol_id());
        return e.type() == SymType::Real ? real(v) : integer(static_cast<std::int64_t>(v));
      }
      case SymOp::Axis: return integer(axes.at(static_cast<std::size_t>(e.integer())));
      case SymOp::Datum: return integer(data.at(static_cast<std::size_t>(e.integer())));
      default: return integer(e.integer());
    }
  }

  Value arithmetic(const Sym& e) const {
    const bool sum = e.op() == SymOp::Add;
    Value out = e.type() == SymType::Real ? real(sum ? 0 : 1) : integer(sum ? 0 : 1);
    for (const Sym& a : e.args()) {
      const Value v = eval(a);
      if (out.is_real) {
        out.r = sum ? out.r + v.real() : out.r * v.real();
      } else {
        out.i = sum ? out.i + v.i : out.i * v.i;
      }
    }
    return out;
  }

  Value division(const Sym& e) const {
    const std::int64_t a = eval(e.args()[0]).i, b = eval(e.args()[1]).i;
    if (b == 0) throw std::domain_error("a size or index is divided by zero");
    return integer(e.op() == SymOp::FloorDiv ? simplify::floor_quotient(a, b)
                                             : simplify::floor_remainder(a, b));
  }

  Value extremum(const Sym& e) const {
    Value best = eval(e.args()[0]);
    for (const Sym& a : e.args()) {
      const Value v = eval(a);
      const bool less = best.is_real ? v.real() < best.real() : v.i < best.i;
      const bool more = best.is_real ? v.real() > best.real() : v.i > best.i;
      if (e.op() == SymOp::Min ? less : more) best = v;
    }
    return best;
  }

  Value comparison(const Sym& e) const {
    const Value a = eval(e.args()[0]), b = eval(e.args()[1]);
    auto holds = [&](auto x, auto y) {
      switch (e.op()) {
        case SymOp::Lt: return x < y;
        case SymOp::Le: return x <= y;
        case SymOp::Eq: return x == y;
        default: return x != y;
      }
    };
    return integer(a.is_real || b.is_real ? holds(a.real(), b.real()) : holds(a.i, b.i));
  }

  Value call(const Sym& e) const {
    std::vector<double> args;
    for (const Sym& a : e.args()) args.push_back(eval(a).real());
    return real(simplify::host_function(e.callee(), args));
  }

  Value eval(const Sym& e) const {
    switch (e.op()) {
      case SymOp::Add:
      case SymOp::Mul: return arithmetic(e);
      case SymOp::FloorDiv:
      case SymOp::Mod: return division(e);
      case SymOp::Min:
      case SymOp::Max: return extremum(e);
      case SymOp::Div: return real(eval(e.args()[0]).real() / eval(e.args()[1]).real());
      case SymOp::Pow: {
        const double b = eval(e.args()[0]).real(), x = eval(e.args()[1]).real();
        return real(x == 0.5 ? std::sqrt(b) : x == -0.5 ? 1 / std::sqrt(b) : std::pow(b, x));
      }
      case SymOp::Call: return call(e);
      case SymOp::Lt:
      case SymOp::Le:
      case SymOp::Eq:
      case SymOp::Ne: return comparison(e);
      case SymOp::And:
        for (const Sym& a : e.args())
          if (!eval(a).truth()) return integer(0);
        return integer(1);
      case SymOp::Or:
        for (const Sym& a : e.args())
          if (eval(a).truth()) return integer(1);
        return integer(0);
      case SymOp::Not: return integer(!eval(e.args()[0]).truth());
      case SymOp::Select: return eval(e.args()[eval(e.args()[0]).truth() ? 1 : 2]);
      case SymOp::ToReal: return real(eval(e.args()[0]).real());
      case SymOp::ToInteger: {
        const Value v = eval(e.args()[0]);
        return v.is_real ? integer(static_cast<std::int64_t>(v.r)) : v;
      }
      default: return leaf(e);
    }
  }
};

}  // namespace

double evaluate(const Sym& e, const std::function<double(SymbolId)>& value,
                const std::vector<std::int64_t>& axes, const std::vector<std::int64_t>& data) {
  return Evaluation{value, axes, data}.eval(e).real();
}

}  // namespace flashlight::graph
