// SPDX-License-Identifier: Apache-2.0
// Expressions as readable text.
#include <charconv>
#include <cmath>

#include "fusion/algebra/accumulator_node.h"
#include "fusion/algebra/expr.h"

namespace flashlight::fusion::algebra {
namespace {

std::string number_text(double x) {
  if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
  if (std::isnan(x)) return "nan";
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, x);
  return std::string(buffer, result.ptr);
}

// Binding strengths, weakest first; an operand weaker than its context is put in parentheses.
enum Strength { kSum = 1, kProduct = 2, kPower = 3, kPrimary = 4 };

class Printer {
 public:
  // A value that many read is written for each: what has no end for a reader ends here.
  std::string text(Expr e, int context = 0) {
    if (left_ == 0) return "...";
    --left_;
    const std::string body = unparenthesised(e);
    return strength(e) < context ? "(" + body + ")" : body;
  }

 private:
  int left_ = 5000;

  static int strength(Expr e) {
    switch (e.op()) {
      case Op::kAdd:
      case Op::kGt:
      case Op::kGe:
      case Op::kEq:
      case Op::kAnd:
      case Op::kOr: return kSum;
      case Op::kMul: return kProduct;
      case Op::kPow: return e.value() == 0.5 ? kPrimary : kPower;
      case Op::kConstant: return e.value() < 0 ? kProduct : kPrimary;
      default: return kPrimary;
    }
  }

  std::string joined(Expr e, const char* separator, int context) {
    std::string out;
    for (Expr a : e.args()) out += (out.empty() ? "" : separator) + text(a, context);
    return out;
  }

  std::string sum(Expr e) {
    std::string out;
    for (Expr a : e.args()) {
      std::string term = text(a, kProduct);
      if (out.empty()) out = term;
      else if (term[0] == '-') out += " - " + term.substr(1);
      else out += " + " + term;
    }
    return out;
  }

  std::string product(Expr e) {
    const std::vector<Expr>& args = e.args();
    std::string out;
    bool minus = false;
    for (Expr a : args) {
      if (a.is_constant(-1) && args.size() > 1 && out.empty() && !minus) minus = true;
      else
        out += (out.empty() ? "" : "*") +
               text(a, a.is(Op::kMul) && !a.arg(0).is_constant(-1) ? kProduct : kPower);
    }
    return (minus ? "-" : "") + out;
  }

  std::string function(Expr e, const std::string& name) { return name + "(" + joined(e, ", ", 0) + ")"; }

  // "value | guard" of where(guard, value, absent).
  std::string guarded(Expr e, double absent) {
    if (e.is(Op::kWhere) && e.arg(2).is_constant(absent)) return text(e.arg(1)) + " | " + text(e.arg(0));
    return text(e);
  }

  std::string accumulator(Expr e) {
    const AccumulatorParts parts = accumulator_parts(e);
    Expr product = parts.product, guard;
    if (product.is(Op::kWhere) && product.arg(2).is_constant(0)) {
      guard = product.arg(0);
      product = product.arg(1);
    }
    std::string out;
    const auto factor = [&](const std::string& f) { out += (out.empty() ? "" : "*") + f; };
    if (!product.is_constant(1)) factor(text(product, kProduct));
    for (const auto& p : parts.powers)
      factor("(" + text(p.x, kSum) + " - " + reference(p.reference) + ")" +
             (p.power == 1 ? "" : "^" + std::to_string(p.power)));
    for (const auto& x : parts.exponents) {
      const std::string centred = text(x.u, kSum) + " - " + reference(x.reference);
      factor("exp(" + (x.lambda == 1 ? centred : number_text(x.lambda) + "*(" + centred + ")") + ")");
    }
    if (out.empty()) out = "1";
    return "sum{" + out + (guard ? " | " + text(guard) : "") + "}";
  }

  std::string reference(Expr r) {
    if (r.is(Op::kConstant)) return text(r, kProduct);
    return r.is(Op::kCentre) ? "mean" : "max";
  }

