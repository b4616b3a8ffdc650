// SPDX-License-Identifier: Apache-2.0
// AlphaFold's row attention with pair bias as a whole module: norms, projections, the bias from the pair
// tensor, the gate and the output projection.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

struct Norm {
  Tensor scale, offset;  // [C]
};
struct Projections {
  Tensor q, k, v, gate;   // [C, H D]
  Tensor gate_offset;     // [H D]
  Tensor bias;            // [P, H]
  Tensor result, offset;  // [H D, C], [C]
};

// msa: [B, N, S, C]   pair: [B, S, S, P]   mask: [B, N, S], 0 where there is no residue   ->   [B, N, S, C]
FLASHLIGHT_FUSE Tensor row_attention(const Tensor& msa, const Tensor& pair, const Tensor& mask,
                                     const Norm& msa_norm, const Norm& pair_norm, const Projections& w) {
  const int64_t heads = w.bias.size(-1);
  Tensor x = layer_norm(msa, msa_norm.scale, msa_norm.offset);
  auto split = [&](const Tensor& weight) {
    return matmul(x, weight).unflatten(-1, {heads, -1}).transpose(-2, -3);
  };
  Tensor q = split(w.q), k = split(w.k), v = split(w.v);
  Tensor bias =
      matmul(layer_norm(pair, pair_norm.scale, pair_norm.offset), w.bias).permute({0, 3, 1, 2}).unsqueeze(1);
  Tensor mask_bias = 1e9 * (mask - 1).unsqueeze(-2).unsqueeze(-2);
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1))) + mask_bias + bias;
  Tensor attended = matmul(softmax(scores, -1), v).transpose(-2, -3).flatten(-2, -1);
  Tensor gate = sigmoid(matmul(x, w.gate) + w.gate_offset);
  return matmul(gate * attended, w.result) + w.offset;
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.queries = 64, .depth = 16, .self_attention = true}, [](sample::Case& c) {
    const int64_t rows = 3, channels = 48, pair_channels = 24, width = c.h() * c.d();
    Tensor msa = c.randn({c.b(), rows, c.sq(), channels}),
           pair = c.randn({c.b(), c.sq(), c.sq(), pair_channels});
    Tensor mask = where(c.randn({c.b(), rows, c.sq()}) > -1.5, ones({1}, kFloat64), 0.0);
    auto norm = [&](int64_t n) { return Norm{1 + 0.1 * c.randn({n}), 0.1 * c.randn({n})}; };
    auto weight = [&](int64_t in, int64_t out) { return c.randn({in, out}) / std::sqrt(double(in)); };
    Norm msa_norm = norm(channels), pair_norm = norm(pair_channels);
    Projections w{weight(channels, width), weight(channels, width),  weight(channels, width),
                  weight(channels, width), c.randn({width}),         weight(pair_channels, c.h()),
                  weight(width, channels), 0.1 * c.randn({channels})};
    c.compare([&](const sample::Cast& cast) {
      return row_attention(cast(msa), cast(pair), cast(mask), {cast(msa_norm.scale), cast(msa_norm.offset)},
                           {cast(pair_norm.scale), cast(pair_norm.offset)},
                           {cast(w.q), cast(w.k), cast(w.v), cast(w.gate), cast(w.gate_offset), cast(w.bias),
                            cast(w.result), cast(w.offset)});
    });
  });
}
