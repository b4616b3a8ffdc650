// SPDX-License-Identifier: Apache-2.0
// See launch_leftovers.h.
#include "emit/launch_leftovers.h"

#include <algorithm>

#include "emit/group_text.h"
#include "emit/host.h"
#include "fusion/describe.h"

namespace flashlight::emit {

using graph::Function;
using graph::Sym;

std::string initializer(const std::vector<int>& values) {
  std::vector<std::string> texts;
  for (int v : values) texts.push_back(std::to_string(v));
  return "{" + join(texts, ", ") + "}";
}

std::string rule_arguments(const graph::DTypeRule& rule) {
  return initializer(rule.inputs) + ", " +
         (rule.constant ? std::to_string(static_cast<int>(*rule.constant)) : "-1");
}

std::vector<std::string> host_sizes(const Function& f, const graph::TensorView& view) {
  std::vector<std::string> sizes;
  for (std::size_t a = view.pack; a < view.shape.size(); ++a)
    sizes.push_back(host_code(f, view.shape[a]).text);
  return sizes;
}

namespace {

std::string reshaped(const Function& f, const std::string& tensor, const fusion::Reshaping& view) {
  const auto size = [&](const Sym& s) { return host_code(f, s).text; };
  const std::string axis = std::to_string(-1 - view.behind);
  switch (view.kind) {
    case fusion::Reshaping::Merge:
      return "launch.merged(" + tensor + ", " + std::to_string(view.count) + ", " +
             std::to_string(view.behind) + ")";
    case fusion::Reshaping::Split:
      return tensor + ".unflatten(" + axis + ", {" + size(view.first) + ", " + size(view.second) + "})";
    case fusion::Reshaping::One: return tensor + ".unsqueeze(" + axis + ")";
    case fusion::Reshaping::Part:
      return tensor + ".narrow(" + axis + ", " + size(view.first) + ", " + size(view.second) + ")";
  }
  return tensor;
}

}  // namespace

std::string tensor_text(const Function& f, const fusion::Target& target) {
  std::string text = target.intermediate ? "launch.tensor_of(" + std::to_string(target.number) + ")"
                                         : "out" + std::to_string(target.number);
  for (const fusion::Reshaping& view : target.views) text = reshaped(f, text, view);
  return text;
}

std::string type_text(const graph::DTypeRule& rule) {
  return "launch.float_result(" + rule_arguments(rule) + ")";
}

void write_scalars(const PartText& v, Writer& w) {
  const Function& f = *v.part->function;
  for (const auto& [value, field] : v.parameters->scalars()) {
    const std::string text = host_code(f, value).text;
    w.line("p." + field + " = " +
           (value.type() == graph::SymType::Real      ? "static_cast<float>(" + text + ")"
            : value.type() == graph::SymType::Boolean ? "static_cast<int>(" + text + ")"
                                                      : "launch.narrow(" + text + ")") +
           ";");
  }
  for (const Sym& divisor : v.parameters->divisors())
    w.line("launch.check(" + wrap(host_code(f, divisor), kSum) + " != 0, \"an integer is divided by " +
           fusion::describe(f, divisor) + ", which is 0\");");
}

namespace {

std::string target_name(const fusion::Target& target) {
  return target.intermediate ? "launch.tensor_of(" + std::to_string(target.number) + ")"
                             : "out" + std::to_string(target.number);
}

// The distance of a step along a product's axis: the strides of the tensor's axes that it moves along.
std::string distance(const Function& f, int tensor, const std::vector<Sym>& index, int axis) {
  const bool pack = f.tensors[static_cast<std::size_t>(tensor)].pack;
  std::vector<std::string> terms;
  for (std::size_t a = pack; a < index.size(); ++a) {
    const auto parts = graph::affine_in(index[a], axis);
    if (!parts || parts->first.is_integer(0)) continue;
    const std::string stride =
        "launch.stride(" + std::to_string(tensor) + ", " + std::to_string(a - pack) + ")";
    terms.push_back(parts->first.is_integer(1) ? stride
                                               : wrap(host_code(f, parts->first), kProduct) + " * " + stride);
  }
  return terms.empty() ? "0" : join(terms, " + ");
}

// Where the operand begins: what is left of its index at the axes' beginning.
std::string start(const Function& f, const fusion::ProductSide& side, std::size_t axes) {
  const bool pack = f.tensors[static_cast<std::size_t>(side.tensor)].pack;
  std::vector<std::string> terms;
  for (std::size_t a = pack; a < side.index.size(); ++a) {
    const Sym at = graph::substitute_axes(side.index[a], std::vector<Sym>(axes, Sym(0)));
    if (at.is_integer(0)) continue;
    terms.push_back(wrap(host_code(f, at), kProduct) + " * launch.stride(" + std::to_string(side.tensor) +
                    ", " + std::to_string(a - pack) + ")");
  }
  return terms.empty() ? "0" : join(terms, " + ");
}

}  // namespace

void write_product(const PartText& v, std::size_t number, Writer& w) {
  const Function& f = *v.part->function;
  const fusion::ProductPlan& plan = v.part->product;
  const graph::TensorView& view = f.outputs[0].value;
  const std::string result = tensor_text(f, v.part->targets[0]);
  std::vector<std::string> axes;
  for (std::size_t a = 0; a < plan.extents.size(); ++a) {
    const Sym& size = plan.extents[a];
    if (size.op() == graph::SymOp::Symbol && size.symbol_id().kind == graph::SymbolId::Pack) continue;
    const int axis = static_cast<int>(a);
    const auto at = std::find(plan.result.begin(), plan.result.end(), Sym::axis(axis));
    const std::string step =
        at == plan.result.end() ? "0" : result + ".stride(" + std::to_string(at - plan.result.end()) + ")";
    axes.push_back("{" + host_code(f, size).text + ", " + step + ", " +
                   distance(f, plan.left.tensor, plan.left.index, axis) + ", " +
                   distance(f, plan.right.tensor, plan.right.index, axis) + "}");
  }
  const auto operand = [&](const fusion::ProductSide& side) {
    return std::to_string(side.tensor) + ", " + start(f, side, plan.extents.size());
  };
  w.line("const Product product" + std::to_string(number) + " = launch.product(" + result + ", " +
         std::to_string(view.shape.size() - view.pack) + ", " + operand(plan.left) + ", " +
         operand(plan.right) + ", {" + join(axes, ", ") + "});");
}

// Orders copy elements of any type, and integers are stored exactly; all else is made in float32.
std::string stored_type(const PartText& v, const graph::TensorView& view) {
  const bool made = view.type == graph::Type::Float && v.part->kind != fusion::StepKind::Order;
  return (made ? "launch.float_result(" : "launch.promoted(") + rule_arguments(view.dtype) + ")";
}

void write_row_step(const PartText& v, std::size_t number, Writer& w) {
  const Function& f = *v.part->function;
  const fusion::RowsPlan& plan = v.part->rows;
  std::string names[2] = {"Tensor{}", "Tensor{}"};  // values, positions
  std::vector<std::string> steps[2];                // of each axis
  for (std::vector<std::string>& all : steps) all.assign(plan.extents.size(), "0");
  bool pack = false;
  for (std::size_t o = 0; o < f.outputs.size(); ++o) {
    const graph::TensorView& view = f.outputs[o].value;
    const std::size_t kind = f.graph[view.node].op == graph::Op::Order;
    names[kind] = target_name(v.part->targets[o]);
    pack = view.pack;
    for (std::size_t a = 0; a < plan.extents.size(); ++a)
      if (const int place = plan.places[o][a]; place >= 0)
        steps[kind][a] =
            names[kind] + ".stride(" + std::to_string(place - static_cast<int>(view.shape.size())) + ")";
  }
  std::vector<std::string> axes;
  for (std::size_t a = 0; a < plan.extents.size(); ++a) {
    const Sym& size = plan.extents[a];
    if (size.op() == graph::SymOp::Symbol && size.symbol_id().kind == graph::SymbolId::Pack) continue;
    axes.push_back("{" + host_code(f, size).text + ", " +
                   distance(f, plan.source.tensor, plan.source.index, static_cast<int>(a)) + ", " +
                   steps[0][a] + ", " + steps[1][a] + "}");
  }
  const std::string element = axes.back();
  axes.pop_back();
  const std::string source =
      std::to_string(plan.source.tensor) + ", " + start(f, plan.source, plan.extents.size());
  const std::string rows =
      std::string(pack ? "true" : "false") + ", {" + join(axes, ", ") + "}, " + element + ", ";
  if (v.part->kind == fusion::StepKind::Scan)
    w.line("const RunningSum sum" + std::to_string(number) + " = launch.running_sum(" + source + ", " +
           names[0] + ", " + rows + "multiprocessors());");
  else
    w.line("const Ordering order" + std::to_string(number) + " = launch.order(" + source + ", " + names[0] +
           ", " + names[1] + ", " + rows + host_code(f, plan.count).text + ", " +
           (plan.descending ? "true" : "false") + ", multiprocessors());");
}

void write_leftover_results(const Function& whole, const PartText& v, std::set<int>& made, Writer& w) {
  for (const fusion::Target& target : v.part->targets) {
    if (target.intermediate || !made.insert(target.number).second) continue;
    const graph::TensorView& view = whole.outputs[static_cast<std::size_t>(target.number)].value;
    w.line("Tensor " + target_name(target) + " = launch.result(" + std::to_string(target.number) + ", " +
           (view.pack ? "true" : "false") + ", {" + join(host_sizes(whole, view), ", ") + "}, " +
           stored_type(v, view) + ");");
  }
}

void write_group_start(const PartText& v, Writer& w) {
  const Function& f = *v.part->function;
  w.line(v.kernel.params + " p;");
  for (int t : v.parameters->tensors()) {
    const graph::TensorParam& tensor = f.tensors[static_cast<std::size_t>(t)];
    w.line("p." + v.parameters->tensor_field(t) + " = launch.arg<" +
           std::to_string(tensor.shape.size() - tensor.pack) + ">(" + std::to_string(t) + ");");
  }
  w.line("p.pack = launch.pack();");
  write_scalars(v, w);
  const graph::TensorView& view = f.outputs[0].value;
  w.line("p.out0 = launch.result_arg<" + std::to_string(view.shape.size() - view.pack) + ">(" +
         tensor_text(f, v.part->targets[0]) + ", " + (view.pack ? "true" : "false") + ");");
  std::vector<std::string> rows;
  std::string columns;
  for (const fusion::Loop& loop : v.part->plan.loops) {
    const std::string size = loop.pack ? "launch.batch()" : wrap(host_code(f, loop.size), kProduct);
    if (loop.role == fusion::Role::Column) columns = size;
    else rows.push_back(size);
  }
  if (!columns.empty()) rows.push_back("(" + columns + " > 0)");  // of empty rows nothing is computed
  w.line("p.n_row = launch.narrow(" + join(rows, " * ") + ");");
  w.line("start(" + v.kernel.name + ", launch, p, 1, {.rows = " + std::to_string(kGroupRows) +
         ", .threads = " + std::to_string(kGroupThreads) + ", .shared_bytes = 0}, \"" + v.kernel.name +
         "\");");
}

}  // namespace flashlight::emit
