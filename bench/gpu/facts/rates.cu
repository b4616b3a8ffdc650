// SPDX-License-Identifier: Apache-2.0
// Rates that the tile shapes rest on: ex2 and wgmma in clocks of one SM, both at once, and reads from L2.
#include <algorithm>

#include "fact.h"
#include "wgmma.h"

namespace fact {

// Clocks of the slowest thread, from a CTA that fills its SM.
__device__ void report(long long begin, long long* clocks) {
  atomicMax(reinterpret_cast<unsigned long long*>(clocks),
            static_cast<unsigned long long>(clock64() - begin));
}

__global__ void __launch_bounds__(1024, 1) exponentials(int rounds, float* out, long long* clocks) {
  float x[8];
#pragma unroll
  for (int k = 0; k < 8; ++k) x[k] = -0.001f * (threadIdx.x + k);
  __syncthreads();
  const long long begin = clock64();
  for (int r = 0; r < rounds; ++r) {
#pragma unroll
    for (float& e : x) asm volatile("ex2.approx.ftz.f32 %0, %0;" : "+f"(e));
  }
  report(begin, clocks);
  float sum = 0;
  for (float e : x) sum += e;
  out[blockIdx.x * 1024 + threadIdx.x] = sum;
}

// `COUNT` x 128 threads multiply 64 x N x 16 over and over; with EXP, `EXP` exponentials a thread beside each
// product.
template <int N, bool REGISTERS, int EXP> __global__ void __launch_bounds__(256, 1)
    products(int rounds, float* out, long long* clocks) {
  extern __shared__ __align__(1024) unsigned char shared[];
  for (int e = threadIdx.x; e < 40 * 1024; e += 256)
    reinterpret_cast<uint16_t*>(shared)[e] = 0x3C00 + (e * 7919) % 256;
  fence_proxy_async();
  __syncthreads();
  float d[N / 2] = {};
  float x[EXP ? EXP : 1];
#pragma unroll
  for (float& e : x) e = -0.001f * threadIdx.x;
  const uint32_t a[4] = {0x3C003C01u, 0x3C023C03u, 0x3C043C05u, 0x3C063C07u + threadIdx.x};
  const uint64_t da = descriptor(shared_address(shared) + 8192 * (threadIdx.x / 128), 16, 1024, 1);
  const uint64_t db = descriptor(shared_address(shared) + 16384, 16, 1024, 1);
  pin(d);
  __syncthreads();
  const long long begin = clock64();
  for (int r = 0; r < rounds; ++r) {
    wgmma_fence();
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if constexpr (REGISTERS) multiply_rs<0>(d, a, db + 2 * j, 1);
      else multiply_ss<0, 0>(d, da + 2 * j, db + 2 * j, 1);
    }
    wgmma_commit();
    if constexpr (EXP > 0) {
#pragma unroll
      for (float& e : x) asm volatile("ex2.approx.ftz.f32 %0, %0;" : "+f"(e));
    }
    wgmma_wait();
  }
  pin(d);
  report(begin, clocks);
  float sum = x[0];
#pragma unroll
  for (float e : d) sum += e;
  out[blockIdx.x * 256 + threadIdx.x] = sum;
}

__global__ void read(const uint4* from, std::size_t count, int passes, uint4* out) {
  uint4 sum{};
  for (int p = 0; p < passes; ++p) {
    for (std::size_t k = blockIdx.x * std::size_t(blockDim.x) + threadIdx.x; k < count;
         k += std::size_t(gridDim.x) * blockDim.x) {
      uint4 x;
      asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];"
                   : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
                   : "l"(from + k));
      sum.x ^= x.x, sum.y ^= x.y, sum.z ^= x.z, sum.w ^= x.w;
    }
  }
  if (sum.x == 0x12345678u) *out = sum;
}

template <class Launch> long long clocks_of(Launch launch) {
  long long best = 1ll << 62;
  for (int k = 0; k < 3; ++k) {
    long long* const clocks = on_device(std::vector<long long>{0});
    launch(clocks);
    must(cudaGetLastError(), "launch");
    best = std::min(best, on_host(clocks, 1)[0]);
  }
  return best;
}

