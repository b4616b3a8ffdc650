// SPDX-License-Identifier: Apache-2.0
// See point.h.
#include "emit/point.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "fusion/roles.h"

namespace flashlight::emit {

using fusion::Index;
using graph::Fn;
using graph::Op;
using graph::Sym;
using graph::SymOp;
using graph::Type;

namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw fusion::Refused{{"unsupported-point",
                         what + " cannot be computed point by point yet",
                         "compute it before the attention",
                         {}}};
}

bool has_leaf(const Sym& e, SymOp op) { return graph::contains(e, op); }

CType wider(CType a, CType b) { return a == CType::Long || b == CType::Long ? CType::Long : CType::Int; }

// Both operands in the wider of their integer types, for overloaded functions.
Code integer_call(const char* function, Code a, Code b) {
  const CType type = wider(a.type, b.type);
  for (Code* x : {&a, &b}) {
    if (type == CType::Long && x->type != CType::Long)
      *x = {"static_cast<long long>(" + x->text + ")", kAtom, CType::Long};
  }
  return call(function, {a, b}, type);
}

CType type_of(Type type) {
  return type == Type::Float ? CType::Float : type == Type::Int ? CType::Long : CType::Bool;
}

}  // namespace

std::string Parameters::tensor_field(int input) const {
  const std::string name = identifier(function_.tensors[input].name);
  for (int other = 0; other < input; ++other) {
    if (identifier(function_.tensors[other].name) == name) return name + "_" + std::to_string(input);
  }
  return name;
}

std::string Parameters::tensor(int input) {
  tensors_.insert(input);
  return "p." + tensor_field(input);
}

std::string Parameters::scalar(const Sym& value) {
  for (const auto& [known, field] : scalars_) {
    if (known == value) return "p." + field;
  }
  const bool real = value.type() == graph::SymType::Real;
  int same = 0;
  for (const auto& [known, field] : scalars_) same += field[0] == (real ? 'c' : 'n');
  scalars_.emplace_back(value, (real ? "c" : "n") + std::to_string(same));
  return "p." + scalars_.back().second;
}

// A size of 0 is no division: nothing is launched then.
void Parameters::divides(const Sym& value) {
  std::vector<graph::SymbolId> symbols;
  graph::collect_symbols(value, symbols);
  const bool scalar = std::any_of(symbols.begin(), symbols.end(), [](const graph::SymbolId& id) {
    return id.kind == graph::SymbolId::Scalar;
  });
  if (scalar && std::find(divisors_.begin(), divisors_.end(), value) == divisors_.end())
    divisors_.push_back(value);
}

RowNames PointPrinter::rows() {
  if (!plan_.packing) return {};
  return {"slot0", index(plan_.packing->group).text};
}

std::string PointPrinter::loop_name(int loop) const {
  if (loop == plan_.row) return "i";
  if (loop == plan_.stream) return "j";
  if (loop >= fusion::kFirstBound) return "k" + std::to_string(loop - fusion::kFirstBound);
  switch (plan_.loops[loop].role) {
    case fusion::Role::Column: return "c";
    case fusion::Role::Feature: return "d";
    case fusion::Role::Packed: return "g";
    default: return "b" + std::to_string(loop);
  }
}

Code PointPrinter::index(const Sym& e, const std::vector<Code>& data) {
  if (!has_leaf(e, SymOp::Axis) && !has_leaf(e, SymOp::Datum)) {
    if (auto c = e.as_integer()) return integer_literal(*c);
    return {parameters_.scalar(e), kAtom, e.type() == graph::SymType::Real ? CType::Float : CType::Int};
  }
  const auto& a = e.args();
  switch (e.op()) {
    case SymOp::Axis: return {loop_name(static_cast<int>(e.integer())), kAtom, CType::Int};
    case SymOp::Datum: return data[e.integer()];
    case SymOp::Add: {
      std::vector<Code> terms;
      CType type = CType::Int;
      for (const Sym& arg : a) {
        terms.push_back(index(arg, data));
        type = wider(type, terms.back().type);
      }
      std::stable_partition(terms.begin(), terms.end(), [](const Code& t) { return t.text[0] != '-'; });
      return sum(terms, type);
    }
    case SymOp::Mul: {
      std::vector<Code> factors;
      bool negative = false;
      for (const Sym& arg : a) {
        if (arg.is_integer(-1)) negative = !negative;
        else factors.push_back(index(arg, data));
      }
      const Code result = integer_product(std::move(factors));
      return negative ? negated(result, result.type) : result;
    }
    case SymOp::FloorDiv:
    case SymOp::Mod:
      parameters_.divides(a[1]);
      return integer_call(e.op() == SymOp::Mod ? "floor_mod" : "floor_div", index(a[0], data),
                          index(a[1], data));
    case SymOp::Min:
    case SymOp::Max: {
      Code result = index(a[0], data);
      for (std::size_t k = 1; k < a.size(); ++k)
        result = integer_call(e.op() == SymOp::Min ? "least_of" : "greatest_of", result, index(a[k], data));
      return result;
    }
    default: refuse("an index of the form " + graph::to_string(e));
  }
}

