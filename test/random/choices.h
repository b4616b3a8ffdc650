// SPDX-License-Identifier: Apache-2.0
// What a seed chooses.
#pragma once
#include <cstdint>
#include <random>

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

}  // namespace flashlight::kernel
