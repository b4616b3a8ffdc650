// SPDX-License-Identifier: Apache-2.0
// Flamingo's cross attention: text that follows an image sees that image's features, up to the next image.
#include <flashlight/flashlight.h>

#include "sample.h"
using namespace flashlight;

// q: [B, H, Sq, D], text   k, v: [B, H, Sk, D], features of all images
// image: [Sk], the image a feature is of   start, end: [images], the text from start to before end sees the
// image
FLASHLIGHT_FUSE Tensor flamingo(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& image,
                                const Tensor& start, const Tensor& end) {
  auto sees = [&](const Tensor&, const Tensor&, const Tensor& i, const Tensor& j) {
    Tensor of = image.index({j});
    return (start.index({of}) <= i) & (i < end.index({of}));
  };
  auto unchanged = [](const Tensor& score, auto&&...) { return score; };
  return flex_attention(q, k, v, unchanged, sees);
}

int main(int argc, char** argv) {
  return sample::run(argc, argv, [](sample::Case& c) {
    Tensor q = c.queries(), k = c.keys(), v = c.values();
    const int64_t features = 50, count = (c.sk() + features - 1) / features;
    Tensor image = floor_divide(arange(c.sk()), features);
    Tensor start = floor_divide(arange(count) * c.sq(), count);  // the first text sees the first image
    Tensor end = floor_divide((arange(count) + 1) * c.sq(), count);
    c.compare([&](const sample::Cast& cast) {
      return flamingo(cast(q), cast(k), cast(v), cast(image), cast(start), cast(end));
    });
  });
}