  std::string unparenthesised(Expr e) {
    switch (e.op()) {
      case Op::kConstant: return number_text(e.value());
      case Op::kLeaf: return e.info().name.empty() ? "x" + std::to_string(e.leaf_id()) : e.info().name;
      case Op::kStreamLength: return "J";
      case Op::kAdd: return sum(e);
      case Op::kMul: return product(e);
      case Op::kPow:
        return e.value() == 0.5 ? "sqrt(" + text(e.arg(0)) + ")"
                                : text(e.arg(0), kPrimary) + "^" + number_text(e.value());
      case Op::kGt: return joined(e, " > ", kProduct);
      case Op::kGe: return joined(e, " >= ", kProduct);
      case Op::kEq: return joined(e, " == ", kProduct);
      case Op::kAnd: return joined(e, " and ", kProduct);
      case Op::kOr: return joined(e, " or ", kProduct);
      case Op::kCall: return function(e, "f" + std::to_string(e.function_id()));
      case Op::kKnown: return "known(" + text(e.arg(0)) + ")";
      case Op::kIndicator: return "[" + text(e.arg(0)) + "]";
      case Op::kRunningMax: return "max{" + guarded(e.arg(0), -INFINITY) + "}";
      case Op::kLazyMax: return "lazy max{" + guarded(e.arg(0), -INFINITY) + "}";
      case Op::kRunningProd: return "prod{" + text(e.arg(0)) + "}";
      case Op::kRunningAny: return "any{" + text(e.arg(0)) + "}";
      case Op::kCentre: return "mean{" + text(e.arg(0)) + "}";
      case Op::kAccumulator: return accumulator(e);
      case Op::kArgAccumulator:
        return "sum{" + guarded(e.arg(0), 0) + " at max of " + guarded(e.arg(1), -INFINITY) + "}";
      case Op::kScan:
      case Op::kCarried: return function(e, e.exclusive() ? "scan_before" : "scan");
      default: return function(e, op_name(e.op()));
    }
  }
};

}  // namespace

std::string to_string(Expr e) { return e ? Printer().text(e) : "none"; }

const char* op_name(Op op) {
  switch (op) {
    case Op::kConstant: return "constant";
    case Op::kLeaf: return "leaf";
    case Op::kStreamLength: return "stream_length";
    case Op::kAdd: return "add";
    case Op::kMul: return "mul";
    case Op::kPow: return "pow";
    case Op::kExp: return "exp";
    case Op::kLog: return "log";
    case Op::kWhere: return "where";
    case Op::kMax2: return "max2";
    case Op::kMin2: return "min2";
    case Op::kGt: return "gt";
    case Op::kGe: return "ge";
    case Op::kEq: return "eq";
    case Op::kAnd: return "and";
    case Op::kOr: return "or";
    case Op::kNot: return "not";
    case Op::kAbs: return "abs";
    case Op::kRelu: return "relu";
    case Op::kTanh: return "tanh";
    case Op::kSigmoid: return "sigmoid";
    case Op::kCall: return "call";
    case Op::kReduceSum: return "sum";
    case Op::kReduceMax: return "max";
    case Op::kReduceMin: return "min";
    case Op::kReduceProd: return "prod";
    case Op::kReduceAny: return "any";
    case Op::kReduceAll: return "all";
    case Op::kScan: return "scan";
    case Op::kKnown: return "known";
    case Op::kIndicator: return "indicator";
    case Op::kAttainsMax: return "attains_max";
    case Op::kCarried: return "carried";
    case Op::kCentre: return "centre";
    case Op::kCentred: return "centred";
    case Op::kRawSum: return "raw_sum";
    case Op::kRunningMax: return "running_max";
    case Op::kLazyMax: return "lazy_max";
    case Op::kRunningProd: return "running_prod";
    case Op::kRunningAny: return "running_any";
    case Op::kAccumulator: return "accumulator";
    case Op::kArgAccumulator: return "arg_accumulator";
  }
  return "?";
}

}  // namespace flashlight::fusion::algebra
