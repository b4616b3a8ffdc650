// SPDX-License-Identifier: Apache-2.0
// A sequence in blocks of 16: attention within each, and to the block before as well.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

constexpr std::int64_t kBlock = 16;

// [B, H, S, D] as [B, H, S / 16, 16, D]
static Tensor blocks_of(const Tensor& x) {
  assume(x.dim() == 4);
  return x.unflatten(2, {-1, kBlock});
}

// The block before each; nothing before the first.
static Tensor before(const Tensor& x) {
  Tensor nothing = zeros_like(x.slice(2, 0, 1));
  return cat({nothing, x.slice(2, 0, x.size(2) - 1)}, 2);
}

static Tensor scores_of(const Tensor& q, const Tensor& k) {
  return matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
}

// q, k, v: [B, H, S, D], S a multiple of 16
FLASHLIGHT_FUSE Tensor block_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = scores_of(blocks_of(q), blocks_of(k));
  return matmul(softmax(scores, -1), blocks_of(v)).flatten(2, 3);
}

FLASHLIGHT_FUSE Tensor sliding_blocks(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor keys = blocks_of(k), values = blocks_of(v);
  keys = cat({before(keys), keys}, 3);
  values = cat({before(values), values}, 3);
  Tensor scores = scores_of(blocks_of(q), keys);
  Tensor block = arange(scores.size(2)).view({-1, 1, 1}), j = arange(scores.size(-1));
  scores = scores.masked_fill((block == 0) & (j < kBlock), -INFINITY);
  return matmul(softmax(scores, -1), values).flatten(2, 3);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, sample::Shape{.self_attention = true}, [](sample::Case& c) {
    // Sizes that are no multiples of a block grow to one.
    const std::int64_t s = (c.sq() + kBlock - 1) / kBlock * kBlock;
    Tensor q = c.randn({c.b(), c.h(), s, c.d()}), k = c.randn({c.b(), c.h(), s, c.d()});
    Tensor v = c.randn({c.b(), c.h(), s, c.dv()});
    using sample::Cast;
    c.compare("blocks", [&](const Cast& cast) { return block_attention(cast(q), cast(k), cast(v)); });
    c.compare("blocks and those before",
              [&](const Cast& cast) { return sliding_blocks(cast(q), cast(k), cast(v)); });
  });
}
