// SPDX-License-Identifier: Apache-2.0
// A hand-written causal attention kernel: what it is given, and its launcher.
#pragma once

namespace flashlight::test {

// Attention over bfloat16 q, out [heads][q_rows][D] and k, v [heads][k_rows][D], contiguous; logsumexp float
// [heads][q_rows]. Query i sees keys j <= i. Addresses are of the device that flash_attention.cu was compiled
// for.
struct AttentionProblem {
  const void *q, *k, *v;
  void* out;
  float* logsumexp;
  int heads, q_rows, k_rows;
  float scale;
};

// Tile shapes the kernel is instantiated for, M = 128 query rows on four warps.
enum class AttentionTile { kN64D64, kN128D64, kN64D128 };

// Returns 0 or the launch's error code.
int flash_attention(AttentionTile tile, const AttentionProblem& problem, void* stream);

}  // namespace flashlight::test
