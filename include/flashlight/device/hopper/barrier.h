// SPDX-License-Identifier: Apache-2.0
// Barriers in shared memory (mbarrier), which threads and arriving bytes complete phase by phase, and the
// fences between the generic proxy (threads) and the async proxy (TMA, wgmma).
//
// A phase is complete when the barrier's arrivals and all bytes announced to it have come; the next phase
// then begins with the same number of arrivals. wait(parity) returns once the phase of that parity (0, 1, 0,
// ...) is complete, and the caller then sees what was done before the arrivals and what the bytes are. On a
// fresh barrier wait(1) returns at once.
#pragma once

#include "flashlight/device/numeric.h"

#if defined(__CUDACC__)
#include "flashlight/device/detail/instructions.h"
#else
#include "flashlight/emulator/hopper.h"
#endif

namespace flashlight::device {

// The 8 bytes of an mbarrier, 8-byte aligned; other accesses to them are faults.
struct Barrier {
  static constexpr int bytes = 8;

  unsigned char* base;

#if defined(__CUDACC__)
  // One thread, before fence_barrier_init() and a barrier of the CTA.
  FL_DEVICE void init(int arrivals) const {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address()), "r"(arrivals) : "memory");
  }
  FL_DEVICE void arrive() const {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(address()) : "memory");
  }
  // Arrives, and announces bytes that TMA will bring to this phase.
  FL_DEVICE void arrive_expect(int bytes) const {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address()), "r"(bytes)
                 : "memory");
  }
  // Is the phase of this parity complete? May take a while to say no.
  FL_DEVICE bool test(int parity) const {
    int complete;
    asm volatile(
        "{\n.reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.b32 %0, 1, 0, p;\n}"
        : "=r"(complete)
        : "r"(address()), "r"(parity)
        : "memory");
    return complete != 0;
  }
  FL_DEVICE void wait(int parity) const {
    asm volatile(
        "{\n.reg .pred p;\n"
        "again:\nmbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n"
        "@p bra done;\nbra again;\ndone:\n}" ::"r"(address()),
        "r"(parity)
        : "memory");
  }

  FL_DEVICE std::uint32_t address() const { return detail::shared_address(base); }
#else
  void init(int arrivals FL_AND_WHERE) const { emulator::barrier_init(base, arrivals, where); }
  void arrive(FL_WHERE) const { emulator::barrier_arrive(base, 0, where); }
  void arrive_expect(int bytes FL_AND_WHERE) const { emulator::barrier_arrive(base, bytes, where); }
  bool test(int parity FL_AND_WHERE) const { return emulator::barrier_test(base, parity, where); }
  void wait(int parity FL_AND_WHERE) const { emulator::barrier_wait(base, parity, where); }
#endif
};

// fence_barrier_init(): after init, by the same thread: the async proxy knows the barriers.
// fence_proxy_async(): what this thread wrote to shared memory is visible to TMA and wgmma that follow a
// barrier after it. Each writing thread calls it.
#if defined(__CUDACC__)
FL_DEVICE void fence_barrier_init() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
FL_DEVICE void fence_proxy_async() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
#else
FL_DEVICE void fence_barrier_init(FL_WHERE) { emulator::fence_barrier_init(where); }
FL_DEVICE void fence_proxy_async(FL_WHERE) { emulator::fence_proxy_async(where); }
#endif

// Where a thread stands in a ring of STAGES buffers: the buffer, and the parity of its barriers' phase.
template <int STAGES> struct RingIndex {
  int stage = 0, parity = 0;

  FL_DEVICE void advance() {
    if (++stage == STAGES) {
      stage = 0;
      parity ^= 1;
    }
  }
};

}  // namespace flashlight::device
