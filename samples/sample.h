// SPDX-License-Identifier: Apache-2.0
// What every sample's main() is made of: inputs of the asked sizes, and the comparison of the runs.
//
// Not part of the DSL. A sample is a function over tensors and a main() that gives its inputs to
// Case::compare.
#pragma once

#include <flashlight/flashlight.h>

namespace sample {

class References;
using flashlight::DType;
using flashlight::Sizes;
using flashlight::Tensor;
using flashlight::TensorList;

// The sizes of one case. A sample gives its defaults; --sq, --d, --dtype, .. override them.
struct Shape {
  std::int64_t batch = 2, heads = 4;
  std::int64_t key_heads = 0;  // 0: as many as heads
  std::int64_t queries = 256, keys = 256;
  std::int64_t depth = 64;       // head dim of queries and keys
  std::int64_t value_depth = 0;  // 0: as depth
  DType dtype = flashlight::kBFloat16;
  bool contiguous = true;       // false: rank-4 inputs are stored [B, S, H, D] and seen as [B, H, S, D]
  bool self_attention = false;  // as many keys as queries, always
};

// Brings a case's inputs to where and how one of the runs wants them. Floating tensors change their dtype,
// others (ids, offsets, masks) only move.
class Cast {
 public:
  Cast(DType storage, DType compute, flashlight::Device device, bool contiguous)
      : storage_(storage), compute_(compute), device_(device), contiguous_(contiguous) {}
  Tensor operator()(const Tensor& x) const;

 private:
  DType storage_, compute_;
  flashlight::Device device_;
  bool contiguous_;
};

namespace detail {

inline TensorList results(const Tensor& x) { return {x}; }
// std::pair, std::tuple, std::array, Tensors<N>, and aggregates of tensors with a tuple_size.
template <class Results> TensorList results(const Results& all) {
  constexpr std::size_t n = std::tuple_size<Results>::value;
  static_assert(n >= 1 && n <= 4, "a sample returns one to four tensors");
  if constexpr (n == 1) {
    const auto& [a] = all;
    return {a};
  } else if constexpr (n == 2) {
    const auto& [a, b] = all;
    return {a, b};
  } else if constexpr (n == 3) {
    const auto& [a, b, c] = all;
    return {a, b, c};
  } else {
    const auto& [a, b, c, d] = all;
    return {a, b, c, d};
  }
}

// A callable that is lent for one call.
using Run = TensorList (*)(const void* callable, const Cast&);

}  // namespace detail

// One set of inputs: standard normal values in float64, from seeds that the order of the calls fixes.
class Case {
 public:
  // With `references`, which outlive the case, float64 results are kept or compared with kept ones.
  Case(const Shape& shape, bool friendly, bool eager_only, bool strict_nan, References* references = nullptr);

  std::int64_t b() const { return shape_.batch; }
  std::int64_t h() const { return shape_.heads; }
  std::int64_t hkv() const { return shape_.key_heads; }
  std::int64_t sq() const { return shape_.queries; }
  std::int64_t sk() const { return shape_.keys; }
  std::int64_t d() const { return shape_.depth; }
  std::int64_t dv() const { return shape_.value_depth; }

  Tensor queries();  // [B, H, Sq, D]
  Tensor keys();     // [B, Hkv, Sk, D]
  Tensor values();   // [B, Hkv, Sk, Dv]
  Tensor randn(Sizes sizes);

  // run(cast) calls the program on cast inputs and returns its Tensor, or a pair, tuple or array of them. It
  // is called in float64 on the CPU (the reference r), in the case's dtype on the CPU (eager, e), and in that
  // dtype on the device (fused, f). For every output max|f - r| <= 1.5 max|e - r| + ulp(max|r|) must hold (4
  // ulp for float32, where e itself may be exact by luck). `label` tells several comparisons of a sample
  // apart.
  template <class Callable> void compare(const char* label, const Callable& run) {
    compare_runs(label, &run, [](const void* callable, const Cast& cast) {
      return detail::results((*static_cast<const Callable*>(callable))(cast));
    });
  }
  template <class Callable> void compare(const Callable& run) { compare("", run); }

  bool passed() const { return compared_ > 0 && failed_ == 0; }

 private:
  void compare_runs(const char* label, const void* callable, detail::Run run);
  void compare_friendly(const char* label, const void* callable, detail::Run run);
  void compare_on_one_line(const char* label, const void* callable, detail::Run run);

  Shape shape_;
  bool friendly_, eager_only_, strict_nan_;
  std::uint64_t seed_ = 1;
  int compared_ = 0, failed_ = 0;
  References* references_;
};

namespace detail {
using Body = void (*)(void* callable, Case&);
int run(int argc, char** argv, const Shape& defaults, void* callable, Body body);
}  // namespace detail

// The whole of main(): reads the options, makes the cases, prints what came out. 0 where everything agreed.
template <class Callable> int run(int argc, char** argv, const Shape& defaults, Callable body) {
  return detail::run(argc, argv, defaults, &body,
                     [](void* callable, Case& c) { (*static_cast<Callable*>(callable))(c); });
}
template <class Callable> int run(int argc, char** argv, Callable body) {
  return run(argc, argv, Shape{}, body);
}

}  // namespace sample
