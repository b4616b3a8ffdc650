// SPDX-License-Identifier: Apache-2.0
// Sequences of different lengths one after the other, without padding: tables say where each one begins.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [Tq, H, D]                    the tokens of all sequences
// k, v: [Tk, Hkv, D]               likewise
// q_offsets, k_offsets: [N + 1]    where each sequence begins, and where the last one ends
// sequence: [Tq]                   which one a query belongs to
// -> [Tq, H, D]
//
// A query sees the keys of its sequence, the last query all of them. No tile of keys is visited but those of
// the sequences that a tile of queries has.
FLASHLIGHT_FUSE Tensor packed(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& q_offsets,
                              const Tensor& k_offsets, const Tensor& sequence) {
  int64_t group = q.size(1) / k.size(1);
  Tensor keys = k.repeat_interleave(group, 1), values = v.repeat_interleave(group, 1);
  Tensor scores = einsum("ihd,jhd->hij", {q, keys}) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(0)), j = arange(k.size(0));
  Tensor begin = k_offsets.index({sequence}), end = k_offsets.index({sequence + 1});  // [Tq]
  Tensor last = end - q_offsets.index({sequence + 1}) + i;  // the key at the query's own place
  Tensor seen = (j >= begin.unsqueeze(-1)) & (j <= last.unsqueeze(-1));
  return einsum("hij,jhd->ihd", {softmax(where(seen, scores, -INFINITY), -1), values});
}

int main(int argc, char** argv) {
  return sample::run(
      argc, argv, {.heads = 4, .key_heads = 2, .queries = 150, .keys = 400}, [](sample::Case& c) {
        Tensor q = c.randn({c.sq(), c.h(), c.d()}), k = c.randn({c.sk(), c.hkv(), c.d()}),
               v = c.randn({c.sk(), c.hkv(), c.dv()});
        // Sequence n has a share of n + 1 of the tokens.
        const int64_t count = 4, shares = count * (count + 1) / 2;
        Tensor n = arange(count + 1), share = floor_divide(n * (n + 1), 2);
        Tensor q_offsets = floor_divide(share * c.sq(), shares),
               k_offsets = floor_divide(share * c.sk(), shares);
        Tensor sequence = (q_offsets.slice(0, 1, count) <= arange(c.sq()).unsqueeze(-1)).to(kInt64).sum(-1);
        c.compare([&](const sample::Cast& cast) {
          return packed(cast(q), cast(k), cast(v), cast(q_offsets), cast(k_offsets), cast(sequence));
        });
      });
}
