// SPDX-License-Identifier: Apache-2.0
// Evaluating a program over values of which only the hidden scores are known.
#include "fusion/algebra/hidden_row.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "fusion/algebra/accumulator_node.h"

namespace flashlight::fusion::algebra {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// One number, or any of the finite ones, or nothing is known.
struct Value {
  enum Kind { kAny, kFinite, kNumber } kind = kAny;
  double number = 0;
  bool is(double x) const { return kind == kNumber && number == x; }
  bool is_nan() const { return kind == kNumber && std::isnan(number); }
  bool is_finite() const { return kind == kFinite || (kind == kNumber && std::isfinite(number)); }
};

Value number(double x) { return {Value::kNumber, x}; }
Value finite_if(bool finite) { return {finite ? Value::kFinite : Value::kAny, 0}; }
Value truth(bool x) { return number(x ? 1 : 0); }

class Evaluation {
 public:
  explicit Evaluation(std::map<Expr, Value> assumed, std::vector<Expr> hidden = {})
      : memo_(std::move(assumed)), hidden_(std::move(hidden)) {}

  Value operator()(Expr e) {
    if (const auto it = memo_.find(e); it != memo_.end()) return it->second;
    std::vector<Value> args;
    if (const auto others = beside_hidden(e)) {
      args.push_back(number(-kInf));
      for (Expr a : *others) args.push_back((*this)(a));
      return memo_[e] = sum(args);
    }
    if (!is_state(e.op()) && !e.is(Op::kKnown))
      for (Expr a : e.args()) args.push_back((*this)(a));
    return memo_[e] = apply(e, args);
  }

 private:
  static Value apply(Expr e, const std::vector<Value>& a) {
    const bool all_numbers =
        std::all_of(a.begin(), a.end(), [](const Value& x) { return x.kind == Value::kNumber; });
    const bool all_finite = std::all_of(a.begin(), a.end(), [](const Value& x) { return x.is_finite(); });
    const bool any_nan = std::any_of(a.begin(), a.end(), [](const Value& x) { return x.is_nan(); });
    switch (e.op()) {
      case Op::kConstant: return number(e.value());
      case Op::kLeaf:
      case Op::kStreamLength: return finite_if(!e.is_bool());
      case Op::kAdd: return sum(a);
      case Op::kMul: return product(a);
      case Op::kWhere:
        if (a[0].kind == Value::kNumber) return a[0].number != 0 ? a[1] : a[2];
        if (a[1].kind == Value::kNumber && a[2].kind == Value::kNumber &&
            (a[1].is(a[2].number) || (a[1].is_nan() && a[2].is_nan())))
          return a[1];
        return finite_if(a[1].is_finite() && a[2].is_finite());
      case Op::kGt:
      case Op::kGe:
      case Op::kEq: return compare(e.op(), a[0], a[1]);
      case Op::kNot: return all_numbers ? truth(a[0].number == 0) : Value{};
      case Op::kAnd:
      case Op::kOr: {
        const double decides = e.is(Op::kAnd) ? 0 : 1;
        if (std::any_of(a.begin(), a.end(), [&](const Value& x) { return x.is(decides); }))
          return number(decides);
        return all_numbers ? number(1 - decides) : Value{};
      }
      case Op::kMax2:
      case Op::kMin2:
        if (any_nan) return number(NAN);
        if (all_numbers)
          return number(e.is(Op::kMax2) ? std::max(a[0].number, a[1].number)
                                        : std::min(a[0].number, a[1].number));
        return finite_if(all_finite);
      case Op::kReduceMax:
      case Op::kReduceMin:
      case Op::kReduceAny:
      case Op::kReduceAll: return a[0];
      case Op::kScan:
      case Op::kReduceSum:  // over some number of keys
        if (all_numbers && (a[0].is(0) || !a[0].is_finite())) return a[0];
        return finite_if(all_finite);
      case Op::kReduceProd:
        if (a[0].is(0) || a[0].is(1) || any_nan) return a[0];
        return finite_if(all_finite);
      case Op::kPow:
        return all_numbers ? number(std::pow(a[0].number, e.value()))
                           : finite_if(all_finite && e.value() >= 0);
      case Op::kExp: return all_numbers ? number(std::exp(a[0].number)) : finite_if(all_finite);
      case Op::kLog: return all_numbers ? number(std::log(a[0].number)) : Value{};
      case Op::kAbs: return all_numbers ? number(std::abs(a[0].number)) : finite_if(all_finite);
      case Op::kRelu:
        if (any_nan) return number(NAN);
        return all_numbers ? number(std::max(a[0].number, 0.0)) : finite_if(all_finite);
      case Op::kTanh: return all_numbers ? number(std::tanh(a[0].number)) : finite_if(true);
      case Op::kSigmoid: return all_numbers ? number(1 / (1 + std::exp(-a[0].number))) : finite_if(true);
      case Op::kCall: return any_nan && !e.is_bool() ? number(NAN) : Value{};
      default: return {};
    }
  }

  static Value sum(const std::vector<Value>& a) {
    double infinite = 0, exact = 0;
    bool known = true, finite = true;
    for (const Value& x : a) {
      if (x.kind == Value::kAny) known = finite = false;
      if (x.kind == Value::kFinite) known = false;
      if (x.kind == Value::kNumber) (std::isfinite(x.number) ? exact : infinite) += x.number;
    }
    if (std::isnan(infinite)) return number(NAN);
    if (infinite != 0) return finite ? number(infinite) : Value{};
    return known ? number(exact) : finite_if(finite);
  }

