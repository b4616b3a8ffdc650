// SPDX-License-Identifier: Apache-2.0
// The hand-written attention kernel on the emulated device, against a float64 loop.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <random>
#include <vector>

#include "flash_attention.h"
#include "flashlight/device/numeric.h"
#include "flashlight/emulator/emulator.h"

namespace {

using flashlight::device::bfloat16;
using flashlight::device::from_float;
using flashlight::device::to_float;
using namespace flashlight::test;
namespace emulator = flashlight::emulator;

struct Case {
  AttentionTile tile;
  int heads, q_rows, k_rows, d;
};

std::vector<bfloat16> random_values(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<bfloat16> values(count);
  for (bfloat16& v : values) v = from_float<bfloat16>(normal(generator));
  return values;
}

struct Attention {
  explicit Attention(const Case& c)
      : shape(c),
        q(random_values(static_cast<std::size_t>(c.heads * c.q_rows * c.d), 1)),
        k(random_values(static_cast<std::size_t>(c.heads * c.k_rows * c.d), 2)),
        v(random_values(static_cast<std::size_t>(c.heads * c.k_rows * c.d), 3)),
        out(q.size()),
        lse(static_cast<std::size_t>(c.heads * c.q_rows)) {}

  int run() {
    return flash_attention(shape.tile,
                           {q.data(), k.data(), v.data(), out.data(), lse.data(), shape.heads, shape.q_rows,
                            shape.k_rows, scale()},
                           nullptr);
  }
  float scale() const { return 1 / std::sqrt(static_cast<float>(shape.d)); }

  // The row's softmax in float64; returns its logsumexp.
  double reference_row(int head, int i, std::vector<double>& row) const {
    const auto at = [&](const std::vector<bfloat16>& x, int rows, int r, int c) {
      return static_cast<double>(to_float(x[static_cast<std::size_t>((head * rows + r) * shape.d + c)]));
    };
    const int last = std::min(i + 1, shape.k_rows);
    std::vector<double> s(static_cast<std::size_t>(last));
    double largest = -INFINITY, sum = 0;
    for (int j = 0; j < last; ++j) {
      for (int c = 0; c < shape.d; ++c) s[j] += at(q, shape.q_rows, i, c) * at(k, shape.k_rows, j, c);
      s[j] *= scale();
      largest = std::max(largest, s[j]);
    }
    row.assign(static_cast<std::size_t>(shape.d), 0);
    for (int j = 0; j < last; ++j) {
      const double p = std::exp(s[j] - largest);
      sum += p;
      for (int c = 0; c < shape.d; ++c) row[c] += p * at(v, shape.k_rows, j, c);
    }
    for (double& x : row) x /= sum;
    return largest + std::log(sum);
  }

  void expect_close() const {
    double worst = 0, worst_lse = 0;
    std::vector<double> row;
    for (int head = 0; head < shape.heads; ++head) {
      for (int i = 0; i < shape.q_rows; ++i) {
        const double l = reference_row(head, i, row);
        const std::size_t r = static_cast<std::size_t>(head * shape.q_rows + i);
        worst_lse = std::max(worst_lse, std::fabs(l - lse[r]));
        for (int c = 0; c < shape.d; ++c)
          worst = std::max(worst, std::fabs(row[c] - to_float(out[r * shape.d + c])));
      }
    }
    EXPECT_LT(worst, 0.02);      // of values up to 4: bfloat16's half ulp, and P rounded to bfloat16
    EXPECT_LT(worst_lse, 2e-5);  // float32 all the way
  }

  Case shape;
  std::vector<bfloat16> q, k, v, out;
  std::vector<float> lse;
};

class AttentionTest : public testing::TestWithParam<Case> {};

TEST_P(AttentionTest, MatchesFloat64) {
  Attention attention(GetParam());
  ASSERT_EQ(attention.run(), 0) << emulator::last_error_text();
  attention.expect_close();
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionTest,
                         testing::Values(Case{AttentionTile::kN64D64, 2, 256, 256, 64},
                                         Case{AttentionTile::kN64D64, 1, 1, 1, 64},
                                         Case{AttentionTile::kN64D64, 3, 129, 63, 64},
                                         Case{AttentionTile::kN128D64, 2, 200, 200, 64},
                                         Case{AttentionTile::kN64D128, 2, 131, 131, 128}),
                         [](const auto& info) {
                           const Case& c = info.param;
                           return "H" + std::to_string(c.heads) + "Q" + std::to_string(c.q_rows) + "K" +
                                  std::to_string(c.k_rows) + "D" + std::to_string(c.d) + "T" +
                                  std::to_string(static_cast<int>(c.tile));
                         });

TEST(Attention, VisitsOnlyTilesBelowTheDiagonal) {
  Attention attention({AttentionTile::kN64D64, 2, 256, 256, 64});
  emulator::reset_counters();
  ASSERT_EQ(attention.run(), 0) << emulator::last_error_text();
  EXPECT_EQ(emulator::counter("tile visited"), 2 * (2 + 4));
  EXPECT_EQ(emulator::counter("tile masked"), 2 * (2 + 2));
}

TEST(Attention, SameBitsForEverySeed) {
  const emulator::Options before = emulator::options();
  std::vector<bfloat16> first;
  for (std::uint64_t seed : {1, 2, 3, 4, 5}) {
    emulator::set_options({seed, emulator::Checks::kFull, 64});
    Attention attention({AttentionTile::kN64D64, 1, 140, 140, 64});
    ASSERT_EQ(attention.run(), 0) << emulator::last_error_text();
    if (first.empty()) first = attention.out;
    for (std::size_t i = 0; i < first.size(); ++i)
      ASSERT_EQ(first[i].bits, attention.out[i].bits) << "seed " << seed;
  }
  emulator::set_options(before);
}

TEST(Attention, RunsInReasonableTime) {
  Attention attention({AttentionTile::kN64D64, 2, 256, 256, 64});
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(attention.run(), 0);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  RecordProperty("seconds", std::to_string(elapsed.count()));
  EXPECT_LT(elapsed.count(),
            5.0);  // 0.1 s optimised on one core; the bound is for sanitizers and busy machines
}

}  // namespace
