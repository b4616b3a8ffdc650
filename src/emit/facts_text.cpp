// SPDX-License-Identifier: Apache-2.0
// See facts_text.h; and the facts of steps that are no fused kernels.
#include "emit/facts_text.h"

#include <algorithm>
#include <map>

#include "fusion/describe.h"

namespace flashlight::emit {

std::string size_text(const graph::Function& f, const graph::Sym& size) {
  const std::string text = fusion::describe(f, size);
  return text.find(' ') == std::string::npos ? text : "(" + text + ")";
}

std::string times(const std::vector<std::string>& factors) { return join(factors, " * "); }

namespace {

std::string numel(const graph::Function& f, const graph::Shape& shape, bool pack) {
  std::vector<std::string> factors;
  for (std::size_t a = 0; a < shape.size(); ++a)
    factors.push_back(pack && a == 0 ? "batch" : size_text(f, shape[a]));
  return factors.empty() ? "1" : times(factors);
}

// A contraction's product is never stored, not even by the eager program.
bool is_contraction(const graph::Graph& graph, const graph::Node& node) {
  if (node.op != graph::Op::Reduce || node.reduce != graph::ReduceKind::Sum) return false;
  const graph::Node& body = graph[node.operands[0].node];
  return body.op == graph::Op::Map && body.fn == graph::Fn::Mul;
}

bool is_product(const graph::Graph& graph, graph::NodeId id) {
  for (int n = id + 1; n < graph.size(); ++n) {
    if (is_contraction(graph, graph[n]) && graph[n].operands[0].node == id) return true;
  }
  return false;
}

// The eager program gets elements and positions at once.
bool is_second_of_pair(const graph::Graph& graph, graph::NodeId id) {
  if (!is_order(graph[id])) return false;
  for (int n = 0; n < id; ++n) {
    const graph::Node &one = graph[n], &other = graph[id];
    if (is_order(one) && one.operands == other.operands && one.shape == other.shape &&
        one.descending == other.descending)
      return true;
  }
  return false;
}

std::string op_name(const graph::Graph& graph, const graph::Node& node) {
  switch (node.op) {
    case graph::Op::Map: return graph::name_of(node.fn);
    case graph::Op::Reduce:
      if (is_contraction(graph, node)) return "contract";
      return std::string("reduce ") + graph::name_of(node.reduce);
    default: return graph::name_of(node.op);
  }
}

}  // namespace

std::string fused_bytes(const graph::Function& f, const std::set<int>& tensors) {
  std::vector<std::string> terms;
  for (int t : tensors) terms.push_back(numel(f, f.tensors[t].shape, f.tensors[t].pack));
  std::vector<std::string> positions;  // of 8 bytes each
  for (const graph::Output& out : f.outputs)
    (out.value.type == graph::Type::Int ? positions : terms)
        .push_back(numel(f, out.value.shape, out.value.pack));
  return "e * (" + join(terms, " + ") + ")" +
         (positions.empty() ? "" : " + 8 * (" + join(positions, " + ") + ")");
}

std::string unfused_bytes(const graph::Function& f) {
  std::map<std::string, int> counts;
  std::vector<bool> product(static_cast<std::size_t>(f.graph.size()), false);
  for (int n = 0; n < f.graph.size(); ++n) {
    if (is_contraction(f.graph, f.graph[n]))
      product[static_cast<std::size_t>(f.graph[n].operands[0].node)] = true;
  }
  auto count = [&](graph::NodeId id) {
    const graph::Node& node = f.graph[id];
    if (!node.shape.empty() && !product[static_cast<std::size_t>(id)]) ++counts[numel(f, node.shape, false)];
  };
  for (int n = 0; n < f.graph.size(); ++n) {
    if (f.graph[n].op != graph::Op::Input) count(n);
    for (const graph::Operand& operand : f.graph[n].operands) count(operand.node);
  }
  std::vector<std::string> terms;
  for (const auto& [size, times] : counts)
    terms.push_back((times > 1 ? std::to_string(times) + " * " : "") + size);
  return "e * (" + join(terms, " + ") + ")";
}

std::vector<std::string> ops_of(const graph::Function& f) {
  std::vector<std::string> ops;
  for (int n = 0; n < f.graph.size(); ++n) {
    const graph::Node& node = f.graph[n];
    if (node.op == graph::Op::Input || node.op == graph::Op::Scalar || node.op == graph::Op::Iota) continue;
    if (node.op == graph::Op::Map && node.fn == graph::Fn::Mul && is_product(f.graph, n)) continue;
    if (is_second_of_pair(f.graph, n)) continue;
    ops.push_back(op_name(f.graph, node) + (f.graph.label(n).empty() ? "" : " (" + f.graph.label(n) + ")"));
  }
  return ops;
}

namespace {

// The tensors that a step reads.
std::set<int> tensors_of(const PartText& v) {
  switch (v.part->kind) {
    case fusion::StepKind::Product: return {v.part->product.left.tensor, v.part->product.right.tensor};
    case fusion::StepKind::Order:
    case fusion::StepKind::Scan: return {v.part->rows.source.tensor};
    default: return v.parameters->tensors();
  }
}

KernelFacts product_facts(const PartText& v) {
  std::vector<std::string> factors{"2"};
  for (const graph::Sym& size : v.part->product.extents)
    factors.push_back(size_text(*v.part->function, size));
  KernelFacts facts;
  facts.kind = "product";
  facts.name = "cublasLtMatmul";
  facts.flops = times(factors);
  return facts;
}

// Where the function is cut, and why.
KernelFacts order_facts(const PartText& v) {
  const graph::Function& f = *v.part->function;
  const graph::SourceRange& at = f.graph.source(f.outputs[0].value.node);
  const std::string& source = f.tensors[static_cast<std::size_t>(v.part->rows.source.tensor)].name;
  KernelFacts facts;
  facts.kind = "order";
  facts.name = "sort_sm80";
  facts.tile = "a CTA a row, in shared memory up to 4096 elements";
  facts.smem_bytes = "12 * " + size_text(f, v.part->rows.extents.back());
  facts.flops = "0";
  facts.why = "the function is cut here" +
              (at.line > 0 ? ", in line " + std::to_string(at.line) : std::string()) +
              ": an order has no law that holds tile by tile, so that '" + source +
              "' lies in memory as a whole, and what comes out of it too";
  return facts;
}

KernelFacts scan_facts(const PartText& v) {
  const graph::Function& f = *v.part->function;
  const graph::SourceRange& at = f.graph.source(f.outputs[0].value.node);
  KernelFacts facts;
  facts.kind = "scan";
  facts.name = "running_sum_sm80";
  facts.tile = "a CTA a row, 1024 elements at a time";
  facts.smem_bytes = "4096";
  facts.flops = "0";
  facts.why = "the running sum" + (at.line > 0 ? " in line " + std::to_string(at.line) : std::string()) +
              " of '" + f.tensors[static_cast<std::size_t>(v.part->rows.source.tensor)].name +
              "' is made once, added in float64 and stored in float32, and read as a tensor";
  return facts;
}

KernelFacts group_facts(const PartText& v) {
  KernelFacts facts;
  facts.kind = "group";
  facts.name = v.kernel.name;
  facts.tile = "a warp a row";
  facts.flops = "0";
  return facts;
}

}  // namespace

// Of a library's product there is no tile or shared memory to tell.
KernelFacts leftover_facts(const PartText& v) {
  const graph::Function& f = *v.part->function;
  const fusion::StepKind kind = v.part->kind;
  KernelFacts facts = kind == fusion::StepKind::Product ? product_facts(v)
                      : kind == fusion::StepKind::Order ? order_facts(v)
                      : kind == fusion::StepKind::Scan  ? scan_facts(v)
                                                        : group_facts(v);
  facts.ops = ops_of(f);
  facts.arch = "sm_80";
  if (facts.smem_bytes.empty()) facts.smem_bytes = "0";
  facts.bytes_fused = fused_bytes(f, tensors_of(v));
  facts.bytes_unfused = kind == fusion::StepKind::Group ? unfused_bytes(f) : facts.bytes_fused;
  return facts;
}

std::vector<std::string> value_comment(const PartText& v) {
  std::vector<std::string> lines;
  std::string text = graph::to_string(*v.part->function);
  for (std::size_t begin = text.find('\n') + 1; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(fusion::readable(text.substr(begin, end - begin), 240));
    begin = end + 1;
  }
  return lines;
}

Totals totals_of(const VariantText& v) {
  const graph::Function& f = v.variant->function;
  Totals totals;
  totals.kernels_unfused = static_cast<int>(ops_of(f).size());
  totals.bytes_unfused = unfused_bytes(f);
  std::vector<std::string> terms;
  for (const PartText& part : v.parts) {
    ++totals.kernels_fused;
    terms.push_back(fused_bytes(*part.part->function, tensors_of(part)));
  }
  totals.bytes_fused = join(terms, " + ");
  return totals;
}

}  // namespace flashlight::emit