  static Value product(const std::vector<Value>& a) {
    double exact = 1;
    bool known = true, finite = true;
    for (const Value& x : a) {
      if (x.kind != Value::kNumber) known = false;
      if (!x.is_finite()) finite = false;
      if (x.kind == Value::kNumber) exact *= x.number;
    }
    if (known || std::isnan(exact)) return number(exact);
    return exact == 0 && finite ? number(0) : finite_if(finite);
  }

  static Value compare(Op op, const Value& a, const Value& b) {
    if (a.is_nan() || b.is_nan()) return truth(false);
    if (a.kind == Value::kNumber && b.kind == Value::kNumber)
      return truth(op == Op::kGt   ? a.number > b.number
                   : op == Op::kGe ? a.number >= b.number
                                   : a.number == b.number);
    if (op == Op::kEq) {
      const bool apart = (a.is_finite() && b.kind == Value::kNumber && !b.is_finite()) ||
                         (b.is_finite() && a.kind == Value::kNumber && !a.is_finite());
      return apart ? truth(false) : Value{};
    }
    if (a.is_finite() && (b.is(kInf) || b.is(-kInf))) return truth(b.is(-kInf));
    if (b.is_finite() && (a.is(kInf) || a.is(-kInf))) return truth(a.is(kInf));
    return {};
  }

  // The other addends of a sum that the hidden scores, a sum themselves, have become part of.
  std::optional<std::vector<Expr>> beside_hidden(Expr e) const {
    for (Expr hidden : hidden_)
      if (auto others = beside(e, hidden)) return others;
    return std::nullopt;
  }
  static std::optional<std::vector<Expr>> beside(Expr e, Expr hidden) {
    if (!hidden.is(Op::kAdd) || !e.is(Op::kAdd)) return std::nullopt;
    std::vector<Expr> others = e.args();
    for (Expr a : hidden.args()) {
      const auto found = std::find(others.begin(), others.end(), a);
      if (found == others.end()) return std::nullopt;
      others.erase(found);
    }
    return others;
  }

  std::map<Expr, Value> memo_;
  std::vector<Expr> hidden_;
};

bool same(const Value& a, double b) { return a.is(b) || (a.is_nan() && std::isnan(b)); }

bool is_largest(Expr e) { return e.is(Op::kRunningMax) || e.is(Op::kKnown); }
bool is_maximum(Expr e) { return e.is(Op::kReduceMax); }

// One, or those of the segments of the keys; nothing where it is made of anything else.
std::vector<Expr> parts_of(Expr e, bool (*is_part)(Expr)) {
  if (is_part(e)) return {e};
  if (!e.is(Op::kMax2)) return {};
  std::vector<Expr> parts = parts_of(e.arg(0), is_part), more = parts_of(e.arg(1), is_part);
  if (parts.empty() || more.empty()) return {};
  parts.insert(parts.end(), more.begin(), more.end());
  return parts;
}

// What the fix-up gives by itself: the sums that the maximum is the reference of are 0.
Value fixup_where_hidden(Expr fixup, Expr largest) {
  std::map<Expr, Value> assumed;
  for (Expr part : parts_of(largest, is_largest)) assumed[part] = number(-kInf);
  for (Expr e : collect(fixup, {Op::kAccumulator}))
    for (const ExponentPart& part : accumulator_parts(e).exponents)
      if (assumed.contains(part.reference)) assumed[e] = number(0);
  return Evaluation(std::move(assumed))(fixup);
}

// The state or known value that is -inf where the maximum is; nothing where it is made of several.
Expr largest_of(Separation& derivation, Expr maximum) {
  const NormalForm& form = derivation.form(maximum);  // c * largest + r
  for (const auto& [m, c] : form)
    if (c > 0 && m.atoms.size() == 1 && !parts_of(m.atoms[0].atom, is_largest).empty())
      return m.atoms[0].atom;
  return {};
}

void append_maxima(Expr e, std::set<Expr>& seen, std::vector<Expr>& out) {
  if (!seen.insert(e).second) return;
  for (Expr a : e.args()) append_maxima(a, seen, out);
  if (!parts_of(e, is_maximum).empty()) out.push_back(e);
}

std::vector<Expr> maxima_in(Expr e) {
  std::set<Expr> seen;
  std::vector<Expr> out;
  append_maxima(e, seen, out);
  return out;
}

}  // namespace

std::optional<double> eager_over_hidden_row(Expr e, const std::vector<Expr>& hidden) {
  std::map<Expr, Value> assumed;
  for (Expr scores : hidden)
    for (Expr leaf : collect(scores, {Op::kLeaf}))
      assumed[leaf] = {};  // one of them may be what hides the row
  for (Expr scores : hidden) assumed[scores] = number(-kInf);
  const Value value = Evaluation(std::move(assumed), hidden)(e);
  return value.kind == Value::kNumber ? std::optional(value.number) : std::nullopt;
}

NormalForm with_hidden_rows(Arena& arena, Separation& derivation, Expr target, NormalForm fixup) {
  for (Expr maximum : maxima_in(target)) {
    std::vector<Expr> hidden;
    for (Expr part : parts_of(maximum, is_maximum)) hidden.push_back(part.arg(0));
    const std::optional<double> wanted = eager_over_hidden_row(target, hidden);
    const Expr largest = wanted ? largest_of(derivation, maximum) : Expr();
    if (!largest) continue;
    const Expr value = rebuild(arena, fixup);
    const Value natural = fixup_where_hidden(value, largest);
    if (same(natural, *wanted) || natural.is(-kInf)) continue;
    fixup = atom_form(where(eq(largest, -kInf), *wanted, value));
  }
  return fixup;
}

}  // namespace flashlight::fusion::algebra
