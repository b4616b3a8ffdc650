// SPDX-License-Identifier: Apache-2.0
// See facts.h.
#include "emit/facts.h"

#include "emit/host.h"

namespace flashlight::emit {

namespace {

std::string size_text(const graph::Function& f, const graph::Sym& size) {
  std::string text = host_code(f, size).text;
  if (text.size() > 2 && text.ends_with("ll")) text.resize(text.size() - 2);
  return text;
}

std::string times(const std::vector<std::string>& factors) { return join(factors, " * "); }

struct Sizes {
  std::vector<std::string> batch;
  std::string rows, keys;
};

Sizes sizes_of(const kernel::Program& program) {
  const graph::Function& f = *program.function;
  Sizes s;
  for (const fusion::Loop& loop : program.plan->loops) {
    if (loop.role == fusion::Role::Batch) s.batch.push_back(loop.pack ? "batch" : size_text(f, loop.size));
  }
  s.rows = size_text(f, program.plan->loops[program.plan->row].size);
  s.keys = size_text(f, program.plan->loops[program.plan->stream].size);
  return s;
}

// 2 flops a multiply-add of each contraction; elementwise work is not counted.
std::string flops_of(const kernel::Program& program) {
  const Sizes s = sizes_of(program);
  std::vector<std::string> dims;
  for (const kernel::Sweep& sweep : program.sweeps) {
    for (int c : sweep.contractions) dims.push_back(size_text(*program.function, program.plan->loops[program.operands[program.contractions[c].left].cols].size));
    for (const kernel::Step& step : sweep.steps) {
      if (step.kind == kernel::StepKind::Product) dims.push_back(size_text(*program.function, program.plan->loops[program.operands[step.operand].cols].size));
    }
  }
  std::vector<std::string> factors{"2"};
  factors.insert(factors.end(), s.batch.begin(), s.batch.end());
  factors.push_back(s.rows);
  factors.push_back(s.keys);
  factors.push_back("(" + join(dims, " + ") + ")");
  return times(factors);
}

std::string numel(const graph::Function& f, const graph::Shape& shape, bool pack) {
  std::vector<std::string> factors;
  for (std::size_t a = 0; a < shape.size(); ++a) factors.push_back(pack && a == 0 ? "batch" : size_text(f, shape[a]));
  return factors.empty() ? "1" : times(factors);
}

// Elements read and written once; `e` is the size of an element in bytes.
std::string fused_bytes(const kernel::Program& program, const Parameters& parameters) {
  const graph::Function& f = *program.function;
  std::vector<std::string> terms;
  for (int t : parameters.tensors()) terms.push_back(numel(f, f.tensors[t].shape, f.tensors[t].pack));
  for (const kernel::Store& store : program.stores) terms.push_back(numel(f, f.outputs[store.output].value.shape, f.outputs[store.output].value.pack));
  return "e * (" + join(terms, " + ") + ")";
}

// Every Graph value of more than one element written once and read by each of its users once, as the eager program does.
std::string unfused_bytes(const kernel::Program& program) {
  const graph::Function& f = *program.function;
  std::map<std::string, int> counts;
  for (int n = 0; n < f.graph.size(); ++n) {
    const graph::Node& node = f.graph[n];
    if (node.op != graph::Op::Input && !node.shape.empty()) ++counts[numel(f, node.shape, false)];
    for (const graph::Operand& operand : node.operands) {
      const graph::Node& below = f.graph[operand.node];
      if (!below.shape.empty()) ++counts[numel(f, below.shape, false)];
    }
  }
  std::vector<std::string> terms;
  for (const auto& [size, count] : counts) terms.push_back((count > 1 ? std::to_string(count) + " * " : "") + size);
  return "e * (" + join(terms, " + ") + ")";
}

std::string op_name(const graph::Node& node) {
  switch (node.op) {
    case graph::Op::Map: return graph::name_of(node.fn);
    case graph::Op::Reduce: return std::string("reduce ") + graph::name_of(node.reduce);
    default: return graph::name_of(node.op);
  }
}

}  // namespace

KernelFacts facts_of(const VariantText& v, const EmitOptions& options) {
  KernelFacts facts;
  facts.name = v.kernel.name;
  facts.arch = "sm_80";
  std::vector<std::string> tiles, bytes;
  for (const Instance& instance : instances_of(v, options)) {
    std::string dims;
    for (const Dimension& d : v.kernel.dimensions) dims += " " + d.name + "=" + std::to_string(instance.padded.at(d.loop));
    tiles.push_back(instance.type + dims + ": " + std::to_string(instance.shape.m) + "x" + std::to_string(instance.shape.n) + ", " + std::to_string(instance.shape.warps) + " warps");
    bytes.push_back(std::to_string(instance.shared_bytes));
  }
  facts.tile = join(tiles, "; ");
  facts.smem_bytes = join(bytes, "; ");
  const graph::Function& f = *v.program->function;
  for (int n = 0; n < f.graph.size(); ++n) {
    const graph::Node& node = f.graph[n];
    if (node.op == graph::Op::Input || node.op == graph::Op::Scalar || node.op == graph::Op::Iota) continue;
    facts.ops.push_back(op_name(node) + (f.graph.label(n).empty() ? "" : " (" + f.graph.label(n) + ")"));
  }
  facts.flops = flops_of(*v.program);
  facts.bytes_fused = fused_bytes(*v.program, *v.parameters);
  facts.bytes_unfused = unfused_bytes(*v.program);
  facts.sparsity = v.kernel.sparsity;
  facts.explanation = v.program->plan->explanation;
  return facts;
}

std::vector<std::string> formula_comment(const kernel::Program& program) {
  std::vector<std::string> lines;
  std::string text = program.plan->explanation;
  std::size_t start = 0;
  while (start < text.size()) {
    std::size_t end = text.find('\n', start);
    if (end == std::string::npos) end = text.size();
    lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

}  // namespace flashlight::emit
