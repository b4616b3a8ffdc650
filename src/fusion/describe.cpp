// SPDX-License-Identifier: Apache-2.0
// See describe.h.
#include "fusion/describe.h"

#include <cctype>

#include "fusion/access.h"

namespace flashlight::fusion {

namespace {

using graph::Fn;
using graph::Op;
using graph::Sym;
using graph::SymOp;

std::string symbol_text(const graph::Function& f, graph::SymbolId id) {
  if (id.kind == graph::SymbolId::Pack) return "batch";
  if (id.kind == graph::SymbolId::Scalar) return f.scalars[id.param].name;
  const graph::TensorParam& tensor = f.tensors[id.param];
  return tensor.name + ".size(" + std::to_string(id.axis - static_cast<int>(tensor.shape.size())) + ")";
}

class Describer {
 public:
  Describer(const graph::Function& f, const KernelPlan& plan) : f_(f), plan_(plan) {}

  std::string operator()(const Access& at) const {
    const graph::Node& node = f_.graph[at.node];
    switch (node.op) {
      case Op::Input: return f_.tensors[node.input].name + subscript(at.index, f_.tensors[node.input].pack);
      case Op::Iota: return index(at.index[0]);
      case Op::Scalar: return describe(f_, node.value);
      case Op::Map: return map(node, at);
      case Op::Gather: {
        const graph::Node& table = f_.graph[node.operands[0].node];
        std::string text = table.op == Op::Input ? f_.tensors[table.input].name : "table";
        text += "[";
        for (std::size_t k = 1; k < node.operands.size(); ++k)
          text += (k > 1 ? ", " : "") + (*this)(compose(node.operands[k], at.index));
        return text + "]";
      }
      default: return f_.graph.label(at.node).empty() ? graph::name_of(node.op) : f_.graph.label(at.node);
    }
  }

 private:
  std::string index(const Sym& e) const {
    return graph::to_string(e, [&](const Sym& leaf) -> std::string {
      if (leaf.op() == SymOp::Symbol) return symbol_text(f_, leaf.symbol_id());
      if (leaf.op() != SymOp::Axis) return "";
      const int loop = static_cast<int>(leaf.integer());
      if (loop == plan_.row) return "i";
      if (loop == plan_.stream) return "j";
      if (loop >= static_cast<int>(plan_.loops.size())) return "k";  // bound by a reduction inside the value
      const Role role = plan_.loops[loop].role;
      return role == Role::Column ? "c" : role == Role::Feature ? "d" : "b" + std::to_string(loop);
    });
  }

  std::string subscript(const Index& at, bool pack) const {
    std::string text;
    for (std::size_t a = pack; a < at.size(); ++a) text += (text.empty() ? "" : ", ") + index(at[a]);
    return text.empty() ? "" : "[" + text + "]";
  }

  std::string map(const graph::Node& node, const Access& at) const {
    static const std::map<Fn, const char*> kInfix{{Fn::Add, " + "}, {Fn::Mul, " * "}, {Fn::Lt, " < "},
                                                  {Fn::Le, " <= "}, {Fn::Eq, " == "}, {Fn::Ne, " != "},
                                                  {Fn::And, " & "}, {Fn::Or, " | "}};
    std::vector<std::string> args;
    for (const graph::Operand& operand : node.operands) args.push_back((*this)(compose(operand, at.index)));
    const auto infix = kInfix.find(node.fn);
    if (node.fn == Fn::ToFloat) return args[0];
    std::string text;
    for (const std::string& arg : args) {
      const bool spaced = infix != kInfix.end() && arg.find(' ') != std::string::npos;
      text += (text.empty()            ? ""
               : infix != kInfix.end() ? infix->second
                                       : ", ") +
              (spaced ? "(" + arg + ")" : arg);
    }
    return infix != kInfix.end() ? text : std::string(graph::name_of(node.fn)) + "(" + text + ")";
  }

  const graph::Function& f_;
  const KernelPlan& plan_;
};

std::string input_name(const graph::Function& f, const std::vector<graph::Operand>& factors) {
  for (const graph::Operand& factor : factors) {
    const graph::Node& node = f.graph[factor.node];
    if (node.op == Op::Input) return f.tensors[node.input].name;
    if (!f.graph.label(factor.node).empty()) return f.graph.label(factor.node);
  }
  return "...";
}

}  // namespace

std::string describe(const graph::Function& f, const Sym& value) {
  return graph::to_string(value, [&](const Sym& leaf) {
    return leaf.op() == SymOp::Symbol ? symbol_text(f, leaf.symbol_id()) : std::string();
  });
}

std::string describe(const graph::Function& f, const KernelPlan& plan, const Leaf& leaf) {
  if (leaf.kind == Leaf::Contraction)
    return "<" + input_name(f, leaf.left) + ", " + input_name(f, leaf.right) + ">";
  const graph::Node& node = f.graph[leaf.node];
  if (node.op == Op::Input && (leaf.loops >> plan.stream & 1) && !f.tensors[node.input].name.empty() &&
      node.type == graph::Type::Float && plan.loops.size() > 0) {
    bool column = false;
    for (std::size_t l = 0; l < plan.loops.size(); ++l)
      column = column || (plan.loops[l].role == Role::Column && (leaf.loops >> l & 1));
    if (column) return f.tensors[node.input].name;
  }
  constexpr std::size_t kLongest = 72;
  std::string text = Describer(f, plan)({leaf.node, leaf.index});
  if (text.size() > kLongest)
    text = f.graph.label(leaf.node).empty() ? text.substr(0, kLongest) + "..." : f.graph.label(leaf.node);
  return text.find(' ') == std::string::npos ? text : "(" + text + ")";
}

std::string readable(const std::string& text, std::size_t longest) {
  std::string out;
  const auto is_word = [](char c) { return c == '_' || std::isalnum(static_cast<unsigned char>(c)); };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text[at] == 'f' && (at == 0 || !is_word(text[at - 1]))
                                ? text.find_first_not_of("0123456789", at + 1)
                                : at;
    const std::size_t digits =
        end == std::string::npos || end <= at + 1 || text[end] != '(' ? 0 : end - at - 1;
    const int id = digits > 0 && digits < 4 ? std::stoi(text.substr(at + 1, digits)) : -1;
    if (id >= 0 && id <= static_cast<int>(Fn::ToBool)) {
      out += graph::name_of(static_cast<Fn>(id));
      at = end;
    } else {
      out += text[at++];
    }
  }
  if (out.size() <= longest) return out;
  while (longest > 0 && (static_cast<unsigned char>(out[longest]) & 0xc0) == 0x80)
    --longest;  // not inside of a character
  return out.substr(0, longest) + " ...";
}

}  // namespace flashlight::fusion
