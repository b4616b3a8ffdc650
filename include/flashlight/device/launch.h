// SPDX-License-Identifier: Apache-2.0
// Starts a kernel on the GPU or on the emulated device.
#pragma once

#include "flashlight/device/base.h"

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#else
#include "flashlight/emulator/launch.h"
#endif

namespace flashlight::device {

// compute_capability(): 10 major + minor of the current device, 0 where there is none. The emulated device
// passes for what its options say: it can do everything.
//
// multiprocessors(): SMs of the current device, at least 1. The emulated device has few.
//
// has_code(kernel, threads): whether the kernel was compiled for the current device, for blocks of so many
// threads.
//
// launch(kernel, grid, threads, shared_bytes, stream, params, name): runs kernel(params) on `grid` CTAs of
// `threads` threads with `shared_bytes` of dynamic shared memory. An empty grid launches nothing. Returns 0,
// or an error code whose text is last_error_text(). The GPU form is asynchronous on `stream`; the emulated
// form has finished when it returns, and an error code then may also mean that its checks found something.
#if defined(__CUDACC__)

namespace detail {
inline thread_local int launch_error = 0;
}

inline const char* last_error_text() {
  return cudaGetErrorString(static_cast<cudaError_t>(detail::launch_error));
}

inline int compute_capability() {
  int device = 0, major = 0, minor = 0;
  const bool known =
      cudaGetDevice(&device) == cudaSuccess &&
      cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
      cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device) == cudaSuccess;
  return known ? 10 * major + minor : 0;
}

inline int multiprocessors() {
  int device = 0, count = 0;
  const bool known = cudaGetDevice(&device) == cudaSuccess &&
                     cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device) == cudaSuccess;
  return known && count > 0 ? count : 1;
}

template <class P> bool has_code(void (*kernel)(P), int threads) {
  cudaFuncAttributes attributes;
  if (cudaFuncGetAttributes(&attributes, kernel) == cudaSuccess)
    return attributes.maxThreadsPerBlock >= threads;
  cudaGetLastError();  // no launch is to report it
  return false;
}

template <class P>
int launch(void (*kernel)(P), int grid, int threads, int shared_bytes, void* stream,
           const detail::same_t<P>& params, const char* = nullptr) {
  if (grid == 0) return 0;
  cudaError_t error = cudaSuccess;
  if (shared_bytes > 48 * 1024) {
    error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes);
  }
  if (error == cudaSuccess) {
    kernel<<<grid, threads, shared_bytes, static_cast<cudaStream_t>(stream)>>>(params);
    error = cudaGetLastError();
  }
  detail::launch_error = error;
  return error;
}

#else

inline const char* last_error_text() { return emulator::last_error_text(); }
inline int compute_capability() { return emulator::compute_capability(); }
inline int multiprocessors() { return emulator::multiprocessors(); }

template <class P> bool has_code(void (*)(const P&), int) { return true; }

template <class P>
int launch(void (*kernel)(const P&), int grid, int threads, int shared_bytes, void* stream,
           const detail::same_t<P>& params, const char* name = nullptr) {
  struct Call {
    void (*kernel)(const P&);
    const P* params;
  };
  const Call call{kernel, &params};
  return emulator::launch({name, grid, threads, shared_bytes, stream,
                           [](const void* c) {
                             const Call& run = *static_cast<const Call*>(c);
                             run.kernel(*run.params);
                           },
                           &call});
}

#endif

}  // namespace flashlight::device
