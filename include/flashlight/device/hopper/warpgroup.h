// SPDX-License-Identifier: Apache-2.0
// Warpgroups (four consecutive warps, the unit of a wgmma): who they are, how they meet, and how they divide
// the registers. And what there is of clusters.
//
//  int warpgroup_index()          the calling thread's warpgroup; the compiler knows it uniform in the warp
//  bool elect_one()               true in one lane of the warp, the same one each time; every lane calls it
//  void sync_named(id, threads)   named barrier `id` (1..15): waits until `threads` threads, whole warps, have
//                                 arrived by either of the two; orders their memory accesses
//  void arrive_named(id, threads) arrives there without waiting
//  void decrease_registers<N>()   the warpgroup's threads now own N registers (24..256 in steps of 8); all four
//  void increase_registers<N>()   warps call it; an increase waits until others have given enough back. The
//                                 threads' sum never exceeds what the CTA was launched with
//  int cluster_rank()             this CTA's place in its cluster
//  int cluster_size()             CTAs of the cluster
//  void sync_cluster()            waits for every thread of the cluster; orders their memory accesses
//
// The emulated device has clusters of one CTA.
#pragma once

#include "flashlight/device/numeric.h"

#if !defined(__CUDACC__)
#include "flashlight/emulator/hopper.h"
#endif

namespace flashlight::device {

inline constexpr int kWarpgroupSize = 128;

// What the loader does to know which tile is next: nothing but count; test tiles by their numbers; look at
// what a mask reads.
enum class Finding { kCounts, kTests, kSearches };

// How a CTA of one loading and some consuming warpgroups divides the registers it was launched with: 256, 168
// and 128 a thread for 256, 384 and 512 threads, as __launch_bounds__(threads, 1) has it. With 384 threads
// that is 504 for each of 128 threads and not 512: the rest of the SM's belong to no CTA, and an increase
// would wait for them for ever. The translator's tile table (src/target/wgmma_shape.cpp) counts on the same.
FL_HOST_DEVICE constexpr int loader_registers(int consumers, Finding finding) {
  const bool tests = finding == Finding::kTests;
  if (finding == Finding::kSearches) return consumers == 1 ? 152 : consumers == 2 ? 88 : 80;
  return consumers == 1 ? 56 : consumers == 2 ? (tests ? 40 : 24) : (tests ? 56 : 32);
}
FL_HOST_DEVICE constexpr int consumer_registers(int consumers, Finding finding) {
  const bool tests = finding == Finding::kTests;
  if (consumers > 1 && finding == Finding::kSearches) return consumers == 2 ? 208 : 144;
  return consumers == 1 ? 256 : consumers == 2 ? (tests ? 232 : 240) : (tests ? 152 : 160);
}

#if defined(__CUDACC__)

FL_DEVICE int warpgroup_index() { return __shfl_sync(0xffffffffu, thread_index() / kWarpgroupSize, 0); }

FL_DEVICE bool elect_one() {
  int elected;
  asm volatile(
      "{\n.reg .pred p;\n"
      "elect.sync _|p, 0xffffffff;\n"
      "selp.b32 %0, 1, 0, p;\n}"
      : "=r"(elected));
  return elected != 0;
}

FL_DEVICE void sync_named(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
FL_DEVICE void arrive_named(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

template <int N> FL_DEVICE void decrease_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N));
}
template <int N> FL_DEVICE void increase_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N));
}

FL_DEVICE int cluster_rank() {
  int rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
FL_DEVICE int cluster_size() {
  int size;
  asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
  return size;
}
FL_DEVICE void sync_cluster() {
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}

#else

FL_DEVICE int warpgroup_index() { return thread_index() / kWarpgroupSize; }
FL_DEVICE bool elect_one(FL_WHERE) { return emulator::elect_one(where); }
FL_DEVICE void sync_named(int id, int threads FL_AND_WHERE) { emulator::sync_named(id, threads, where); }
FL_DEVICE void arrive_named(int id, int threads FL_AND_WHERE) { emulator::arrive_named(id, threads, where); }
template <int N> FL_DEVICE void decrease_registers(FL_WHERE) { emulator::decrease_registers(N, where); }
template <int N> FL_DEVICE void increase_registers(FL_WHERE) { emulator::increase_registers(N, where); }
FL_DEVICE int cluster_rank() { return 0; }
FL_DEVICE int cluster_size() { return 1; }
FL_DEVICE void sync_cluster(FL_WHERE) { emulator::sync_threads(where); }

#endif

// Turns of the consuming warpgroups at starting products: while one runs its row program, others keep the
// tensor cores busy. Each takes its turn and passes it on equally often; one warpgroup alone needs none.
// Named barriers kFirst ...
template <int WARPGROUPS> struct Turns {
  static constexpr int kFirst = 2;
  int warpgroup;

  // Once, before the first turn.
  FL_DEVICE void begin(FL_WHERE) const {
    if (WARPGROUPS > 1 && warpgroup == WARPGROUPS - 1) arrive_named(kFirst, 2 * kWarpgroupSize FL_AND_HERE);
  }
  FL_DEVICE void take(FL_WHERE) const {
    if (WARPGROUPS > 1) sync_named(kFirst + warpgroup, 2 * kWarpgroupSize FL_AND_HERE);
  }
  FL_DEVICE void pass(FL_WHERE) const {
    if (WARPGROUPS > 1) arrive_named(kFirst + (warpgroup + 1) % WARPGROUPS, 2 * kWarpgroupSize FL_AND_HERE);
  }
};

// Waits for the threads of the calling warpgroup, whose number it is (0, 1, 2); orders their memory accesses.
FL_DEVICE void sync_warpgroup(int warpgroup FL_AND_WHERE) {
  sync_named(Turns<3>::kFirst + 3 + warpgroup, kWarpgroupSize FL_AND_HERE);
}

}  // namespace flashlight::device
