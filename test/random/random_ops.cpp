// SPDX-License-Identifier: Apache-2.0
// See random_ops.h.
#include "random_ops.h"

#include "graph/dsl_ops.h"

namespace flashlight::kernel {

using graph::Sym;
using graph::T;

namespace {

// What an op takes as its arguments, or what becomes of its result.
enum class Domain : std::uint8_t {
  Real,      // any finite number
  Moderate,  // grows fast
  Positive,  // has a pole or an end at 0
  Stepping,  // jumps at integers
  Test,      // gives a Bool
  Logic,     // takes Bools
  LeftOut,
};

Domain domain_of(const std::string& op) {
  static const std::map<std::string, Domain> kOthers{{"square", Domain::Moderate},
                                                     {"exp", Domain::Moderate},
                                                     {"exp2", Domain::Moderate},
                                                     {"expm1", Domain::Moderate},
                                                     {"logaddexp", Domain::Moderate},
                                                     {"reciprocal", Domain::Positive},
                                                     {"sqrt", Domain::Positive},
                                                     {"rsqrt", Domain::Positive},
                                                     {"log", Domain::Positive},
                                                     {"log2", Domain::Positive},
                                                     {"log1p", Domain::Positive},
                                                     {"/", Domain::Positive},
                                                     {"div", Domain::Positive},
                                                     {"/=", Domain::Positive},
                                                     {"pow", Domain::Positive},
                                                     {"sign", Domain::Stepping},
                                                     {"floor", Domain::Stepping},
                                                     {"ceil", Domain::Stepping},
                                                     {"%", Domain::Stepping},
                                                     {"remainder", Domain::Stepping},
                                                     {"floor_divide", Domain::Stepping},
                                                     {"isnan", Domain::Test},
                                                     {"isinf", Domain::Test},
                                                     {"<", Domain::Test},
                                                     {"lt", Domain::Test},
                                                     {"<=", Domain::Test},
                                                     {"le", Domain::Test},
                                                     {">", Domain::Test},
                                                     {"gt", Domain::Test},
                                                     {">=", Domain::Test},
                                                     {"ge", Domain::Test},
                                                     {"==", Domain::Test},
                                                     {"eq", Domain::Test},
                                                     {"!=", Domain::Test},
                                                     {"ne", Domain::Test},
                                                     {"~", Domain::Logic},
                                                     {"bitwise_not", Domain::Logic},
                                                     {"!", Domain::Logic},
                                                     {"logical_not", Domain::Logic},
                                                     {"&", Domain::Logic},
                                                     {"bitwise_and", Domain::Logic},
                                                     {"|", Domain::Logic},
                                                     {"bitwise_or", Domain::Logic},
                                                     {"^", Domain::Logic},
                                                     {"bitwise_xor", Domain::Logic},
                                                     {"logical_and", Domain::Logic},
                                                     {"logical_or", Domain::Logic},
                                                     {"where", Domain::LeftOut},
                                                     {"masked_fill", Domain::LeftOut},
                                                     {"clamp", Domain::LeftOut},
                                                     {"clamp_min", Domain::LeftOut},
                                                     {"clamp_max", Domain::LeftOut}};
  const auto found = kOthers.find(op);
  return found == kOthers.end() ? Domain::Real : found->second;
}

constexpr double kAside = 0.0371;  // no sum of what programs are made of

T moderate(const T& x) { return x.op("clamp", Sym(-2.0), Sym(2.0)); }
T positive(const T& x) { return T(moderate(x).op("square")) + Sym(0.3); }
T aside(const T& x) { return x + Sym(kAside); }
T selected(const T& condition, const T& x) { return graph::where(condition, x, x * Sym(0.5)); }
// Steps make ties, which an extremum would meet; between them x goes on.
T sloped(const T& steps, const T& x) { return steps * Sym(0.25) + x * Sym(0.5); }

std::string drawn(Choices& choose, std::span<const graph::OpRow> rows, bool may_be_nan) {
  const std::string op(rows[static_cast<std::size_t>(choose.below(static_cast<int>(rows.size())))].name);
  const Domain domain = domain_of(op);
  const bool decides = domain == Domain::Test || domain == Domain::Logic || op == "where" ||
                       op == "masked_fill" || op == "nan_to_num";
  return may_be_nan && decides ? "abs" : op;
}

}  // namespace

T any_unary(Choices& choose, const T& x, bool may_be_nan) {
  const std::string op = drawn(choose, graph::unary_ops(), may_be_nan);
  switch (domain_of(op)) {
    case Domain::Moderate: return moderate(x).op(op);
    case Domain::Positive: return positive(x).op(op);
    case Domain::Stepping: return sloped(aside(x).op(op), x);
    case Domain::Test: return selected(x.op(op), x);
    case Domain::Logic: return selected(T(x > Sym(kAside)).op(op), x);
    default: return x.op(op);
  }
}

T any_binary(Choices& choose, const T& x, const T& y, bool may_be_nan) {
  const std::string op = drawn(choose, graph::pointwise_ops(), may_be_nan);
  if (op == "abs") return x.op(op);
  const bool number = choose.one_in(3);
  const double c = choose.real();
  switch (domain_of(op)) {
    case Domain::Moderate: return moderate(x).op(op, y);
    case Domain::Positive:
      if (op == "pow") return positive(x).op(op, Sym(choose.below(4) * 0.5 + 0.5));
      return number ? x.op(op, Sym(c)) : x.op(op, positive(y));
    case Domain::Stepping: return sloped(aside(x).op(op, Sym(std::fabs(c))), x);
    case Domain::Test: return selected(number ? aside(x).op(op, Sym(c)) : aside(x).op(op, y), x);
    case Domain::Logic: return selected(T(aside(x) > y).op(op, x < Sym(c + kAside)), x);
    case Domain::LeftOut: break;
    default:
      return number && op != "maximum" && op != "minimum" && op != "logaddexp" ? x.op(op, Sym(c))
                                                                               : x.op(op, y);
  }
  if (op == "where") return graph::where(aside(x) < y, x, y);
  if (op == "masked_fill") return x.op(op, aside(x) < y, Sym(c));
  if (op == "clamp") return x.op(op, Sym(-1.3), Sym(1.1));
  return x.op(op, Sym(c));
}

T any_triangle(Choices& choose, const T& i, const T& j) {
  const T one = graph::call("ones_like", i * j);
  switch (choose.below(3)) {
    case 0: return T(one.op("tril", Sym(choose.below(3)))) > Sym(0);
    case 1: return T(one.op("triu", Sym(choose.below(3) - 2))) != Sym(0);
    default: return T(one.op("tril")) == Sym(1);
  }
}

T rearranged(Choices& choose, const T& x) {
  const Sym b = graph::size(x, 0), h = graph::size(x, 1), s = graph::size(x, 2), d = graph::size(x, 3);
  const auto list = [](std::initializer_list<int> axes) {
    graph::ArgList out;
    for (int a : axes) out.push_back(Sym(a));
    return graph::Arg(out);
  };
  switch (choose.below(16)) {
    case 0: return T(x.op("transpose", Sym(1), Sym(2))).op("transpose", Sym(1), Sym(2));
    case 1: return T(x.op("permute", list({0, 2, 1, 3}))).op("permute", list({0, 2, 1, 3}));
    case 2: return T(x.op("movedim", Sym(1), Sym(2))).op("movedim", Sym(2), Sym(1));
    case 3: return T(x.op("unsqueeze", Sym(2))).op("squeeze", Sym(2));
    case 4: return T(x.op("flatten", Sym(0), Sym(1))).op("unflatten", Sym(0), graph::sizes({b, h}));
    case 5: return T(x.op("mT")).op("mT");
    case 6: return T(x.op("contiguous")).op("clone");
    case 7: return T(x.op("reshape", graph::sizes({b * h, s, d}))).op("view", graph::sizes({b, h, s, d}));
    case 8:
      return T(graph::call("stack", graph::list({graph::Arg(x), graph::Arg(x * Sym(0.5))}), Sym(0)))
          .op("select", Sym(0), Sym(1));
    case 9:
      return T(graph::call("cat", graph::list({graph::Arg(x), graph::Arg(x * Sym(0.5))}), Sym(2)))
          .op("slice", Sym(2), Sym(0), s);
    case 10: return T(x.op("narrow", Sym(1), Sym(0), Sym(1))).op("expand", graph::sizes({b, h, s, d}));
    case 11: return T(x.op("narrow", Sym(1), Sym(0), Sym(1))).op("repeat_interleave", h, Sym(1));
    case 12:
      return T(x.op("narrow", Sym(1), Sym(0), Sym(1)))
          .op("repeat", graph::sizes({Sym(1), h, Sym(1), Sym(1)}));
    case 13: return x.op("index_select", Sym(2), s - Sym(1) - graph::arange(s));
    case 14: {
      const T both = graph::call("cat", graph::list({graph::Arg(x), graph::Arg(x.op("neg"))}), Sym(0));
      const graph::Arg halves = graph::call("split", both, b, Sym(0));
      return T(std::get<graph::ArgList>(halves)[static_cast<std::size_t>(choose.below(2))]);
    }
    default: {
      const graph::Arg parts = graph::call("chunk", x, Sym(1), Sym(1));
      return T(std::get<graph::ArgList>(parts)[0]);
    }
  }
}

T any_reduction(Choices& choose, const T& s) {
  static const std::vector<std::string> kOps{"prod", "any",       "all",         "mean",    "amax",   "amin",
                                             "var",  "logsumexp", "log_softmax", "softmax", "cumsum", "sum"};
  const std::string op = kOps[static_cast<std::size_t>(choose.below(static_cast<int>(kOps.size())))];
  const auto over_keys = [&](const T& x) { return T(x.op(op, Sym(-1), graph::flag(false))); };
  if (op == "prod") return over_keys(T(s.op("sigmoid")) + Sym(0.5));
  if (op == "any" || op == "all")
    return graph::call("where", over_keys(s > Sym(choose.real() + kAside)), Sym(1.0), Sym(0.25));
  if (op == "log_softmax")
    return T(T(T(s.op(op, Sym(-1))).op("exp")) * s).op("sum", Sym(-1), graph::flag(false));
  if (op == "softmax") return T(T(s.op(op, Sym(-1))) * s).op("sum", Sym(-1), graph::flag(false));
  if (op == "cumsum") return T(T(s.op(op, Sym(-1))) * Sym(0.125)).op("sum", Sym(-1), graph::flag(false));
  return over_keys(s);
}

const std::map<std::string, std::string>& ops_left_out() {
  static const std::string kHost = "of host values", kDevice = "has no meaning in a kernel",
                           kNoLaw = "without a law",
                           kTables = "by tables, which the samples and their tests read",
                           kConstant = "a constant, like ones_like";
  static const std::map<std::string, std::string> kOps{
      {"sort", kNoLaw},
      {"topk", kNoLaw},
      {"argmax", kNoLaw},
      {"index", kTables},
      {"gather", kTables},
      {"bmm", "is matmul of three axes"},
      {"linear", "is a product with a weight, which a library makes"},
      {"zeros", kConstant},
      {"ones", kConstant},
      {"empty", kConstant},
      {"full", kConstant},
      {"zeros_like", kConstant},
      {"empty_like", kConstant},
      {"full_like", kConstant},
      {"eye", kConstant},
      {"tensor", kConstant}};
  return kOps;
}

}  // namespace flashlight::kernel
