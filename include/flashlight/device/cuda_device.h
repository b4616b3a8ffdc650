// SPDX-License-Identifier: Apache-2.0
// The CUDA runtime as the device behind kCUDA. Including this header in a .cu file registers it when the
// program starts; the emulated device needs nothing, so that the header is empty for other compilers.
#pragma once

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#include "flashlight/runtime.h"

namespace flashlight::device::cuda {

inline void check(cudaError_t error) {
  if (error != cudaSuccess) throw Error(cudaGetErrorString(error));
}

inline cudaStream_t stream_of(void* stream) { return static_cast<cudaStream_t>(stream); }

// In stream order, and capturable in a graph.
inline void* allocate(std::size_t bytes, void* stream) {
  void* memory = nullptr;
  check(cudaMallocAsync(&memory, bytes, stream_of(stream)));
  return memory;
}

// Called from destructors, also while the runtime shuts down: an error has nobody to go to.
inline void deallocate(void* memory, void* stream) {
  static_cast<void>(cudaFreeAsync(memory, stream_of(stream)));
}

inline void copy(void* target, const void* source, std::size_t bytes, CopyKind kind, void* stream) {
  const cudaMemcpyKind direction = kind == CopyKind::kHostToDevice   ? cudaMemcpyHostToDevice
                                   : kind == CopyKind::kDeviceToHost ? cudaMemcpyDeviceToHost
                                                                     : cudaMemcpyDeviceToDevice;
  check(cudaMemcpyAsync(target, source, bytes, direction, stream_of(stream)));
  // The caller reads or reuses its own memory next.
  if (kind != CopyKind::kDeviceToDevice) check(cudaStreamSynchronize(stream_of(stream)));
}

inline void synchronize(void* stream) { check(cudaStreamSynchronize(stream_of(stream))); }

inline constexpr DeviceTable kTable{"cuda", allocate, deallocate, copy, synchronize};

inline const bool registered = [] {
  register_device(&kTable);
  return true;
}();

}  // namespace flashlight::device::cuda

#endif
