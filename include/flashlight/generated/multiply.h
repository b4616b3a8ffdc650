// SPDX-License-Identifier: Apache-2.0
// Runs matrix products: the copies of what a library cannot address, then the library. Included by emitted
// files that have products; with nvcc they need -lcublasLt.
#pragma once

#include "flashlight/generated/launch.h"
#if defined(__CUDACC__)
#include "flashlight/generated/cublaslt.h"
#endif

namespace flashlight::generated {
namespace {

// An element a thread.
FL_KERNEL(256) pack_sm80(FL_PARAMS(Packing) p) {
  const long long at = static_cast<long long>(device::block_index()) * 256 + device::thread_index();
  if (at >= p.elements) return;
  long long rest = at, from = 0, to = 0;
  for (int k = p.axes; k-- > 0;) {
    from += rest % p.size[k] * p.source_stride[k];
    to += rest % p.size[k] * p.target_stride[k];
    rest /= p.size[k];
  }
  const float x = device::load_float({p.source, static_cast<int>(p.from)}, from);
  device::store_float(p.target, static_cast<int>(p.to), to, x);
}

inline void run(const Launch& launch, const std::vector<Packing>& packings) {
  for (const Packing& packing : packings) {
    const int grid = launch.grid((packing.elements + 255) / 256);
    if (device::launch(pack_sm80, grid, 256, 0, current_stream(), packing, "pack_sm80") != 0)
      launch.fail(std::string(device::last_error_text()) + " (kernel pack_sm80)");
  }
}

inline void run(const Launch& launch, const Product& product) {
#if !defined(__CUDACC__)
  emulator::set_allocation_lookup(find_emulated_allocation);
#endif
  run(launch, product.packings);
  for (const Gemm& gemm : product.calls) {
#if defined(__CUDACC__)
    cublaslt::multiply(gemm, current_stream());
#else
    multiply_on_host(gemm);
#endif
  }
  run(launch, product.unpackings);
}

}  // namespace
}  // namespace flashlight::generated
