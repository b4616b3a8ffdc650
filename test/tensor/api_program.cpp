// SPDX-License-Identifier: Apache-2.0
// Programs as people write them. Compiled and run as a test, and parsed once more in the translator's light
// form.
#include <flashlight/flashlight.h>

#include <array>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "api_program.h"

using namespace flashlight;

// q: [B, H, Sq, D]   k, v: [B, H, Sk, D]
FLASHLIGHT_FUSE Tensor causal_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  scores = where(j <= i, scores, -INFINITY);
  return matmul(softmax(scores, -1), v);
}

FLASHLIGHT_FUSE Tensor causal_flex(Tensor q, Tensor k, Tensor v) {
  return flex_attention(
      q, k, v, [](auto s, auto, auto, auto, auto) { return s; },
      [](auto, auto, auto i, auto j) { return j <= i; }, {.scale = 1 / std::sqrt(q.size(-1))});
}

Tensor causal_sdpa(Tensor q, Tensor k, Tensor v) {
  return scaled_dot_product_attention(q, k, v, {.is_causal = true});
}

// The rotary embedding, half split.
Tensor rotate(const Tensor& x, const Tensor& angle) {
  auto [a, b] = x.chunk<2>(-1);
  return cat({a * cos(angle) - b * sin(angle), a * sin(angle) + b * cos(angle)}, -1);
}

template <bool kSigned>
Tensor relative_bias(const Tensor& table, const Tensor& h, const Tensor& i, const Tensor& j,
                     std::int64_t reach) {
  Tensor distance = j - i;
  if constexpr (!kSigned) distance = distance.abs();
  return table.index({h, distance.clamp(-reach, reach) + reach});
}

struct Options {
  std::optional<Tensor> mask;
  Optional<Tensor> bias;
  double softcap = 0;
  std::array<Tensor, 2> segments;
};

std::pair<Tensor, Tensor> with_options(Tensor q, Tensor k, std::optional<Tensor> scale,
                                       const Options& options) {
  Tensor s = einsum("bhid,bhjd->bhij", {q, k});
  if (scale) s *= *scale;
  if (options.softcap > 0) s = options.softcap * tanh(s / options.softcap);
  if (options.bias) s = s + *options.bias;
  if (options.mask) s = s.masked_fill(~*options.mask, -1e10);
  for (const Tensor& segment : options.segments) s += segment.sum();
  return {s.softmax(-1), s.logsumexp(-1)};
}

// Conversions between the API's containers and those of std.
std::string containers(const Tensor& x) {
  const std::vector<std::int64_t> list = x.sizes(), direct(x.sizes());
  const std::array<std::int64_t, 2> fixed = x.sizes();
  const std::span<const std::int64_t> span = list;
  const std::vector<int> ints = {2, 6};
  Tensor sum = zeros(list) + zeros(direct) + zeros(fixed) + zeros(span) + zeros(ints) + zeros({list[0], 6});
  const std::vector<Tensor> parts = x.chunk(3, -1);
  const std::array<Tensor, 2> pair = {x, x};
  sum = sum + cat(parts, 1) + stack(pair).sum(0) + stack(x.split<2>(3, 1)).view({2, 6});
  Optional<Tensor> none = std::nullopt, some = std::optional<Tensor>(x);
  const std::optional<Tensor> back = some, nothing = none;
  Optional<double> number = 1, from_float = 2.5f, empty = std::optional<double>();
  some = {};
  none = x;
  const std::string equation = "ij->ji";
  sum = einsum(equation, {sum}) + linear(*back, eye(6), nothing).mT();
  std::string text =
      std::to_string(sum.sizes().size()) + std::to_string(*number) + std::to_string(from_float.value());
  text += empty.has_value() || some || nothing ? "set" : "empty";
  return text + std::to_string(none->size(1)) + std::to_string(sum.numel() == x.numel());
}

Tensor with_bias(const Tensor& x) {
  const Tensor table = arange(14.0).view({2, 7});
  const Tensor h = arange(2).unsqueeze(-1).unsqueeze(-1), i = arange(4).unsqueeze(-1), j = arange(5);
  const auto options = Options{.mask = std::nullopt,
                               .bias = relative_bias<true>(table, h, i, j, 3),
                               .softcap = 3,
                               .segments = {zeros(1), zeros(1)}};
  const auto [first, second] = x.chunk<2>(1);
  auto [p, lse] = with_options(x, x.narrow(2, 0, 1).expand({1, 2, 5, 8}), tensor(0.5), options);
  return where(p > 0.1f, p, 0) + (lse.unsqueeze(-1) % 2 >= 1u) * 0.0 + (first - second).sum() * 0;
}