std::string PointPrinter::offset(int input, const Index& at, const std::vector<Code>& data) {
  const graph::TensorParam& tensor = function_.tensors[input];
  const bool pack = tensor.pack;
  std::vector<std::string> args{pack ? "pack" : "PackIndex{}"};
  for (std::size_t a = pack; a < at.size(); ++a) {
    std::string text = index(at[a], data).text;
    // What a tensor says is checked before it is followed.
    if (has_leaf(at[a], SymOp::Datum))
      text = "table_index(" + text + ", " + index(tensor.shape[a]).text + ")";
    args.push_back(std::move(text));
  }
  return parameters_.tensor(input) + ".offset(" + join(args, ", ") + ")";
}

Code PointPrinter::load(const graph::Node& node, const Index& at, const std::vector<Code>& data) {
  const char* const function = node.type == Type::Float ? "load_float"
                               : node.type == Type::Int ? "load_int"
                                                        : "load_bool";
  if (staged && data.empty()) {
    if (const auto text = staged(node.input, at)) return {*text, kAtom, CType::Float};
  }
  const std::string where = offset(node.input, at, data);
  return {std::string(function) + "(" + parameters_.tensor(node.input) + ".aux(), " + where + ")", kAtom,
          type_of(node.type)};
}

std::string PointPrinter::load_raw(const fusion::Access& access) {
  const int input = function_.graph[access.node].input;
  return "load_raw(" + parameters_.tensor(input) + ".aux(), " + offset(input, access.index) + ")";
}

Code PointPrinter::worth(const fusion::Access& access, const std::string& name) {
  const graph::Node& node = function_.graph[access.node];
  const char* const function = node.type == Type::Float ? "float_of"
                               : node.type == Type::Int ? "int_of"
                                                        : "bool_of";
  return {std::string(function) + "(" + name + ", " + parameters_.tensor(node.input) + ".dtype)", kAtom,
          type_of(node.type)};
}

Code PointPrinter::value(graph::NodeId id, const Index& at) {
  const graph::Node& node = function_.graph[id];
  if (!known.empty()) {
    if (const auto found = known.find({id, at}); found != known.end()) return found->second;
  }
  switch (node.op) {
    case Op::Input: return load(node, at, {});
    case Op::Iota: return index(at[0]);
    case Op::Scalar:
      if (node.type == Type::Float) {
        if (auto c = node.value.as_real()) return {float_literal(*c), *c < 0 ? kUnary : kAtom, CType::Float};
        const std::string field = parameters_.scalar(node.value.type() == graph::SymType::Real
                                                         ? node.value
                                                         : graph::make_sym(SymOp::ToReal, {node.value}));
        return {field, kAtom, CType::Float};
      }
      if (node.type == Type::Bool) {
        if (auto c = node.value.as_integer()) return {*c ? "true" : "false", kAtom, CType::Bool};
        return {parameters_.scalar(node.value) + " != 0", kCompare, CType::Bool};
      }
      return index(node.value);
    case Op::Gather: {
      std::vector<Code> data(node.operands.size());
      for (std::size_t k = 1; k < node.operands.size(); ++k) {
        const fusion::Access access = fusion::compose(node.operands[k], at);
        data[k] = value(access.node, access.index);
      }
      const graph::Node& table = function_.graph[node.operands[0].node];
      if (table.op != Op::Input) refuse("indexing a computed tensor");
      return load(table, fusion::compose(node.operands[0], at).index, data);
    }
    case Op::Map: return map(node, at);
    case Op::Reduce: return reduce(node, at, false);
    case Op::Segment: return segment(node, at);
    default: refuse(std::string("'") + graph::name_of(node.op) + "'");
  }
}

