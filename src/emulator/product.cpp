// SPDX-License-Identifier: Apache-2.0
// The arithmetic of warp products.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "flashlight/emulator/context.h"

namespace flashlight::emulator {

namespace {

// Round to nearest, ties away, to TF32's 10 bits of mantissa, as cvt.rna.tf32.f32.
float to_tf32(float x) {
  const std::uint32_t u = std::bit_cast<std::uint32_t>(x);
  if ((u & 0x7f800000u) == 0x7f800000u) return x;
  return std::bit_cast<float>((u + 0x1000u) & ~0x1fffu);
}

struct Split {
  std::vector<float> high, low;
};

Split split(const float* x, int count) {
  Split s{std::vector<float>(count), std::vector<float>(count)};
  for (int i = 0; i < count; ++i) {
    s.high[i] = to_tf32(x[i]);
    s.low[i] = std::isinf(x[i]) ? 0.0f : to_tf32(x[i] - s.high[i]);
  }
  return s;
}

}  // namespace

float* scratch(std::size_t floats) {
  static thread_local std::vector<float> memory;
  if (memory.size() < floats) memory.resize(floats);
  return memory.data();
}

void product(float* __restrict c, const float* __restrict a, const float* __restrict b, int m, int n, int k) {
  for (int i = 0; i < m; ++i) {
    float* __restrict const row = c + i * n;
    for (int x = 0; x < k; ++x) {
      const float left = a[i * k + x];
      const float* __restrict const right = b + x * n;
      for (int j = 0; j < n; ++j) row[j] += left * right[j];
    }
  }
}

// Steps of depth 8 are summed apart and then added, as the lane-level product does.
void product_tf32(float* c, const float* a, const float* b, int m, int n, int k) {
  constexpr int depth = 8;
  const Split left = split(a, m * k), right = split(b, k * n);
  std::vector<float> part(static_cast<std::size_t>(n));
  for (int i = 0; i < m; ++i) {
    for (int x = 0; x < k; x += depth) {
      std::fill(part.begin(), part.end(), 0.0f);
      const int at = i * k + x, steps = std::min(depth, k - x);
      product(part.data(), &left.low[at], &right.low[x * n], 1, n, steps);
      product(part.data(), &left.low[at], &right.high[x * n], 1, n, steps);
      product(part.data(), &left.high[at], &right.low[x * n], 1, n, steps);
      product(part.data(), &left.high[at], &right.high[x * n], 1, n, steps);
      for (int j = 0; j < n; ++j) c[i * n + j] += part[j];
    }
  }
}

}  // namespace flashlight::emulator
