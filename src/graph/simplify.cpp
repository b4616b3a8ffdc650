// SPDX-License-Identifier: Apache-2.0
// make_sym: the simplifying constructor of every operation that is not arithmetic, and the table that leads
// to all of them.
#include "graph/simplify.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace flashlight::graph {

using simplify::Terms;

bool is_positive(const Sym& e) {
  switch (e.op()) {
    case SymOp::Integer:
    case SymOp::Real: return e.real() > 0;
    case SymOp::Symbol: return e.symbol_id().kind != SymbolId::Scalar;
    case SymOp::Mul:
    case SymOp::Min: return std::all_of(e.args().begin(), e.args().end(), is_positive);
    case SymOp::Max: return std::any_of(e.args().begin(), e.args().end(), is_positive);
    case SymOp::Add:
      return std::all_of(e.args().begin(), e.args().end(), is_nonnegative) &&
             std::any_of(e.args().begin(), e.args().end(), is_positive);
    case SymOp::Pow:
    case SymOp::ToReal: return is_positive(e.args()[0]);
    case SymOp::Call: return e.callee() == "exp" || e.callee() == "exp2";
    case SymOp::Select: return is_positive(e.args()[1]) && is_positive(e.args()[2]);
    default: return false;
  }
}

bool is_nonnegative(const Sym& e) {
  switch (e.op()) {
    case SymOp::Integer:
    case SymOp::Real: return e.real() >= 0;
    case SymOp::Mul:
    case SymOp::Add:
    case SymOp::Min: return std::all_of(e.args().begin(), e.args().end(), is_nonnegative);
    case SymOp::Max: return std::any_of(e.args().begin(), e.args().end(), is_nonnegative);
    case SymOp::FloorDiv: return is_nonnegative(e.args()[0]) && is_nonnegative(e.args()[1]);
    case SymOp::Mod: return is_nonnegative(e.args()[1]);
    case SymOp::Pow: {
      const auto exponent = e.args()[1].as_real();
      const bool whole = exponent && std::nearbyint(*exponent) == *exponent;
      return (exponent && (!whole || std::fmod(*exponent, 2) == 0)) || is_nonnegative(e.args()[0]);
    }
    case SymOp::ToReal: return is_nonnegative(e.args()[0]);
    case SymOp::ToInteger: return e.args()[0].type() == SymType::Boolean || is_nonnegative(e.args()[0]);
    case SymOp::Call: return e.callee() == "abs" || is_positive(e);
    case SymOp::Select: return is_nonnegative(e.args()[1]) && is_nonnegative(e.args()[2]);
    default: return is_positive(e);
  }
}

