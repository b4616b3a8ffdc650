// SPDX-License-Identifier: Apache-2.0
// What the fact programs share: JSON lines on standard output, memory, and the PTX that they put to the test.
#pragma once

#include <cuda_runtime.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace fact {

inline int failures = 0;
inline const char* current = "program";  // the fact that is being tested, for errors of the runtime

inline void must(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::printf("{\"fact\": \"%s\", \"verdict\": \"FAIL\", \"observed\": \"%s: %s\", \"expected\": \"\"}\n",
              current, what, cudaGetErrorString(error));
  std::fflush(stdout);
  _exit(1);
}

// Texts are ASCII without quotes. verdict: PASS, FAIL or INFO (a measurement that nothing depends on).
inline void line(const char* name, const char* verdict, const std::string& observed,
                 const std::string& expected) {
  failures += std::strcmp(verdict, "FAIL") == 0;
  std::printf("{\"fact\": \"%s\", \"verdict\": \"%s\", \"observed\": \"%s\", \"expected\": \"%s\"}\n", name,
              verdict, observed.c_str(), expected.c_str());
  std::fflush(stdout);
}
inline void check(const char* name, bool passed, const std::string& observed, const std::string& expected) {
  line(name, passed ? "PASS" : "FAIL", observed, expected);
}

// Runs some facts in a process of their own, for at most 20 seconds: what traps or hangs there leaves the
// others their device. The caller itself must not touch it.
template <class Facts> void apart(const char* name, Facts facts) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    current = name;
    alarm(20);
    facts();
    std::fflush(stdout);
    _exit(failures != 0);
  }
  int status = 0;
  const bool waited = child > 0 && waitpid(child, &status, 0) == child;
  if (waited && WIFEXITED(status) && WEXITSTATUS(status) <= 1) {
    failures += WEXITSTATUS(status);
    return;
  }
  char seen[64];
  if (!waited) std::snprintf(seen, sizeof seen, "no process to run it");
  else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) std::snprintf(seen, sizeof seen, "hangs");
  else std::snprintf(seen, sizeof seen, "ended with status %d", status);
  line(name, "FAIL", seen, "it ends");
}

template <class... Args> std::string text(const char* format, Args... args) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, format, args...);
  return buffer;
}

// bfloat16 of a float that bfloat16 holds exactly; and back.
inline uint16_t bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return static_cast<uint16_t>(bits >> 16);
}

// Device memory that lives as long as the program.
template <class T> T* on_device(const std::vector<T>& host) {
  T* memory = nullptr;
  must(cudaMalloc(&memory, host.size() * sizeof(T)), "cudaMalloc");
  must(cudaMemcpy(memory, host.data(), host.size() * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
  return memory;
}
template <class T> std::vector<T> on_host(const T* device, std::size_t count) {
  std::vector<T> host(count);
  must(cudaDeviceSynchronize(), "the kernel");
  must(cudaMemcpy(host.data(), device, count * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
  return host;
}

// rows x cols small integers, as bfloat16 and as numbers: sums of products are exact in float32.
struct Matrix {
  int rows, cols;
  std::vector<uint16_t> bits;
  std::vector<int> value;

  Matrix(int rows, int cols, unsigned seed, int largest = 2)
      : rows(rows), cols(cols), bits(rows * cols), value(rows * cols) {
    for (int k = 0; k < rows * cols; ++k) {
      seed = seed * 1664525u + 1013904223u;
      value[k] = static_cast<int>((seed >> 16) % (2 * largest + 1)) - largest;
      bits[k] = bf16(static_cast<float>(value[k]));
    }
  }
  int at(int r, int c) const { return value[r * cols + c]; }
};

// How many of the rows x cols results differ from expected(row, col), and the first of them.
template <class Expected> std::string mismatches(const std::vector<float>& got, int rows, int cols,
                                                 Expected expected, int* count) {
  std::string first;
  *count = 0;
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) {
      const float want = static_cast<float>(expected(r, c)), is = got[r * cols + c];
      if (is == want) continue;
      if ((*count)++ == 0) first = text("; first at row %d, column %d: %g for %g", r, c, is, want);
    }
  }
  return text("%d of %d differ", *count, rows * cols) + first;
}

// Byte offset of (row, col) in a tile of 2-byte elements with `block` columns (64, 32 or 16) a swizzled row
// of 128, 64 or 32 bytes: blocks one after another, [cols / block][rows][block].
__host__ __device__ constexpr int swizzled(int row, int col, int rows, int block) {
  const int pitch = 2 * block, chunk = (col % block) / 8;
  const int turn = block == 64 ? row & 7 : block == 32 ? (row >> 1) & 3 : (row >> 2) & 1;
  return (col / block) * rows * pitch + row * pitch + ((chunk ^ turn) << 4) + (col & 7) * 2;
}

#if defined(__CUDACC__)

__device__ __forceinline__ uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

// wgmma's matrix descriptor. swizzle: 1 for 128 bytes, 2 for 64, 3 for 32. Offsets in bytes.
__device__ __forceinline__ uint64_t descriptor(uint32_t address, uint32_t leading, uint32_t stride,
                                               int swizzle) {
  auto encode = [](uint32_t x) { return static_cast<uint64_t>((x & 0x3FFFF) >> 4); };
  return encode(address) | encode(leading) << 16 | encode(stride) << 32 |
         static_cast<uint64_t>(swizzle) << 62;
}

__device__ __forceinline__ void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
}
template <int N> __device__ __forceinline__ void pin(float (&d)[N]) {
#pragma unroll
  for (int v = 0; v < N; ++v) asm volatile("" : "+f"(d[v])::"memory");
}
__device__ __forceinline__ void fence_proxy_async() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

// D[v] of thread t of a warpgroup: row and column in the 64 x N result.
__device__ __forceinline__ int row_of(int t, int v) {
  return 16 * (t / 32) + (t % 32) / 4 + 8 * ((v >> 1) & 1);
}
__device__ __forceinline__ int col_of(int t, int v) { return 8 * (v >> 2) + 2 * (t & 3) + (v & 1); }

__device__ __forceinline__ uint32_t pack(float low, float high) {
  uint32_t result;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
  return result;
}

__device__ __forceinline__ void barrier_init(uint64_t* barrier, int count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(count)
               : "memory");
}
__device__ __forceinline__ void fence_barrier_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
__device__ __forceinline__ void expect(uint64_t* barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
               "r"(bytes)
               : "memory");
}
// Waits for a phase's end; false after about a second, so that a wrong byte count is a finding and no hang.
__device__ __forceinline__ bool wait(uint64_t* barrier, int parity) {
  const long long begin = clock64();
  uint32_t done = 0;
  while (!done && clock64() - begin < 2000000000ll) {
    asm volatile(
        "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
        : "=r"(done)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
  }
  return done;
}

#endif

}  // namespace fact