// A loop over the bound axes, by one lane, or by several for a row that they share.
Code PointPrinter::reduce(const graph::Node& node, const Index& at, bool jointly) {
  Index iteration = at;
  const int first = bound_;
  ++loops_;
  for (std::size_t r = 0; r < node.reduced.size(); ++r) iteration.push_back(Sym::axis(bound_++));
  const fusion::Access body = fusion::compose(node.operands[0], iteration);
  std::string text = value(body.node, body.index).text;
  bound_ = first;
  const CType type = type_of(node.type);
  const char* kind = "sum_of";
  switch (node.reduce) {
    case graph::ReduceKind::Sum: break;
    case graph::ReduceKind::Prod: kind = "prod_of"; break;
    case graph::ReduceKind::Max: kind = "max_of"; break;
    case graph::ReduceKind::Min: kind = "min_of"; break;
    case graph::ReduceKind::Any: kind = "any_of"; break;
    case graph::ReduceKind::All: kind = "all_of"; break;
  }
  for (std::size_t r = node.reduced.size(); r-- > 0;) {
    const bool outer = r == 0 && jointly;
    const std::string result = outer || type == CType::Bool ? ""
                               : type == CType::Float       ? "<float>"
                                                            : "<long long>";
    text = (outer ? together : "") + kind + result + "(" + index(node.reduced[r]).text + ", [&](int " +
           loop_name(first + static_cast<int>(r)) + ") FL_INLINE { return " + text + "; })";
  }
  return {text, kAtom, type};
}

std::vector<std::string> PointPrinter::declare_reductions(const std::vector<fusion::Access>& values,
                                                          int except) {
  std::vector<std::string> lines;
  for (const fusion::Access& value : values) {
    for (const fusion::Access& access : fusion::reductions_in(function_.graph, dependence_, value, except)) {
      const graph::Node& node = function_.graph[access.node];
      if (node.type != Type::Float || known.contains(access)) continue;
      const std::string name = "w" + std::to_string(reductions_++);
      lines.push_back("const float " + name + " = " + reduce(node, access.index, true).text + ";");
      known[access] = {name, kAtom, CType::Float};
    }
  }
  return lines;
}

// The part that the position along the axis lies in; an operand's own index takes the parts before it off.
Code PointPrinter::segment(const graph::Node& node, const Index& at) {
  const auto axis = static_cast<std::size_t>(node.axis);
  std::vector<Sym> ends;
  for (const Sym& size : node.segments) ends.push_back(ends.empty() ? size : ends.back() + size);
  const CType type = type_of(node.type);
  Code result;
  for (std::size_t k = node.operands.size(); k-- > 0;) {
    const fusion::Access part = fusion::compose(node.operands[k], at);
    const Code here = value(part.node, part.index);
    if (k + 1 == node.operands.size()) {
      result = here;
      continue;
    }
    const std::string before = wrap(index(at[axis]), kSum) + " < " + wrap(index(ends[k]), kSum);
    result = {before + " ? " + wrap(here, kOr) + " : " + wrap(result, kConditional), kConditional, type};
  }
  return result;
}

// Common exponents have functions of their own.
Code PointPrinter::power(const graph::Node& node, const std::vector<Code>& a) {
  const graph::Node& by = function_.graph[node.operands[1].node];
  if (node.type != Type::Float) {
    constexpr std::int64_t kMostFactors = 8;
    const auto n = by.op == Op::Scalar ? by.value.as_integer() : std::nullopt;
    if (!n || *n < 1 || *n > kMostFactors) refuse("this integer power");
    return integer_product(std::vector<Code>(static_cast<std::size_t>(*n), a[0]));
  }
  const auto exponent = by.op == Op::Scalar ? by.value.as_real() : std::nullopt;
  const auto math = [&](const char* name) {
    return call(std::string("math::") + name, {a[0]}, CType::Float);
  };
  if (exponent == 2) return math("square");
  if (exponent == 0.5) return math("sqrt");
  if (exponent == -0.5) return math("rsqrt");
  if (exponent == -1) return {"1.0f / " + wrap(a[0], kUnary), kProduct, CType::Float};
  return call("math::pow", a, CType::Float);
}

// Where exactness counts, x / n is not multiplied by a rounded 1 / n.
Code PointPrinter::multiply(const graph::Node& node, std::vector<Code> a, CType type) {
  bool negative = a.size() > 1 && (a[0].text == "-1" || a[0].text == "-1.0f");
  if (negative) a.erase(a.begin());
  if (node.type == Type::Int) {
    const Code result = integer_product(std::move(a));
    return negative ? negated(result, result.type) : result;
  }
  const graph::Node& first = function_.graph[node.operands[0].node];
  const auto constant =
      first.op == Op::Scalar && in_step_ && a.size() > 1 ? first.value.as_real() : std::nullopt;
  const double whole = constant && !negative ? whole_reciprocal(*constant).value_or(0) : 0;
  if (whole != 0) {
    a.erase(a.begin());
    negative = whole < 0;
  }
  Code result = product(a, type);
  if (whole != 0) result = {wrap(result, kProduct) + " / " + float_literal(std::abs(whole)), kProduct, type};
  return negative ? negated(result, type) : result;
}

