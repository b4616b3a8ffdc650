// SPDX-License-Identifier: Apache-2.0
// Asynchronous matrix products of a warpgroup (wgmma): float accumulators, 16-bit operands.
//
// An accumulator is an Acc<1, N> in each of the four warps: 64 x N in all, 8 <= N <= 256, warp w owning rows
// 16 w .. 16 w + 15. Seen with the warp's number among all consuming warps, row_of<1> is the row in the CTA's
// tile. All four warps call these together, with the same tiles:
//
//  multiply_transposed_async<MODE>(c, a, b, warpgroup = 0, first_row = 0)
//      c = or += a[rows of warpgroup][:] b[first_row + (0..N)][:]^T;  a, b: SharedTile<T, ., D>.
//      first_row: a multiple of 8
//  multiply_transposed_async<MODE>(c, p, b, first_row = 0)
//      the same with an operand p in registers
//  multiply_async<MODE>(c, a, b, warpgroup = 0, first_col = 0)
//      c = or += a[rows of warpgroup][:] b[:][first_col + (0..N)];  first_col: the first of one of b's blocks
//  multiply_async<MODE>(c, p, b, first_col = 0)
//      the same with an operand p in registers
//
// MODE is kSet (c =) or kAdd (c +=). They only start. Between a start and the wait that covers it, c and p
// belong to the tensor cores:
//
//  fence_products(c, p, ...)
//      directly before the products that take registers which are new, or which the threads have touched
//      since; where a wait stands between, ptxas adds a fence of its own (C7519)
//  commit_products()
//      closes a group of products
//  wait_products<N>(c, p, ...)
//      returns when all but the last N groups are complete; hands these registers back, which no later group
//      uses. Operands in shared memory may then be overwritten
//  round_fragment(p, s)
//      p = round_T(s), for p an Operand<T, N> and s an Acc<1, N>: no data moves between threads
//
// The fence and the wait name up to six accumulators and operands.
#pragma once

#include "flashlight/device/fragment.h"
#include "flashlight/device/hopper/descriptor.h"

#if defined(__CUDACC__)
#include "flashlight/device/detail/mma_lanes.h"
#include "flashlight/device/hopper/wgmma_instructions.h"
#elif FL_LANES
#error "the Hopper primitives have no lane-by-lane bodies: the emulated device takes wgmma as one instruction"
#else
#include "flashlight/device/detail/mma_host.h"
#include "flashlight/emulator/hopper.h"
#endif

namespace flashlight::device {

enum ProductMode : int { kSet = 0, kAdd = 1 };

// A warp's rows of a left operand, 16 x N of T, in registers. Not copyable: a copy would double them.
template <class T, int N> class Operand {
 public:
  static_assert(is_half_width<T> && N % detail::kProductDepth == 0, "an operand is made of 16 x 16 tiles");

  FL_DEVICE Operand() {}
  Operand(const Operand&) = delete;
  Operand& operator=(const Operand&) = delete;

 private:
  friend struct OperandRegisters;
#if defined(__CUDACC__)
  std::uint32_t r_[N / detail::kProductDepth][4];
#else
  emulator::CheckedFloats<N / 2> v_;  // the rounded values, in the order of an Acc<1, N>
#endif
};

struct OperandRegisters {
  template <class T, int N> static FL_DEVICE auto& of(Operand<T, N>& p) {
#if defined(__CUDACC__)
    return p.r_;
#else
    return p.v_;
#endif
  }
};

}  // namespace flashlight::device

#if defined(__CUDACC__)
#include "flashlight/device/hopper/wgmma_ptx.h"
#else
#include "flashlight/device/hopper/wgmma_host.h"
#endif
