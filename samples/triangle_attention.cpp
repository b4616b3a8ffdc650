// SPDX-License-Identifier: Apache-2.0
// AlphaFold's triangle attention: edges of a graph attend to the edges that share a node with them.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q, k, v, gate: [B, N, N, H, D], by edge (start, end)   bias: [B, H, N, N]   ->   [B, N, N, H, D]
// Edge (i, j) attends to the edges (i, k) that start where it does; the edge (j, k) between their ends
// biases.
FLASHLIGHT_FUSE Tensor triangle_starting(const Tensor& q, const Tensor& k, const Tensor& v,
                                         const Tensor& bias, const Tensor& gate) {
  Tensor scores = einsum("bijhd,bikhd->bihjk", {q, k}) / std::sqrt(double(q.size(-1)));
  Tensor weights = softmax(scores + bias.unsqueeze(-4), -1);
  return sigmoid(gate) * einsum("bihjk,bikhd->bijhd", {weights, v});
}

// Edge (i, j) attends to the edges (k, j) that end where it does: along the second axis of [B, N, N, H, D].
FLASHLIGHT_FUSE Tensor triangle_ending(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias,
                                       const Tensor& gate) {
  Tensor scores = einsum("bijhd,bkjhd->bjhik", {q, k}) / std::sqrt(double(q.size(-1)));
  Tensor weights = softmax(scores + bias.unsqueeze(-4), -1);
  return sigmoid(gate) * einsum("bjhik,bkjhd->bijhd", {weights, v});
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.batch = 1, .heads = 2, .queries = 40, .depth = 32, .self_attention = true},
                     [](sample::Case& c) {
                       const int64_t n = c.sq() % 61 + 1;  // n * n edges: keep the eager run short
                       Tensor q = c.randn({c.b(), n, n, c.h(), c.d()}),
                              k = c.randn({c.b(), n, n, c.h(), c.d()}),
                              v = c.randn({c.b(), n, n, c.h(), c.d()}),
                              gate = c.randn({c.b(), n, n, c.h(), c.d()});
                       Tensor bias = c.randn({c.b(), c.h(), n, n});
                       c.compare("starting node", [&](const sample::Cast& cast) {
                         return triangle_starting(cast(q), cast(k), cast(v), cast(bias), cast(gate));
                       });
                       c.compare("ending node", [&](const sample::Cast& cast) {
                         return triangle_ending(cast(q), cast(k), cast(v), cast(bias), cast(gate));
                       });
                     });
}
