// SPDX-License-Identifier: Apache-2.0
// A cache and what is new, in two tensors: the sequences' pasts differ in length, and nothing is appended to
// them.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, S, D]
// past_k, past_v: [B, Hkv, C, D]
// k, v: [B, Hkv, S, D]   of the S new tokens
// length: [B]            how much of the past there is
// -> [B, H, S, D]
//
// The kernel sweeps the cache, as far as it is taken, and then the new keys; the concatenation is never made.
FLASHLIGHT_FUSE Tensor append(const Tensor& q, const Tensor& past_k, const Tensor& past_v, const Tensor& k,
                              const Tensor& v, const Tensor& length) {
  assume(past_k.dim() == 4 && past_v.dim() == 4);
  int64_t group = q.size(1) / k.size(1), past = past_k.size(-2);
  Tensor keys = cat({past_k, k}, -2).repeat_interleave(group, 1);
  Tensor values = cat({past_v, v}, -2).repeat_interleave(group, 1);
  Tensor scores = matmul(q, keys.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(keys.size(-2));
  Tensor seen = (j < length.to(kInt64).view({-1, 1, 1, 1})) | ((j >= past) & (j - past <= i));
  return matmul(softmax(where(seen, scores, -INFINITY), -1), values);
}

int main(int argc, char** argv) {
  return sample::run(
      argc, argv, {.heads = 8, .key_heads = 2, .queries = 3, .keys = 600}, [](sample::Case& c) {
        Tensor q = c.queries(), past_k = c.keys(), past_v = c.values();
        Tensor k = c.randn({c.b(), c.hkv(), c.sq(), c.d()}), v = c.randn({c.b(), c.hkv(), c.sq(), c.dv()});
        Tensor length = clamp(c.sk() - 150 * arange(c.b()), 0, c.sk());
        c.compare([&](const sample::Cast& cast) {
          return append(cast(q), cast(past_k), cast(past_v), cast(k), cast(v), cast(length));
        });
      });
}
