// SPDX-License-Identifier: Apache-2.0
// Evaluation of expressions, op by op, in the precision of T.
#include "fusion/algebra/evaluate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace flashlight::fusion::algebra {

template <typename T>
const Values<T>& Evaluator<T>::operator()(Expr e) {
  if (const auto it = memo_.find(e); it != memo_.end()) return it->second;
  Values<T> values = compute(e);
  return memo_.insert_or_assign(e, std::move(values)).first->second;
}

template <typename T>
Values<T> Evaluator<T>::per_key(Expr e) {
  Values<T> values = (*this)(e);
  if (values.size() != j1_ - j0_) values.assign(j1_ - j0_, values.at(0));
  return values;
}

template <typename T>
Values<T> Evaluator<T>::compute(Expr e) {
  switch (e.op()) {
    case Op::kConstant: return {static_cast<T>(e.value())};
    case Op::kStreamLength: return {static_cast<T>(bindings_.length)};
    case Op::kLeaf: {
      const std::vector<T>& all = bindings_.leaves.at(e.leaf_id());
      if (!e.info().streamed) return {all.at(0)};
      return Values<T>(all.begin() + static_cast<std::ptrdiff_t>(j0_),
                       all.begin() + static_cast<std::ptrdiff_t>(j1_));
    }
    case Op::kKnown: return {bindings_.knowns.at(e.arg(0))};
    case Op::kCall: return called(e);
    case Op::kScan: return scanned(e);
    default: break;
  }
  if (is_reduction(e.op())) return reduced(e);
  if (is_state(e.op()) || e.is(Op::kCentred) || e.is(Op::kCarried) || e.is(Op::kAttainsMax))
    throw std::logic_error("no value for " + to_string(e));
  return mapped(e);
}

template <typename T>
T Evaluator<T>::power(Expr e, T x) const {
  const double n = e.value();
  const Op base = e.arg(0).op();
  if (n < 0 && x == 0 &&
      (zero_ == ZeroDivision::kAll || (zero_ == ZeroDivision::kEmptySums && base == Op::kAccumulator)))
    return 0;
  if (n == -1) return 1 / x;
  if (n == 2) return x * x;
  if (n == 0.5) return std::sqrt(x);
  if (n == -0.5) return 1 / std::sqrt(x);
  return std::pow(x, static_cast<T>(n));
}

template <typename T>
Values<T> Evaluator<T>::mapped(Expr e) {
  std::vector<const Values<T>*> args;
  std::size_t n = 1;
  bool keyed = false;
  for (Expr a : e.args()) {
    args.push_back(&(*this)(a));
    keyed = keyed || (a.node().kind & kKeyed) || args.back()->size() != 1;
  }
  if (keyed) n = j1_ - j0_;
  Values<T> out(n);
  std::vector<T> x(args.size());
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = (*args[i])[args[i]->size() == 1 ? 0 : j];
    const auto folded = [&](auto f) {
      T value = x[0];
      for (std::size_t i = 1; i < x.size(); ++i) value = f(value, x[i]);
      return value;
    };
    switch (e.op()) {
      case Op::kAdd: out[j] = folded([](T a, T b) { return a + b; }); break;
      case Op::kMul: out[j] = folded([](T a, T b) { return a * b; }); break;
      case Op::kPow: out[j] = power(e, x[0]); break;
      case Op::kExp: out[j] = std::exp(x[0]); break;
      case Op::kLog: out[j] = std::log(x[0]); break;
      case Op::kWhere: out[j] = x[0] != 0 ? x[1] : x[2]; break;
      case Op::kMax2: out[j] = larger(x[0], x[1]); break;
      case Op::kMin2: out[j] = smaller(x[0], x[1]); break;
      case Op::kGt: out[j] = x[0] > x[1]; break;
      case Op::kGe: out[j] = x[0] >= x[1]; break;
      case Op::kEq: out[j] = x[0] == x[1]; break;
      case Op::kAnd: out[j] = folded([](T a, T b) { return T(a != 0 && b != 0); }); break;
      case Op::kOr: out[j] = folded([](T a, T b) { return T(a != 0 || b != 0); }); break;
      case Op::kNot: out[j] = x[0] == 0; break;
      case Op::kAbs: out[j] = std::abs(x[0]); break;
      case Op::kRelu: out[j] = larger(x[0], T(0)); break;
      case Op::kTanh: out[j] = std::tanh(x[0]); break;
      case Op::kSigmoid: out[j] = 1 / (1 + std::exp(-x[0])); break;
      case Op::kIndicator: out[j] = x[0] != 0; break;
      default: throw std::logic_error(std::string("no value for ") + op_name(e.op()));
    }
  }
  return out;
}

template <typename T>
Values<T> Evaluator<T>::reduced(Expr e) {
  constexpr T inf = std::numeric_limits<T>::infinity();
  const Values<T> x = per_key(e.arg(0));
  T value = 0;
  switch (e.op()) {
    case Op::kReduceSum:
      for (T t : x) value += t;
      break;
    case Op::kReduceMax:
      value = -inf;
      for (T t : x) value = larger(value, t);
      break;
    case Op::kReduceMin:
      value = inf;
      for (T t : x) value = smaller(value, t);
      break;
    case Op::kReduceProd:
      value = 1;
      for (T t : x) value *= t;
      break;
    case Op::kReduceAny:
      for (T t : x) value = value != 0 || t != 0;
      break;
    default:
      value = 1;
      for (T t : x) value = value != 0 && t != 0;
      break;
  }
  return {value};
}

template <typename T>
Values<T> Evaluator<T>::scanned(Expr e) {
  Values<T> out = per_key(e.arg(0));
  T before = 0;
  for (T& x : out) {
    const T after = before + x;
    x = e.exclusive() ? before : after;
    before = after;
  }
  return out;
}

template <typename T>
Values<T> Evaluator<T>::called(Expr e) {
  std::vector<Values<T>> args;
  std::size_t n = e.node().kind & kKeyed ? j1_ - j0_ : 1;
  for (Expr a : e.args()) {
    args.push_back((*this)(a));
    if (args.back().size() != 1) n = args.back().size();
  }
  Values<T> out(n);
  std::vector<T> x(args.size());
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = args[i][args[i].size() == 1 ? 0 : j];
    out[j] = bindings_.call(e.function_id(), x);
  }
  return out;
}

template class Evaluator<float>;
template class Evaluator<double>;
template class Evaluator<long double>;

template <typename T>
std::vector<T> eager(const std::vector<Expr>& outputs, const Bindings<T>& bindings, ZeroDivision zero) {
  Evaluator<T> evaluate(bindings, 0, bindings.length, zero);
  std::vector<T> out;
  for (Expr e : outputs) out.push_back(evaluate(e).at(0));
  return out;
}

template std::vector<float> eager(const std::vector<Expr>&, const Bindings<float>&, ZeroDivision);
template std::vector<double> eager(const std::vector<Expr>&, const Bindings<double>&, ZeroDivision);
template std::vector<long double> eager(const std::vector<Expr>&, const Bindings<long double>&, ZeroDivision);

}  // namespace flashlight::fusion::algebra
