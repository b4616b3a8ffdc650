// SPDX-License-Identifier: Apache-2.0
// Random attention programs: what a seed chooses, and what the choices reach.
#pragma once
#include "attention_spelling.h"

namespace flashlight::kernel {

// The same choices on every platform and in every reading: no two of them in one expression, whose order is
// open. From `limit` choices on, the plainest one is taken: a smaller limit makes a smaller program of the
// same beginning.
class Choices {
 public:
  explicit Choices(std::uint64_t seed, int limit = 1'000'000)
      : engine_(seed * 2654435761u + 1), limit_(limit) {}
  // The last of n ways is the plainest.
  int below(int n) {
    const int chosen = static_cast<int>(engine_() % static_cast<std::uint64_t>(n));
    return ++made_ > limit_ ? n - 1 : chosen;
  }
  bool one_in(int n) { return below(n) == 0; }
  double real() {
    const double magnitude = (below(20) + 1) * 0.1;
    return one_in(2) ? -magnitude : magnitude;
  }
  int made() const { return made_; }

 private:
  std::mt19937_64 engine_;
  int limit_, made_ = 0;
};

// How often each law, op and reduction was part of a program.
using Reach = std::map<std::string, std::int64_t>;

// Parameters: q, k, v, further q and k, then biases [h, sq, sk], [sk], [sq], a gate like the result, key
// lengths [b], sinks [h, 2], a bias [sq] that is -inf for some rows.
inline constexpr int kRandomParams = 12;

// Scores reach 1e4 in one program of eight: there, comparisons allow for what the evaluator itself loses.
bool has_large_scores(std::uint64_t seed);
Inputs random_inputs(const Sizes&, std::uint64_t seed);
graph::Tensors random_results(const graph::Tensors& parameters, std::uint64_t seed, int limit, Reach& reach);

}  // namespace flashlight::kernel
