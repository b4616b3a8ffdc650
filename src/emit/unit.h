// SPDX-License-Identifier: Apache-2.0
// From plans to text: the emitted .cu, and the facts the report tells about it.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "emit/standalone.h"
#include "frontend/program.h"
#include "fusion/plan.h"
#include "target/tile_shape.h"

namespace flashlight::emit {

// What became of one function, over all its variants.
struct RuleUse {
  std::string name, location;  // location: file:line of the rule
  int count = 0;
};

struct KernelFacts {  // one step of a function, for the report: a kernel for one architecture, or a product
                      // by a library
  std::string kind = "fused";                     // product, order, group
  std::string name;                               // causal_attention_sm80
  std::string arch;                               // sm_80, sm_90a
  std::string tile;                               // "128x64, 4 warps" per head dim
  std::string smem_bytes;                         // formula or number per instantiation
  std::vector<std::string> ops;                   // Graph ops folded into it, in order
  std::string flops, bytes_unfused, bytes_fused;  // formulas in the size symbols
  std::string sparsity;                           // how tiles are skipped, in words
  std::string explanation;                        // states and fix-ups, in words
  // With which scalars calls take it; empty: with any.
  std::string variant;
  std::string why;  // which calls take it rather than another kernel, or what its shape rests on
};

// What a call of the function launches and moves, as formulas: with every operation a kernel of its own, and
// as translated.
struct Totals {
  int kernels_unfused = 0, kernels_fused = 0;
  std::string bytes_unfused, bytes_fused;
};

// The function's C entry: its symbol, and the names of what it takes, in order.
struct CEntry {
  std::string symbol;  // flashlight_causal_attention
  std::vector<std::string> tensors, scalars;
  int results = 0;
};

struct FusedFunction {
  const frontend::FunctionSource* source = nullptr;
  fusion::Status status = fusion::Status::Unfused;
  std::optional<fusion::Reason> reason;
  std::vector<fusion::FusionPlan> plans;  // one per variant, parallel to source->variants
  std::vector<RuleUse> rules;
  std::vector<KernelFacts> kernels;  // filled by render_unit
  Totals totals;                     // filled by render_unit
  std::vector<std::string> numerics;
  CEntry c_entry;  // filled by render_unit
};

struct EmitOptions {
  std::vector<int> head_dims = {64, 128};
  std::vector<std::string> dtypes = {"bf16", "fp16"};
  std::vector<std::string> archs = {"sm_80"};
  std::vector<target::TileSize> tiles;  // asked for; where they fit they come before the model's own
  bool strict_nan = false;
  bool standalone = false;
  ReadHeader read_header;  // for standalone
};

// The emitted file: the user's text with launcher declarations before line 1, one early return in each fused
// function, and the kernels at the end (design D10). Deterministic. Fills `kernels` of each fused function.
std::string render_unit(const frontend::Program&, std::vector<FusedFunction>&, const EmitOptions&);

}  // namespace flashlight::emit
