// SPDX-License-Identifier: Apache-2.0
// The machine instructions that the lane-level bodies of the primitives are made of: PTX on a GPU; emulated
// one by one, with the fragments as the PTX manual defines them, where FLASHLIGHT_EMULATE_LANES asks for it.
// The latter is how tests run, without a GPU, the very address and fragment arithmetic that a GPU runs; the
// emulated device normally takes shorter host bodies.
//
// Shared addresses are 32-bit numbers that keep the alignment of the CTA's shared memory.
#pragma once

#include "flashlight/device/numeric.h"

namespace flashlight::device::detail {

struct alignas(8) Pair {
  float x, y;
};

struct alignas(16) Quad {
  std::uint32_t word[4];
};

}  // namespace flashlight::device::detail

#if defined(__CUDACC__)
#include "flashlight/device/detail/instructions_ptx.h"
#else
#include "flashlight/device/detail/instructions_host.h"
#endif
