// SPDX-License-Identifier: Apache-2.0
// A pre-norm attention block as a whole: norm, projections, rotary embedding, causal attention of grouped
// heads, output projection and residual.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// x: [B, H, S, D]   cosine, sine: [S, D / 2]; feature d turns with feature d + D / 2
static Tensor rotate(const Tensor& x, const Tensor& cosine, const Tensor& sine) {
  auto [x1, x2] = x.chunk<2>(-1);
  return cat({x1 * cosine - x2 * sine, x2 * cosine + x1 * sine}, -1);
}

struct Weights {
  Tensor norm;        // [E]
  Tensor q, k, v, o;  // [E, H D], [E, Hkv D], [E, Hkv D], [H D, E]
};

// x: [B, S, E]   cosine, sine: [S, D / 2]   ->   [B, S, E]
FLASHLIGHT_FUSE Tensor transformer_block(const Tensor& x, const Weights& w, const Tensor& cosine,
                                         const Tensor& sine) {
  assume(x.dim() == 3 && w.norm.dim() == 1 && cosine.dim() == 2 && sine.dim() == 2);
  assume(w.q.dim() == 2 && w.k.dim() == 2 && w.v.dim() == 2 && w.o.dim() == 2);
  const int64_t depth = 2 * cosine.size(-1), length = x.size(1);
  Tensor normed = rms_norm(x, w.norm);
  auto heads = [&](const Tensor& weight) {
    return matmul(normed, weight).unflatten(-1, {-1, depth}).transpose(1, 2);
  };
  Tensor q = rotate(heads(w.q), cosine, sine), k = rotate(heads(w.k), cosine, sine), v = heads(w.v);
  const int64_t group = q.size(1) / k.size(1);
  Tensor keys = repeat_interleave(k, group, 1), values = repeat_interleave(v, group, 1);
  Tensor scores = matmul(q, keys.transpose(-2, -1)) / std::sqrt(double(depth));
  Tensor i = arange(length).unsqueeze(-1), j = arange(length);
  Tensor attention = softmax(where(j <= i, scores, -INFINITY), -1);
  return x + matmul(matmul(attention, values).transpose(1, 2).flatten(-2, -1), w.o);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.queries = 128, .depth = 32, .self_attention = true}, [](sample::Case& c) {
    const int64_t groups = 2, embedding = 96;
    Tensor x = c.randn({c.b(), c.sq(), embedding}), norm = 1 + 0.1 * c.randn({embedding});
    // Weights that keep the size of what goes through them.
    auto weight = [&](int64_t in, int64_t out) { return c.randn({in, out}) / std::sqrt(double(in)); };
    const int64_t key_heads = c.h() / groups;
    Tensor q = weight(embedding, c.h() * c.d()), k = weight(embedding, key_heads * c.d()),
           v = weight(embedding, key_heads * c.d()), o = weight(c.h() * c.d(), embedding);
    Tensor d = arange(c.d() / 2).to(kFloat64), position = arange(c.sq()).to(kFloat64).unsqueeze(-1);
    Tensor angle = position * exp(d * (-2 * std::log(1e4) / double(c.d())));
    Tensor cosine = cos(angle), sine = sin(angle);
    c.compare([&](const sample::Cast& cast) {
      return transformer_block(cast(x), {cast(norm), cast(q), cast(k), cast(v), cast(o)}, cast(cosine),
                               cast(sine));
    });
  });
}
