// SPDX-License-Identifier: Apache-2.0
// A cache in pages: a table says which page of a common pool holds which keys of a sequence.
#include <flashlight/flashlight.h>

#include <algorithm>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]                       the newest Sq tokens
// k_pages, v_pages: [P, page, Hkv, D]
// table: [B, N]                          each sequence's pages in order
// length: [B]                            how many keys each sequence has
// -> [B, H, Sq, D]
//
// The kernel reads keys where they lie: it looks a page up for each of a tile's keys and gathers nothing into
// memory.
FLASHLIGHT_FUSE Tensor paged(const Tensor& q, const Tensor& k_pages, const Tensor& v_pages,
                             const Tensor& table, const Tensor& length) {
  assume(k_pages.dim() == 4 && v_pages.dim() == 4 && table.dim() == 2);
  int64_t group = q.size(1) / k_pages.size(2);
  Tensor keys = k_pages.index({table}).flatten(1, 2).transpose(1, 2).repeat_interleave(group, 1);
  Tensor values = v_pages.index({table}).flatten(1, 2).transpose(1, 2).repeat_interleave(group, 1);
  Tensor scores = matmul(q, keys.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(keys.size(-2));
  Tensor position = length.to(kInt64).view({-1, 1, 1, 1}) - q.size(-2) + i;
  return matmul(softmax(where(j <= position, scores, -INFINITY), -1), values);
}

// The same by positions: k_pages, v_pages: [P, Hkv, page, D].
FLASHLIGHT_FUSE Tensor paged_by_position(const Tensor& q, const Tensor& k_pages, const Tensor& v_pages,
                                         const Tensor& table, const Tensor& length) {
  assume(q.dim() == 4 && k_pages.dim() == 4 && v_pages.dim() == 4);
  int64_t group = q.size(1) / k_pages.size(1), page = k_pages.size(2), count = table.size(1) * page;
  Tensor b = arange(q.size(0)).view({-1, 1, 1}), h = floor_divide(arange(q.size(1)), group).view({1, -1, 1});
  Tensor j = arange(count);
  Tensor at = table.index({b, floor_divide(j, page)}), inside = j % page;                 // [B, 1, Sk], [Sk]
  Tensor keys = k_pages.index({at, h, inside}), values = v_pages.index({at, h, inside});  // [B, H, Sk, D]
  Tensor scores = matmul(q, keys.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  scores = where(j < length.to(kInt64).view({-1, 1, 1, 1}), scores, -INFINITY);
  return matmul(softmax(scores, -1), values);
}

int main(int argc, char** argv) {
  return sample::run(
      argc, argv, {.heads = 8, .key_heads = 2, .queries = 1, .keys = 500}, [](sample::Case& c) {
        Tensor q = c.queries();
        for (int64_t page : {16, 64}) {
          const int64_t count = (c.sk() + page - 1) / page, pool = c.b() * count + 3;
          Tensor k = c.randn({pool, page, c.hkv(), c.d()}), v = c.randn({pool, page, c.hkv(), c.dv()});
          // Pages are dealt to the sequences in turn, from the pool's end.
          Tensor table = pool - 1 - (arange(count) * c.b() + arange(c.b()).unsqueeze(-1));
          Tensor length = clamp(c.sk() - 130 * arange(c.b()), std::min(c.sq(), c.sk()), c.sk());
          c.compare(page == 16 ? "pages of 16" : "pages of 64", [&](const sample::Cast& cast) {
            return paged(cast(q), cast(k), cast(v), cast(table), cast(length));
          });
          c.compare(page == 16 ? "pages of 16, by position" : "pages of 64, by position",
                    [&](const sample::Cast& cast) {
                      return paged_by_position(cast(q), cast(k.transpose(1, 2).contiguous()),
                                               cast(v.transpose(1, 2).contiguous()), cast(table),
                                               cast(length));
                    });
        }
      });
}
