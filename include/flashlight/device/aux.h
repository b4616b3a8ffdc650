// SPDX-License-Identifier: Apache-2.0
// Tensors that a score program reads element by element (biases, masks, tables), of a dtype known at run
// time.
#pragma once

#include "flashlight/device/numeric.h"

namespace flashlight::device {

// Storage types of an AuxTensor. The values are part of the emitted files' contract with the runtime.
enum AuxType : int {
  kAuxFloat16 = 0,
  kAuxBFloat16 = 1,
  kAuxFloat32 = 2,
  kAuxFloat64 = 3,
  kAuxInt8 = 4,
  kAuxUInt8 = 5,
  kAuxInt32 = 6,
  kAuxInt64 = 7,
  kAuxBool = 8,
};

struct AuxTensor {
  const void* base;
  int dtype;  // AuxType
};

namespace detail {

template <class T> FL_DEVICE T load_aux(const void* base, long long offset FL_AND_WHERE) {
  const T* const p = static_cast<const T*>(base) + offset;
#if defined(__CUDACC__)
  return *p;
#else
  T x{};
  emulator::global_load(p, &x, sizeof x, where);
  return x;
#endif
}

// f(value) with the value in its storage type, 16-bit floats widened. An unknown dtype reads as zero.
template <class R, class F> FL_DEVICE R with_aux(AuxTensor tensor, long long offset, F f FL_AND_WHERE) {
  switch (tensor.dtype) {
    case kAuxFloat16: return f(to_float(load_aux<float16>(tensor.base, offset FL_AND_HERE)));
    case kAuxBFloat16: return f(to_float(load_aux<bfloat16>(tensor.base, offset FL_AND_HERE)));
    case kAuxFloat32: return f(load_aux<float>(tensor.base, offset FL_AND_HERE));
    case kAuxFloat64: return f(load_aux<double>(tensor.base, offset FL_AND_HERE));
    case kAuxInt8: return f(load_aux<signed char>(tensor.base, offset FL_AND_HERE));
    case kAuxUInt8: return f(load_aux<unsigned char>(tensor.base, offset FL_AND_HERE));
    case kAuxInt32: return f(load_aux<int>(tensor.base, offset FL_AND_HERE));
    case kAuxInt64: return f(load_aux<long long>(tensor.base, offset FL_AND_HERE));
    case kAuxBool: return f(load_aux<unsigned char>(tensor.base, offset FL_AND_HERE) != 0);
    default: return R{};
  }
}

}  // namespace detail

// Element `offset` (in elements) of the tensor; floats become integers by truncation, anything not zero is
// true.
FL_DEVICE float load_float(AuxTensor tensor, long long offset FL_AND_WHERE) {
  return detail::with_aux<float>(tensor, offset, [](auto x) { return static_cast<float>(x); } FL_AND_HERE);
}
FL_DEVICE long long load_int(AuxTensor tensor, long long offset FL_AND_WHERE) {
  return detail::with_aux<long long>(tensor, offset,
                                     [](auto x) { return static_cast<long long>(x); } FL_AND_HERE);
}
FL_DEVICE bool load_bool(AuxTensor tensor, long long offset FL_AND_WHERE) {
  return detail::with_aux<bool>(tensor, offset, [](auto x) { return x != decltype(x)(0); } FL_AND_HERE);
}

}  // namespace flashlight::device
