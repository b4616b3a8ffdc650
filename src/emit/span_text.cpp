// SPDX-License-Identifier: Apache-2.0
// See span_text.h.
#include "emit/span_text.h"

#include <algorithm>

#include "emit/terms.h"

namespace flashlight::emit {

using kernel::Cover;
using kernel::Interval;
using kernel::PointSum;

void SpanText::collect(const Interval& x, std::set<int>& rows, std::set<int>& keys) const {
  if (x.kind == Interval::Rows) rows.insert(x.index);
  if (x.kind == Interval::Key) keys.insert(x.index);
  for (const Interval& arg : x.args) collect(arg, rows, keys);
  for (const Cover& condition : x.conditions) collect(condition, rows, keys);
}

void SpanText::collect(const Cover& cover, std::set<int>& rows, std::set<int>& keys) const {
  for (const Cover& arg : cover.args) collect(arg, rows, keys);
  collect(cover.left, rows, keys);
  collect(cover.right, rows, keys);
}

std::vector<Code> SpanText::uniform() const {
  std::vector<Code> data;
  for (std::size_t k = 0; k < data_.uniform.size(); ++k)
    data.push_back({"data" + std::to_string(k), kAtom, CType::Long});
  return data;
}

// The sum at row i or at key j.
Code SpanText::point(const PointSum& sum) {
  if (sum.type != graph::Type::Int) return points_.value(sum.terms[0].value.node, sum.terms[0].value.index);
  std::vector<Code> terms;
  for (const PointSum::Term& term : sum.terms) {
    const Code x = points_.value(term.value.node, term.value.index);
    if (term.factor.is_integer(1)) terms.push_back(x);
    else if (term.factor.is_integer(-1)) terms.push_back(negated(x, CType::Long));
    else terms.push_back(product({points_.index(term.factor, uniform()), x}, CType::Long));
  }
  if (!sum.form.is_integer(0)) terms.push_back(points_.index(sum.form, uniform()));
  return total(terms);
}

void SpanText::write_rows(const Cover& cover, Writer& w) {
  std::set<int> rows, keys;
  collect(cover, rows, keys);
  for (int k : rows) {
    if (!declared_.insert(k).second) continue;
    const std::string type = data_.rows[k].type == graph::Type::Float ? "FloatSpan" : "Span";
    w.block("const " + type + " rows" + std::to_string(k) + " = span_of<" + type +
                ">(row0, row_last, [&](int i) FL_INLINE {",
            {"return " + point(data_.rows[k]).text + ";"}, "});");
  }
}

// The elements of tensors that a value begins with: those that no other element leads to.
void SpanText::find_loads(const fusion::Access& at, std::vector<fusion::Access>& loads) const {
  const graph::Node& node = graph_[at.node];
  if (node.op == graph::Op::Input) {
    const bool varies = (fusion::loops_of(at.index) & fusion::bit(stream_)) != 0;
    if (varies && std::find(loads.begin(), loads.end(), at) == loads.end()) loads.push_back(at);
  }
  if (node.op != graph::Op::Map && node.op != graph::Op::Gather)
    return;  // a part of a concatenation may not be there
  for (std::size_t k = node.op == graph::Op::Gather; k < node.operands.size(); ++k)
    find_loads(fusion::compose(node.operands[k], at.index), loads);
}

void SpanText::write_captured(const std::string& name, const std::set<int>& keys, Writer& w) {
  std::vector<fusion::Access> loads;
  for (int k : keys) {
    for (const PointSum::Term& term : data_.keys[k].terms) find_loads(term.value, loads);
  }
  const std::string function = captured_by(name), type = "C" + function.substr(1);
  std::vector<std::string> fields, values;
  for (const fusion::Access& load : loads) {
    const std::string field = "x" + std::to_string(fields.size());
    values.push_back(points_.load_raw(load));
    fields.push_back(field);
    points_.known[load] = points_.worth(load, "at." + field);
  }
  w.line("struct " + type + " {" + (fields.empty() ? "" : " RawValue " + join(fields, ", ") + "; ") + "};");
  w.block("const auto " + function + " = [&]([[maybe_unused]] int j) FL_INLINE -> " + type + " {",
          {"return {" + join(values, ", ") + "};"}, "};");
}

void SpanText::write_function(const std::string& name, const Cover& cover, Writer& w) {
  std::set<int> rows, keys;
  collect(cover, rows, keys);
  by_key_ = kernel::reads_keys(data_, cover);
  uses_rows_ = uses_keys_ = false;
  const std::string result = kept(cover).text;
  if (by_key_) write_captured(name, keys, w);
  const std::string type = "C" + captured_by(name).substr(1);
  w.open("const auto " + name + " = [&]([[maybe_unused]] int " +
         (by_key_ ? "j, [[maybe_unused]] const " + type + "& at" : "col0") + ") FL_INLINE -> Kept {");
  if (uses_rows_) w.line("const Span i(row0, row_last);");
  if (uses_keys_ && !by_key_) w.line("const Span j(col0, least_of(col0 + N, p.n_key) - 1);");
  for (int k : keys) {
    const graph::Type type = data_.keys[k].type;
    const std::string spelled = type == graph::Type::Float  ? "float"
                                : type == graph::Type::Bool ? "bool"
                                                            : "long long";
    w.line("const " + spelled + " key" + std::to_string(k) + " = " + point(data_.keys[k]).text + ";");
  }
  points_.forget();
  w.line("return " + result + ";");
  w.close("};");
}

// ---- values

bool SpanText::is_real(const Interval& x) const {
  if (x.kind == Interval::Rows || x.kind == Interval::Key)
    return (x.kind == Interval::Rows ? data_.rows : data_.keys)[x.index].type == graph::Type::Float;
  return x.kind == Interval::Real || x.kind == Interval::Number ||
         (!x.args.empty() && x.kind != Interval::Choice && is_real(x.args[0]));
}

// The key itself, where one is at hand: an int, whose sums with others could overflow.
bool SpanText::is_key(const Interval& x) const {
  return by_key_ && x.a == 0 && x.b == 1 && x.form.is_integer(0);
}

// Whether the text of it is a Span already, and not a number.
bool SpanText::is_span(const Interval& x) const {
  switch (x.kind) {
    case Interval::Form: return x.a != 0 || (x.b != 0 && !is_key(x));
    case Interval::Key:
    case Interval::Number: return false;
    case Interval::Sum:
      if (is_real(x)) return true;
      [[fallthrough]];
    case Interval::Times:
      return std::any_of(x.args.begin(), x.args.end(), [&](const Interval& arg) { return is_span(arg); });
    default: return true;
  }
}

std::string SpanText::span(const Interval& x) {
  const Code text = value(x);
  if (is_span(x)) return text.text;
  return (is_real(x) ? "FloatSpan(" : "Span(") + text.text + ")";
}

Code SpanText::form(const Interval& x) {
  std::vector<Code> terms;
  if (x.a != 0) terms.push_back(scaled(x.a, "i")), uses_rows_ = true;
  if (x.b != 0) terms.push_back(scaled(x.b, by_key_ && !is_key(x) ? "Span(j)" : "j")), uses_keys_ = true;
  const bool split = !terms.empty() && x.form.op() == graph::SymOp::Add;  // spans add up in 64 bits
  const std::vector<graph::Sym> rest = split ? x.form.args() : std::vector<graph::Sym>{x.form};
  for (const graph::Sym& term : rest) terms.push_back(points_.index(term, uniform()));
  return total(terms);
}

Code SpanText::value(const Interval& x) {
  auto call_of = [&](const std::string& function, const std::string& more) -> Code {
    return {function + "(" + span(x.args[0]) + more + ")", kAtom, CType::Long};
  };
  auto chain = [&](const char* function) -> Code {
    std::string text = span(x.args[0]);
    for (std::size_t k = 1; k < x.args.size(); ++k)
      text = std::string(function) + "(" + text + ", " + span(x.args[k]) + ")";
    return {text, kAtom, CType::Long};
  };
  const std::string number = std::to_string(x.index);
  switch (x.kind) {
    case Interval::Form: return form(x);
    case Interval::Rows: return {"rows" + number, kAtom, CType::Long};
    case Interval::Key: return {"key" + number, kAtom, CType::Long};
    case Interval::Sum: {
      if (is_real(x)) return {span(x.args[0]) + " + " + span(x.args[1]), kSum, CType::Float};
      std::vector<Code> terms;
      for (const Interval& arg : x.args) terms.push_back(value(arg));
      return total(terms);
    }
    case Interval::Times: return product({points_.index(x.form, uniform()), value(x.args[0])}, CType::Long);
    case Interval::Product: return {span(x.args[0]) + " * " + span(x.args[1]), kProduct, CType::Long};
    case Interval::FloorDiv: return call_of("floor_div", ", " + points_.index(x.form, uniform()).text);
    case Interval::Mod: return call_of("floor_mod", ", " + points_.index(x.form, uniform()).text);
    case Interval::Least: return chain("least_of");
    case Interval::Greatest: return chain("greatest_of");
    case Interval::Magnitude: return call_of("magnitude", "");
    case Interval::Real: return call_of("real", "");
    case Interval::Number: return {float_literal(x.number), x.number < 0 ? kUnary : kAtom, CType::Float};
    case Interval::Truth: return {"truth(" + kept(x.conditions[0]).text + ")", kAtom, CType::Long};
    case Interval::Choice:
      return {"choice(" + kept(x.conditions[0]).text + ", " + span(x.args[0]) + ", " + span(x.args[1]) + ")",
              kAtom, CType::Long};
  }
  return {};
}

// ---- conditions

Code SpanText::kept(const Cover& cover) {
  switch (cover.kind) {
    case Cover::Unknown: return {"undecided()", kAtom, CType::Bool};
    case Cover::Constant: return {cover.value ? "kept_if(true)" : "kept_if(false)", kAtom, CType::Bool};
    case Cover::And:
    case Cover::Or: return joined(cover);
    case Cover::Not: return {"!" + wrap(kept(cover.args[0]), kUnary), kUnary, CType::Bool};
    case Cover::Holds:
      if (cover.left.kind == Interval::Key && data_.keys[cover.left.index].type == graph::Type::Bool)
        return {"kept_if(" + value(cover.left).text + ")", kAtom, CType::Bool};
      return {"holds(" + span(cover.left) + ")", kAtom, CType::Bool};
    default: return compared(cover);
  }
}

Code SpanText::joined(const Cover& cover) {
  const bool both = cover.kind == Cover::And;
  std::vector<std::string> parts;
  for (const Cover& arg : cover.args) parts.push_back(wrap(kept(arg), kUnary));
  return {join(parts, both ? " & " : " | "), both ? kAnd : kOr, CType::Bool};
}

Code SpanText::compared(const Cover& cover) {
  Interval left = cover.left, right = cover.right;
  std::string function = cover.kind == Cover::AtMost  ? "at_most"
                         : cover.kind == Cover::Below ? "below"
                                                      : "equal";
  const bool is_form =
      cover.kind == Cover::AtMostZero || cover.kind == Cover::Zero || cover.kind == Cover::NotZero;
  if (!is_form) return {function + "(" + span(left) + ", " + span(right) + ")", kAtom, CType::Bool};
  // An affine form against zero: what is negative stands on the other side.
  function = cover.kind == Cover::AtMostZero ? "at_most" : cover.kind == Cover::Zero ? "equal" : "!equal";
  Interval all;
  all.a = cover.a;
  all.b = cover.b;
  all.form = cover.rest;
  auto [below, above] = kernel::sides_of(all);
  return {function + "(" + span(below) + ", " + span(above) + ")",
          cover.kind == Cover::NotZero ? kUnary : kAtom, CType::Bool};
}

}  // namespace flashlight::emit
