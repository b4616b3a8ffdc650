// SPDX-License-Identifier: Apache-2.0
// CUDA behind Device::kCUDA: emitted files compiled by nvcc register these functions when the program starts.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "flashlight/runtime.h"

namespace flashlight::generated {

namespace cuda {

inline void must(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::string text = std::string(what) + ": " + cudaGetErrorString(error);
  throw Error(text.c_str());
}

// Stream-ordered, so that allocations neither synchronise nor prevent capture into a graph.
inline void* allocate(std::size_t bytes, void* stream) {
  void* memory = nullptr;
  must(cudaMallocAsync(&memory, bytes, static_cast<cudaStream_t>(stream)), "cudaMallocAsync");
  return memory;
}

// Memory may be given back after the context is gone, at the end of the program: that is no error.
inline void deallocate(void* memory, void* stream) {
  static_cast<void>(cudaFreeAsync(memory, static_cast<cudaStream_t>(stream)));
}

inline void copy(void* target, const void* source, std::size_t bytes, CopyKind kind, void* stream) {
  const cudaMemcpyKind direction = kind == CopyKind::kHostToDevice   ? cudaMemcpyHostToDevice
                                   : kind == CopyKind::kDeviceToHost ? cudaMemcpyDeviceToHost
                                                                     : cudaMemcpyDeviceToDevice;
  must(cudaMemcpyAsync(target, source, bytes, direction, static_cast<cudaStream_t>(stream)),
       "cudaMemcpyAsync");
  // The library hands out host memory right after a copy, and takes host memory back.
  if (kind != CopyKind::kDeviceToDevice)
    must(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)), "cudaStreamSynchronize");
}

inline void synchronize(void* stream) {
  must(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)), "cudaStreamSynchronize");
}

inline int use_device(int index) {
  int before = 0;
  must(cudaGetDevice(&before), "cudaGetDevice");
  if (index != before) must(cudaSetDevice(index), "cudaSetDevice");
  return before;
}

inline constexpr DeviceTable kTable{"cuda", allocate, deallocate, copy, synchronize, use_device};

}  // namespace cuda

inline const bool kCudaRegistered = (register_device(&cuda::kTable), true);

}  // namespace flashlight::generated
