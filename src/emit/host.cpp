// SPDX-License-Identifier: Apache-2.0
// See host.h.
#include "emit/host.h"

#include <charconv>
#include <cmath>
#include <map>

#include "fusion/roles.h"

namespace flashlight::emit {

using graph::Sym;
using graph::SymOp;
using graph::SymType;

namespace {

Code double_literal(double value) {
  if (std::isinf(value))
    return {value > 0 ? "HUGE_VAL" : "-HUGE_VAL", value > 0 ? kAtom : kUnary, CType::Float};
  if (std::isnan(value)) return {"NAN", kAtom, CType::Float};
  char buffer[64];
  std::string text(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return {text, value < 0 ? kUnary : kAtom, CType::Float};
}

}  // namespace

std::string symbol_name(const graph::Function& function, const graph::SymbolId& id) {
  switch (id.kind) {
    case graph::SymbolId::Size:
      return identifier(function.tensors[id.param].name) + "_size" +
             std::to_string(id.axis - function.tensors[id.param].pack);
    case graph::SymbolId::Scalar: return identifier(function.scalars[id.param].name);
    case graph::SymbolId::Pack: return "launch.batch()";
  }
  return "?";
}

Code host_code(const graph::Function& function, const Sym& e) {
  const CType type = e.type() == SymType::Real      ? CType::Float
                     : e.type() == SymType::Boolean ? CType::Bool
                                                    : CType::Long;
  std::vector<Code> a;
  for (const Sym& arg : e.args()) a.push_back(host_code(function, arg));
  auto std_call = [&](const std::string& name) { return call("std::" + name, a, type); };
  switch (e.op()) {
    case SymOp::Integer: return {std::to_string(e.integer()) + "ll", e.integer() < 0 ? kUnary : kAtom, type};
    case SymOp::Real: return double_literal(e.real());
    case SymOp::Boolean: return {e.integer() ? "true" : "false", kAtom, type};
    case SymOp::Symbol: return {symbol_name(function, e.symbol_id()), kAtom, type};
    case SymOp::Add: return sum(a, type);
    case SymOp::Mul: return product(a, type);
    case SymOp::Div:
      return binary({"static_cast<double>(" + a[0].text + ")", kAtom, type}, "/", a[1], kProduct, type);
    case SymOp::FloorDiv: return call("floor_div", a, type);
    case SymOp::Mod: return call("floor_mod", a, type);
    case SymOp::Min:
    case SymOp::Max: {
      const bool least = e.op() == SymOp::Min;
      const char* const function = type == CType::Float ? least ? "std::fmin" : "std::fmax"
                                   : least              ? "least_of"
                                                        : "greatest_of";
      Code result = a[0];
      for (std::size_t k = 1; k < a.size(); ++k) result = call(function, {result, a[k]}, type);
      return result;
    }
    case SymOp::Pow: return std_call("pow");
    case SymOp::Call: {
      static const std::map<std::string, const char*, std::less<>> kOperators = {
          {"sum", "+"}, {"difference", "-"}, {"product", "*"}, {"quotient", "/"}};
      if (const auto op = kOperators.find(e.callee());
          op != kOperators.end())  // nothing is left to precedence
        return {"(" + wrap(a[0], kUnary) + " " + op->second + " " + wrap(a[1], kUnary) + ")", kAtom, type};
      if (e.callee() == "float32")
        return {"static_cast<double>(static_cast<float>(" + a[0].text + "))", kAtom, type};
      return std_call(e.callee());
    }
    case SymOp::Lt: return binary(a[0], "<", a[1], kCompare, type);
    case SymOp::Le: return binary(a[0], "<=", a[1], kCompare, type);
    case SymOp::Eq: return binary({wrap(a[0], kSum), kAtom, type}, "==", a[1], kCompare, type);
    case SymOp::Ne: return binary({wrap(a[0], kSum), kAtom, type}, "!=", a[1], kCompare, type);
    case SymOp::And:
    case SymOp::Or: {
      std::vector<std::string> texts;
      for (const Code& x : a) texts.push_back(wrap(x, kCompare));
      const bool both = e.op() == SymOp::And;
      return {join(texts, both ? " && " : " || "), both ? kAnd : kOr, type};
    }
    case SymOp::Not: return {"!" + wrap(a[0], kAtom), kUnary, type};
    case SymOp::Select:
      return {wrap(a[0], kOr) + " ? " + wrap(a[1], kOr) + " : " + wrap(a[2], kConditional), kConditional,
              type};
    case SymOp::ToInteger: return {"static_cast<long long>(" + a[0].text + ")", kAtom, type};
    case SymOp::ToReal: return {"static_cast<double>(" + a[0].text + ")", kAtom, type};
    case SymOp::Axis:
    case SymOp::Datum: break;
  }
  throw fusion::Refused{{"internal", "a host value depends on a loop", "", {}}};
}

}  // namespace flashlight::emit
