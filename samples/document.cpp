// SPDX-License-Identifier: Apache-2.0
// Several documents packed into one sequence: a token sees its own document only.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q, k, v: [B, H, S, D]   document: [B, S], the number of each token's document
// `same` would be S x S numbers a batch element; the kernel compares two ids where it needs the answer.
FLASHLIGHT_FUSE Tensor document_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                          const Tensor& document) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor same = document.unsqueeze(-1) == document.unsqueeze(-2);  // [B, S, S]
  scores = where(same.unsqueeze(1), scores, -INFINITY);
  return matmul(softmax(scores, -1), v);
}

// The same, causal on the position inside the document. offsets: [B, N], where each document begins.
FLASHLIGHT_FUSE Tensor document_causal(const Tensor& q, const Tensor& k, const Tensor& v,
                                       const Tensor& document, const Tensor& offsets) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor same = document.unsqueeze(-1) == document.unsqueeze(-2);
  Tensor b = arange(document.size(0)).unsqueeze(-1);
  Tensor position = arange(document.size(1)) - offsets.index({b, document});  // [B, S]
  Tensor before = position.unsqueeze(-2) <= position.unsqueeze(-1);
  scores = where((same & before).unsqueeze(1), scores, -INFINITY);
  return matmul(softmax(scores, -1), v);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, {.self_attention = true}, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    // Documents of `length` tokens; those of batch element b begin 7 b tokens earlier: batches differ.
    const int64_t length = 60, count = c.sq() / length + 7 * c.b() / length + 2;
    Tensor shift = 7 * arange(c.b()).unsqueeze(-1);
    Tensor document = floor_divide(arange(c.sq()) + shift, length);
    Tensor offsets = arange(count) * length - shift;
    c.compare("document", [&](const sample::Cast& cast) {
      return document_attention(cast(q), cast(k), cast(v), cast(document));
    });
    c.compare("document, causal", [&](const sample::Cast& cast) {
      return document_causal(cast(q), cast(k), cast(v), cast(document), cast(offsets));
    });
  });
}
