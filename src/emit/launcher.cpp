// SPDX-License-Identifier: Apache-2.0
// See launcher.h.
#include "emit/launcher.h"

#include <algorithm>
#include <set>

#include "emit/host.h"
#include "emit/launch_leftovers.h"
#include "emit/thresholds.h"
#include "fusion/describe.h"

namespace flashlight::emit {

using graph::Function;
using graph::Sym;
using graph::SymbolId;

namespace {

// Size symbols in order of first appearance in the parameters' shapes; an axis of a derived size gets a slot
// of its own.
class Symbols {
 public:
  explicit Symbols(const Function& function) : function_(function) {}

  std::string axis(int tensor, std::size_t a) {
    const graph::TensorParam& param = function_.tensors[tensor];
    const Sym& size = param.shape[a];
    const bool one = a < param.may_broadcast.size() && param.may_broadcast[a];
    const std::string tail = one ? ", 0, true}" : "}";
    if (auto c = size.as_integer()) return "{-1, " + std::to_string(*c) + (one ? ", true}" : "}");
    int slot = next_;
    if (size.op() == graph::SymOp::Symbol) {
      auto [found, fresh] = slots_.try_emplace(size.symbol_id(), next_);
      slot = found->second;
      next_ += fresh;
    } else {
      const int from_end = static_cast<int>(a) - static_cast<int>(param.shape.size());
      derived_.push_back({size, next_++, param.name + ".size(" + std::to_string(from_end) + ")"});
    }
    return "{" + std::to_string(slot) + tail;
  }

  void write(Writer& w) const {
    std::vector<std::pair<int, SymbolId>> ordered;
    for (const auto& [id, slot] : slots_) ordered.emplace_back(slot, id);
    std::sort(ordered.begin(), ordered.end());
    for (const auto& [slot, id] : ordered)
      w.line("[[maybe_unused]] const long long " + symbol_name(function_, id) + " = launch.size(" +
             std::to_string(slot) + ");");
    for (const auto& [size, slot, name] : derived_) {
      w.line("launch.check(launch.size(" + std::to_string(slot) +
             ") == " + wrap(host_code(function_, size), kSum) + ", \"" + name + " must be " +
             fusion::describe(function_, size) + "\");");
    }
  }

