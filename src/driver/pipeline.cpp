// SPDX-License-Identifier: Apache-2.0
// The list of passes.
#include "driver/pipeline.h"

#include <algorithm>

#include "fusion/plan.h"

namespace flashlight::driver {

using emit::FusedFunction;
using fusion::Status;

namespace {

void read(Unit& unit) {
  unit.program = frontend::read_program(unit.path, unit.reading);
  for (const frontend::FunctionSource& f : unit.program.functions) unit.functions.emplace_back().source = &f;
}

// A function is fused only as a whole: all its variants, or it stays as it was.
void plan(Unit& unit) {
  for (FusedFunction& f : unit.functions) {
    for (const frontend::Variant& v : f.source->variants) {
      f.plans.push_back(fusion::plan_fusion(v.function));
      if (f.plans.back().reason && !f.reason) f.reason = f.plans.back().reason;
      for (const std::string& n : v.function.numerics)
        if (std::find(f.numerics.begin(), f.numerics.end(), n) == f.numerics.end()) f.numerics.push_back(n);
    }
    bool fused = !f.plans.empty() && !f.reason;
    if (fused && !f.source->in_main_file)
      f.reason = fusion::Reason{"not-in-main-file", "the function is defined in an included file, which is not rewritten",
                                "translate the file that defines it", {}};
    f.status = fused && !f.reason ? Status::Fused : Status::Unfused;
  }
}

void render(Unit& unit) {
  const Options& o = *unit.options;
  emit::EmitOptions how;
  how.head_dims = o.head_dims;
  how.dtypes = o.dtypes;
  how.archs = o.archs;
  how.strict_nan = o.strict_nan;
  how.include_dir = unit.reading.include_dir;
  unit.text = emit::render_unit(unit.program, unit.functions, how);
}

template <class Print>
std::string for_each_variant(const Unit& unit, Print print) {
  std::string out;
  for (const FusedFunction& f : unit.functions)
    for (std::size_t i = 0; i < f.source->variants.size(); ++i) {
      const frontend::Variant& v = f.source->variants[i];
      out += "// " + f.source->qualified_name;
      if (v.condition) out += ", where " + graph::to_string(*v.condition);
      out += "\n" + print(f, i);
    }
  return out;
}

std::string print_graphs(const Unit& unit) {
  return for_each_variant(unit, [](auto& f, std::size_t i) { return graph::to_string(f.source->variants[i].function); });
}

std::string print_plans(const Unit& unit) {
  return for_each_variant(
      unit, [](auto& f, std::size_t i) { return fusion::to_string(f.plans[i], f.source->variants[i].function); });
}

}  // namespace

const std::vector<Pass>& passes() {
  static const std::vector<Pass> list = {
      {"read", read, "graph", print_graphs},  // Clang, and following each function: text to Graphs
      // rewrite: here, so that planning sees the normal forms
      {"plan", plan, "plan", print_plans},    // which loops become one kernel, and the algebra of its sweeps
      {"render", render},                     // text, once every plan is known: kernels share one file
  };
  return list;
}

void run_passes(Unit& unit) {
  for (const Pass& pass : passes()) {
    pass.run(unit);
    if (!unit.program.parsed) return;
    if (pass.dump && unit.options->dump == pass.dump) unit.printed += pass.print(unit);
  }
}

}  // namespace flashlight::driver
