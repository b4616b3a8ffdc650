// SPDX-License-Identifier: Apache-2.0
// The steps of a tile program as loops over fragments and rows.
#include "emit/kernel_writer.h"

namespace flashlight::emit {

// Opens a loop over a fragment's elements with the indices its text needs.
void KernelWriter::element_loop(const std::string& columns, const std::string& needs,
                                const std::vector<std::string>& body, Writer& w,
                                const std::string& first_column) {
  std::string extent;
  for (const Dimension& d : text_.dimensions)
    if (d.name == columns.substr(0, columns.find(' '))) extent = loop_extent(d.loop);
  std::vector<std::string> lines = index_declarations(needs, true, points_.rows(), extent, first_column);
  lines.insert(lines.end(), body.begin(), body.end());
  w.block("for_each_element<MI, " + columns + ">([&](const Element& e) FL_INLINE {", lines, "});");
}

Expr KernelWriter::hoisted(Expr e, kernel::Space loop, Writer& w) {
  Writer rows;
  const Expr result = values_.hoist(e, loop, uniform_, rows);
  w.append(rows);
  return result;
}

void KernelWriter::assign(const Item& item, Expr value, Writer& w) {
  const std::string target = fragment(item.slot) + "[e]";
  const Expr inner = hoisted(value, kernel::kScore, w);
  const int loops = points_.loops();
  const std::string text = values_.value(inner, "e").text;
  if (text == target) return;
  if (points_.loops() == loops) return element_loop("N", text, {target + " = " + text + ";"}, w);
  fill_in_turn(fragment(item.slot), text, w);
}

void KernelWriter::fill_in_turn(const std::string& name, const std::string& text, Writer& w) {
  std::vector<std::string> lines = index_declarations(text, true, points_.rows());
  lines.push_back("return " + text + ";");
  w.block("fill_in_turn(" + name + ", [&](const ElementInTurn& e) FL_INLINE {", lines, "});");
}

// What an element's value is called inside a loop over elements. One that takes a loop of its own is computed
// before, in turn, into a fragment.
Code KernelWriter::element_value(Expr inner, Writer& w) {
  const int loops = points_.loops();
  const Code code = values_.value(inner, "e");
  if (points_.loops() == loops) return code;
  const std::string name = "t" + std::to_string(turns_++);
  text_.demand.score_fragments = std::max(text_.demand.score_fragments, schedule_.slots + 1);
  w.line("Acc<MI, N> " + name + ";");
  const bool condition = code.type == CType::Bool;
  fill_in_turn(name, condition ? wrap(code, kOr) + " ? 1.0f : 0.0f" : code.text, w);
  if (condition) return {name + "[e] != 0.0f", kCompare, CType::Bool};
  return {name + "[e]", kAtom, CType::Float};
}

void KernelWriter::write_step(const kernel::Sweep& sweep, const kernel::Step& step, Writer& w) {
  switch (step.kind) {
    case StepKind::Contract:
    case StepKind::Scan:
    case StepKind::Fold: return;  // a fold stands behind the sweep
    case StepKind::Reduce: return write_reduce(step, w);
    case StepKind::Let: return write_let(step, w);
    case StepKind::Set: return write_row(name_of(sweep.states[step.index].node), "=", step.value, w);
    case StepKind::Scale:
      if (sweep.states[step.index].kind != StateKind::Accumulator)
        return write_row(name_of(sweep.states[step.index].node), "*=", step.value, w);
      return write_rescale(sweep.states[step.index], step.value, w);
    case StepKind::Shift: return write_shift(sweep, step, w);
    case StepKind::Add: {
      const char* const op = sweep.states[step.index].kind == StateKind::Prod ? "[e] *= " : "[e] += ";
      const std::string text = element_value(hoisted(step.value, kernel::kScore, w), w).text;
      element_loop("N", text, {name_of(sweep.states[step.index].node) + op + text + ";"}, w);
      return;
    }
    case StepKind::Product: return write_product(sweep, step, w);
    case StepKind::Join: return write_join(sweep.states[step.index], sweep.states[step.operand], w);
  }
}

void KernelWriter::write_product(const kernel::Sweep& sweep, const kernel::Step& step, Writer& w) {
  if (!values_ready_) {  // a product before the last contraction
    w.line("wait_group<0>();");
    w.line("sync_threads();");
    values_ready_ = true;
  }
  w.line("multiply(" + name_of(sweep.states[step.index].node) + ", " + values_.variables.at(step.value).name +
         ", " + operands_[step.operand].name +
         (split_ ? ", " + first_held(sweep.states[step.index].columns) : "") + ");");
}

void KernelWriter::write_reduce(const kernel::Step& step, Writer& w) {
  const std::string name = name_of(step.target),
                    text = element_value(hoisted(step.value, kernel::kScore, w), w).text;
  const bool max = step.reduce == StateKind::Max, sum = step.reduce == StateKind::Sum;
  declare_row(name, w);
  w.line(name + ".fill(" + (sum ? "0.0f" : max ? "-kInfinity" : "kInfinity") + ");");
  element_loop("N", text,
               {name +
                (sum ? "[e] += " + text
                     : "[e] = " + std::string(max ? "greatest(" : "least(") + name + "[e], " + text + ")") +
                ";"},
               w);
  w.line("for_each_row<MI>([&](const Row& r) FL_INLINE { " + name + "[r] = " +
         (sum   ? "quad_sum("
          : max ? "quad_max("
                : "quad_min(") +
         name + "[r]); });");
  values_.variables[step.target] = {name, true};
}

void KernelWriter::write_let(const kernel::Step& step, Writer& w) {
  const std::string name = name_of(step.target);
  declare_row(name, w);
  write_row(name, "=", step.value, w);
  values_.variables[step.target] = {name, true};
}

void KernelWriter::declare_row(const std::string& name, Writer& w) const {
  if (!outliving_.contains(name)) w.line("RowVec<MI> " + name + ";");
}

void KernelWriter::write_row(const std::string& name, const std::string& op, Expr value, Writer& w) {
  std::vector<std::string> reductions;
  const std::string text = values_.together(hoisted(value, kernel::kRow, w), "r", reductions);
  std::vector<std::string> lines = index_declarations(join(reductions, " ") + text, false, points_.rows());
  lines.insert(lines.end(), reductions.begin(), reductions.end());
  lines.push_back(name + "[r] " + op + " " + text + ";");
  w.block("for_each_row<MI>([&](const Row& r) FL_INLINE {", lines, "});");
}

// A sum's four lanes each keep a part of it, so each moves by a quarter of the keys.
void KernelWriter::write_shift(const kernel::Sweep& sweep, const kernel::Step& step, Writer& w) {
  const kernel::State& state = sweep.states[step.index];
  const bool rows = state.kind != StateKind::Accumulator;
  const std::string at = rows ? "r" : "e";
  const std::string by =
      wrap(values_.value(hoisted(step.value, rows ? kernel::kRow : kernel::kOut, w), at), kProduct);
  const std::string source = step.operand < 0 ? "(0.25f * static_cast<float>(col0))"
                                              : name_of(sweep.states[step.operand].node) + "[" + at + "]";
  const std::string statement = name_of(state.node) + "[" + at + "] += " + by + " * " + source + ";";
  if (!rows) return element_loop(held(state.columns), by, {statement}, w, first_held(state.columns));
  w.line("for_each_row<MI>([&](const Row& r) FL_INLINE { " + statement + " });");
}

void KernelWriter::write_join(const kernel::State& state, const kernel::State& other, Writer& w) {
  const std::string at = state.columns < 0 ? "[r]" : "[e]", mine = name_of(state.node) + at,
                    theirs = name_of(other.node) + at;
  std::string statement = mine + " += " + theirs + ";";
  if (state.kind == StateKind::Prod) statement = mine + " *= " + theirs + ";";
  if (state.kind == StateKind::Max) statement = mine + " = greatest(" + mine + ", " + theirs + ");";
  if (state.kind == StateKind::Min) statement = mine + " = least(" + mine + ", " + theirs + ");";
  if (state.columns >= 0)
    return element_loop(held(state.columns), "", {statement}, w, first_held(state.columns));
  w.line("for_each_row<MI>([&](const Row& r) FL_INLINE { " + statement + " });");
}

void KernelWriter::write_rescale(const kernel::State& state, Expr value, Writer& w) {
  const std::string text = values_.value(hoisted(value, kernel::kOut, w), "e").text;
  element_loop(held(state.columns), text, {name_of(state.node) + "[e] *= " + text + ";"}, w,
               first_held(state.columns));
}

}  // namespace flashlight::emit