 private:
  const Function& function_;
  std::map<SymbolId, int> slots_;
  struct Derived {
    Sym size;
    int slot;
    std::string name;  // k.size(-1)
  };
  std::vector<Derived> derived_;
  int next_ = 0;
};

bool is_read(const Function& f, int tensor) {
  for (graph::NodeId id = 0; id < f.graph.size(); ++id)
    if (f.graph[id].op == graph::Op::Input && f.graph[id].input == tensor) return true;
  return false;
}

// "{0, 1}, -1": parameters whose types are promoted, and a storage type that joins them (-1: none).
std::string rule_arguments(const graph::DTypeRule& rule) {
  return initializer(rule.inputs) + ", " +
         (rule.constant ? std::to_string(static_cast<int>(*rule.constant)) : "-1");
}

// What the function takes its parameters' values for. Those that are not read on this variant's path may hold
// anything.
void write_categories(const Function& f, Writer& w) {
  std::vector<int> conditions, integers;
  for (std::size_t t = 0; t < f.tensors.size(); ++t) {
    const graph::TensorParam& param = f.tensors[t];
    if (param.type == graph::Type::Float || !is_read(f, static_cast<int>(t))) continue;
    if (param.type == graph::Type::Int) integers.push_back(static_cast<int>(t));
    else if (!param.truth_only) conditions.push_back(static_cast<int>(t));
  }
  if (!conditions.empty()) w.line("launch.conditions(" + initializer(conditions) + ");");
  if (!integers.empty()) w.line("launch.integers(" + initializer(integers) + ");");
  for (const graph::TooNarrow& n : f.too_narrow)
    w.line("launch.check_width(" + rule_arguments(n.rule) +
           ", DType::" + (n.type == graph::DType::Int8 ? "kInt8" : "kUInt8") + ");");
}

void write_binding(const Function& f, Writer& w) {
  Symbols symbols(f);
  for (std::size_t t = 0; t < f.tensors.size(); ++t) {
    const graph::TensorParam& param = f.tensors[t];
    std::vector<std::string> axes;
    for (std::size_t a = param.pack; a < param.shape.size(); ++a)
      axes.push_back(symbols.axis(static_cast<int>(t), a));
    std::string value = identifier(param.name);
    if (param.pack && !is_read(f, static_cast<int>(t))) {  // on this variant's path
      w.line("launch.aside(\"" + param.name + "\", " + value + ", {" + join(axes, ", ") + "});");
      continue;
    }
    if (param.may_lack_axes && !param.pack)
      value = "launch.padded(" + value + ", " + std::to_string(param.shape.size()) + ")";
    w.line("launch.tensor(\"" + param.name + "\", " + value + ", " + (param.pack ? "true" : "false") + ", {" +
           join(axes, ", ") + "});");
  }
  w.line("launch.bind();");
  write_categories(f, w);
  symbols.write(w);
  for (const graph::Check& check : f.checks) {
    std::string text;
    for (char c : graph::with_names(f, check.text) + " (" + fusion::describe(f, check.condition) + ")")
      text += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    w.line("launch.check(" + host_code(f, check.condition).text + ", \"" + text + "\");");
  }
  for (int t : thresholds(f)) {
    const std::string name = identifier(f.scalars[static_cast<std::size_t>(t)].name);
    w.line(name + " = launch.threshold(" + name + ");");
  }
}

// The type that operands of contractions are stored in.
std::string storage_type_of(const PartText& v) {
  const std::vector<int>& contracted = v.kernel.contracted;
  if (contracted.empty()) return "DType::kFloat32";
  const auto& tensors = v.program->function->tensors;
  if (std::all_of(contracted.begin(), contracted.end(),
                  [&](int t) { return tensors[t].conversions.empty(); }))
    return "launch.common_dtype(" + initializer(contracted) + ")";
  std::vector<std::string> operands;
  for (int t : contracted) {
    std::vector<std::string> conversions;
    for (const graph::DTypeRule& rule : tensors[t].conversions)
      conversions.push_back("{" + rule_arguments(rule) + "}");
    operands.push_back("{" + std::to_string(t) + ", {" + join(conversions, ", ") + "}}");
  }
  return "launch.operand_dtype({" + join(operands, ", ") + "})";
}

const fusion::Target& target_of(const PartText& v, std::size_t store) {
  return v.part->targets[static_cast<std::size_t>(v.program->stores[store].output)];
}

// Makes the results, in the types that the kernel's products and the arguments' promotion give; `made`: those
// that are there.
void write_results(const Function& whole, const PartText& v, const std::string& type, std::set<int>& made,
                   Writer& w) {
  const Function& f = *v.program->function;
  for (std::size_t s = 0; s < v.program->stores.size(); ++s) {
    const graph::TensorView& view = f.outputs[v.program->stores[s].output].value;
    const fusion::Target& target = target_of(v, s);
    if (target.intermediate || !made.insert(target.number).second) continue;
    std::string dtype = type;
    if (v.kernel.output_types[s] == "float") dtype = "DType::kFloat32";
    if (v.kernel.output_types[s] == "S" || target.is_part()) dtype = type_text(view.dtype);
    w.line("Tensor out" + std::to_string(target.number) + " = launch.result(" +
           std::to_string(target.number) + ", " + (view.pack ? "true" : "false") + ", {" +
           join(host_sizes(f, whole.outputs[static_cast<std::size_t>(target.number)].value), ", ") + "}, " +
           dtype + ");");
  }
}

std::string batch_of(const PartText& v) {
  std::vector<std::string> batch;
  for (const fusion::Loop& loop : v.program->plan->loops) {
    if (loop.role == fusion::Role::Batch)
      batch.push_back(loop.pack ? "launch.batch()"
                                : wrap(host_code(*v.program->function, loop.size), kProduct));
  }
  return batch.empty() ? "1" : join(batch, " * ");
}

// The queries that share keys.
std::string rows_of(const PartText& v) {
  const fusion::KernelPlan& plan = *v.program->plan;
  const Sym& rows = plan.loops[plan.row].size;
  return host_code(*v.program->function, plan.packing ? rows * plan.packing->group : rows).text;
}

std::string heads_of(const PartText& v) {
  const auto& packing = v.program->plan->packing;
  return packing ? host_code(*v.program->function, packing->group).text : "1";
}

void write_params(const PartText& v, Writer& w) {
  const Function& f = *v.program->function;
  const fusion::KernelPlan& plan = *v.program->plan;
  w.line(v.kernel.params + " p;");
  for (int t : v.parameters->tensors()) {
    w.line("p." + v.parameters->tensor_field(t) + " = launch.arg<" +
           std::to_string(f.tensors[t].shape.size() - f.tensors[t].pack) + ">(" + std::to_string(t) + ");");
  }
  w.line("p.pack = launch.pack();");
  w.line("p.n_row = launch.narrow(" + rows_of(v) + ");");
  w.line("p.n_key = launch.narrow(" + host_code(f, plan.loops[plan.stream].size).text + ");");
  write_scalars(v, w);
  for (std::size_t s = 0; s < v.program->stores.size(); ++s) {
    const graph::TensorView& view = f.outputs[v.program->stores[s].output].value;
    w.line("p.out" + std::to_string(s) + " = launch.result_arg<" +
           std::to_string(view.shape.size() - view.pack) + ">(" + tensor_text(f, target_of(v, s)) + ", " +
           (view.pack ? "true" : "false") + ");");
  }
  w.line("const long long batch = " + batch_of(v) + ";");
}

std::string instance_call(const PartText& v, const Instance& instance) {
  std::vector<std::string> args{instance.type};
  for (const Dimension& d : v.kernel.dimensions) args.push_back(std::to_string(instance.padded.at(d.loop)));
  args.push_back(std::to_string(instance.shape.m));
  args.push_back(std::to_string(instance.shape.n));
  args.push_back(std::to_string(instance.shape.warps));
  if (v.kernel.split) args.push_back(std::to_string(instance.shape.parts));
  return "start(" + v.kernel.name + "<" + join(args, ", ") +
         ">, launch, p, batch, {.rows = " + std::to_string(instance.shape.m) +
         ", .threads = " + std::to_string(instance.shape.threads()) +
         ", .shared_bytes = " + std::to_string(instance.shared_bytes) + "}, \"" + v.kernel.name + "\")";
}

std::string staging_name(target::Staging staging) {
  return std::string("Staging::") + (staging == target::Staging::kApart  ? "kApart"
                                     : staging == target::Staging::kRows ? "kRows"
                                                                         : "kRegisters");
}

// "start_name<bfloat16, 64, 64, 192, 128, 2, Staging::kApart>(launch, p, batch, 123904)": true where it has
// started the kernel for sm_90a.
std::string hopper_call(const PartText& v, const Instance& instance) {
  const target::WgmmaShape& shape = *instance.wgmma.shape;
  std::vector<std::string> args{instance.type};
  for (const Dimension& d : v.kernel.dimensions) args.push_back(std::to_string(instance.padded.at(d.loop)));
  for (int value : {shape.m(), shape.n, shape.stages}) args.push_back(std::to_string(value));
  if (!v.kernel.hopper->results.empty()) args.push_back(staging_name(shape.staging));
  return "start_" + v.kernel.hopper->name + "<" + join(args, ", ") + ">(launch, p, batch, " +
         std::to_string(instance.wgmma_shared_bytes) + ")";
}

// "start_runs(attention_1_few_sm80<..>, attention_1_combine_sm80<..>, launch, p, batch, {..}, {..}, ..)".
std::string few_call(const PartText& v, const Instance& instance) {
  std::vector<std::string> types{instance.type};
  for (const Dimension& d : v.kernel.dimensions) types.push_back(std::to_string(instance.padded.at(d.loop)));
  const auto kernel = [&](const std::string& name, std::initializer_list<int> values) {
    std::vector<std::string> args = types;
    for (int value : values) args.push_back(std::to_string(value));
    return name + "<" + join(args, ", ") + ">";
  };
  const auto cta = [](const target::TileShape& shape, int bytes) {
    return "{.rows = " + std::to_string(shape.m) + ", .threads = " + std::to_string(shape.threads()) +
           ", .shared_bytes = " + std::to_string(bytes) + "}";
  };
  const target::TileShape &shape = instance.shape, &combining = instance.combining;
  const std::string few = kernel(v.kernel.name, {shape.m, shape.n, shape.warps, shape.parts});
  if (!v.combine)
    return "start(" + few + ", launch, p, batch, " + cta(shape, instance.shared_bytes) + ", \"" +
           v.kernel.name + "\")";
  return "start_runs(" + few + ", " +
         kernel(v.combine->name, {combining.m, combining.warps, combining.parts}) + ", launch, p, batch, " +
         cta(shape, instance.shared_bytes) + ", " + cta(combining, instance.combining_shared_bytes) + ", \"" +
         v.kernel.name + "\", \"" + v.combine->name + "\")";
}

std::vector<std::string> unique(std::vector<std::string> texts) {
  std::vector<std::string> result;
  for (std::string& text : texts) {
    if (std::find(result.begin(), result.end(), text) == result.end()) result.push_back(std::move(text));
  }
  return result;
}

// What the instances do not cover is refused here, in the caller's terms, before anything is allocated or
// started.
void write_support(const PartText& v, const std::string& type, const std::vector<Instance>& instances,
                   Writer& w) {
  const Function& f = *v.program->function;
  std::vector<std::string> types, type_checks;
  for (const Instance& instance : instances) types.push_back("DType::" + instance.dtype);
  const auto has_no_operand = v.kernel.contracted.empty();
  w.line(
      "launch.check_type(" + type + ", " +
      (has_no_operand ? "\"the kernel\"" : "\"argument '" + f.tensors[v.kernel.contracted[0]].name + "'\"") +
      ", {" + join(unique(types), ", ") + "});");
  for (const Dimension& d : v.kernel.dimensions) {
    const Sym& size = v.program->plan->loops[d.loop].size;
    if (size.is_constant()) continue;
    std::map<std::string, int>
        most;  // by type: all have the same instances, but for what no tile shape holds
    for (const Instance& instance : instances)
      most[instance.type] = std::max(most[instance.type], instance.padded.at(d.loop));
    int limit = 0;
    for (const auto& [type, padded] : most) limit = std::max(limit, padded);
    w.line("launch.check_head_dim(\"" + fusion::describe(f, size) + "\", " + host_code(f, size).text + ", " +
           std::to_string(limit) + ");");
  }
}

void write_dispatch(const PartText& v, const std::string& type, const std::vector<Instance>& instances,
                    Writer& w) {
  const Function& f = *v.program->function;
  for (const Instance& instance : instances) {
    std::vector<std::string> conditions{type + " == DType::" + instance.dtype};
    for (const Dimension& d : v.kernel.dimensions) {
      const Sym& size = v.program->plan->loops[d.loop].size;
      if (!size.is_constant())
        conditions.push_back(wrap(host_code(f, size), kSum) +
                             " <= " + std::to_string(instance.padded.at(d.loop)));
    }
    w.line((&instance == &instances.front() ? "if (" : "else if (") + join(conditions, " && ") + ")");
    if (v.kernel.few || !instance.wgmma.shape) {
      w.line("  " + (v.kernel.few ? few_call(v, instance) : instance_call(v, instance)) + ";");
      continue;
    }
    w.line("{");
    w.line("  if (!" + hopper_call(v, instance) + ")");
    w.line("    " + instance_call(v, instance) + ";");
    w.line("}");
  }
  w.line("else launch.fail(\"no kernel for these sizes and types\");");
}

}  // namespace

namespace {

std::vector<std::string> parameter_list(const Signature& f) {
  std::vector<std::string> args;
  for (const graph::TensorParam& t : f.tensors) args.push_back("const Tensor& " + identifier(t.name));
  for (const graph::ScalarParam& s : f.scalars) {
    args.push_back(std::string(s.type == graph::SymType::Real      ? "double "
                               : s.type == graph::SymType::Integer ? "long long "
                                                                   : "bool ") +
                   identifier(s.name));
  }
  return args;
}

std::vector<std::string> argument_list(const Signature& f) {
  std::vector<std::string> args;
  for (const graph::TensorParam& t : f.tensors) args.push_back(identifier(t.name));
  for (const graph::ScalarParam& s : f.scalars) args.push_back(identifier(s.name));
  return args;
}

std::string part_suffix(const VariantText& v, std::size_t part) {
  return v.parts.size() > 1 ? std::to_string(part + 1) : "";
}

// Made by a kernel that is not of this file; what it needs is planned before anything is started.
bool is_library_step(const PartText& part) {
  const fusion::StepKind kind = part.part->kind;
  return kind == fusion::StepKind::Product || kind == fusion::StepKind::Order ||
         kind == fusion::StepKind::Scan;
}

// Hands something on from kernel to kernel, or may have to pack what a product reads.
bool has_memory(const VariantText& v) {
  return std::any_of(v.parts.begin(), v.parts.end(), [](const PartText& part) {
    const auto& targets = part.part->targets;
    return (part.few && part.few->combine) || is_library_step(part) ||
           std::any_of(targets.begin(), targets.end(),
                       [](const fusion::Target& t) { return t.intermediate; });
  });
}

// Whether the kernel for few queries runs, in how many runs of keys, and the memory for their states.
void write_runs(const PartText& few, const std::string& suffix, Writer& w) {
  const Function& f = *few.program->function;
  const fusion::KernelPlan& plan = *few.program->plan;
  const std::string rows = rows_of(few), batch = batch_of(few), runs = "runs" + suffix;
  std::string divides;  // the group, the heads
  if (const auto& packing = plan.packing) {
    const Sym& heads = few.part->plan.loops[static_cast<std::size_t>(packing->heads)].size;
    if (!(heads == packing->group))
      divides = "!divides(" + heads_of(few) + ", " + host_code(f, heads).text + ") ? 0 : ";
  }
  w.line("const int " + runs + " = " + divides + "launch.runs_of({.rows = " + rows +
         ", .heads = " + heads_of(few) + ", .batch = " + batch +
         ", .keys = " + host_code(f, plan.loops[plan.stream].size).text +
         ", .splits = " + (few.combine ? "true" : "false") + "}, multiprocessors());");
  if (!few.combine) return;
  int row_states = 0;
  std::vector<std::string> floats;
  for (const kernel::State& state : few.program->sweeps[0].states) {
    if (state.columns < 0) ++row_states;
    else floats.push_back(wrap(host_code(f, plan.loops[state.columns].size), kSum));
  }
  if (row_states > 0 || floats.empty()) floats.insert(floats.begin(), std::to_string(row_states));
  const std::string count = floats.size() == 1 ? floats[0] : "(" + join(floats, " + ") + ")";
  w.line("float* const states" + suffix + " = launch.scratch(" + runs + " > 1 ? " + runs + " * (" + rows +
         ") * (" + batch + ") * " + count + " : 0);");
}

void write_few(const PartText& part, const std::string& suffix, const std::string& type,
               const EmitOptions& options, Writer& w) {
  w.open("if (runs" + suffix + " > 0) {");
  write_params(*part.few, w);
  if (part.few->combine) w.line("p.states = {states" + suffix + ", batch * p.n_row, runs" + suffix + "};");
  write_dispatch(*part.few, type, instances_of(*part.few, options), w);
  w.close();
}

// What steps leave for later ones; behind it, a call that only measures has ended.
void write_intermediates(const VariantText& v, Writer& w) {
  std::map<int, std::pair<const graph::TensorView*, const PartText*>> made;
  const Function* f = nullptr;
  for (const PartText& part : v.parts) {
    f = part.part->function.get();
    for (std::size_t o = 0; o < part.part->targets.size(); ++o)
      if (part.part->targets[o].intermediate)
        made[part.part->targets[o].number] = {&f->outputs[o].value, &part};
  }
  for (const auto& [number, from] : made) {
    const auto& [view, part] = from;
    const graph::TensorParam& tensor = f->tensors[static_cast<std::size_t>(number)];
    std::vector<std::string> sizes;
    for (std::size_t a = tensor.pack; a < tensor.shape.size(); ++a)
      sizes.push_back(host_code(*f, tensor.shape[a]).text);
    const bool statistic = view->type == graph::Type::Float && view->dtype.inputs.empty();
    w.line("launch.intermediate(\"" + tensor.name + "\", " + (tensor.pack ? "true" : "false") + ", {" +
           join(sizes, ", ") + "}, " + (statistic ? "DType::kFloat32" : stored_type(*part, *view)) + ");");
  }
  std::set<int> results;
  for (std::size_t k = 0; k < v.parts.size(); ++k) {
    if (!is_library_step(v.parts[k])) continue;
    write_leftover_results(v.variant->function, v.parts[k], results, w);
    if (v.parts[k].part->kind == fusion::StepKind::Product) write_product(v.parts[k], k + 1, w);
    else write_row_step(v.parts[k], k + 1, w);
  }
  for (std::size_t k = 0; k < v.parts.size(); ++k)
    if (v.parts[k].few) write_runs(*v.parts[k].few, part_suffix(v, k), w);
  if (has_memory(v)) w.line("if (launch.measuring()) return {};");
}

// The results that were made where products were described.
std::set<int> made_with_products(const VariantText& v) {
  std::set<int> made;
  for (const PartText& part : v.parts)
    for (const fusion::Target& target : part.part->targets)
      if (part.part->kind == fusion::StepKind::Product && !target.intermediate) made.insert(target.number);
  return made;
}

// Nothing is started before every kernel's arguments are known to have an instantiation.
void write_parts(const VariantText& v, const EmitOptions& options, Writer& w) {
  const bool several = v.parts.size() > 1;
  std::vector<std::vector<Instance>> instances;
  std::vector<std::string> types;
  std::map<int, std::string> results;
  std::set<int> made = made_with_products(v);
  for (std::size_t k = 0; k < v.parts.size(); ++k) {
    const PartText& part = v.parts[k];
    types.push_back(several ? "type" + std::to_string(k + 1) : "type");
    instances.push_back(part.is_kernel() ? instances_of(part, options) : std::vector<Instance>{});
    if (!part.is_kernel()) continue;
    w.line("const DType " + types[k] + " = " + storage_type_of(part) + ";");
    write_support(part, types[k], instances[k], w);
  }
  for (std::size_t k = 0; k < v.parts.size(); ++k) {
    if (v.parts[k].is_kernel()) write_results(v.variant->function, v.parts[k], types[k], made, w);
    else if (v.parts[k].part->kind == fusion::StepKind::Group)
      write_leftover_results(v.variant->function, v.parts[k], made, w);
    for (const fusion::Target& target : v.parts[k].part->targets)
      if (!target.intermediate) results[target.number] = "out" + std::to_string(target.number);
  }
  for (std::size_t k = 0; k < v.parts.size(); ++k) {
    const PartText& part = v.parts[k];
    if (is_library_step(part)) {
      const fusion::StepKind kind = part.part->kind;
      const std::string step = kind == fusion::StepKind::Product ? "product"
                               : kind == fusion::StepKind::Order ? "order"
                                                                 : "sum";
      w.line("run(launch, " + step + std::to_string(k + 1) + ");");
      continue;
    }
    if (part.few) {
      write_few(part, part_suffix(v, k), types[k], options, w);
      w.open("else {");
    } else if (several) {
      w.open("{");
    }
    if (part.is_kernel()) {
      write_params(part, w);
      write_dispatch(part, types[k], instances[k], w);
    } else {
      write_group_start(part, w);
    }
    if (several || part.few) w.close();
  }
  std::vector<std::string> names;
  for (const auto& [number, name] : results) names.push_back(name);
  w.line("return TensorList{" + join(names, ", ") + "};");
}

// One body for both entries: binds, chooses instantiations, starts them.
void write_run(const std::string& name, const std::vector<VariantText>& variants, const EmitOptions& options,
               Writer& w) {
  std::vector<std::string> params = parameter_list(signature_of(variants));
  params.insert(params.begin(), "Launch& launch");
  w.open("TensorList run_" + name + "(" + join(params, ", ") + ") {");
  for (const VariantText& v : variants) {
    const Function& f = v.variant->function;
    if (v.variant->condition) w.open("if (" + host_code(f, *v.variant->condition).text + ") {");
    write_binding(f, w);
    write_intermediates(v, w);
    write_parts(v, options, w);
    if (v.variant->condition) w.close();
  }
  if (variants.back().variant->condition) w.line("launch.fail(\"no kernel for these arguments\");");
  w.close();
}

}  // namespace

std::string launcher_signature(const Signature& signature, const std::string& name) {
  return "Optional<TensorList> " + name + "(" + join(parameter_list(signature), ", ") + ")";
}

void write_launcher(const std::string& name, const std::string& function_name,
                    const std::vector<VariantText>& variants, const EmitOptions& options, Writer& w) {
  const Signature signature = signature_of(variants);
  write_run(name, variants, options, w);
  w.line();
  w.open(launcher_signature(signature, name) + " {");
  std::vector<std::string> tensors;
  for (const graph::TensorParam& t : signature.tensors)
    tensors.push_back("!is_cuda(" + identifier(t.name) + ")");
  w.line("if (" + join(tensors, " && ") + ") return {};  // CPU tensors run the original body");
  w.line("Launch launch(\"" + function_name + "\");");
  std::vector<std::string> args = argument_list(signature);
  args.insert(args.begin(), "launch");
  w.line("return run_" + name + "(" + join(args, ", ") + ");");
  w.close();
}

// DLPack tensors in the order of the parameters, scalars as doubles.
void write_c_entry(const std::string& name, const std::string& function_name, const CEntry& entry,
                   const std::vector<VariantText>& variants, Writer& w) {
  const Signature f = signature_of(variants);
  std::vector<std::string> args{"launch"}, names;
  for (std::size_t t = 0; t < f.tensors.size(); ++t) {
    args.push_back("t[" + std::to_string(t) + "]");
    names.push_back("\"" + f.tensors[t].name + "\"");
  }
  for (std::size_t s = 0; s < f.scalars.size(); ++s) {
    const std::string value = "scalars[" + std::to_string(s) + "]";
    const graph::SymType type = f.scalars[s].type;
    args.push_back(type == graph::SymType::Real ? value
                   : type == graph::SymType::Integer
                       ? "integer_scalar(" + value + ", \"" + f.scalars[s].name + "\")"
                       : value + " != 0");
  }
  const bool works = std::any_of(variants.begin(), variants.end(), has_memory);
  const std::string given =
      "in, {" + join(names, ", ") + "}, scalars, " + std::to_string(f.scalars.size()) + ", ";
  const std::string body = "  run_" + name + "(" + join(args, ", ") + ");";
  w.line();
  w.line("extern \"C\" int " + entry.symbol +
         "(const DLTensor* const* in, DLTensor* const* out, const double* scalars, void*" +
         (works ? " workspace" : "") + ", std::size_t" + (works ? " workspace_bytes" : "") +
         ", void* stream) {");
  w.open("  return c_entry(\"" + function_name + "\", out, " + std::to_string(entry.results) + ", " + given +
         "stream, [&](Launch& launch, const Tensor* t) {");
  w.line(body);
  const std::string optional = f.optional.empty() && !works ? "" : ", " + initializer(f.optional);
  w.close("  }" + optional + (works ? ", workspace, workspace_bytes);" : ");"));
  w.line("}");
  const std::string signature = "extern \"C\" std::size_t " + entry.symbol +
                                "_workspace_size(const DLTensor* const*" + (works ? " in" : "") +
                                ", const double*" + (works ? " scalars" : "") + ") {";
  if (!works) return w.line(signature + " return 0; }");
  w.line(signature);
  w.open("  return c_workspace_size(\"" + function_name + "\", " + given +
         "[&](Launch& launch, const Tensor* t) {");
  w.line(body);
  w.close("  }" + (f.optional.empty() ? "" : ", " + initializer(f.optional)) + ");");
  w.line("}");
}

}  // namespace flashlight::emit