Code PointPrinter::map(const graph::Node& node, const Index& at) {
  const bool outside = std::exchange(in_step_, in_step_ || jumps(node.fn));
  if (node.type == Type::Int && (node.fn == Fn::FloorDiv || node.fn == Fn::Mod)) {
    const graph::Node& divisor = function_.graph[node.operands[1].node];
    if (divisor.op == Op::Scalar) parameters_.divides(divisor.value);
  }
  std::vector<Code> a;
  CType type = node.type == Type::Float ? CType::Float : node.type == Type::Bool ? CType::Bool : CType::Int;
  for (const graph::Operand& operand : node.operands) {
    const fusion::Access access = fusion::compose(operand, at);
    a.push_back(value(access.node, access.index));
    if (type == CType::Int && a.back().type == CType::Long) type = CType::Long;
  }
  in_step_ = outside;
  if (node.type == Type::Int && (node.fn == Fn::FloorDiv || node.fn == Fn::Mod) &&
      function_.graph[node.operands[1].node].op != Op::Scalar)
    a[1] = {"divisor(" + a[1].text + ")", kAtom, CType::Long};
  auto math = [&](const char* name) { return call(std::string("math::") + name, a, CType::Float); };
  switch (node.fn) {
    case Fn::Add:
      std::stable_partition(a.begin(), a.end(), [](const Code& t) { return t.text[0] != '-'; });
      return rounds_sums && type == CType::Float ? rounded_sum(a) : sum(a, type);
    case Fn::Mul: return multiply(node, std::move(a), type);
    case Fn::Pow: return power(node, a);
    case Fn::Max: return node.type == Type::Float ? math("maximum") : integer_call("greatest_of", a[0], a[1]);
    case Fn::Min: return node.type == Type::Float ? math("minimum") : integer_call("least_of", a[0], a[1]);
    case Fn::FloorDiv:
      return node.type == Type::Float ? math("floor_divide") : integer_call("floor_div", a[0], a[1]);
    case Fn::Mod: return node.type == Type::Float ? math("remainder") : integer_call("floor_mod", a[0], a[1]);
    case Fn::Lt: return binary(a[0], "<", a[1], kCompare, CType::Bool);
    case Fn::Le: return binary(a[0], "<=", a[1], kCompare, CType::Bool);
    case Fn::Eq: return binary({wrap(a[0], kSum), kAtom, a[0].type}, "==", a[1], kCompare, CType::Bool);
    case Fn::Ne: return binary({wrap(a[0], kSum), kAtom, a[0].type}, "!=", a[1], kCompare, CType::Bool);
    case Fn::And:
    case Fn::Or: {
      const bool both = node.fn == Fn::And;
      std::vector<std::string> texts;
      for (const Code& x : a) texts.push_back(wrap(x, kCompare));
      return {join(texts, both ? " && " : " || "), both ? kAnd : kOr, CType::Bool};
    }
    case Fn::Not: return {"!" + wrap(a[0], kAtom), kUnary, CType::Bool};
    case Fn::Where:
      return {wrap(a[0], kOr) + " ? " + wrap(a[1], kOr) + " : " + wrap(a[2], kConditional), kConditional,
              type};
    case Fn::Exp: return math("exp");
    case Fn::Log: return math("log");
    case Fn::Log1p: return math("log1p");
    case Fn::Expm1: return math("expm1");
    case Fn::Sin: return math("sin");
    case Fn::Cos: return math("cos");
    case Fn::Tanh: return math("tanh");
    case Fn::Erf: return math("erf");
    case Fn::Sigmoid: return math("sigmoid");
    case Fn::Floor: return math("floor");
    case Fn::Ceil: return math("ceil");
    case Fn::Abs:
      return node.type == Type::Float
                 ? math("abs")
                 : integer_call("greatest_of", a[0],
                                negated({wrap(a[0], kUnary), kUnary, a[0].type}, a[0].type));
    case Fn::Sign: return math("sign");
    case Fn::IsNan: return {wrap(a[0], kAtom) + " != " + wrap(a[0], kAtom), kCompare, CType::Bool};
    case Fn::IsInf: return call("math::isinf", a, CType::Bool);
    case Fn::ToFloat: return {"static_cast<float>(" + a[0].text + ")", kAtom, CType::Float};
    case Fn::ToInt: return {"static_cast<long long>(" + a[0].text + ")", kAtom, CType::Long};
    case Fn::ToBool: return {wrap(a[0], kSum) + " != 0", kCompare, CType::Bool};
    case Fn::Round: return math("round");
  }
  refuse("this function");
}

}  // namespace flashlight::emit
