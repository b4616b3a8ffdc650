// SPDX-License-Identifier: Apache-2.0
// The vocabulary of emitted kernels: macros, thread indices, barriers and event counters, for nvcc and for
// the emulated device.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__CUDACC__)

#define FL_DEVICE __device__ __forceinline__
#define FL_HOST_DEVICE __host__ __device__ __forceinline__
#define FL_KERNEL(threads) __global__ void __launch_bounds__(threads, 1)
// Of a kernel whose body is inside #if FL_HOPPER: elsewhere it is empty, and no launch may take it for the
// other.
#define FL_HOPPER_KERNEL(threads) __global__ void __launch_bounds__(FL_HOPPER ? (threads) : 32, 1)
#define FL_PARAMS(...) const __grid_constant__ __VA_ARGS__
#define FL_SHARED_MEMORY(name) extern __shared__ __align__(1024) unsigned char name[]
#define FL_UNROLL _Pragma("unroll")
#define FL_NO_UNROLL _Pragma("unroll 1")
#define FL_UNROLL_4 _Pragma("unroll 4")
// After a lambda's parameters: the lambda must be inlined, or the accumulators it captures leave their
// registers.
#define FL_INLINE __attribute__((always_inline))
// The caller's source line exists on the emulated device only, so that findings can name it.
#define FL_WHERE
#define FL_AND_WHERE
#define FL_HERE
#define FL_AND_HERE

#else

#include <source_location>

#include "flashlight/emulator/context.h"

#define FL_DEVICE inline
#define FL_HOST_DEVICE inline
#define FL_KERNEL(threads) void
#define FL_HOPPER_KERNEL(threads) void
#define FL_PARAMS(...) const __VA_ARGS__&
#define FL_SHARED_MEMORY(name) \
  unsigned char* const name = ::flashlight::emulator::shared_memory(std::source_location::current())
#define FL_UNROLL
#define FL_NO_UNROLL
#define FL_UNROLL_4
#define FL_INLINE
#define FL_WHERE [[maybe_unused]] const std::source_location& where = std::source_location::current()
#define FL_AND_WHERE , FL_WHERE
#define FL_HERE where
#define FL_AND_HERE , where

#endif

// 1: the primitives' bodies are written for one lane, out of machine instructions; 0: the emulated device's
// shorter bodies.
#if defined(__CUDACC__) || defined(FLASHLIGHT_EMULATE_LANES)
#define FL_LANES 1
#else
#define FL_LANES 0
#endif

// 1 where the instructions of sm_90a are there: kernels that use them have their bodies inside #if FL_HOPPER,
// so that a file compiles for other architectures too. On the host side and on the emulated device it is 1.
#if !defined(__CUDA_ARCH__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define FL_HOPPER 1
#else
#define FL_HOPPER 0
#endif

namespace flashlight::device {

// Emitted files static_assert this value, so that a file and its headers cannot drift apart.
inline constexpr int kPrimitivesVersion = 1;

inline constexpr int kWarpSize = 32;
inline constexpr float kInfinity = __builtin_huge_valf();
inline constexpr float kNaN = __builtin_nanf("");

#if defined(__CUDACC__)

FL_DEVICE int thread_index() { return static_cast<int>(threadIdx.x); }
FL_DEVICE int block_index() { return static_cast<int>(blockIdx.x); }
FL_DEVICE int grid_size() { return static_cast<int>(gridDim.x); }

// Waits for every thread of the CTA; orders their shared and global accesses.
FL_DEVICE void sync_threads() { __syncthreads(); }
// The same, and whether any of the threads came with true.
FL_DEVICE bool sync_threads_or(bool x) { return __syncthreads_or(x) != 0; }
// Waits for the 32 lanes of the warp; orders their shared and global accesses. Shuffles and products do not.
FL_DEVICE void sync_warp() { __syncwarp(); }
// Counts an event once per CTA on the emulated device, read back by emulator::counter(); nothing on a GPU.
FL_DEVICE void count(const char*) {}

#else

FL_DEVICE int thread_index() { return emulator::current->thread; }
FL_DEVICE int block_index() { return emulator::current->block; }
FL_DEVICE int grid_size() { return emulator::current->grid; }
FL_DEVICE void sync_threads(FL_WHERE) { emulator::sync_threads(where); }
FL_DEVICE bool sync_threads_or(bool x FL_AND_WHERE) { return emulator::sync_threads_or(x, where); }
FL_DEVICE void sync_warp(FL_WHERE) { emulator::sync_warp(where); }
FL_DEVICE void count(const char* event) { emulator::count(event); }

#endif

namespace detail {
// A parameter type that takes no part in template deduction.
template <class T> struct Same {
  using type = T;
};
template <class T> using same_t = typename Same<T>::type;

// The value, of which the compiler no longer knows where it comes from: what is derived from it is not
// hoisted out of the loop over tiles, where it would occupy a register beside the accumulators.
template <class T> FL_DEVICE T opaque(T x) {
#if defined(__CUDACC__)
  asm volatile("" : "+r"(x));
#endif
  return x;
}
}  // namespace detail

FL_DEVICE int warp_index() { return thread_index() / kWarpSize; }
FL_DEVICE int lane_index() { return thread_index() % kWarpSize; }

}  // namespace flashlight::device
