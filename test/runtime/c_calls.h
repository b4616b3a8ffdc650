// SPDX-License-Identifier: Apache-2.0
// DLPack views of tensors, and the C entries of the test programs.
#pragma once
#include <dlpack/dlpack.h>
#include <flashlight/flashlight.h>

#include <string>
#include <vector>

extern "C" {
using CEntry = int(const DLTensor* const* in, DLTensor* const* out, const double* scalars, void* workspace,
                   std::size_t workspace_bytes, void* stream);
CEntry flashlight_attention, flashlight_attention_2, flashlight_two_streams, flashlight_of_64,
    flashlight_biased, flashlight_other_attention, flashlight_second_attention, flashlight_slots;
std::size_t flashlight_attention_workspace_size(const DLTensor* const* in, const double* scalars);
std::size_t flashlight_slots_workspace_size(const DLTensor* const* in, const double* scalars);
const char* flashlight_last_error();
}

// A DLTensor over a tensor's memory, which may be changed before a call.
struct View {
  std::vector<std::int64_t> shape, strides;
  DLTensor dl{};

  explicit View(flashlight::Tensor& x, DLDeviceType device = kDLCPU) {
    for (std::int64_t d = 0; d < x.dim(); ++d) shape.push_back(x.size(d)), strides.push_back(x.stride(d));
    dl.data = x.raw();
    dl.device = {device, 0};
    dl.ndim = static_cast<int>(x.dim());
    dl.dtype = type_of(x.dtype());
    dl.shape = shape.data();
    dl.strides = strides.data();
  }
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  static DLDataType type_of(flashlight::DType t) {
    switch (t) {
      case flashlight::kFloat16: return {kDLFloat, 16, 1};
      case flashlight::kBFloat16: return {kDLBfloat, 16, 1};
      case flashlight::kFloat32: return {kDLFloat, 32, 1};
      case flashlight::kFloat64: return {kDLFloat, 64, 1};
      default: return {kDLInt, 32, 1};
    }
  }
};

// One call: q, k, v in, one result.
struct Attention {
  flashlight::Tensor q, k, v, out;
  View q_view{q}, k_view{k}, v_view{v}, out_view{out};
  const DLTensor* in[3] = {&q_view.dl, &k_view.dl, &v_view.dl};
  DLTensor* results[1] = {&out_view.dl};

  Attention(flashlight::Tensor q_, flashlight::Tensor k_, flashlight::Tensor v_, flashlight::Tensor out_)
      : q(std::move(q_)), k(std::move(k_)), v(std::move(v_)), out(std::move(out_)) {}
  int run(CEntry* entry = flashlight_attention, const double* scalars = nullptr, void* stream = nullptr) {
    return entry(in, results, scalars, nullptr, 0, stream);
  }
};

// float16 tensors of standard normal values; the result is filled with `fill`.
inline Attention attention_of(flashlight::Sizes leading, std::int64_t sq, std::int64_t sk, std::int64_t d,
                              double fill = 7) {
  auto sizes = [&](std::int64_t rows) {
    flashlight::Sizes s = leading;
    s.push_back(rows);
    s.push_back(d);
    return s;
  };
  auto normal = [&](std::int64_t rows, int seed) {
    return flashlight::randn(sizes(rows), seed, flashlight::kFloat64).to(flashlight::kFloat16);
  };
  return {normal(sq, 1), normal(sk, 2), normal(sk, 3),
          flashlight::full(sizes(sq), fill, flashlight::kFloat16)};
}

// Largest difference to what the function gives in float64.
template <class F> double error_of(const Attention& a, F function) {
  using flashlight::kFloat64;
  return flashlight::max_abs_diff(a.out.to(kFloat64).contiguous(),
                                  function(a.q.to(kFloat64), a.k.to(kFloat64), a.v.to(kFloat64)));
}
