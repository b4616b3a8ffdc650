// SPDX-License-Identifier: Apache-2.0
// The list of passes.
#include "driver/pipeline.h"

#include <algorithm>

#include "driver/resources.h"
#include "fusion/plan.h"
#include "fusion/roles.h"
#include "kernel/program.h"
#include "rewrite/rewrite.h"

namespace flashlight::driver {

using emit::FusedFunction;
using fusion::Status;

namespace {

void read(Unit& unit) {
  unit.program = frontend::read_program(unit.path, unit.reading);
  for (const frontend::FunctionSource& f : unit.program.functions) {
    unit.functions.emplace_back().source = &f;
    for (const frontend::Variant& v : f.variants) graph::verify(v.function);
  }
}

void count(std::vector<emit::RuleUse>& uses, const rewrite::Rule& rule) {
  auto use = std::find_if(uses.begin(), uses.end(), [&](auto& u) { return u.location == rule.location; });
  if (use == uses.end()) use = uses.insert(use, {rule.name, rule.location, 0});
  ++use->count;
}

void rewrite_graphs(Unit& unit) {
  for (std::size_t i = 0; i < unit.program.functions.size(); ++i)
    for (frontend::Variant& v : unit.program.functions[i].variants) {
      auto [function, trace] = rewrite::rewrite(std::move(v.function), *unit.rules);
      v.function = std::move(function);
      graph::verify(v.function);
      for (const rewrite::Application& a : trace) count(unit.functions[i].rules, *a.rule);
    }
}

// A function is translated only as a whole: all its variants, or it stays as it was.
void plan(Unit& unit) {
  for (FusedFunction& f : unit.functions) {
    Status status =
        f.source->variants.empty() ? Status::Unfused : Status::Fused;  // the worst of the variants'
    for (const frontend::Variant& v : f.source->variants) {
      fusion::PlanOptions how;
      how.strict_nan = unit.options->strict_nan;
      how.accept = [](const graph::Function& function, const fusion::KernelPlan& kernel) {
        kernel::build_program(function, kernel);
      };
      f.plans.push_back(fusion::plan_fusion(v.function, how));
      status = std::max(status, f.plans.back().status);
      if (f.plans.back().reason && (!f.reason || f.plans.back().status == Status::Unfused))
        f.reason = f.plans.back().reason;
      for (const std::string& n : v.function.numerics)
        if (std::find(f.numerics.begin(), f.numerics.end(), n) == f.numerics.end()) f.numerics.push_back(n);
    }
    if (status != Status::Unfused && !f.source->in_main_file) {
      f.reason = fusion::Reason{"not-in-main-file",
                                "the function is defined in an included file, which is not rewritten",
                                "translate the file that defines it",
                                {}};
      status = Status::Unfused;
    }
    f.status = status;
  }
}

void render(Unit& unit) {
  const Options& o = *unit.options;
  emit::EmitOptions how;
  how.head_dims = o.head_dims;
  how.dtypes = o.dtypes;
  how.archs = o.archs;
  for (const std::string& tile : o.tiles) how.tiles.push_back(tile_size(tile));
  how.strict_nan = o.strict_nan;
  how.standalone = o.standalone;
  how.read_header = [&](const std::string& name) { return read_header(name, unit.reading.include_dir); };
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
  return for_each_variant(
      unit, [](auto& f, std::size_t i) { return graph::to_string(f.source->variants[i].function); });
}

std::string print_plans(const Unit& unit) {
  return for_each_variant(unit, [](auto& f, std::size_t i) {
    return fusion::to_string(f.plans[i], f.source->variants[i].function);
  });
}

std::string print_kernels(const Unit& unit) {
  return for_each_variant(unit, [](auto& f, std::size_t i) {
    std::string out;
    try {
      for (const fusion::Step& part : f.plans[i].steps)
        if (part.kind == fusion::StepKind::Kernel)
          out += kernel::to_string(kernel::build_program(*part.function, part.plan));
    } catch (const fusion::Refused& refused) {
      out += "no kernel, " + refused.reason.id + ": " + refused.reason.text + "\n";
    }
    return out.empty() ? "no kernel\n" : out;
  });
}

// What was read of the declarations: all that a later pass knows about a function beside its Graph.
std::string print_functions(const Unit& unit) {
  std::string out;
  for (const frontend::FunctionSource& f : unit.program.functions) {
    const frontend::Location& at = f.location;
    out += at.file + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " + f.result_type +
           " " + f.qualified_name + "(";
    for (std::size_t i = 0; i < f.parameters.size(); ++i)
      out += (i ? ", " : "") + f.parameters[i].type + " " + f.parameters[i].name;
    out += std::string(")") + (f.must_fuse ? ", FLASHLIGHT_FUSE" : "") +
           (f.in_main_file ? "" : ", included") + "\n";
    if (!f.template_tag.empty()) out += "  where " + f.template_tag + "\n";
    for (const frontend::Variant& v : f.variants)
      out += "  variant" + (v.condition ? " for " + graph::to_string(*v.condition) : "") + ", returns " +
             f.result_expression + "\n";
    if (f.refusal) out += "  not followed, " + f.refusal->id + ": " + f.refusal->text + "\n";
  }
  return out;
}

}  // namespace

const std::vector<Pass>& passes() {
  static const std::vector<Pass> list = {
      // Clang, and following each function: text to Graphs.
      {"read", read, {{"ast", print_functions}, {"graph", print_graphs}}},
      // Before planning: what rules make alike is planned alike.
      {"rewrite", rewrite_graphs, {{"rewritten", print_graphs}}},
      // Which loops become one kernel, and the algebra of its sweeps.
      {"plan", plan, {{"plan", print_plans}}},
      // Text, once every plan is known: kernels share one file.
      {"render", render, {{"kernel", print_kernels}}},
  };
  return list;
}

void run_passes(Unit& unit) {
  for (const Pass& pass : passes()) {
    pass.run(unit);
    if (!unit.program.parsed) return;
    for (const Dump& d : pass.dumps)
      if (unit.options->dump == d.name) unit.printed += d.print(unit);
  }
}

}  // namespace flashlight::driver
