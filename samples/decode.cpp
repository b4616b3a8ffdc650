// SPDX-License-Identifier: Apache-2.0
// Decoding: a few new queries of each sequence against a long cache. Sequences differ in length, and query
// heads share the heads of the cache.
#include <flashlight/flashlight.h>

#include <algorithm>
#include <utility>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]       the newest Sq tokens
// k, v: [B, Hkv, C, D]   caches with room for C
// length: [B]            how many of them are taken, the newest ones included
// -> [B, H, Sq, D]
//
// So few rows would leave most of the device idle: the kernel gives the heads that share keys and their
// queries to one tile, which reads keys once for all of them, and splits the keys over CTAs whose states a
// second kernel combines.
FLASHLIGHT_FUSE Tensor decode(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& length) {
  int64_t group = q.size(1) / k.size(1);
  Tensor keys = k.repeat_interleave(group, 1), values = v.repeat_interleave(group, 1);
  Tensor scores = matmul(q, keys.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  Tensor position = length.to(kInt64).view({-1, 1, 1, 1}) - q.size(-2) + i;  // [B, 1, Sq, 1]
  scores = where(j <= position, scores, -INFINITY);
  return matmul(softmax(scores, -1), values);
}

// With the logarithm of the softmax's sum, as one needs it to join this with attention to other keys.
FLASHLIGHT_FUSE std::pair<Tensor, Tensor> decode_with_logsumexp(const Tensor& q, const Tensor& k,
                                                                const Tensor& v, const Tensor& length) {
  int64_t group = q.size(1) / k.size(1);
  Tensor keys = k.repeat_interleave(group, 1), values = v.repeat_interleave(group, 1);
  Tensor scores = matmul(q, keys.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  scores = where(arange(k.size(-2)) < length.to(kInt64).view({-1, 1, 1, 1}), scores, -INFINITY);
  Tensor norm = logsumexp(scores, -1, true);
  return {matmul(exp(scores - norm), values), norm.squeeze(-1)};
}

int main(int argc, char** argv) {
  return sample::run(
      argc, argv, {.heads = 8, .key_heads = 2, .queries = 2, .keys = 1000}, [](sample::Case& c) {
        Tensor q = c.queries(), k = c.keys(), v = c.values();
        // Each batch element's sequence is a third shorter than the one before.
        Tensor length =
            clamp((c.sk() * pow(2.0 / 3, arange(c.b()))).to(kInt64), std::min(c.sq(), c.sk()), c.sk());
        c.compare("decode",
                  [&](const sample::Cast& cast) { return decode(cast(q), cast(k), cast(v), cast(length)); });
        c.compare("with logsumexp", [&](const sample::Cast& cast) {
          return decode_with_logsumexp(cast(q), cast(k), cast(v), cast(length));
        });
      });
}
