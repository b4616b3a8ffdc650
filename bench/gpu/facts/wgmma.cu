// SPDX-License-Identifier: Apache-2.0
// Facts of wgmma: descriptors of K-major and MN-major operands under each swizzle, layouts of accumulators
// and of A in registers.
#include "fact.h"
#include "wgmma.h"

namespace fact {

// One product D[64 x N] = A[64 x K] B[K x N] under test. Operand steps are in bytes of shared memory.
struct Setup {
  int k, block;  // depth; columns of a swizzled row: 64, 32 or 16
  int swizzle;   // the descriptor's code
  uint32_t a_leading, a_stride, b_leading, b_stride;
  int row0;  // the product's first row in a tile of rows_a rows
  int rows_a;
  bool a_mn, b_mn;  // stored with M or N contiguous instead of K
};

__device__ void fill(unsigned char* tile, const uint16_t* from, int rows, int cols, int block) {
  for (int e = threadIdx.x; e < rows * cols; e += blockDim.x) {
    *reinterpret_cast<uint16_t*>(tile + swizzled(e / cols, e % cols, rows, block)) = from[e];
  }
}

// What K step `s` adds to an operand's address: 16 columns of a K-major tile, 16 rows of an MN-major one.
__device__ uint32_t step(int s, bool mn, int rows, int block) {
  const int pitch = 2 * block;
  if (mn) return s * 16 * pitch;
  return (s * 16 / block) * rows * pitch + (s * 16 % block) * 2;
}

template <int N, int TRANS_A, int TRANS_B> __global__ void __launch_bounds__(128, 1)
    product(Setup u, const uint16_t* a, const uint16_t* b, float* out) {
  extern __shared__ __align__(1024) unsigned char shared[];
  const int a_rows = u.a_mn ? u.k : u.rows_a, a_cols = u.a_mn ? u.rows_a : u.k;
  const int b_rows = u.b_mn ? u.k : N, b_cols = u.b_mn ? N : u.k;
  unsigned char *const a_tile = shared, *const b_tile = shared + a_rows * a_cols * 2;
  fill(a_tile, a, a_rows, a_cols, u.block);
  fill(b_tile, b, b_rows, b_cols, u.block);
  fence_proxy_async();
  __syncthreads();

  float d[N / 2];
#pragma unroll
  for (float& x : d) x = __int_as_float(0x7fc00000);  // the first product must not add to it
  const uint32_t a_at = shared_address(a_tile) + u.row0 * 2 * u.block, b_at = shared_address(b_tile);
  pin(d);
  wgmma_fence();
  for (int s = 0; s < u.k / 16; ++s) {
    const uint64_t da =
        descriptor(a_at + step(s, u.a_mn, a_rows, u.block), u.a_leading, u.a_stride, u.swizzle);
    const uint64_t db =
        descriptor(b_at + step(s, u.b_mn, b_rows, u.block), u.b_leading, u.b_stride, u.swizzle);
    multiply_ss<TRANS_A, TRANS_B>(d, da, db, s > 0);
  }
  wgmma_commit();
  wgmma_wait();
  pin(d);
#pragma unroll
  for (int v = 0; v < N / 2; ++v) out[row_of(threadIdx.x, v) * N + col_of(threadIdx.x, v)] = d[v];
}

template <int N, int TRANS_A, int TRANS_B> std::string run(const Setup& u, int* wrong) {
  const Matrix a(u.a_mn ? u.k : u.rows_a, u.a_mn ? u.rows_a : u.k, 1),
      b(u.b_mn ? u.k : N, u.b_mn ? N : u.k, 2);
  float* const out = on_device(std::vector<float>(64 * N, -1.0f));
  const int bytes = 2 * (a.rows * a.cols + b.rows * b.cols);
  must(cudaFuncSetAttribute(product<N, TRANS_A, TRANS_B>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
       "shared memory");
  product<N, TRANS_A, TRANS_B><<<1, 128, bytes>>>(u, on_device(a.bits), on_device(b.bits), out);
  must(cudaGetLastError(), "launch");
  return mismatches(
      on_host(out, 64 * N), 64, N,
      [&](int r, int c) {
        int sum = 0;
        for (int k = 0; k < u.k; ++k)
          sum += (u.a_mn ? a.at(k, u.row0 + r) : a.at(u.row0 + r, k)) * (u.b_mn ? b.at(k, c) : b.at(c, k));
        return sum;
      },
      wrong);
}

template <int N> void k_major(const char* name, int k, int block, int swizzle, uint32_t stride,
                              uint32_t leading = 16, int row0 = 0) {
  const Setup u{k, block, swizzle, leading, stride, leading, stride, row0, row0 + 64, false, false};
  int wrong = 0;
  const std::string seen = run<N, 0, 0>(u, &wrong);
  check(name, wrong == 0, seen,
        text("exact: SBO %u, LBO %u, swizzle code %d, K %d", stride, leading, swizzle, k));
}

template <int N> void mn_major_b(const char* name, int k) {
  const uint32_t next = k * 128;  // from one block of 64 columns to the next
  int wrong = 0;
  const std::string seen = run<N, 0, 1>({k, 64, 1, 16, 1024, next, 1024, 0, 64, false, true}, &wrong);
  std::string other;
  if (wrong) {
    int swapped = 0;
    run<N, 0, 1>({k, 64, 1, 16, 1024, 1024, next, 0, 64, false, true}, &swapped);
    other = swapped ? "; exchanging SBO and LBO does not help" : "; right with SBO and LBO exchanged";
  }
  check(name, wrong == 0, seen + other, text("exact: SBO 1024, LBO %u, K step 2048 bytes", next));
}

// The A operand in registers, straight from memory; then S = A B^T turned into the A operand of P V by
// packing pairs.
__global__ void __launch_bounds__(128, 1)
    chained(const uint16_t* q, const uint16_t* k, const uint16_t* v, float* s_out, float* o_out) {
  extern __shared__ __align__(1024) unsigned char shared[];
  unsigned char *const k_tile = shared, *const v_tile = shared + 64 * 128;
  fill(k_tile, k, 64, 64, 64);
  fill(v_tile, v, 64, 64, 64);
  fence_proxy_async();
  __syncthreads();
  const int t = threadIdx.x, row = 16 * (t / 32) + (t % 32) / 4;
  auto pair = [&](int r, int c) { return *reinterpret_cast<const uint32_t*>(q + r * 64 + c); };
  uint32_t a[4][4];
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const int c = 16 * j + 2 * (t & 3);
    a[j][0] = pair(row, c);
    a[j][1] = pair(row + 8, c);
    a[j][2] = pair(row, c + 8);
    a[j][3] = pair(row + 8, c + 8);
  }
  float s[32] = {};
  pin(s);
  wgmma_fence();
#pragma unroll
  for (int j = 0; j < 4; ++j)
    multiply_rs<0>(s, a[j], descriptor(shared_address(k_tile) + 32 * j, 16, 1024, 1), 1);
  wgmma_commit();
  wgmma_wait();
  pin(s);
#pragma unroll
  for (int j = 0; j < 4; ++j) {
#pragma unroll
    for (int e = 0; e < 4; ++e) a[j][e] = pack(s[8 * j + 2 * e], s[8 * j + 2 * e + 1]);
  }
  float o[32] = {};
  pin(o);
  wgmma_fence();
#pragma unroll
  for (int j = 0; j < 4; ++j)
    multiply_rs<1>(o, a[j], descriptor(shared_address(v_tile) + 2048 * j, 64 * 128, 1024, 1), 1);
  wgmma_commit();
  wgmma_wait();
  pin(o);
#pragma unroll
  for (int e = 0; e < 32; ++e) {
    s_out[row_of(t, e) * 64 + col_of(t, e)] = s[e];
    o_out[row_of(t, e) * 64 + col_of(t, e)] = o[e];
  }
}

void a_in_registers() {
  const Matrix q(64, 64, 3, 1), k(64, 64, 4, 1), v(64, 64, 5);
  float *const s = on_device(std::vector<float>(4096, -1.0f)), *const o =
                                                                   on_device(std::vector<float>(4096, -1.0f));
  chained<<<1, 128, 2 * 64 * 128>>>(on_device(q.bits), on_device(k.bits), on_device(v.bits), s, o);
  must(cudaGetLastError(), "launch");
  auto score = [&](int r, int c) {
    int sum = 0;
    for (int d = 0; d < 64; ++d) sum += q.at(r, d) * k.at(c, d);
    return sum;
  };
  int wrong = 0;
  std::string seen = mismatches(on_host(s, 4096), 64, 64, score, &wrong);
  check("wgmma-a-fragment", wrong == 0, seen,
        "exact: a0 (r, c), a1 (r + 8, c), a2 (r, c + 8), a3 (r + 8, c + 8)");
  seen = mismatches(
      on_host(o, 4096), 64, 64,
      [&](int r, int c) {
        int sum = 0;
        for (int j = 0; j < 64; ++j) sum += score(r, j) * v.at(j, c);
        return sum;
      },
      &wrong);
  check("wgmma-accumulator-is-a-fragment", wrong == 0, seen,
        "exact: pairs of D packed in order are A, B is MN-major");
}

}  // namespace fact

