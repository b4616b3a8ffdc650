// SPDX-License-Identifier: Apache-2.0
// See facts.h.
#include "emit/facts.h"

#include <algorithm>

#include "emit/facts_text.h"
#include "fusion/describe.h"

namespace flashlight::emit {

namespace {

struct Sizes {
  std::vector<std::string> batch;
  std::string rows, keys;
};

Sizes sizes_of(const kernel::Program& program) {
  const graph::Function& f = *program.function;
  Sizes s;
  for (const fusion::Loop& loop : program.plan->loops) {
    if (loop.role == fusion::Role::Batch || loop.role == fusion::Role::Packed)
      s.batch.push_back(loop.pack ? "batch" : size_text(f, loop.size));
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
    for (int c : sweep.contractions)
      dims.push_back(size_text(
          *program.function, program.plan->loops[program.operands[program.contractions[c].left].cols].size));
    for (const kernel::Step& step : sweep.steps) {
      if (step.kind == kernel::StepKind::Product)
        dims.push_back(
            size_text(*program.function, program.plan->loops[program.operands[step.operand].cols].size));
    }
  }
  std::vector<std::string> factors{"2"};
  factors.insert(factors.end(), s.batch.begin(), s.batch.end());
  factors.push_back(s.rows);
  factors.push_back(s.keys);
  factors.push_back("(" + join(dims, " + ") + ")");
  return times(factors);
}

// Spelled for a reader: the planner's exp2 and its constant.
std::string readable(kernel::Expr e) {
  std::string text = to_string(e);
  const std::pair<std::string, std::string> spellings[] = {
      {"f" + std::to_string(kernel::kExp2) + "(", "exp2("}, {"1.4426950408889634", "log2e"}};
  for (const auto& [from, to] : spellings) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
  }
  return text;
}

// In parentheses where it is more than a name, a number or a call.
std::string as_factor(const std::string& text) {
  int depth = 0;
  for (const char c : text) {
    depth += c == '(' || c == '[' ? 1 : c == ')' || c == ']' ? -1 : 0;
    if (depth == 0 && std::string_view(" +-*/&|<>=").find(c) != std::string_view::npos)
      return "(" + text + ")";
  }
  return text;
}

std::string operand_text(const kernel::Program& program, int operand) {
  std::string text;
  for (const graph::Operand& factor : program.operands[operand].factors) {
    fusion::Leaf leaf;
    leaf.node = factor.node;
    leaf.index = factor.index;
    std::string word = fusion::describe(*program.function, *program.plan, leaf);
    if (word.find(' ') != std::string::npos) word = as_factor(word.substr(1, word.size() - 2));
    text += (text.empty() ? "" : " * ") + word;
  }
  return text;
}

}  // namespace

namespace {

std::string instance_name(const PartText& v, const Instance& instance) {
  std::string name = instance.type;
  for (const Dimension& d : v.kernel.dimensions)
    name += " " + d.name + "=" + std::to_string(instance.padded.at(d.loop));
  return name;
}

// Which of sm_90a's calls the kernel of the sm_80 family takes, and why.
std::string why_on_hopper(const PartText& v, const std::vector<Instance>& instances) {
  if (!v.kernel.hopper) return {};
  std::vector<std::string> reasons;
  bool any = false;
  for (const Instance& instance : instances) {
    any |= instance.wgmma.shape.has_value();
    if (!instance.wgmma.shape) reasons.push_back(instance_name(v, instance) + ": " + instance.wgmma.reason);
  }
  if (any) reasons.push_back("tensors that TMA cannot address");
  return "on sm_90a, " + join(reasons, "; ");
}

// Of the tiles that were asked for: whether this is one, and those before it, which do not fit.
std::string asked_for(const EmitOptions& options, const PartText& v, int m, int n) {
  if (v.kernel.few || options.tiles.empty()) return "";  // kernels for few queries have their own
  std::vector<std::string> others;
  for (const target::TileSize& size : options.tiles) {
    if (size.m == m && size.n == n)
      return ", as asked for" + (others.empty() ? "" : " where " + join(others, " or ") + " does not fit");
    others.push_back(std::to_string(size.m) + "x" + std::to_string(size.n));
  }
  return ", where " + join(others, " or ") + " does not fit";
}

std::string way_of(target::Staging staging) {
  return staging == target::Staging::kApart  ? "by TMA from a tile of their own"
         : staging == target::Staging::kRows ? "by TMA from the rows' tile"
                                             : "from registers";
}

}  // namespace

KernelFacts facts_of(const PartText& v, const EmitOptions& options) {
  if (!v.is_kernel()) return leftover_facts(v);
  KernelFacts facts;
  facts.name = v.kernel.name;
  facts.arch = "sm_80";
  std::vector<std::string> tiles, bytes;
  const std::vector<Instance> instances = instances_of(v, options);
  for (const Instance& instance : instances) {
    tiles.push_back(instance_name(v, instance) + ": " + std::to_string(instance.shape.m) + "x" +
                    std::to_string(instance.shape.n) + ", " +
                    std::to_string(instance.shape.warps * instance.shape.parts) + " warps" +
                    asked_for(options, v, instance.shape.m, instance.shape.n));
    bytes.push_back(std::to_string(instance.shared_bytes));
  }
  facts.tile = join(tiles, "; ");
  facts.smem_bytes = join(bytes, "; ");
  facts.why = why_on_hopper(v, instances);
  const graph::Function& f = *v.program->function;
  facts.ops = ops_of(f);
  facts.flops = flops_of(*v.program);
  facts.bytes_fused = fused_bytes(f, v.parameters->tensors());
  facts.bytes_unfused = unfused_bytes(f);
  facts.sparsity = v.kernel.sparsity;
  facts.explanation = v.program->plan->explanation;
  return facts;
}