namespace simplify {
namespace {

bool is_infinity(const Sym& e, int sign) {
  return e.op() == SymOp::Real && std::isinf(e.real()) && e.real() * sign > 0;
}

Sym to_condition(const Sym& e) {
  if (e.type() == SymType::Boolean) return e;
  return compare(SymOp::Ne, e, e.type() == SymType::Real ? Sym(0.0) : Sym(0));
}

bool holds_for(SymOp op, auto a, auto b) {
  switch (op) {
    case SymOp::Lt: return a < b;
    case SymOp::Le: return a <= b;
    case SymOp::Eq: return a == b;
    default: return a != b;
  }
}

// lhs - rhs with its terms on the side where they are positive; a lone constant stands on the right of = and
// alone on its side of <=.
Sym balanced(SymOp op, Terms difference) {
  std::int64_t offset = 0;
  if (auto it = difference.find({}); it != difference.end()) {
    offset = it->second.i;
    difference.erase(it);
  }
  if (difference.empty())
    return Sym::boolean(op == SymOp::Le ? offset <= 0 : op == SymOp::Eq ? offset == 0 : offset != 0);
  std::int64_t divisor = 0;
  for (const auto& t : difference) divisor = std::gcd(divisor, t.second.i);
  if (op != SymOp::Le && offset % divisor != 0) return Sym::boolean(op == SymOp::Ne);
  // sum + offset <= 0 over integers: sum / d <= floor(-offset / d)
  std::int64_t bound = floor_quotient(-offset, divisor);
  const bool flip = op != SymOp::Le && difference.begin()->second.i < 0;
  Terms left, right;
  for (const auto& [factors, coef] : difference) {
    std::int64_t c = coef.i / divisor * (flip ? -1 : 1);
    (c > 0 ? left : right)[factors] = {false, c > 0 ? c : -c, 0};
  }
  if (flip) bound = -bound;
  if (right.empty() || !left.empty()) {
    if (bound != 0) right[{}] = {false, bound, 0};
  } else {
    left[{}] = {false, -bound, 0};
  }
  return raw(op, SymType::Boolean, {sum_of(left, SymType::Integer), sum_of(right, SymType::Integer)});
}

}  // namespace

Sym compare(SymOp op, Sym a, Sym b) {
  if (a.type() == SymType::Boolean && b.type() == SymType::Boolean && op != SymOp::Lt && op != SymOp::Le) {
    if (b < a) std::swap(a, b);
    if (a == b) return Sym::boolean(op == SymOp::Eq);
    if (a.is_constant()) return (a.integer() != 0) == (op == SymOp::Eq) ? b : negate(b);
    return raw(op, SymType::Boolean, {a, b});
  }
  std::vector<Sym> args{std::move(a), std::move(b)};
  if (common_type(args) == SymType::Real) {
    if (args[0].is_constant() && args[1].is_constant())
      return Sym::boolean(holds_for(op, args[0].real(), args[1].real()));
    if ((op == SymOp::Eq || op == SymOp::Ne) && args[1] < args[0]) std::swap(args[0], args[1]);
    return raw(op, SymType::Boolean, std::move(args));
  }
  if (op == SymOp::Lt) {
    op = SymOp::Le;
    args[0] = args[0] + Sym(1);
  }
  return balanced(op, terms_of(args[0] - args[1]));
}

Sym negate(const Sym& given) {
  const Sym c = to_condition(given);
  const auto& args = c.args();
  switch (c.op()) {
    case SymOp::Boolean: return Sym::boolean(c.integer() == 0);
    case SymOp::Not: return args[0];
    case SymOp::Eq: return compare(SymOp::Ne, args[0], args[1]);
    case SymOp::Ne: return compare(SymOp::Eq, args[0], args[1]);
    case SymOp::Lt:
    case SymOp::Le:
      if (args[0].type() != SymType::Integer) break;  // NaN
      return compare(c.op() == SymOp::Le ? SymOp::Lt : SymOp::Le, args[1], args[0]);
    case SymOp::And:
    case SymOp::Or: {
      std::vector<Sym> out;
      for (const Sym& a : args) out.push_back(negate(a));
      return logic(c.op() == SymOp::And ? SymOp::Or : SymOp::And, std::move(out));
    }
    default: break;
  }
  return raw(SymOp::Not, SymType::Boolean, {c});
}

Sym logic(SymOp op, std::vector<Sym> given) {
  const bool absorbing = op == SymOp::Or;  // the constant that decides
  std::vector<Sym> args;
  for (const Sym& g : given) {
    const Sym a = to_condition(g);
    if (a.is_constant()) {
      if ((a.integer() != 0) == absorbing) return a;
    } else if (a.op() == op) {
      args.insert(args.end(), a.args().begin(), a.args().end());
    } else {
      args.push_back(a);
    }
  }
  std::sort(args.begin(), args.end());
  args.erase(std::unique(args.begin(), args.end()), args.end());
  for (const Sym& a : args)
    if (std::binary_search(args.begin(), args.end(), negate(a))) return Sym::boolean(absorbing);
  if (args.empty()) return Sym::boolean(!absorbing);
  return args.size() == 1 ? args[0] : raw(op, SymType::Boolean, std::move(args));
}

Sym extremum(SymOp op, std::vector<Sym> given) {
  const SymType type = common_type(given);
  std::vector<Sym> args;
  std::optional<Sym> bound;
  auto take = [&](const Sym& a) {
    if (!a.is_constant()) return args.push_back(a);
    const bool better = !bound || (op == SymOp::Max ? a.real() > bound->real() : a.real() < bound->real());
    if (better || std::isnan(a.real())) bound = a;
  };
  for (const Sym& g : given) {
    if (g.op() == op) {
      for (const Sym& a : g.args()) take(a);
    } else {
      take(g);
    }
  }
  if (bound && !is_infinity(*bound, op == SymOp::Max ? -1 : 1)) args.push_back(*bound);
  if (args.empty()) return *bound;
  std::sort(args.begin(), args.end());
  args.erase(std::unique(args.begin(), args.end()), args.end());
  return args.size() == 1 ? args[0] : raw(op, type, std::move(args));
}

Sym select(const Sym& given, Sym a, Sym b) {
  const Sym condition = to_condition(given);
  if (a.type() != b.type()) {
    std::vector<Sym> both{a, b};
    common_type(both);
    a = both[0], b = both[1];
  }
  if (condition.is_constant()) return condition.integer() ? a : b;
  if (a == b) return a;
  if (a.type() == SymType::Boolean)
    return logic(SymOp::Or, {logic(SymOp::And, {condition, a}), logic(SymOp::And, {negate(condition), b})});
  if (const Sym other = negate(condition); other < condition)
    return raw(SymOp::Select, a.type(), {other, b, a});
  return raw(SymOp::Select, a.type(), {condition, a, b});
}

Sym to_integer(const Sym& e) {
  if (e.type() == SymType::Integer) return e;
  if (e.op() == SymOp::Boolean) return Sym(static_cast<long>(e.integer()));
  if (e.op() == SymOp::Real && std::abs(e.real()) < 9e18) return Sym(static_cast<long>(e.real()));
  if (e.op() == SymOp::ToReal) return e.args()[0];
  return raw(SymOp::ToInteger, SymType::Integer, {e});
}

Sym to_real(const Sym& e) {
  if (e.type() == SymType::Real) return e;
  if (e.type() == SymType::Boolean) return to_real(to_integer(e));
  if (e.is_constant()) return Sym(e.real());
  if (e.op() != SymOp::Add && e.op() != SymOp::Mul) return raw(SymOp::ToReal, SymType::Real, {e});
  std::vector<Sym> parts;
  for (const Sym& a : e.args()) parts.push_back(to_real(a));
  return e.op() == SymOp::Add ? add(parts) : mul(parts);
}

Sym call(std::string callee, std::vector<Sym> args) {
  if (callee == "max" || callee == "fmax") return extremum(SymOp::Max, std::move(args));
  if (callee == "min" || callee == "fmin") return extremum(SymOp::Min, std::move(args));
  if (callee == "fabs") callee = "abs";
  if (callee == "abs" && args.size() == 1 && args[0].type() != SymType::Real)
    return extremum(SymOp::Max, {args[0], -args[0]});
  for (Sym& a : args) a = to_real(a);
  if (callee == "sqrt" && args.size() == 1) return power(args[0], Sym(0.5));
  if (callee == "pow" && args.size() == 2) return power(args[0], args[1]);
  std::vector<double> values;
  for (const Sym& a : args)
    if (a.is_constant()) values.push_back(a.real());
  const bool known = values.size() == args.size();
  if (!known) values.assign(args.size(), 0.0);
  const double folded = host_function(callee, values);  // throws for an unknown name
  if (known) return Sym(folded);
  if (callee == "abs" && is_nonnegative(args[0])) return args[0];
  return raw(SymOp::Call, SymType::Real, std::move(args), std::move(callee));
}

}  // namespace simplify