void exponential_rate(int sms, float* out) {
  const int rounds = 4096;
  const double clocks = clocks_of([&](long long* c) { exponentials<<<sms, 1024>>>(rounds, out, c); });
  const double rate = 1024.0 * 8 * rounds / clocks;
  check("ex2-rate", rate > 14.5 && rate < 17, text("%.2f a clock and SM", rate), "16");
}

template <int N, bool REGISTERS, int EXP> void product_rate(const char* name, int sms, float* out,
                                                            double least) {
  const int rounds = 4096;
  must(cudaFuncSetAttribute(products<N, REGISTERS, EXP>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                            80 * 1024),
       "shared memory");
  const double clocks =
      clocks_of([&](long long* c) { products<N, REGISTERS, EXP><<<sms, 256, 80 * 1024>>>(rounds, out, c); });
  const double rate = 2.0 * 2 * 64 * N * 64 * rounds / clocks, exponentials = 256.0 * EXP * rounds / clocks;
  const std::string seen = text("%.0f FLOP a clock and SM (%.1f%% of 4096)", rate, rate / 40.96) +
                           (EXP ? text(", %.2f ex2", exponentials) : "");
  line(name,
       least == 0      ? "INFO"
       : rate >= least ? "PASS"
                       : "FAIL",
       seen, least == 0 ? "a figure for the schedule" : text("at least %.0f", least));
}

void cache_rate(int sms) {
  const std::size_t bytes = 16 << 20;
  const int passes = 200;
  const uint4* const from = on_device(std::vector<uint4>(bytes / 16));
  uint4* const out = on_device(std::vector<uint4>(1));
  cudaEvent_t begin, end;
  must(cudaEventCreate(&begin), "event");
  must(cudaEventCreate(&end), "event");
  float best = 1e30f;
  for (int k = 0; k < 4; ++k) {
    must(cudaEventRecord(begin), "record");
    read<<<sms * 2, 1024>>>(from, bytes / 16, passes, out);
    must(cudaEventRecord(end), "record");
    must(cudaEventSynchronize(end), "read");
    float ms = 0;
    must(cudaEventElapsedTime(&ms, begin, end), "time");
    best = std::min(best, ms);
  }
  line("l2-read-rate", "INFO",
       text("%.2f TB/s over %zu MiB", bytes * double(passes) / best / 1e9, bytes >> 20),
       "4.7 TB/s feed 128-row tiles at 600 TFLOP/s");
}

}  // namespace fact

int main() {
  using namespace fact;
  // The device's multiprocessors, and memory for what kernels compute only to have computed it.
  static int sms;
  static float* out;
  const auto begin = [] {
    must(cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, 0), "attribute");
    out = on_device(std::vector<float>(std::size_t(sms) * 1024));
  };
  apart("device", [] {
    cudaDeviceProp device{};
    must(cudaGetDeviceProperties(&device, 0), "properties");
    line("device", "INFO",
         text("%s, %d SMs, %d MiB L2, %zu bytes shared memory a block", device.name,
              device.multiProcessorCount, device.l2CacheSize >> 20, device.sharedMemPerBlockOptin),
         "");
  });
  apart("ex2-rate", [&] { begin(), exponential_rate(sms, out); });
  struct Rate {
    const char* name;
    void (*run)(const char* name);
  };
  const Rate products[] = {
      {"wgmma-rate-n256", [](const char* n) { product_rate<256, false, 0>(n, sms, out, 3500); }},
      {"wgmma-rate-n128", [](const char* n) { product_rate<128, false, 0>(n, sms, out, 0); }},
      {"wgmma-rate-n64", [](const char* n) { product_rate<64, false, 0>(n, sms, out, 0); }},
      {"wgmma-rate-a-in-registers-n192", [](const char* n) { product_rate<192, true, 0>(n, sms, out, 0); }},
      {"wgmma-rate-a-in-registers-n64", [](const char* n) { product_rate<64, true, 0>(n, sms, out, 0); }},
      {"wgmma-beside-ex2-n128", [](const char* n) { product_rate<128, false, 32>(n, sms, out, 0); }},
  };
  for (const Rate& one : products) apart(one.name, [&] { begin(), one.run(one.name); });
  apart("l2-read-rate", [&] { begin(), cache_rate(sms); });
  return failures != 0;
}
