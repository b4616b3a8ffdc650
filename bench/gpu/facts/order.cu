// SPDX-License-Identifier: Apache-2.0
// Facts of ordering and registers: the proxy fence between ordinary stores and wgmma, named barriers, and
// setmaxnreg.
#include "fact.h"
#include "wgmma.h"

namespace fact {

// Each round rewrites both operands with ordinary stores and multiplies; counts the rounds whose product is
// wrong. A is the number `round` % 7 everywhere, B is 1: every result is 64 (round % 7).
template <bool FENCE> __global__ void __launch_bounds__(128, 1) rewrite(int rounds, int* wrong) {
  extern __shared__ __align__(1024) unsigned char shared[];
  uint16_t* const a = reinterpret_cast<uint16_t*>(shared);
  uint16_t* const b = a + 64 * 64;
  int bad = 0;
  for (int round = 0; round < rounds; ++round) {
    const float value = static_cast<float>(round % 7);
    const uint16_t bits = static_cast<uint16_t>(__float_as_uint(value) >> 16);
    for (int e = threadIdx.x; e < 64 * 64; e += 128) {
      a[e] = bits;
      b[e] = 0x3F80;
    }
    if (FENCE) fence_proxy_async();
    __syncthreads();
    float d[32] = {};
    pin(d);
    wgmma_fence();
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      multiply_ss<0, 0>(d, descriptor(shared_address(a) + 32 * j, 16, 1024, 1),
                        descriptor(shared_address(b) + 32 * j, 16, 1024, 1), 1);
    }
    wgmma_commit();
    wgmma_wait();
    pin(d);
    bool right = true;
#pragma unroll
    for (float x : d) right &= x == 64 * value;
    bad += !right;
    __syncthreads();
  }
  if (bad) atomicAdd(wrong, bad);
}

template <bool FENCE> int wrong_rounds() {
  int* const wrong = on_device(std::vector<int>{0});
  rewrite<FENCE><<<264, 128, 2 * 64 * 128>>>(2000, wrong);
  must(cudaGetLastError(), "launch");
  return on_host(wrong, 1)[0];
}

// One producer warpgroup gives its registers to two consumer warpgroups, each of which holds 192 accumulators
// and more.
__global__ void __launch_bounds__(384, 1) donate(const uint16_t* a, const uint16_t* b, float* out) {
  extern __shared__ __align__(1024) unsigned char shared[];
  for (int e = threadIdx.x; e < 64 * 64; e += 384)
    *reinterpret_cast<uint16_t*>(shared + swizzled(e / 64, e % 64, 64, 64)) = a[e];
  for (int e = threadIdx.x; e < 192 * 64; e += 384)
    *reinterpret_cast<uint16_t*>(shared + 8192 + swizzled(e / 64, e % 64, 192, 64)) = b[e];
  fence_proxy_async();
  __syncthreads();
  const int group = threadIdx.x / 128, t = threadIdx.x % 128;
  if (group == 0) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
    asm volatile("bar.arrive 1, 384;" ::: "memory");
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
    asm volatile("bar.sync 1, 384;" ::: "memory");
    float d[2][96] = {};
#pragma unroll
    for (auto& one : d) pin(one);
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < 2; ++k) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const uint32_t step = 32 * j;
        multiply_ss<0, 0>(d[k], descriptor(shared_address(shared) + step, 16, 1024, 1),
                          descriptor(shared_address(shared) + 8192 + step, 16, 1024, 1), 1);
      }
      wgmma_commit();
    }
    wgmma_wait();
#pragma unroll
    for (auto& one : d) pin(one);
#pragma unroll
    for (int v = 0; v < 96; ++v) {
      // Both products are the same: a register that was lost shows.
      const float value = d[0][v] == d[1][v] ? d[0][v] : 1e30f;
      out[((group - 1) * 64 + row_of(t, v)) * 192 + col_of(t, v)] = value;
    }
  }
}

void registers() {
  const Matrix a(64, 64, 11), b(192, 64, 12);
  const int bytes = 8192 + 192 * 128;
  float* const out = on_device(std::vector<float>(128 * 192, -1.0f));
  cudaFuncAttributes is{};
  must(cudaFuncGetAttributes(&is, donate), "attributes");
  donate<<<1, 384, bytes>>>(on_device(a.bits), on_device(b.bits), out);
  must(cudaGetLastError(), "launch");
  int wrong = 0;
  const std::string seen = mismatches(
      on_host(out, 128 * 192), 128, 192,
      [&](int r, int c) {
        int sum = 0;
        for (int k = 0; k < 64; ++k) sum += a.at(r % 64, k) * b.at(c, k);
        return sum;
      },
      &wrong);
  check("setmaxnreg-24-240", wrong == 0 && is.localSizeBytes == 0,
        seen + text("; %d registers at launch, %d bytes local", is.numRegs, int(is.localSizeBytes)),
        "192 accumulators a thread in two of three warpgroups, nothing local, 168 registers at launch");
}

// Where dynamic shared memory begins: descriptors and TMA's swizzles count on multiples of 1024.
template <bool BEHIND_STATIC> __global__ void begin_of_shared(int* out) {
  extern __shared__ __align__(1024) unsigned char shared[];
  if constexpr (BEHIND_STATIC) {
    __shared__ volatile int some[3];
    some[threadIdx.x % 3] = 1;
  }
  if (threadIdx.x == 0) out[0] = static_cast<int>(shared_address(shared) % 1024), shared[0] = 1;
}

template <bool BEHIND_STATIC> void alignment(const char* name, bool needed) {
  int* const out = on_device(std::vector<int>{-1});
  begin_of_shared<BEHIND_STATIC><<<1, 32, 2048>>>(out);
  must(cudaGetLastError(), "launch");
  const int offset = on_host(out, 1)[0];
  line(name,
       offset == 0 ? "PASS"
       : needed    ? "FAIL"
                   : "INFO",
       text("%d bytes behind a multiple of 1024", offset),
       needed ? "0" : "0; no emitted kernel has static shared memory");
}

}  // namespace fact

int main() {
  using namespace fact;
  apart("shared-memory-begins-aligned", [] { alignment<false>("shared-memory-begins-aligned", true); });
  apart("shared-memory-begins-aligned-behind-static",
        [] { alignment<true>("shared-memory-begins-aligned-behind-static", false); });
  apart("proxy-fence-orders-stores-before-wgmma", [] {
    const int wrong = wrong_rounds<true>();
    check("proxy-fence-orders-stores-before-wgmma", wrong == 0,
          text("%d of %d thread rounds wrong", wrong, 264 * 128 * 2000), "0");
  });
  apart("proxy-fence-left-out", [] {
    line("proxy-fence-left-out", "INFO",
         text("%d of %d thread rounds wrong", wrong_rounds<false>(), 264 * 128 * 2000),
         "may be wrong: not relied on");
  });
  apart("setmaxnreg-24-240", registers);
  return failures != 0;
}
