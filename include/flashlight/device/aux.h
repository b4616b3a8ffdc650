// SPDX-License-Identifier: Apache-2.0
// Tensors of a dtype known at run time: what a score program reads element by element (biases, masks,
// tables), and operands that are converted while they are loaded.
#pragma once

#include "flashlight/device/tile.h"

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

// f(S{}) with S the storage type behind an AuxType; nothing for an unknown one.
template <class F> FL_DEVICE void with_storage(int dtype, F f) {
  switch (dtype) {
    case kAuxFloat16: f(float16{}); break;
    case kAuxBFloat16: f(bfloat16{}); break;
    case kAuxFloat32: f(float{}); break;
    case kAuxFloat64: f(double{}); break;
    case kAuxInt8: f(static_cast<signed char>(0)); break;
    case kAuxUInt8:
    case kAuxBool: f(static_cast<unsigned char>(0)); break;
    case kAuxInt32: f(int{}); break;
    case kAuxInt64: f(0ll); break;
    default: break;
  }
}

// f(S{}) for the types that results of a kernel may have.
template <class F> FL_DEVICE void with_result(int dtype, F f) {
  switch (dtype) {
    case kAuxFloat16: f(float16{}); break;
    case kAuxBFloat16: f(bfloat16{}); break;
    case kAuxFloat32: f(float{}); break;
    default: break;
  }
}

template <class T> inline constexpr AuxType aux_type_of = kAuxFloat32;
template <> inline constexpr AuxType aux_type_of<float16> = kAuxFloat16;
template <> inline constexpr AuxType aux_type_of<bfloat16> = kAuxBFloat16;

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

// An element as it is stored. Loading it takes no branch on its type, so that a warp can have several loads
// under way; what it is worth is found out afterwards.
struct RawValue {
  std::uint64_t bits;
};
FL_DEVICE RawValue load_raw(AuxTensor tensor, long long offset FL_AND_WHERE) {
  constexpr unsigned kLogSizes = 0xe0e5;  // log2 of the bytes of an AuxType, in two bits each
  const unsigned log_size = kLogSizes >> 2 * tensor.dtype & 3;
  const char* const p = static_cast<const char*>(tensor.base) + (offset << log_size);
  RawValue x{};
#if defined(__CUDACC__)
  asm("{\n"
      ".reg .pred p0, p1, p2, p3;\n"
      "setp.eq.u32 p0, %2, 0;\n"
      "setp.eq.u32 p1, %2, 1;\n"
      "setp.eq.u32 p2, %2, 2;\n"
      "setp.eq.u32 p3, %2, 3;\n"
      "mov.b64 %0, 0;\n"
      "@p0 ld.global.nc.u8 %0, [%1];\n"
      "@p1 ld.global.nc.u16 %0, [%1];\n"
      "@p2 ld.global.nc.u32 %0, [%1];\n"
      "@p3 ld.global.nc.u64 %0, [%1];\n"
      "}"
      : "=&l"(x.bits)
      : "l"(p), "r"(log_size));
#else
  emulator::global_load(p, &x.bits, std::size_t{1} << log_size, where);
#endif
  return x;
}

namespace detail {

// f(value) with the value in its storage type, 16-bit floats widened, as with_aux does.
template <class R, class F> FL_DEVICE R with_raw(RawValue x, int dtype, F f) {
  const auto low = static_cast<std::uint32_t>(x.bits);
  switch (dtype) {
    case kAuxFloat16: return f(to_float(float16{static_cast<std::uint16_t>(low)}));
    case kAuxBFloat16: return f(to_float(bfloat16{static_cast<std::uint16_t>(low)}));
    case kAuxFloat32: return f(bits_float(low));
#if defined(__CUDACC__)
    case kAuxFloat64: return f(__longlong_as_double(static_cast<long long>(x.bits)));
#else
    case kAuxFloat64: return f(std::bit_cast<double>(x.bits));
#endif
    case kAuxInt8: return f(static_cast<signed char>(low));
    case kAuxUInt8: return f(static_cast<unsigned char>(low));
    case kAuxInt32: return f(static_cast<int>(low));
    case kAuxInt64: return f(static_cast<long long>(x.bits));
    case kAuxBool: return f(static_cast<unsigned char>(low) != 0);
    default: return R{};
  }
}

}  // namespace detail

// What load_float, load_int and load_bool give.
FL_DEVICE float float_of(RawValue x, int dtype) {
  return detail::with_raw<float>(x, dtype, [](auto v) { return static_cast<float>(v); });
}
FL_DEVICE long long int_of(RawValue x, int dtype) {
  return detail::with_raw<long long>(x, dtype, [](auto v) { return static_cast<long long>(v); });
}
FL_DEVICE bool bool_of(RawValue x, int dtype) {
  return detail::with_raw<bool>(x, dtype, [](auto v) { return v != decltype(v)(0); });
}

// A matrix in global memory, of a storage type known at run time. Start and strides in elements.
struct AnyMatrix {
  const void* base;
  int dtype;  // AuxType
  long long start, row_stride, col_stride;
  int rows, cols;
};

// The tile's rows from row0 on, converted to T: complete after sync_threads(). Outside the matrix 0.
template <class T, int R, int C>
FL_DEVICE void convert_tile(SharedTile<T, R, C> tile, AnyMatrix matrix, int row0, int threads FL_AND_WHERE) {
  with_storage(matrix.dtype, [&](auto storage) FL_INLINE {
    using S = decltype(storage);
    fill_tile(tile, threads, [&](int row, int col) FL_INLINE {
      if (row0 + row >= matrix.rows || col >= matrix.cols) return 0.0f;
      const long long at = matrix.start + (row0 + row) * matrix.row_stride + col * matrix.col_stride;
      const S x = detail::load_aux<S>(matrix.base, at FL_AND_HERE);
      if constexpr (is_half_width<S>) {
        return to_float(x);
      } else {
        return static_cast<float>(x);
      }
    });
  });
}

// A position that an integer tensor gives, along an axis of `size` elements: a negative one counts from the
// end. One that the axis does not have ends the kernel with an error, as the eager program ends with one.
FL_DEVICE long long table_index(long long at, long long size FL_AND_WHERE) {
  const long long position = at < 0 ? at + size : at;
  if (position >= 0 && position < size) return position;
#if defined(__CUDACC__)
  asm volatile("trap;");
#else
  emulator::index_out_of_range(at, size, where);
#endif
  return 0;
}

// A divisor of integers that a tensor gives: 0 ends the kernel with an error, as the eager program ends with
// one.
FL_DEVICE long long divisor(long long by FL_AND_WHERE) {
  if (by != 0) return by;
#if defined(__CUDACC__)
  asm volatile("trap;");
#else
  emulator::invalid_operand("floor_div, floor_mod", "an integer is divided by 0", where);
#endif
  return 1;
}

}  // namespace flashlight::device
