// SPDX-License-Identifier: Apache-2.0
// Masks that fill with a large negative number instead of -inf, here such as float16 can hold.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]
// What is filled counts as a score: a row that sees nothing attends to all keys alike, here as in the eager
// program. Tiles that the mask fills are left out all the same; where that turns out to have been wrong for a
// row, its tile of rows is computed again, without leaving out any.
FLASHLIGHT_FUSE Tensor filled(const Tensor& q, const Tensor& k, const Tensor& v, int64_t before) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return matmul(softmax(scores.masked_fill(j > i + before, -1e4), -1), v);
}

// mask: [Sq, Sk], true where a query does not see a key
FLASHLIGHT_FUSE Tensor filled_by_tensor(const Tensor& q, const Tensor& k, const Tensor& v,
                                        const Tensor& mask) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  return matmul(softmax(masked_fill(scores, mask, -6e4), -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    c.compare("causal", [&](const sample::Cast& cast) { return filled(cast(q), cast(k), cast(v), 0); });
    c.compare("rows that see nothing",
              [&](const sample::Cast& cast) { return filled(cast(q), cast(k), cast(v), -40); });
    Tensor i = arange(c.sq()).unsqueeze(-1), j = arange(c.sk());
    Tensor mask = (j > i) & (j % 50 > 3);
    c.compare("by a tensor", [&](const sample::Cast& cast) {
      return filled_by_tensor(cast(q), cast(k), cast(v), cast(mask));
    });
  });
}
