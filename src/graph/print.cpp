// SPDX-License-Identifier: Apache-2.0
// Printing: host expressions as in C, and the Graph in index notation, one node a line.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "graph/function.h"

namespace flashlight::graph {
namespace {

std::string real_text(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v).ptr;  // shortest text that reads back
  std::string out(buffer, end);
  return out.find_first_of(".e") == std::string::npos ? out + ".0" : out;
}

std::string leaf_text(const Sym& e) {
  const SymbolId id = e.symbol_id();
  switch (e.op()) {
    case SymOp::Axis: return "i" + std::to_string(e.integer());
    case SymOp::Datum: return "datum" + std::to_string(e.integer());
    default: break;
  }
  switch (id.kind) {
    case SymbolId::Size: return "size(" + std::to_string(id.param) + "," + std::to_string(id.axis) + ")";
    case SymbolId::Pack: return "pack(" + std::to_string(id.param) + ")";
    case SymbolId::Scalar: return "scalar(" + std::to_string(id.param) + ")";
  }
  return "?";
}

// How tightly an operation binds.
enum Level { kSelect, kOr, kAnd, kCompare, kSum, kProduct, kUnary, kPower, kAtom };

using Namer = std::function<std::string(const Sym&)>;

class ExpressionText {
 public:
  explicit ExpressionText(const Namer& name) : name_(name) {}

  std::string at(const Sym& e, Level least) const {
    auto [text, level] = print(e);
    return level < least ? "(" + text + ")" : text;
  }

 private:
  struct Part {
    std::string text;
    Level level;
  };

  std::string joined(const Sym& e, const char* between, Level level) const {
    std::string out;
    for (const Sym& a : e.args()) out += (out.empty() ? "" : between) + at(a, level);
    return out;
  }

  std::string sum(const Sym& e) const {
    std::string out;
    for (const Sym& a : e.args()) {
      std::string text = at(a, kSum);
      if (out.empty()) out = text;
      else if (text[0] == '-') out += " - " + text.substr(1);
      else out += " + " + text;
    }
    return out;
  }

  Part product(const Sym& e) const {
    std::string out;
    bool minus = false;
    for (const Sym& a : e.args()) {
      if (out.empty() && !minus && a.is_constant() && a.real() == -1) {
        minus = true;
        continue;
      }
      out += (out.empty() ? "" : " * ") + at(a, kUnary);
    }
    return {(minus ? "-" : "") + out, kProduct};
  }

  Part call(const std::string& callee, const Sym& e) const {
    return {callee + "(" + joined(e, ", ", kSelect) + ")", kAtom};
  }
  Part binary(const char* op, const Sym& e, Level level) const {
    return {at(e.args()[0], Level(level + 1)) + op + at(e.args()[1], Level(level + 1)), level};
  }

  Part print(const Sym& e) const {
    switch (e.op()) {
      case SymOp::Integer: return {std::to_string(e.integer()), e.integer() < 0 ? kUnary : kAtom};
      case SymOp::Real: return {real_text(e.real()), e.real() < 0 ? kUnary : kAtom};
      case SymOp::Boolean: return {e.integer() ? "true" : "false", kAtom};
      case SymOp::Symbol:
      case SymOp::Axis:
      case SymOp::Datum: {
        std::string text = name_ ? name_(e) : "";
        return {text.empty() ? leaf_text(e) : text, kAtom};
      }
      case SymOp::Add: return {sum(e), kSum};
      case SymOp::Mul: return product(e);
      case SymOp::Div: return binary(" / ", e, kProduct);
      case SymOp::FloorDiv: return binary(" div ", e, kProduct);
      case SymOp::Mod: return binary(" mod ", e, kProduct);
      case SymOp::Pow:
        if (e.args()[1].as_real() == 0.5) return {"sqrt(" + at(e.args()[0], kSelect) + ")", kAtom};
        return binary("^", e, kPower);
      case SymOp::Min: return call("min", e);
      case SymOp::Max: return call("max", e);
      case SymOp::Call: return call(e.callee(), e);
      case SymOp::Lt: return binary(" < ", e, kCompare);
      case SymOp::Le: return binary(" <= ", e, kCompare);
      case SymOp::Eq: return binary(" == ", e, kCompare);
      case SymOp::Ne: return binary(" != ", e, kCompare);
      case SymOp::And: return {joined(e, " && ", kCompare), kAnd};
      case SymOp::Or: return {joined(e, " || ", kAnd), kOr};
      case SymOp::Not: return {"!" + at(e.args()[0], kPower), kUnary};
      case SymOp::Select:
        return {at(e.args()[0], kOr) + " ? " + at(e.args()[1], kOr) + " : " + at(e.args()[2], kOr), kSelect};
      case SymOp::ToInteger: return call("int", e);
      case SymOp::ToReal: return call("real", e);
    }
    return {"?", kAtom};
  }