Sym make_sym(SymOp op, std::vector<Sym> args, std::string callee) {
  using namespace simplify;
  auto need = [&](std::size_t n) {
    if (args.size() != n) throw std::invalid_argument("make_sym: wrong number of arguments");
  };
  switch (op) {
    case SymOp::Add: return add(args);
    case SymOp::Mul: return mul(args);
    case SymOp::Div: need(2); return mul({to_real(args[0]), power(args[1], Sym(-1.0))});
    case SymOp::FloorDiv: need(2); return integer_quotient(args[0], args[1]);
    case SymOp::Mod: need(2); return integer_remainder(args[0], args[1]);
    case SymOp::Min:
    case SymOp::Max:
      if (args.empty()) need(1);
      return extremum(op, std::move(args));
    case SymOp::Pow: need(2); return power(args[0], args[1]);
    case SymOp::Call: return call(std::move(callee), std::move(args));
    case SymOp::Lt:
    case SymOp::Le:
    case SymOp::Eq:
    case SymOp::Ne: need(2); return compare(op, args[0], args[1]);
    case SymOp::And:
    case SymOp::Or: return logic(op, std::move(args));
    case SymOp::Not: need(1); return negate(args[0]);
    case SymOp::Select: need(3); return select(args[0], args[1], args[2]);
    case SymOp::ToInteger: need(1); return to_integer(args[0]);
    case SymOp::ToReal: need(1); return to_real(args[0]);
    default: throw std::invalid_argument("make_sym: leaves have constructors of their own");
  }
}

}  // namespace flashlight::graph
