// SPDX-License-Identifier: Apache-2.0
// Host arithmetic on symbolic numbers with C++'s rules: truncating division, wrap-around of constants,
// rounding to float.
#include <cmath>

#include "frontend/place.h"
#include "llvm/ADT/StringSwitch.h"

namespace flashlight::frontend {

using graph::Sym;
using graph::SymOp;
using graph::SymType;
using namespace clang;

// A constant as the type holds it; symbols are left alone.
Sym Interpreter::rounded(const Sym& s, QualType type) const {
  type = type.getCanonicalType();
  if (!s.is_constant()) return s;
  if (type->isFloatingType()) {
    bool single = ast_.getTypeSize(type) == 32;
    return Sym(single ? static_cast<double>(static_cast<float>(s.real())) : s.real());
  }
  if (!type->isIntegralOrEnumerationType() || type->isBooleanType() || s.type() != SymType::Integer) return s;
  unsigned bits = ast_.getIntWidth(type);
  bool is_unsigned = type->isUnsignedIntegerOrEnumerationType();
  std::int64_t v = s.integer();
  if (bits >= 64) {
    if (is_unsigned && v < 0) refuse("unsupported-expression", "this unsigned number wraps around");
    return s;
  }
  std::uint64_t mask = (std::uint64_t{1} << bits) - 1, u = static_cast<std::uint64_t>(v) & mask;
  if (!is_unsigned && (u >> (bits - 1))) u |= ~mask;
  return Sym(static_cast<long>(u));
}

// Sizes, unsigned parameters, and what is made of them by +, *, /, %, min and max.
bool Interpreter::never_negative(const Sym& s) const {
  auto all = [&](std::size_t from) {
    for (std::size_t k = from; k < s.args().size(); ++k)
      if (!never_negative(s.args()[k])) return false;
    return true;
  };
  switch (s.op()) {
    case SymOp::Integer: return s.integer() >= 0;
    case SymOp::Symbol:
      return s.symbol_id().kind != graph::SymbolId::Scalar || unsigned_.count(s.symbol_id().param);
    case SymOp::Add:
    case SymOp::Mul:
    case SymOp::FloorDiv:
    case SymOp::Mod:
    case SymOp::Min:
    case SymOp::Max: return all(0);
    case SymOp::Select: return all(1);
    default: return false;
  }
}

// What must hold at launch, where the arms of ?: and && around it are reached.
void Interpreter::require(const Sym& condition, const std::string& text) {
  std::vector<Sym> any{condition};
  for (const Sym& arm : reached_) any.push_back(graph::make_sym(SymOp::Not, {arm}));
  builder_.at(text_.range(where_));
  try {
    builder_.check(any.size() == 1 ? any[0] : graph::make_sym(SymOp::Or, any), text);
  } catch (const graph::LoweringError&) { refuse("unsupported-expression", text, "compute with int64_t"); }
}

// An integer that the launch knows, in a type that may not hold it: checked there, never wrapped around.
Sym Interpreter::fitting(const Sym& s, QualType type) {
  type = type.getCanonicalType();
  if (s.is_constant() || s.type() != SymType::Integer || type->isBooleanType() ||
      !type->isIntegralOrEnumerationType())
    return s;
  const unsigned bits = ast_.getIntWidth(type);
  const bool is_unsigned = type->isUnsignedIntegerOrEnumerationType();
  const std::string text = "an integer does not fit into " + spelled(type);
  if (is_unsigned && !never_negative(s)) require(graph::make_sym(SymOp::Le, {Sym(0), s}), text);
  if (bits >= 64 || !has_scalar(s)) return s;  // sizes are far from 2^31
  const std::int64_t most = (std::int64_t{1} << (is_unsigned ? bits : bits - 1)) - 1;
  require(graph::make_sym(SymOp::Le, {s, Sym(static_cast<long>(most))}), text);
  if (!is_unsigned && !never_negative(s))
    require(graph::make_sym(SymOp::Le, {Sym(static_cast<long>(-most - 1)), s}), text);
  return s;
}

bool Interpreter::has_scalar(const Sym& s) {
  std::vector<graph::SymbolId> symbols;
  graph::collect_symbols(s, symbols);
  return std::any_of(symbols.begin(), symbols.end(),
                     [](const graph::SymbolId& id) { return id.kind == graph::SymbolId::Scalar; });
}

namespace {

const char* exact_name(BinaryOperatorKind op) {
  return op == BO_Add ? "sum" : op == BO_Sub ? "difference" : op == BO_Mul ? "product" : "quotient";
}

std::optional<BinaryOperatorKind> exact_operator(const Sym& s) {
  if (s.op() != SymOp::Call || s.args().size() != 2) return std::nullopt;
  for (BinaryOperatorKind op : {BO_Add, BO_Sub, BO_Mul, BO_Div})
    if (s.callee() == exact_name(op)) return op;
  return std::nullopt;
}

Sym as_real(const Sym& s) { return s.type() == SymType::Real ? s : graph::make_sym(SymOp::ToReal, {s}); }

Sym to_float32(const Sym& s) {
  return s.op() == SymOp::Call && s.callee() == "float32" ? s : graph::make_sym(SymOp::Call, {s}, "float32");
}

bool is_single(QualType type, const ASTContext& ast) {
  return type->isFloatingType() && ast.getTypeSize(type) == 32;
}

// A real operation as it is written: normal forms reorder sums, and divide by way of reciprocals.
Sym as_written(BinaryOperatorKind op, const Sym& a, const Sym& b) {
  if ((op == BO_Mul || op == BO_Div) && b.as_real() == 1.0) return as_real(a);
  if (op == BO_Mul && a.as_real() == 1.0) return as_real(b);
  return graph::make_sym(SymOp::Call, {as_real(a), as_real(b)}, exact_name(op));
}

}  // namespace

// A number that takes part in an op is rounded to the tensor's type there: what is made of sizes alone gets
// its normal form.
Sym Interpreter::normal_number(const Sym& s) {
  if (s.type() != SymType::Real || s.args().empty() || has_scalar(s)) return s;
  switch (s.op()) {  // conditions and steps keep the operands they were written for
    case SymOp::Call:
      if (s.callee() == "floor" || s.callee() == "ceil" || s.callee() == "round" || s.callee() == "trunc")
        return s;
      break;
    case SymOp::ToReal: return s;
    default: break;
  }
  std::vector<Sym> args = s.args();
  for (std::size_t k = s.op() == SymOp::Select ? 1 : 0; k < args.size(); ++k)
    args[k] = normal_number(args[k]);
  if (const auto op = exact_operator(s)) {
    switch (*op) {
      case BO_Add: return args[0] + args[1];
      case BO_Sub: return args[0] - args[1];
      case BO_Mul: return args[0] * args[1];
      default: return graph::divide(args[0], args[1]);
    }
  }
  if (s.op() == SymOp::Call && s.callee() == "float32") return args[0];
  return graph::make_sym(s.op(), std::move(args), s.op() == SymOp::Call ? s.callee() : std::string());
}

// Not by way of reals: a product with 1 / b is not exact, 49 * (1.0 / 49) is less than 1.
Sym Interpreter::truncating_division(const Sym& a, const Sym& b) {
  if (never_negative(a) && never_negative(b)) return graph::floor_div(a, b);
  if (never_negative(a) && !has_scalar(a) && b.op() == SymOp::Symbol) {  // a number of parts of a size
    require(graph::make_sym(SymOp::Le, {Sym(1), b}), "a size is divided by a number that is not positive");
    return graph::floor_div(a, b);
  }
  auto sym = [](SymOp op, std::vector<Sym> args) { return graph::make_sym(op, std::move(args)); };
  auto negative = [&](const Sym& x) { return sym(SymOp::Lt, {x, Sym(0)}); };
  auto magnitude = [&](const Sym& x) { return sym(SymOp::Select, {negative(x), Sym(-1) * x, x}); };
  const Sym quotient = graph::floor_div(magnitude(a), magnitude(b));
  if (b.is_constant())
    return sym(SymOp::Select, {b.integer() < 0 ? sym(SymOp::Not, {negative(a)}) : negative(a),
                               Sym(-1) * quotient, quotient});
  const Sym one_negative = sym(SymOp::Ne, {sym(SymOp::Select, {negative(a), Sym(1), Sym(0)}),
                                           sym(SymOp::Select, {negative(b), Sym(1), Sym(0)})});
  return sym(SymOp::Select, {one_negative, Sym(-1) * quotient, quotient});
}

namespace {

// The constant a op b of int64; nullopt where C++ leaves it undefined.
std::optional<std::int64_t> exact_integer(BinaryOperatorKind op, std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  bool overflow = op == BO_Add   ? __builtin_add_overflow(a, b, &out)
                  : op == BO_Sub ? __builtin_sub_overflow(a, b, &out)
                  : op == BO_Mul ? __builtin_mul_overflow(a, b, &out)
                                 : b == 0 || (b == -1 && a == INT64_MIN);
  if (overflow) return std::nullopt;
  if (op == BO_Div) out = a / b;
  if (op == BO_Rem) out = a % b;
  return out;
}

// A truth value in an integer's clothes: bool operands of & and | are promoted.
std::optional<Sym> as_truth(const Sym& s) {
  if (s.type() == SymType::Boolean) return s;
  if (s.op() == SymOp::Select && s.args()[1].is_integer(1) && s.args()[2].is_integer(0)) return s.args()[0];
  if (s.is_integer(0) || s.is_integer(1)) return Sym::boolean(s.integer() != 0);
  return std::nullopt;
}

// x & mask, bit by bit: flags that are known at launch only.
std::optional<Sym> masked(const Sym& x, const Sym& mask) {
  if (!mask.as_integer() || mask.integer() < 0 || __builtin_popcountll(mask.integer()) > 16)
    return std::nullopt;
  Sym sum(0);
  for (int k = 0; k < 63; ++k) {
    const Sym bit(static_cast<long>(std::int64_t{1} << k));
    if (mask.integer() >> k & 1) sum = sum + bit * graph::mod(graph::floor_div(x, bit), Sym(2));
  }
  return sum;
}

}  // namespace

Sym Interpreter::arithmetic(BinaryOperatorKind op, const Sym& a, const Sym& b, QualType result) {
  if ((op == BO_And || op == BO_Or) && !(a.is_constant() && b.is_constant())) {
    auto x = as_truth(a), y = as_truth(b);
    if (x && y) return convert(graph::make_sym(op == BO_And ? SymOp::And : SymOp::Or, {*x, *y}), result);
    if (op == BO_And)
      for (auto [value, mask] : {std::pair(a, b), std::pair(b, a)})
        if (auto bits = masked(value, mask)) return *bits;
  }
  auto sym = [](SymOp o, const Sym& x, const Sym& y) { return graph::make_sym(o, {x, y}); };
  auto wrapping = [&](const Sym& x, QualType type) {  // only unsigned integers do
    return type->isUnsignedIntegerType() ? fitting(rounded(x, type), type) : rounded(x, type);
  };
  bool real = result->isFloatingType();
  bool constant = a.is_constant() && b.is_constant();
  bool by_zero = b.is_constant() && b.real() == 0;
  if (constant && !real && (BinaryOperator::isAdditiveOp(op) || BinaryOperator::isMultiplicativeOp(op))) {
    auto v = exact_integer(op, a.integer(), b.integer());
    if (!v)
      refuse("unsupported-expression", "this integer expression has no value (overflow or division by zero)");
    return rounded(Sym(static_cast<long>(*v)), result);
  }
  if (real && !constant && (BinaryOperator::isAdditiveOp(op) || op == BO_Mul || op == BO_Div)) {
    const Sym value = as_written(op, a, b);
    return is_single(result, ast_) ? to_float32(value) : value;
  }
  switch (op) {
    case BO_Add:
      if (constant && real) return rounded(Sym(a.real() + b.real()), result);
      return wrapping(a + b, result);
    case BO_Sub:
      if (constant && real) return rounded(Sym(a.real() - b.real()), result);
      return wrapping(a - b, result);
    case BO_Mul:
      if (constant && real) return rounded(Sym(a.real() * b.real()), result);
      return wrapping(a * b, result);
    case BO_Div:
      if (real) return rounded(Sym(a.real() / b.real()), result);
      if (by_zero) refuse("unsupported-expression", "an integer is divided by zero");
      return truncating_division(a, b);
    case BO_Rem:
      if (by_zero) refuse("unsupported-expression", "an integer is divided by zero");
      if (never_negative(a) && never_negative(b)) return graph::mod(a, b);
      return a - b * truncating_division(a, b);
    case BO_LT: return sym(SymOp::Lt, a, b);
    case BO_GT: return sym(SymOp::Lt, b, a);
    case BO_LE: return sym(SymOp::Le, a, b);
    case BO_GE: return sym(SymOp::Le, b, a);
    case BO_EQ: return sym(SymOp::Eq, a, b);
    case BO_NE: return sym(SymOp::Ne, a, b);
    case BO_And:
      if (constant) return rounded(Sym(static_cast<long>(a.integer() & b.integer())), result);
      break;
    case BO_Or:
      if (constant) return rounded(Sym(static_cast<long>(a.integer() | b.integer())), result);
      break;
    case BO_Xor:
      if (constant) return rounded(Sym(static_cast<long>(a.integer() ^ b.integer())), result);
      break;
    case BO_Shl:
      if (b.is_constant() && b.integer() >= 0 && b.integer() < 62)
        return wrapping(a * Sym(static_cast<long>(std::int64_t{1} << b.integer())), result);
      break;
    case BO_Shr:
      if (b.is_constant() && b.integer() >= 0 && b.integer() < 62)
        return rounded(graph::floor_div(a, Sym(static_cast<long>(std::int64_t{1} << b.integer()))), result);
      break;
    default: break;
  }
  refuse("unsupported-expression", "this operator on numbers known at launch only is not followed");
}

namespace {

using Unary = double (*)(double);
Unary unary_function(llvm::StringRef name) {
  return llvm::StringSwitch<Unary>(name)
      .Case("sqrt", [](double x) { return std::sqrt(x); })
      .Case("exp", [](double x) { return std::exp(x); })
      .Case("exp2", [](double x) { return std::exp2(x); })
      .Case("log", [](double x) { return std::log(x); })
      .Case("log2", [](double x) { return std::log2(x); })
      .Case("log10", [](double x) { return std::log10(x); })
      .Case("log1p", [](double x) { return std::log1p(x); })
      .Case("expm1", [](double x) { return std::expm1(x); })
      .Case("sin", [](double x) { return std::sin(x); })
      .Case("cos", [](double x) { return std::cos(x); })
      .Case("tan", [](double x) { return std::tan(x); })
      .Case("tanh", [](double x) { return std::tanh(x); })
      .Case("floor", [](double x) { return std::floor(x); })
      .Case("ceil", [](double x) { return std::ceil(x); })
      .Case("round", [](double x) { return std::round(x); })
      .Case("trunc", [](double x) { return std::trunc(x); })
      .Case("cbrt", [](double x) { return std::cbrt(x); })
      .Case("erf", [](double x) { return std::erf(x); })
      .Default(nullptr);
}

}  // namespace

// A function of <cmath> or <algorithm> by name, with the float and builtin spellings; nullopt: none such.
std::optional<Sym> Interpreter::math_call(llvm::StringRef name, const std::vector<Sym>& args,
                                          QualType result) {
  name.consume_front("__builtin_");
  auto real = [&](double v) { return rounded(Sym(v), result); };
  if (args.empty()) {
    if (name.starts_with("inf") || name.starts_with("huge_val")) return Sym(HUGE_VAL);
    return std::nullopt;
  }
  bool constant = true;
  for (const Sym& a : args) constant &= a.is_constant();
  if (args.size() == 1) {
    if (name == "abs" || name == "fabs" || name == "fabsf" || name == "labs" || name == "llabs") {
      if (constant) return convert(args[0].real() < 0 ? -args[0] : args[0], result);
      return graph::make_sym(SymOp::Max, {args[0], -args[0]});
    }
    if (name == "isinf" && constant) return Sym::boolean(std::isinf(args[0].real()));
    if (name == "isnan" && constant) return Sym::boolean(std::isnan(args[0].real()));
    Unary f = unary_function(name);
    if (!f && name.size() > 1 && (name.ends_with("f") || name.ends_with("l"))) {
      name = name.drop_back();
      f = unary_function(name);
    }
    if (!f) return std::nullopt;
    if (constant) return real(f(args[0].real()));
    const Sym value = graph::make_sym(SymOp::Call, {as_real(args[0])}, name.str());
    return is_single(result, ast_) ? to_float32(value) : value;
  }
  if (args.size() == 2) {
    bool is_max = name == "max" || name == "fmax" || name == "fmaxf",
         is_min = name == "min" || name == "fmin" || name == "fminf";
    if (is_max || is_min) return graph::make_sym(is_max ? SymOp::Max : SymOp::Min, args);
    if (name == "pow" || name == "powf") {
      if (constant) return real(std::pow(args[0].real(), args[1].real()));
      return graph::make_sym(SymOp::Pow, {convert(args[0], result), convert(args[1], result)});
    }
    if (name == "fmod" || name == "fmodf") {
      if (constant) return real(std::fmod(args[0].real(), args[1].real()));
      return graph::make_sym(SymOp::Call, {as_real(args[0]), as_real(args[1])}, "fmod");
    }
  }
  if (args.size() == 3 && name == "clamp")
    return graph::make_sym(SymOp::Min, {graph::make_sym(SymOp::Max, {args[0], args[1]}), args[2]});
  if (args.size() == 3 && name == "fma" && constant)
    return real(std::fma(args[0].real(), args[1].real(), args[2].real()));
  return std::nullopt;
}

}  // namespace flashlight::frontend
