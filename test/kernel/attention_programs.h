// SPDX-License-Identifier: Apache-2.0
// Attention programs that tests of the kernel stage run, each with inputs for any sizes.
#pragma once
#include "lowering.h"

namespace flashlight::kernel {

struct Sizes {
  std::int64_t sq = 1, sk = 1;
  std::int64_t b = 2, h = 2, d = 3, dv = 2;
};

struct AttentionProgram {
  std::string name;
  graph::Body body;
  std::function<std::vector<graph::Array>(const Sizes&)> inputs;
  int sweeps = 1;
  std::vector<double> empty = {0};  // per result: what a row without keys gives
  std::vector<double> scalars = {};
  bool square = false;  // for Sq = Sk only
};

const std::vector<AttentionProgram>& attention_programs();
const AttentionProgram& attention_program(const std::string& name);

// q [b, h, sq, d], k [b, h, sk, d], v [b, h, sk, dv].
std::vector<graph::Array> qkv(const Sizes&);
graph::T scores_of(const graph::Tensors&);                                  // q k^T / sqrt(d)
graph::T attend(const graph::T& scores, const graph::T& v);                 // softmax(scores) v
graph::T rows_of(const graph::T& q);                                        // [sq, 1]: i
graph::T keys_of(const graph::T& k);                                        // [sk]: j
graph::T hidden_unless(const graph::T& condition, const graph::T& scores);  // -inf elsewhere

}  // namespace flashlight::kernel