int main() {
  using namespace fact;
  struct Product {
    const char* name;
    void (*run)(const char* name);
  };
  const Product products[] = {
      {"wgmma-k-major-128b", [](const char* n) { k_major<64>(n, 64, 64, 1, 1024); }},
      {"wgmma-k-major-128b-two-blocks", [](const char* n) { k_major<64>(n, 128, 64, 1, 1024); }},
      {"wgmma-k-major-leading-offset-ignored",
       [](const char* n) { k_major<64>(n, 128, 64, 1, 1024, 0x3FFF0); }},
      {"wgmma-k-major-rows-64-to-127", [](const char* n) { k_major<64>(n, 128, 64, 1, 1024, 16, 64); }},
      {"wgmma-k-major-64b", [](const char* n) { k_major<64>(n, 64, 32, 2, 512); }},
      {"wgmma-k-major-32b", [](const char* n) { k_major<64>(n, 32, 16, 3, 256); }},
      {"wgmma-n128", [](const char* n) { k_major<128>(n, 64, 64, 1, 1024); }},
      {"wgmma-n192", [](const char* n) { k_major<192>(n, 64, 64, 1, 1024); }},
      {"wgmma-n256", [](const char* n) { k_major<256>(n, 64, 64, 1, 1024); }},
      {"wgmma-mn-major-b-64", [](const char* n) { mn_major_b<64>(n, 64); }},
      {"wgmma-mn-major-b-128", [](const char* n) { mn_major_b<128>(n, 64); }},
      {"wgmma-mn-major-b-256", [](const char* n) { mn_major_b<256>(n, 128); }},
  };
  for (const Product& one : products) apart(one.name, [&] { one.run(one.name); });
  apart("wgmma-mn-major-a", [] {
    int wrong = 0;
    const std::string seen = run<64, 1, 0>({64, 64, 1, 64 * 128, 1024, 16, 1024, 0, 64, true, false}, &wrong);
    check("wgmma-mn-major-a", wrong == 0, seen, "exact: SBO 1024, K step 2048 bytes");
  });
  apart("wgmma-a-in-registers", a_in_registers);
  return failures != 0;
}
