// SPDX-License-Identifier: Apache-2.0
// Random tensors from a counter: element i of a seed depends on nothing else, so values are the same
// everywhere.
#include <flashlight/ops_create.h>

#include <cmath>
#include <numbers>

#include "tensor/strided.h"

namespace flashlight {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): the finaliser of a Weyl sequence.
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

std::uint64_t draw(std::uint64_t seed, std::uint64_t counter) {
  return mix(mix(seed + 0x9e3779b97f4a7c15u) + counter * 0x9e3779b97f4a7c15u);
}

double uniform(std::uint64_t bits) { return static_cast<double>(bits >> 40) * 0x1p-24; }

// Box and Muller's transform of two uniforms; rounded to float32, which hides last-bit differences between
// libms.
double normal(std::uint64_t bits) {
  const double u = (static_cast<double>(bits >> 32) + 0.5) * 0x1p-32;
  const double angle = 2 * std::numbers::pi * static_cast<double>(bits & 0xffffffffu) * 0x1p-32;
  return static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(angle));
}

template <class T, class F>
Tensor drawn(const Sizes& sizes, std::uint64_t seed, DType dtype, F&& value_of) {
  const Tensor target = detail::make(sizes, dtype);
  if (target.numel() == 0) return target;
  detail::Writer<T> writer(target);
  for (std::int64_t i = 0; i < target.numel(); ++i) {
    const T value = value_of(draw(seed, static_cast<std::uint64_t>(i)));
    writer.write(&value, 1);
  }
  return target;
}

void require_floating(const char* op, DType dtype) {
  if (!is_floating(dtype))
    throw Error((std::string(op) + ": the dtype must be floating, not " + name_of(dtype)).c_str());
}

}  // namespace

Tensor randn(Sizes sizes, std::uint64_t seed, DType dtype) {
  require_floating("randn", dtype);
  return drawn<double>(sizes, seed, dtype, normal);
}

Tensor rand(Sizes sizes, std::uint64_t seed, DType dtype) {
  require_floating("rand", dtype);
  return drawn<double>(sizes, seed, dtype, uniform);
}

Tensor randint(std::int64_t low, std::int64_t high, Sizes sizes, std::uint64_t seed, DType dtype) {
  if (low >= high) throw Error("randint: low must be below high");
  const std::uint64_t range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  return drawn<std::int64_t>(sizes, seed, dtype, [&](std::uint64_t bits) {
    // The high word of a 64 x 64 bit product; the bias, below range / 2^64, does not matter for tests.
    const std::uint64_t offset =
        static_cast<std::uint64_t>(static_cast<unsigned __int128>(bits) * range >> 64);
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + offset);
  });
}

}  // namespace flashlight
