// SPDX-License-Identifier: Apache-2.0
// What a sweep leaves: reductions made whole, and results.
#include "emit/kernel_writer.h"

namespace flashlight::emit {

void KernelWriter::write_finals(const kernel::Sweep& sweep, Writer& w) {
  values_.forget_rows();
  for (const kernel::State& state : sweep.states) {
    if (state.kind != StateKind::Sum && state.kind != StateKind::Prod) continue;
    const std::string name = name_of(state.node),
                      over = state.kind == StateKind::Sum ? "quad_sum(" : "quad_prod(";
    w.line("for_each_row<MI>([&](const Row& r) FL_INLINE { " + name + "[r] = " + over + name + "[r]); });");
  }
  write_left(sweep, w);
  write_final_steps(sweep, w);
}

void KernelWriter::write_final_steps(const kernel::Sweep& sweep, Writer& w) {
  for (const kernel::Step& final : sweep.finals) {
    values_.forget_rows();
    if (final.kind == StepKind::Fold) {
      write_fold(final, w);
    } else {
      write_row(name_of(final.target), "=", final.value, w);
    }
    values_.variables[final.target] = {name_of(final.target), true};
  }
}

// Columns past the end are no part of the result's row.
void KernelWriter::write_fold(const kernel::Step& fold, Writer& w) {
  struct Text {
    const char *start, *update, *end, *quad, *joined;  // name, update, value, end
  };
  static const std::map<StateKind, Text> kTexts{
      {StateKind::Sum, {"0.0f", " += ", "", "quad_sum", "a + b"}},
      {StateKind::Prod, {"1.0f", " *= ", "", "quad_prod", "a * b"}},
      {StateKind::Max, {"-kInfinity", " = greatest(", ")", "quad_max", "greatest(a, b)"}},
      {StateKind::Min, {"kInfinity", " = least(", ")", "quad_min", "least(a, b)"}}};
  const Text& text = kTexts.at(fold.reduce);
  const std::string name = name_of(fold.target), columns = held(fold.index), first = first_held(fold.index);
  const std::string value = values_.value(hoisted(fold.value, kernel::kOut, w), "e").text;
  const std::string column = (first.empty() ? "" : first + " + ") + "col_of(e)", row = name + "[e]";
  const std::string update = row + text.update + (*text.end ? row + ", " : "") + value + text.end;
  w.line(name + ".fill(" + text.start + ");");
  element_loop(columns, value, {"if (" + column + " < " + loop_extent(fold.index) + ") " + update + ";"}, w,
               first);
  w.line("for_each_row<MI>([&](const Row& r) FL_INLINE { " + name + "[r] = " + text.quad + "(" + name +
         "[r]); });");
  if (split_)
    w.line("combine_parts<M, PARTS>(" + name +
           ", warp, part, exchange, [](float a, float b) FL_INLINE { return " + text.joined + "; });");
}

void KernelWriter::write_stores(Writer& w) {
  w.line();
  for (std::size_t s = 0; s < program_.stores.size(); ++s) {
    values_.forget_rows();
    const kernel::Store& store = program_.stores[s];
    const std::string out = "out" + std::to_string(s);
    text_.output_types.push_back(output_type(store));
    if (store.columns < 0) {
      const std::string name = "result" + std::to_string(s);
      w.line("RowVec<MI> " + name + ";");
      write_row(name, "=", store.value, w);
      write_result(s, "store_rows", output_matrix(store, s), name, w);
      continue;
    }
    write_out(store, s, w);
  }
}

// The result takes over the registers of the accumulator it is made of, where no later result reads it.
void KernelWriter::write_out(const kernel::Store& store, std::size_t s, Writer& w) {
  const std::string text = values_.value(hoisted(store.value, kernel::kOut, w), "e").text;
  std::string target = "result" + std::to_string(s);
  bool reuse = false;
  for (const kernel::State& state : program_.sweeps.back().states) {
    if (state.kind != StateKind::Accumulator || state.columns != store.columns || reuse) continue;
    bool later = false;
    for (std::size_t t = s + 1; t < program_.stores.size(); ++t)
      later = later || depends(program_.stores[t].value, state.node);
    if (later) continue;
    reuse = true;
    target = name_of(state.node);
  }
  if (!reuse) {
    text_.accumulators.push_back(store.columns);
    w.line("Acc<MI, " + held(store.columns) + "> " + target + ";");
  }
  element_loop(held(store.columns), text, {target + "[e] = " + text + ";"}, w, first_held(store.columns));
  write_result(s, "store_tile", output_matrix(store, s), target, w);
}

void KernelWriter::write_result(std::size_t s, const std::string& function, const std::string& matrix,
                                const std::string& value, Writer& w) {
  const bool tile = function == "store_tile";
  const std::string first = tile && split_ ? ", " + first_held(program_.stores[s].columns) : "";
  const std::string once = !tile && split_ ? "if (part == 0) " : "";
  const std::string statement =
      once + function + "(" + matrix + ", " + value + ", " + points_.rows().first + ", warp" + first + ");";
  if (text_.output_types[s] != "S") return w.line(statement);
  w.line("with_result(p.out" + std::to_string(s) + ".dtype, [&](auto type) FL_INLINE {");
  w.line("  using S = decltype(type);");
  w.line("  " + statement);
  w.line("});");
}

bool KernelWriter::depends(Expr e, Expr on) {
  if (e == on) return true;
  if (e.is(alg::Op::kLeaf)) return false;
  return std::any_of(e.args().begin(), e.args().end(), [&](Expr arg) { return depends(arg, on); });
}

// "T", "float", or "S" for a type that the arguments' promotion gives at launch.
std::string KernelWriter::output_type(const kernel::Store& store) const {
  const graph::DTypeRule& rule = function_.outputs[store.output].value.dtype;
  if (rule.constant == graph::DType::Float32) return "float";
  if (rule.inputs.empty() && !rule.constant) return "float";
  const auto stored_as_t = [&](int input) {
    return function_.tensors[input].conversions.empty() &&
           std::find(text_.contracted.begin(), text_.contracted.end(), input) != text_.contracted.end();
  };
  const bool settled = !rule.constant && std::all_of(rule.inputs.begin(), rule.inputs.end(), stored_as_t);
  return settled ? "T" : "S";
}

KernelWriter::OutputPlace KernelWriter::output_place(const kernel::Store& store, std::size_t s) {
  const std::string field = "p.out" + std::to_string(s);
  const graph::TensorView& view = function_.outputs[store.output].value;
  std::vector<std::string> at{view.pack ? "pack" : "PackIndex{}"};
  OutputPlace place{{}, "0", "0", {}};
  for (std::size_t a = view.pack; a < store.axis_loops.size(); ++a) {
    const int loop = store.axis_loops[a];
    const std::string stride = field + ".stride[" + std::to_string(a - view.pack) + "]";
    if (loop == plan_.row) place.rows = stride;
    if (loop == store.columns) place.cols = stride;
    const bool packed = plan_.packing && loop == plan_.packing->heads;
    if (packed) place.heads = stride;
    at.push_back(loop == plan_.row || loop == store.columns ? "0"
                 : packed ? points_.loop_name(loop) + " * " + points_.rows().group
                          : points_.loop_name(loop));
  }
  place.start = field + ".offset(" + join(at, ", ") + ")";
  return place;
}

std::string KernelWriter::output_matrix(const kernel::Store& store, std::size_t s) {
  const OutputPlace place = output_place(store, s);
  const std::string columns = store.columns < 0 ? "1" : loop_extent(store.columns),
                    type = text_.output_types[s];
  const std::string matrix = "p.out" + std::to_string(s) + ".template " +
                             (plan_.packing ? "grouped<" : "matrix<") + type + ">(" + place.start + ", ";
  const std::string strides =
      plan_.packing ? points_.rows().group + ", " + place.rows + ", " + place.heads : place.rows;
  return matrix + strides + ", " + place.cols + ", p.n_row, " + columns + ")";
}

}  // namespace flashlight::emit