  const Namer& name_;
};

// Letters for axes that no parameter is called by.
std::vector<std::string> axis_letters(const Function& f) {
  std::vector<std::string> out;
  for (char c : std::string("ijklmnopqrstuvwxyzabcdefgh")) {
    const std::string letter(1, c);
    auto taken = [&](const auto& p) { return p.name == letter; };
    if (std::none_of(f.tensors.begin(), f.tensors.end(), taken) &&
        std::none_of(f.scalars.begin(), f.scalars.end(), taken))
      out.push_back(letter);
  }
  return out;
}

class FunctionText {
 public:
  explicit FunctionText(const Function& f) : f_(f), letters_(axis_letters(f)) {}

  std::string print() const {
    std::string out = f_.name + "(" + parameters() + ")\n";
    for (const Check& c : f_.checks) out += "  check " + host(c.condition) + "  // " + c.text + "\n";
    for (NodeId id = 0; id < f_.graph.size(); ++id) {
      const Node& n = f_.graph[id];
      if (n.op == Op::Scalar) continue;  // shown where it is used
      out += "  %" + std::to_string(id) + axes(n.shape, 0, "[", "]") + ": " + name_of(n.type) + " = " +
             right_side(n);
      if (!f_.graph.label(id).empty()) out += "  // " + f_.graph.label(id);
      out += "\n";
    }
    for (const Output& o : f_.outputs)
      out += "  result" + o.path + axes(o.value.shape, 0, "[", "]") + " = " +
             operand({o.value.node, o.value.index}) + "\n";
    return out;
  }

 private:
  std::string parameters() const {
    std::string out;
    for (const TensorParam& p : f_.tensors) {
      out += (out.empty() ? "" : ", ") + p.name + ": " + name_of(p.type) + "[";
      for (std::size_t k = 0; k < p.shape.size(); ++k) {
        out += (k ? ", " : "") + host(p.shape[k]);
        if (k < p.may_broadcast.size() && p.may_broadcast[k]) out += " or 1";
      }
      out += "]";
    }
    const char* const types[] = {"bool", "int", "real"};
    for (const ScalarParam& p : f_.scalars)
      out += (out.empty() ? "" : ", ") + p.name + ": " + types[static_cast<int>(p.type)];
    return out;
  }

  std::string letter(std::size_t axis) const {
    const std::string extra = axis >= letters_.size() ? std::to_string(axis / letters_.size()) : "";
    return letters_[axis % letters_.size()] + extra;
  }

  // A size by the parameter that first has it: q.2, q.* for a pack.
  std::string host_leaf(const Sym& e) const {
    if (e.op() != SymOp::Symbol) return letter(static_cast<std::size_t>(e.integer()));
    const SymbolId id = e.symbol_id();
    const auto at = static_cast<std::size_t>(id.param);
    if (id.kind == SymbolId::Scalar) return at < f_.scalars.size() ? f_.scalars[at].name : "";
    if (at >= f_.tensors.size()) return "";
    return f_.tensors[at].name + (id.kind == SymbolId::Pack ? ".*" : "." + std::to_string(id.axis));
  }
  std::string host(const Sym& e) const {
    return to_string(e, [&](const Sym& leaf) { return host_leaf(leaf); });
  }

  std::string axes(const Shape& shape, std::size_t from, const char* open, const char* close) const {
    if (shape.empty()) return "";
    std::string out;
    for (std::size_t k = 0; k < shape.size(); ++k)
      out += (k ? ", " : "") + letter(from + k) + "<" + host(shape[k]);
    return open + out + close;
  }

