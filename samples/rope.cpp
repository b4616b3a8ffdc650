// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding inside the function: pairs of features turn by an angle that grows with position.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// x: [.., S, D]   cosine, sine: [S, D / 2]; feature d turns with feature d + D / 2, as in LLaMA
static Tensor rotate_halves(const Tensor& x, const Tensor& cosine, const Tensor& sine) {
  auto [x1, x2] = x.chunk<2>(-1);
  return cat({x1 * cosine - x2 * sine, x2 * cosine + x1 * sine}, -1);
}

// The same with neighbours turning together, as in GPT-J: features 2 d and 2 d + 1.
static Tensor rotate_pairs(const Tensor& x, const Tensor& cosine, const Tensor& sine) {
  Tensor pairs = x.unflatten(-1, {-1, 2});
  Tensor x1 = pairs.select(-1, 0), x2 = pairs.select(-1, 1);
  return stack({x1 * cosine - x2 * sine, x2 * cosine + x1 * sine}, -1).flatten(-2, -1);
}

static Tensor causal(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return matmul(softmax(where(j <= i, scores, -INFINITY), -1), v);
}

// q, k, v: [B, H, S, D]
FLASHLIGHT_FUSE Tensor rope_halves(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& cosine,
                                   const Tensor& sine) {
  return causal(rotate_halves(q, cosine, sine), rotate_halves(k, cosine, sine), v);
}
FLASHLIGHT_FUSE Tensor rope_pairs(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& cosine,
                                  const Tensor& sine) {
  return causal(rotate_pairs(q, cosine, sine), rotate_pairs(k, cosine, sine), v);
}

// The angles computed where they are needed, from the positions.
FLASHLIGHT_FUSE Tensor rope_computed(const Tensor& q, const Tensor& k, const Tensor& v, double base) {
  Tensor d = arange(q.size(-1) / 2), position = arange(q.size(-2)).unsqueeze(-1);
  Tensor angle = position * exp(d * (-2 * std::log(base) / double(q.size(-1))));
  Tensor cosine = cos(angle), sine = sin(angle);
  return causal(rotate_halves(q, cosine, sine), rotate_halves(k, cosine, sine), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.self_attention = true}, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    Tensor d = arange(c.d() / 2).to(kFloat64), position = arange(c.sq()).to(kFloat64).unsqueeze(-1);
    Tensor angle = position * exp(d * (-2 * std::log(1e4) / double(c.d())));
    Tensor cosine = cos(angle), sine = sin(angle);
    using sample::Cast;
    c.compare("halves", [&](const Cast& cast) {
      return rope_halves(cast(q), cast(k), cast(v), cast(cosine), cast(sine));
    });
    c.compare("pairs", [&](const Cast& cast) {
      return rope_pairs(cast(q), cast(k), cast(v), cast(cosine), cast(sine));
    });
    c.compare("angles computed",
              [&](const Cast& cast) { return rope_computed(cast(q), cast(k), cast(v), 1e4); });
  });
}