std::optional<KernelFacts> hopper_facts_of(const PartText& v, const EmitOptions& options) {
  if (!v.is_kernel()) return std::nullopt;
  std::vector<std::string> tiles, bytes, budgets;
  for (const Instance& instance : instances_of(v, options)) {
    if (!instance.wgmma.shape) continue;
    const target::WgmmaShape& shape = *instance.wgmma.shape;
    const target::Demand demand = demand_for(*v.kernel.hopper, 2, instance.padded);
    tiles.push_back(instance_name(v, instance) + ": " + std::to_string(shape.m()) + "x" +
                    std::to_string(shape.n) + ", " + std::to_string(shape.consumers) + " + 1 warpgroups, " +
                    std::to_string(shape.stages) + " stages" + asked_for(options, v, shape.m(), shape.n));
    if (!demand.results.empty()) tiles.back() += ", results stored " + way_of(shape.staging);
    bytes.push_back(std::to_string(instance.wgmma_shared_bytes));
    budgets.push_back(std::to_string(target::value_registers(demand, shape)) + " of " +
                      std::to_string(target::consumer_registers(shape.consumers, demand.finding)));
  }
  if (tiles.empty()) return std::nullopt;
  KernelFacts facts = facts_of(v, options);
  facts.name = v.kernel.hopper->name;
  facts.arch = "sm_90a";
  facts.tile = join(tiles, "; ");
  facts.smem_bytes = join(bytes, "; ");
  facts.explanation.clear();  // the other kernel's
  facts.why = "a consumer's values take " + join(budgets, "; ") + " registers";
  return facts;
}

namespace {

// When the launcher takes the kernel for few queries: Launch::runs_of in words.
std::string why_few(const PartText& few) {
  const auto& packing = few.program->plan->packing;
  std::vector<std::string> reasons;
  if (packing)
    reasons.push_back("the queries of the " + size_text(*few.program->function, packing->group) +
                      " heads that share keys are rows of one tile, where tiles of 16 such rows are fewer "
                      "than those heads");
  if (few.combine)
    reasons.push_back(
        "where there are at most 64 rows for the same keys and their tiles of 16, at 4 a multiprocessor, "
        "fill less than half of "
        "the device, keys are split into runs of 256 or more, as many as fill it; otherwise they are one "
        "run");
  else reasons.push_back("its keys are one run, since " + few.program->in_one_run);
  return "for few queries: " + join(reasons, "; ");
}

}  // namespace

std::vector<KernelFacts> few_facts_of(const PartText& part, const EmitOptions& options) {
  if (!part.few) return {};
  const PartText& few = *part.few;
  const std::vector<Instance> instances = instances_of(few, options);
  KernelFacts facts = facts_of(few, options);
  facts.explanation.clear();  // the first kernel's
  facts.why = why_few(few);
  std::vector<KernelFacts> result{facts};
  if (!few.combine) return result;
  std::vector<std::string> tiles, bytes;
  for (const Instance& instance : instances) {
    tiles.push_back(instance_name(few, instance) + ": " + std::to_string(instance.combining.m) + " rows, " +
                    std::to_string(instance.combining.parts) + " warps");
    bytes.push_back(std::to_string(instance.combining_shared_bytes));
  }
  facts.name = few.combine->name;
  facts.tile = join(tiles, "; ");
  facts.smem_bytes = join(bytes, "; ");
  facts.sparsity.clear();
  facts.flops = "0";
  facts.ops = {"combine"};
  facts.why = "joins the states that " + few.kernel.name +
              " leaves of each run of keys, in the order of the keys, by the laws that rescale them inside "
              "of a sweep";
  result.push_back(facts);
  return result;
}

std::vector<std::string> formula_comment(const kernel::Program& program) {
  std::vector<std::string> lines;
  const auto& sweeps = program.plan->sweeps;
  for (std::size_t s = 0; s < sweeps.size(); ++s) {
    if (sweeps.size() > 1) lines.push_back("Sweep " + std::to_string(s + 1) + " over the keys j:");
    for (const kernel::Masked& masked : program.sweeps[s].masked) {
      std::string line = readable(masked.node) + " = " + readable(masked.value);
      if (masked.predicate)
        line += " where " + readable(masked.predicate) + ", else " + float_literal(masked.fill);
      lines.push_back(line);
    }
    for (const kernel::Step& step : program.sweeps[s].steps) {
      if (step.kind == kernel::StepKind::Add)
        lines.push_back(readable(program.sweeps[s].states[step.index].node) + " += " + readable(step.value));
      if (step.kind == kernel::StepKind::Product)
        lines.push_back(readable(program.sweeps[s].states[step.index].node) + " += " +
                        as_factor(readable(step.value)) + " * " + operand_text(program, step.operand));
    }
    for (const kernel::Step& final : program.sweeps[s].finals)
      lines.push_back(readable(final.target) +
                      (final.kind == kernel::StepKind::Fold ? " folds the columns of " : " = ") +
                      readable(final.value));
  }
  for (const kernel::Store& store : program.stores) lines.push_back("result = " + readable(store.value));
  constexpr std::size_t kLongest = 240;
  for (std::string& line : lines) line = fusion::readable(line, kLongest);
  return lines;
}

}  // namespace flashlight::emit
