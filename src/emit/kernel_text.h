// SPDX-License-Identifier: Apache-2.0
// One kernel as CUDA C++ text for the sm_80 family: parameters, kernel template, and what its launcher must
// know.
#pragma once
#include <memory>

#include "emit/value.h"
#include "target/tile_shape.h"

namespace flashlight::emit {

// A padded dimension that the kernel is instantiated for: a feature or column loop.
struct Dimension {
  int loop = -1;
  std::string name;  // template parameter: D, DV, ...
};

struct KernelText {
  std::string name;    // causal_attention_1_sm80
  std::string params;  // its parameter struct's name
  std::vector<Dimension> dimensions;
  std::vector<int> contracted;  // tensor parameters whose storage type is T
  std::string declaration;      // the parameter struct
  std::string body;             // the kernel template
  target::Demand demand;        // with `columns` of dimensions left to demand_for
  std::vector<int> row_operands, key_operands, accumulators, results;  // loops whose padded size counts
  std::vector<std::string> output_types;     // per store: "T", "float", or "S": the promotion at launch
  std::string sparsity;                      // how tiles are skipped, in words
  bool split = false;                        // the template's last parameter is PARTS
  bool few = false;                          // for few queries: small tiles of rows
  bool exchanges = false;                    // of a combination: its warps meet in shared memory
  std::string obstacle;                      // of a kernel for sm_90a: why it cannot be; empty: it can
  std::shared_ptr<const KernelText> hopper;  // the same program for sm_90a, where that is asked for
};

// `split`: some instance needs several warps to a row (target::TileShape::parts).
KernelText write_kernel(const kernel::Program& program, const std::string& name, Parameters& parameters,
                        bool split = false);

// The kernel for sm_90a, with what starts it; its parameters begin with those of the kernel above.
KernelText write_hopper_kernel(const kernel::Program& program, const std::string& name,
                               Parameters& parameters);

// The kernel for few queries, whose keys may be split into runs, and with its parameters the one that
// combines those. The second is for programs with a Combine.
KernelText write_few_kernel(const kernel::Program& program, const std::string& name, Parameters& parameters);
KernelText write_combine_kernel(const kernel::Program& program, const std::string& name,
                                Parameters& parameters);

// The demand with the loops' padded sizes filled in.
target::Demand demand_for(const KernelText& kernel, int element_bytes, const std::map<int, int>& padded);

}  // namespace flashlight::emit
