// SPDX-License-Identifier: Apache-2.0
// An attention problem with random contents, and its solution in float64: what the hand-written kernels are
// held against.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "flash_attention.h"
#include "flashlight/device/numeric.h"

namespace flashlight::test {

struct AttentionSize {
  int heads, q_rows, k_rows, d;

  std::string name() const {
    return "H" + std::to_string(heads) + "Q" + std::to_string(q_rows) + "K" + std::to_string(k_rows) + "D" +
           std::to_string(d);
  }
};

inline std::vector<device::bfloat16> random_values(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<device::bfloat16> values(count);
  for (device::bfloat16& v : values) v = device::from_float<device::bfloat16>(normal(generator));
  return values;
}

class AttentionCase {
 public:
  explicit AttentionCase(const AttentionSize& s)
      : size(s),
        q(random_values(static_cast<std::size_t>(s.heads * s.q_rows * s.d), 1)),
        k(random_values(static_cast<std::size_t>(s.heads * s.k_rows * s.d), 2)),
        v(random_values(static_cast<std::size_t>(s.heads * s.k_rows * s.d), 3)),
        out(q.size(), device::bfloat16{0x7fc0}),
        lse(static_cast<std::size_t>(s.heads * s.q_rows), NAN) {}

  AttentionProblem problem() {
    return {q.data(),   k.data(),    v.data(),    out.data(), lse.data(),
            size.heads, size.q_rows, size.k_rows, scale()};
  }
  float scale() const { return 1 / std::sqrt(static_cast<float>(size.d)); }

  void expect_close() const {
    double worst = 0, worst_lse = 0;
    // A NaN is as far away as can be.
    const auto difference = [](double a, double b) {
      return std::isnan(b) ? static_cast<double>(INFINITY) : std::fabs(a - b);
    };
    std::vector<double> row;
    for (int head = 0; head < size.heads; ++head) {
      for (int i = 0; i < size.q_rows; ++i) {
        const double l = reference_row(head, i, row);
        const std::size_t r = static_cast<std::size_t>(head * size.q_rows + i);
        worst_lse = std::max(worst_lse, difference(l, lse[r]));
        for (int c = 0; c < size.d; ++c)
          worst = std::max(worst, difference(row[c], device::to_float(out[r * size.d + c])));
      }
    }
    EXPECT_LT(worst, 0.02);      // of values up to 4: bfloat16's half ulp, and P rounded to bfloat16
    EXPECT_LT(worst_lse, 2e-5);  // float32 all the way
  }

  const AttentionSize size;
  std::vector<device::bfloat16> q, k, v, out;
  std::vector<float> lse;

 private:
  // The row's softmax in float64; returns its logsumexp.
  double reference_row(int head, int i, std::vector<double>& row) const {
    const auto at = [&](const std::vector<device::bfloat16>& x, int rows, int r, int c) {
      return static_cast<double>(
          device::to_float(x[static_cast<std::size_t>((head * rows + r) * size.d + c)]));
    };
    const int last = std::min(i + 1, size.k_rows);
    std::vector<double> s(static_cast<std::size_t>(last));
    double largest = -INFINITY, sum = 0;
    for (int j = 0; j < last; ++j) {
      for (int c = 0; c < size.d; ++c) s[j] += at(q, size.q_rows, i, c) * at(k, size.k_rows, j, c);
      s[j] *= scale();
      largest = std::max(largest, s[j]);
    }
    row.assign(static_cast<std::size_t>(size.d), 0);
    for (int j = 0; j < last; ++j) {
      const double p = std::exp(s[j] - largest);
      sum += p;
      for (int c = 0; c < size.d; ++c) row[c] += p * at(v, size.k_rows, j, c);
    }
    for (double& x : row) x /= sum;
    return largest + std::log(sum);
  }
};

}  // namespace flashlight::test
