// SPDX-License-Identifier: Apache-2.0
// See value.h.
#include "emit/value.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <utility>

#include "fusion/roles.h"

namespace flashlight::emit {

namespace alg = fusion::algebra;
using kernel::Expr;
using kernel::Space;

namespace {

constexpr int kPlaceholder = 1'000'000;
constexpr double kLog2E = 1.4426950408889634074;

bool is_nary(Expr e) { return e.is(alg::Op::kAdd) || e.is(alg::Op::kMul); }

bool jumps(Expr e) {
  return e.is(alg::Op::kGt) || e.is(alg::Op::kGe) || e.is(alg::Op::kEq) ||
         (e.is(alg::Op::kCall) && e.function_id() < kernel::kExp2 &&
          graph::jumps(static_cast<graph::Fn>(e.function_id())));
}

}  // namespace

ValuePrinter::ValuePrinter(const kernel::Program& program, PointPrinter& points)
    : program_(program), points_(points) {
  const auto is_order = [](kernel::StateKind kind) {
    return kind == kernel::StateKind::Max || kind == kernel::StateKind::Min;
  };
  for (const kernel::Sweep& sweep : program.sweeps) {
    for (const kernel::State& state : sweep.states)
      if (is_order(state.kind)) extrema_.insert(state.node);
    for (const auto* steps : {&sweep.steps, &sweep.finals}) {
      for (const kernel::Step& s : *steps) {
        const bool reduced = s.kind == kernel::StepKind::Reduce && is_order(s.reduce);
        if (reduced || (s.kind == kernel::StepKind::Let && is_extremum(s.value))) extrema_.insert(s.target);
      }
    }
  }
  points_.rounds_sums = compares_elements();
}

// Elements are held against extrema of theirs, which another sweep may have computed. The compiler is free to
// make one operation of a sum and a product in one place and two in the other.
bool ValuePrinter::compares_elements() const {
  const auto holds = [&](auto&& self, Expr e) -> bool {
    if (!e || e.is(alg::Op::kLeaf)) return false;
    if (meets_extremum(e) && (kernel::space_of(program_, e) & kernel::kKey)) return true;
    return std::any_of(e.args().begin(), e.args().end(), [&](Expr a) { return self(self, a); });
  };
  return std::any_of(program_.sweeps.begin(), program_.sweeps.end(), [&](const kernel::Sweep& sweep) {
    return std::any_of(sweep.steps.begin(), sweep.steps.end(),
                       [&](const kernel::Step& s) { return holds(holds, s.value); }) ||
           std::any_of(sweep.masked.begin(), sweep.masked.end(), [&](const kernel::Masked& m) {
             return holds(holds, m.predicate) || holds(holds, m.value);
           });
  });
}

bool ValuePrinter::is_extremum(Expr e) const {
  if (extrema_.contains(e)) return true;
  if (!e.is(alg::Op::kMul) && !e.is(alg::Op::kMax2) && !e.is(alg::Op::kMin2) && !e.is(alg::Op::kWhere))
    return false;
  return std::any_of(e.args().begin(), e.args().end(), [&](Expr a) { return is_extremum(a); });
}

// An element equals an extremum where it is computed as it was for that.
bool ValuePrinter::meets_extremum(Expr e) const {
  return jumps(e) && !e.is(alg::Op::kCall) &&
         std::any_of(e.args().begin(), e.args().end(), [&](Expr a) { return is_extremum(a); });
}

Code ValuePrinter::leaf(Expr e) {
  const fusion::Leaf& leaf = program_.plan->leaves[e.leaf_id()];
  return points_.value(leaf.node, leaf.index);
}

// A function that jumps where its argument is a whole number, or equals another: divisions inside are exact
// there.
Code ValuePrinter::printed(Expr e, const std::string& subscript, bool in_step) {
  const bool outside = std::exchange(in_step_, in_step);
  const Code result = value(e, subscript);
  in_step_ = outside;
  return result;
}

Code ValuePrinter::value(Expr e, const std::string& subscript) {
  if (auto found = variables.find(e); found != variables.end()) {
    return {found->second.name + (found->second.indexed ? "[" + subscript + "]" : ""), kAtom, CType::Float};
  }
  if (jumps(e) && in_step_ == meets_extremum(e)) return printed(e, subscript, !in_step_);
  std::vector<Code> a;
  if (!e.is(alg::Op::kLeaf)) {
    for (Expr arg : e.args()) a.push_back(value(arg, subscript));
  }
  auto math = [&](const char* name) { return call(std::string("math::") + name, a, CType::Float); };
  switch (e.op()) {
    case alg::Op::kConstant: return {float_literal(e.value()), e.value() < 0 ? kUnary : kAtom, CType::Float};
    case alg::Op::kLeaf: return leaf(e);
    case alg::Op::kStreamLength: return {"static_cast<float>(p.n_key)", kAtom, CType::Float};
    case alg::Op::kAdd: return points_.rounds_sums ? rounded_sum(a) : sum(a, CType::Float);
    case alg::Op::kMul: {
      std::vector<Code> over, under;
      bool negative = false;
      for (std::size_t k = 0; k < a.size(); ++k) {
        const Expr arg = e.arg(k);
        const auto whole =
            in_step_ && arg.is(alg::Op::kConstant) ? whole_reciprocal(arg.value()) : std::nullopt;
        if (arg.is_constant(-1)) {
          negative = !negative;
        } else if (whole) {
          negative = negative != (*whole < 0);
          under.push_back({float_literal(std::abs(*whole)), kAtom, CType::Float});
        } else if (arg.is(alg::Op::kPow) && arg.value() == -1 && !variables.contains(arg)) {
          under.push_back(value(arg.arg(0), subscript));
        } else {
          over.push_back(a[k]);
        }
      }
      Code result = over.empty() ? Code{"1.0f", kAtom, CType::Float} : product(over, CType::Float);
      if (!under.empty())
        result = {wrap(result, kProduct) + " / " + wrap(product(under, CType::Float), kUnary), kProduct,
                  CType::Float};
      return negative ? negated(result, CType::Float) : result;
    }
    case alg::Op::kPow:
      if (e.value() == -1) return {"1.0f / " + wrap(a[0], kUnary), kProduct, CType::Float};
      if (e.value() == 2) return math("square");
      if (e.value() == 0.5) return math("sqrt");
      if (e.value() == -0.5) return math("rsqrt");
      return {"math::pow(" + a[0].text + ", " + float_literal(e.value()) + ")", kAtom, CType::Float};
    case alg::Op::kExp:
      return {"exp2_fast(" + wrap(a[0], kProduct) + " * " + float_literal(kLog2E) + ")", kAtom, CType::Float};
    case alg::Op::kLog: return math("log");
    case alg::Op::kWhere:
      return {wrap(a[0], kOr) + " ? " + wrap(a[1], kOr) + " : " + wrap(a[2], kConditional), kConditional,
              CType::Float};
    case alg::Op::kMax2: return call("greatest", a, CType::Float);
    case alg::Op::kMin2: return call("least", a, CType::Float);
    case alg::Op::kGt: return binary(a[0], ">", a[1], kCompare, CType::Bool);
    case alg::Op::kGe: return binary(a[0], ">=", a[1], kCompare, CType::Bool);
    case alg::Op::kEq: return binary(a[0], "==", a[1], kCompare, CType::Bool);
    case alg::Op::kAnd:
    case alg::Op::kOr: {
      const bool both = e.op() == alg::Op::kAnd;
      std::vector<std::string> texts;
      for (const Code& x : a) texts.push_back(wrap(x, kCompare));
      return {join(texts, both ? " && " : " || "), both ? kAnd : kOr, CType::Bool};
    }
    case alg::Op::kNot: return {"!" + wrap(a[0], kAtom), kUnary, CType::Bool};
    case alg::Op::kAbs: return math("abs");
    case alg::Op::kRelu: return math("relu");
    case alg::Op::kTanh: return math("tanh");
    case alg::Op::kSigmoid: return math("sigmoid");
    case alg::Op::kCall: break;
    default:
      throw fusion::Refused{
          {"unsupported-value", "a value of this form has no code yet: " + alg::to_string(e), "", {}}};
  }
  if (e.function_id() == kernel::kKeysThrough)
    return {"static_cast<float>(least_of(col0 + N, p.n_key))", kAtom, CType::Float};
  if (e.function_id() == kernel::kExp2) return call("exp2_fast", a, CType::Float);
  switch (static_cast<graph::Fn>(e.function_id())) {
    case graph::Fn::Add: {  // before anything else is added
      if (points_.rounds_sums) return rounded_sum(a);
      const Code all = sum(a, CType::Float);
      return {"(" + all.text + ")", kAtom, CType::Float};
    }
    case graph::Fn::Log1p: return math("log1p");
    case graph::Fn::Expm1: return math("expm1");
    case graph::Fn::Sin: return math("sin");
    case graph::Fn::Cos: return math("cos");
    case graph::Fn::Erf: return math("erf");
    case graph::Fn::Floor: return math("floor");
    case graph::Fn::Ceil: return math("ceil");
    case graph::Fn::Sign: return math("sign");
    case graph::Fn::Pow: return math("pow");
    case graph::Fn::FloorDiv: return math("floor_divide");
    case graph::Fn::Mod: return math("remainder");
    case graph::Fn::IsNan: return {wrap(a[0], kAtom) + " != " + wrap(a[0], kAtom), kCompare, CType::Bool};
    case graph::Fn::IsInf: return call("math::isinf", a, CType::Bool);
    default:
      throw fusion::Refused{
          {"unsupported-value",
           std::string("'") + graph::name_of(static_cast<graph::Fn>(e.function_id())) + "' has no code yet",
           "",
           {}}};
  }
}

std::string ValuePrinter::together(Expr e, const std::string& subscript,
                                   std::vector<std::string>& declarations) {
  std::vector<fusion::Access> leaves;
  auto collect = [&](auto&& self, Expr x) -> void {
    if (variables.contains(x)) return;
    if (x.is(alg::Op::kLeaf)) {
      const fusion::Leaf& leaf = program_.plan->leaves[x.leaf_id()];
      leaves.push_back({leaf.node, leaf.index});
      return;
    }
    for (Expr arg : x.args()) self(self, arg);
  };
  collect(collect, e);
  declarations = points_.declare_reductions(leaves);
  std::string text = value(e, subscript).text;
  points_.forget();
  return text;
}

bool ValuePrinter::is_hoistable(Expr e, Space loop) {
  if (variables.contains(e) || e.is(alg::Op::kConstant) || e.is_bool()) return false;
  const Space space = kernel::space_of(program_, e);
  return space != loop && (space & ~kernel::kRow) == 0;
}

Expr ValuePrinter::name_part(Expr e, Writer& uniform, Writer& rows) {
  const bool is_uniform = kernel::space_of(program_, e) == kernel::kUniform;
  auto& parts = is_uniform ? uniform_parts_ : row_parts_;
  if (auto found = parts.find(e); found != parts.end()) return found->second;
  // Stands for the part: a call without arguments, which nothing flattens or folds.
  const Expr placeholder = alg::call(e.arena(), kPlaceholder + placeholders_++, {});
  if (is_extremum(e)) extrema_.insert(placeholder);
  if (is_uniform) {
    const std::string name = "u" + std::to_string(uniforms_++);
    std::vector<std::string> declarations;
    const std::string text = together(e, "", declarations);
    for (const std::string& declaration : declarations) uniform.line(declaration);
    uniform.line("const float " + name + " = " + text + ";");
    variables[placeholder] = {name, false};
  } else {
    const Expr body = hoist(e, kernel::kRow, uniform, rows);
    std::vector<std::string> declarations;
    const std::string name = "r" + std::to_string(rows_++), text = together(body, "r", declarations);
    rows.line("RowVec<MI> " + name + ";");
    std::vector<std::string> lines =
        index_declarations(join(declarations, " ") + text, false, points_.rows());
    lines.insert(lines.end(), declarations.begin(), declarations.end());
    lines.push_back(name + "[r] = " + text + ";");
    rows.block("for_each_row<MI>([&](const Row& r) FL_INLINE {", lines, "});");
    variables[placeholder] = {name, true};
  }
  parts[e] = placeholder;
  return placeholder;
}

Expr ValuePrinter::hoist(Expr e, Space loop, Writer& uniform, Writer& rows) {
  if (is_hoistable(e, loop)) return name_part(e, uniform, rows);
  if (variables.contains(e) || e.is(alg::Op::kLeaf) || e.args().empty()) return e;
  std::vector<Expr> args;
  if (is_nary(e)) {  // parts that vary with less stand together
    std::vector<Expr> fixed, row, rest;
    for (Expr arg : e.args()) {
      const Space space = kernel::space_of(program_, arg);
      (space == loop || (space & ~kernel::kRow) || arg.is_bool() ? rest
       : space == kernel::kUniform                               ? fixed
                                                                 : row)
          .push_back(arg);
    }
    if (!row.empty() && loop != kernel::kRow) {
      row.insert(row.end(), fixed.begin(), fixed.end());
      fixed.clear();
    }
    for (std::vector<Expr>* part : {&fixed, &row}) {
      if (part->empty() || rest.empty()) {
        args.insert(args.end(), part->begin(), part->end());
        continue;
      }
      const Expr together = part->size() == 1 ? part->front() : e.arena().make(e.op(), *part);
      args.push_back(is_hoistable(together, loop) ? name_part(together, uniform, rows) : together);
    }
    for (Expr arg : rest) args.push_back(hoist(arg, loop, uniform, rows));
  } else {
    for (Expr arg : e.args()) args.push_back(hoist(arg, loop, uniform, rows));
  }
  if (args == e.args()) return e;
  return e.arena().make(e.op(), args, e.node().numbers, e.node().id_or_flag);
}

std::vector<std::string> row_declarations(const std::string& slot, const RowNames& rows) {
  if (rows.group.empty()) return {"const int i = " + slot + ";"};
  return {"const int slot = " + slot + ";",
          "[[maybe_unused]] const int i = slot / " + rows.group + ", g = slot % " + rows.group + ";"};
}

std::vector<std::string> index_declarations(const std::string& text, bool element, const RowNames& rows,
                                            const std::string& columns, const std::string& first_column) {
  auto mentions = [&](char name) {
    for (std::size_t k = 0; k < text.size(); ++k) {
      if (text[k] != name) continue;
      const bool left = k > 0 && (std::isalnum(static_cast<unsigned char>(text[k - 1])) ||
                                  text[k - 1] == '_' || text[k - 1] == '.');
      const bool right = k + 1 < text.size() &&
                         (std::isalnum(static_cast<unsigned char>(text[k + 1])) || text[k + 1] == '_');
      if (!left && !right) return true;
    }
    return false;
  };
  std::vector<std::string> result;
  const std::string at = element ? "e" : "r";
  // Rows, keys and columns past the end repeat the last one: their values are never used, and their loads
  // stay inside the tensors.
  if (mentions('i') || (!rows.group.empty() && mentions('g')))
    result =
        row_declarations("least_of(" + rows.first + " + row_of<MI>(warp, " + at + "), p.n_row - 1)", rows);
  if (element && mentions('j')) result.push_back("const int j = least_of(col0 + col_of(e), p.n_key - 1);");
  if (element && mentions('c'))
    result.push_back("const int c = least_of(" + (first_column.empty() ? "" : first_column + " + ") +
                     "col_of(e), " + columns + " - 1);");
  return result;
}

}  // namespace flashlight::emit
