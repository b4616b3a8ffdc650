// SPDX-License-Identifier: Apache-2.0
// Prints rules as C++ that builds the same Functions again.
#include "rewrite/embed.h"

#include <cmath>
#include <cstdio>

namespace flashlight::rewrite {

using namespace graph;

namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

template <class List, class Print>
std::string braced(const List& list, Print print) {
  std::string out = "{";
  for (const auto& e : list) out += (out.size() > 1 ? ", " : "") + print(e);
  return out + "}";
}

std::string cast(const char* type, int value) {
  return std::string(type) + "(" + std::to_string(value) + ")";
}
template <class E>
std::string number(const char* type, E e) {
  return cast(type, static_cast<int>(e));
}

std::string text_of(const SymbolId& id) {
  return "{" + number("SymbolId::Kind", id.kind) + ", " + std::to_string(id.param) + ", " +
         std::to_string(id.axis) + "}";
}

std::string text_of(const Sym& e) {
  switch (e.op()) {
    case SymOp::Integer: return "Sym(" + std::to_string(e.integer()) + "L)";
    case SymOp::Boolean: return std::string("Sym::boolean(") + (e.integer() ? "true" : "false") + ")";
    case SymOp::Real: {
      if (std::isnan(e.real())) return "Sym(NAN)";
      if (std::isinf(e.real())) return e.real() > 0 ? "Sym(INFINITY)" : "Sym(-INFINITY)";
      char text[40];
      std::snprintf(text, sizeof text, "%a", e.real());
      return std::string("Sym(") + text + ")";
    }
    case SymOp::Symbol:
      return "Sym::symbol(" + text_of(e.symbol_id()) + ", " + number("SymType", e.type()) + ")";
    case SymOp::Axis: return "Sym::axis(" + std::to_string(e.integer()) + ")";
    case SymOp::Datum: return "Sym::datum(" + std::to_string(e.integer()) + ")";
    default: break;
  }
  return "make_sym(" + number("SymOp", e.op()) + ", " +
         braced(e.args(), [](const Sym& a) { return text_of(a); }) +
         (e.op() == SymOp::Call ? ", " + quoted(e.callee()) : "") + ")";
}

std::string text_of(const std::vector<Sym>& list) {
  return braced(list, [](const Sym& e) { return text_of(e); });
}

std::string text_of(const Operand& o) { return "{" + std::to_string(o.node) + ", " + text_of(o.index) + "}"; }

std::string text_of(const Node& n) {
  std::string out = "{.op = " + number("Op", n.op) + ", .type = " + number("Type", n.type);
  if (n.op == Op::Map) out += ", .fn = " + number("Fn", n.fn);
  if (n.op == Op::Reduce) out += ", .reduce = " + number("ReduceKind", n.reduce);
  out += ", .shape = " + text_of(n.shape);
  if (!n.reduced.empty()) out += ", .reduced = " + text_of(n.reduced);
  if (!n.segments.empty()) out += ", .segments = " + text_of(n.segments);
  if (!n.operands.empty())
    out += ", .operands = " + braced(n.operands, [](const Operand& o) { return text_of(o); });
  if (n.op == Op::Scalar) out += ", .value = " + text_of(n.value);
  if (n.input >= 0) out += ", .input = " + std::to_string(n.input);
  if (n.axis >= 0) out += ", .axis = " + std::to_string(n.axis);
  if (n.descending) out += ", .descending = true";
  return out + "}";
}

std::string flags(const std::vector<bool>& list) {
  return braced(list, [](bool b) { return std::string(b ? "true" : "false"); });
}

// Statements that fill a Function named `f`.
std::string text_of(const Function& f) {
  std::string out = "  f.name = " + quoted(f.name) + ";\n";
  for (const TensorParam& t : f.tensors)
    out += "  f.tensors.push_back({" + quoted(t.name) + ", " + quoted(t.access) + ", " +
           (t.pack ? "true" : "false") + ", " + text_of(t.shape) + ", " + flags(t.may_broadcast) + ", " +
           number("Type", t.type) + "});\n";
  for (const ScalarParam& s : f.scalars)
    out += "  f.scalars.push_back({" + quoted(s.name) + ", " + quoted(s.access) + ", " +
           number("SymType", s.type) + "});\n";
  for (const Check& c : f.checks)
    out += "  f.checks.push_back({" + text_of(c.condition) + ", " + quoted(c.text) + ", {}});\n";
  out += "  std::vector<Node> nodes;\n";
  for (NodeId id = 0; id < f.graph.size(); ++id) out += "  nodes.push_back(" + text_of(f.graph[id]) + ");\n";
  out += "  f.graph = Graph::assemble(std::move(nodes));\n";
  for (const Output& o : f.outputs) {
    const TensorView& v = o.value;
    out += "  f.outputs.push_back({{" + std::to_string(v.node) + ", " + text_of(v.index) + ", " +
           text_of(v.shape) + ", " + (v.pack ? "true" : "false") + ", " + number("Type", v.type) +
           ", {}}, {}});\n";
  }
  return out;
}

std::string function_text(const std::string& name, const Function& f) {
  return "Function " + name + "() {\n  Function f;\n" + text_of(f) + "  return f;\n}\n\n";
}

}  // namespace

std::string embed(const std::vector<Rule>& rules) {
  std::string out =
      "// Made when the translator is built, from the files of rules/.\n"
      "#include <cmath>\n#include <utility>\n\n"
      "#include \"rewrite/builtin.h\"\n\n"
      "namespace flashlight::rewrite {\n\nusing namespace graph;\n\nnamespace {\n\n";
  for (const Rule& r : rules)
    out += "// " + r.location + "\n" + function_text("pattern_of_" + r.name, r.pattern) +
           function_text("replacement_of_" + r.name, r.replacement);
  out += "std::vector<Rule> make() {\n  std::vector<Rule> rules;\n";
  for (const Rule& r : rules)
    out += "  rules.push_back({" + quoted(r.name) + ", " + quoted(r.location) + ",\n    " +
           quoted(r.mathematics) + ",\n    " + number("Phase", r.phase) + ", pattern_of_" + r.name +
           "(), replacement_of_" + r.name + "(), " + flags(r.finite) + ", " + flags(r.masked) + ", " +
           (r.cancels ? "true" : "false") + "});\n";
  return out +
         "  return rules;\n}\n\n}  // namespace\n\n"
         "const std::vector<Rule>& builtin_rules() {\n"
         "  static const std::vector<Rule> rules = make();\n  return rules;\n}\n\n"
         "}  // namespace flashlight::rewrite\n";
}

}  // namespace flashlight::rewrite