  std::string operand(const Operand& o, Level least = kSelect, const std::vector<Operand>& data = {}) const {
    if (o.node < 0 || o.node >= f_.graph.size()) return "%?";
    const Node& n = f_.graph[o.node];
    if (n.op == Op::Scalar)
      return ExpressionText([&](const Sym& e) { return host_leaf(e); }).at(n.value, least);
    std::string out = "%" + std::to_string(o.node);
    for (std::size_t k = 0; k < o.index.size(); ++k) {
      out += k ? ", " : "[";
      out += to_string(o.index[k], [&](const Sym& leaf) {
        const auto at = static_cast<std::size_t>(leaf.integer());
        return leaf.op() == SymOp::Datum && at < data.size() ? operand(data[at]) : host_leaf(leaf);
      });
    }
    return out + (o.index.empty() ? "" : "]");
  }

  std::string list(const std::vector<Operand>& operands, const char* between, Level least = kSelect) const {
    std::string out;
    for (const Operand& o : operands) out += (out.empty() ? "" : between) + operand(o, least);
    return out;
  }

  std::string map(const Node& n) const {
    switch (n.fn) {
      case Fn::Add:
        return n.operands.size() == 1 ? "copy " + list(n.operands, "") : list(n.operands, " + ", kSum);
      case Fn::Mul: return list(n.operands, " * ", kUnary);
      case Fn::Pow: return list(n.operands, "^", kAtom);
      case Fn::FloorDiv: return list(n.operands, " div ", kUnary);
      case Fn::Mod: return list(n.operands, " mod ", kUnary);
      case Fn::Lt: return list(n.operands, " < ", kSum);
      case Fn::Le: return list(n.operands, " <= ", kSum);
      case Fn::Eq: return list(n.operands, " == ", kSum);
      case Fn::Ne: return list(n.operands, " != ", kSum);
      case Fn::And: return list(n.operands, " & ", kCompare);
      case Fn::Or: return list(n.operands, " | ", kCompare);
      case Fn::Not: return "!" + list(n.operands, "", kAtom);
      default: return std::string(name_of(n.fn)) + "(" + list(n.operands, ", ") + ")";
    }
  }

  std::string right_side(const Node& n) const {
    switch (n.op) {
      case Op::Input: {
        const auto at = static_cast<std::size_t>(n.input);
        return at < f_.tensors.size() ? f_.tensors[at].name : "?";
      }
      case Op::Iota: return letter(0);
      case Op::Map: return map(n);
      case Op::Reduce:
        return std::string(name_of(n.reduce)) + axes(n.reduced, n.shape.size(), "(", ")") + " " +
               list(n.operands, ", ");
      case Op::Gather: return n.operands.empty() ? "?" : operand(n.operands[0], kSelect, n.operands);
      case Op::Scan:
        return "running sum over " + letter(static_cast<std::size_t>(n.axis)) + " of " +
               list(n.operands, ", ");
      case Op::Segment: {
        std::string out = "along " + letter(static_cast<std::size_t>(n.axis)) + ":";
        for (std::size_t s = 0; s < n.operands.size(); ++s)
          out += (s ? " then " : " ") + operand(n.operands[s]) +
                 (s < n.segments.size() ? " for " + host(n.segments[s]) : "");
        return out;
      }
      case Op::Sort:
      case Op::Order:
        return std::string(n.descending ? "descending " : "") + name_of(n.op) +
               axes(n.reduced, n.shape.size(), "(", ")") + " " + list(n.operands, ", ");
      case Op::Scalar: break;
    }
    return host(n.value);
  }

  const Function& f_;
  std::vector<std::string> letters_;
};

}  // namespace

std::string to_string(const Sym& e, const std::function<std::string(const Sym&)>& name) {
  return ExpressionText(name).at(e, kSelect);
}

std::string with_names(const Function& f, std::string text) {
  auto replace = [&](const std::string& symbol, const std::string& name) {
    for (std::size_t at = text.find(symbol); at != std::string::npos;
         at = text.find(symbol, at + name.size()))
      text.replace(at, symbol.size(), name);
  };
  for (std::size_t t = 0; t < f.tensors.size(); ++t) {
    const int axes = static_cast<int>(f.tensors[t].shape.size());
    for (int a = 0; a < axes; ++a)
      replace("size(" + std::to_string(t) + "," + std::to_string(a) + ")",
              f.tensors[t].name + ".size(" + std::to_string(a - axes) + ")");
  }
  for (std::size_t s = 0; s < f.scalars.size(); ++s)
    replace("scalar(" + std::to_string(s) + ")", f.scalars[s].name);
  return text;
}

std::string to_string(const Function& f) { return FunctionText(f).print(); }

}  // namespace flashlight::graph
