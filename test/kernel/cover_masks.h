// SPDX-License-Identifier: Apache-2.0
// For tests of covers: masks as programs and as conditions on a pair, and what interval analysis must find of
// them.
#pragma once
#include "attention_programs.h"

namespace flashlight::kernel {

using graph::Array;
using graph::Sym;
using graph::T;
using graph::Tensors;

// Whether query i sees key j; inputs: q, k, v and what the mask captures.
struct Pair {
  std::int64_t b, h, i, j, sq, sk;
  const std::vector<Array>& inputs;
  double table(int k, std::int64_t at) const {
    return inputs[3 + static_cast<std::size_t>(k)].data[static_cast<std::size_t>(at)];
  }
};

struct Mask {
  std::string name;
  std::function<T(const T& i, const T& j, const Tensors&)> keep;
  std::function<bool(const Pair&)> kept;
  // What interval analysis can see of it: each side is exact, or else only on the safe side.
  bool exact_visits = true, exact_full = true;
  std::function<std::vector<Array>(std::int64_t sq, std::int64_t sk)> captured = {};
  // Loop bounds and tests of affine forms do not look at the end of the keys: those past it count.
  bool past_the_end = true;
};
std::ostream& operator<<(std::ostream& out, const Mask& mask);
std::string mask_identifier(const testing::TestParamInfo<Mask>& info);

// Runs the mask over sizes and tiles, with every decision checked, and holds the counts of tiles against
// counting pairs.
void expect_tiles_of(const Mask& mask);

T head_axis(const Tensors& t);
T batch_axis(const T& x);

}  // namespace flashlight::kernel
