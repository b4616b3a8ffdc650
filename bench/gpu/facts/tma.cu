// SPDX-License-Identifier: Apache-2.0
// Facts of TMA: its swizzles against wgmma's, what a box outside the tensor counts and holds, stores, and the
// way to the encoder without linking libcuda.
#include <cuda.h>

#include "fact.h"
#include "wgmma.h"

namespace fact {

using Encode = decltype(&cuTensorMapEncodeTiled);

struct Found {
  Encode encode;
  int error, status;
};

Found find_encoder() {
  void* entry = nullptr;
  cudaDriverEntryPointQueryResult status{};
  const cudaError_t error =
      cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry, 12000, cudaEnableDefault, &status);
  const bool found = error == cudaSuccess && status == cudaDriverEntryPointSuccess && entry;
  return {found ? reinterpret_cast<Encode>(entry) : nullptr, static_cast<int>(error),
          static_cast<int>(status)};
}

Encode must_find_encoder() {
  must(cudaFree(nullptr), "a context");
  const Encode encode = find_encoder().encode;
  if (!encode) must(cudaErrorUnknown, "no encoder");
  return encode;
}

// A map of [B, H, S, D] bfloat16 stored [B, S, H, D], boxes of `rows` x `block`. `stacked`: the last axis
// counts in rows of D instead, so that its matrices overlap.
CUtensorMap map_of(Encode encode, uint16_t* base, int b, int h, int s, int d, int rows, int block,
                   CUtensorMapSwizzle swizzle, CUresult* result, bool stacked = false) {
  alignas(64) CUtensorMap map;
  const cuuint64_t last = stacked ? cuuint64_t(b) * s * h : cuuint64_t(b);
  const cuuint64_t sizes[] = {cuuint64_t(d), cuuint64_t(s), cuuint64_t(h), last};
  const cuuint64_t strides[] = {cuuint64_t(h) * d * 2, cuuint64_t(d) * 2,
                                (stacked ? 1 : cuuint64_t(s) * h) * d * 2};
  const cuuint32_t box[] = {cuuint32_t(block), cuuint32_t(rows), 1, 1}, steps[] = {1, 1, 1, 1};
  *result = encode(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 4, base, sizes, strides, box, steps,
                   CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle, CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
                   CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return map;
}

__device__ void load(void* to, const CUtensorMap* map, uint64_t* barrier, int c, int s, int h, int b) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1, "
      "{%3, %4, %5, %6}], [%2], %7;" ::"r"(shared_address(to)),
      "l"(map), "r"(shared_address(barrier)), "r"(c), "r"(s), "r"(h), "r"(b), "l"(0x14F0000000000000ull)
      : "memory");
}
__device__ void store(const void* from, const CUtensorMap* map, int c, int s, int h, int b) {
  asm volatile(
      "cp.async.bulk.tensor.4d.global.shared::cta.bulk_group [%0, {%2, %3, %4, %5}], [%1];" ::"l"(map),
      "r"(shared_address(from)), "r"(c), "r"(s), "r"(h), "r"(b)
      : "memory");
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
  asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}

// Loads blocks of `block` columns of rows [row0, row0 + rows) of head 1, last axis `matrix`, and copies
// shared memory out.
__global__ void load_boxes(const __grid_constant__ CUtensorMap map, int rows, int blocks, int block, int row0,
                           int matrix, uint16_t* out, int* waited) {
  extern __shared__ __align__(1024) unsigned char shared[];
  const int box = rows * block * 2;
  uint64_t& barrier = *reinterpret_cast<uint64_t*>(shared + blocks * box);
  for (int k = threadIdx.x; k < blocks * box; k += blockDim.x) shared[k] = 0xFF;
  fence_proxy_async();
  if (threadIdx.x == 0) {
    barrier_init(&barrier, 1);
    fence_barrier_init();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    expect(&barrier, blocks * box);
    for (int k = 0; k < blocks; ++k) load(shared + k * box, &map, &barrier, k * block, row0, 1, matrix);
  }
  const bool arrived = wait(&barrier, 0);
  if (threadIdx.x == 0) *waited = arrived;
  for (int k = threadIdx.x; k < blocks * box / 2; k += blockDim.x)
    out[k] = reinterpret_cast<uint16_t*>(shared)[k];
}

// Boxes that may reach beyond S and D against the layout that wgmma reads; zero outside; the barrier must
// have counted full boxes.
void loads(Encode encode, const char* name, int s, int d, int rows, int block, CUtensorMapSwizzle swizzle,
           int row0, bool stacked = false) {
  const int b = 2, h = 3, blocks = (d + block - 1) / block;
  const Matrix all(b * s * h, d, 7);
  CUresult made{};
  const CUtensorMap map =
      map_of(encode, on_device(all.bits), b, h, s, d, rows, block, swizzle, &made, stacked);
  if (made != CUDA_SUCCESS)
    return check(name, false, text("cuTensorMapEncodeTiled gives %d", static_cast<int>(made)), "a map");
  const int bytes = blocks * rows * block * 2;
  must(cudaFuncSetAttribute(load_boxes, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes + 16),
       "shared memory");
  uint16_t* const out = on_device(std::vector<uint16_t>(bytes / 2, 0));
  int* const waited = on_device(std::vector<int>{-1});
  load_boxes<<<1, 128, bytes + 16>>>(map, rows, blocks, block, row0, stacked ? s * h : 1, out, waited);
  must(cudaGetLastError(), "launch");
  const std::vector<uint16_t> tile = on_host(out, bytes / 2);
  int wrong = 0;
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < blocks * block; ++c) {
      const bool inside = row0 + r >= 0 && row0 + r < s && c < d;
      const uint16_t want = inside ? all.bits[((1 * s + row0 + r) * h + 1) * d + c] : 0;
      wrong += tile[swizzled(r, c, rows, block) / 2] != want;
    }
  }
  const bool arrived = on_host(waited, 1)[0] == 1;
  check(name, arrived && wrong == 0,
        text("%s, %d of %d elements differ", arrived ? "arrived" : "never arrived", wrong,
             rows * blocks * block),
        text("%d bytes arrive, chunk ^= row pattern, zeros outside", bytes));
}

__global__ void store_box(const __grid_constant__ CUtensorMap map, const uint16_t* from, int rows, int row0) {
  extern __shared__ __align__(1024) unsigned char shared[];
  for (int e = threadIdx.x; e < rows * 64; e += blockDim.x) {
    *reinterpret_cast<uint16_t*>(shared + swizzled(e / 64, e % 64, rows, 64)) = from[e];
  }
  fence_proxy_async();
  __syncthreads();
  if (threadIdx.x == 0) store(shared, &map, 0, row0, 1, 1);
}

void stores(Encode encode) {
  const int b = 2, h = 3, s = 100, d = 64, rows = 64, row0 = 64;
  const Matrix tile(rows, d, 8);
  uint16_t* const memory = on_device(std::vector<uint16_t>(b * h * s * d, 0xAAAA));
  CUresult made{};
  const CUtensorMap map = map_of(encode, memory, b, h, s, d, rows, 64, CU_TENSOR_MAP_SWIZZLE_128B, &made);
  if (made != CUDA_SUCCESS) return check("tma-store-clips", false, "no map", "a map");
  store_box<<<1, 128, rows * 128>>>(map, on_device(tile.bits), rows, row0);
  must(cudaGetLastError(), "launch");
  const std::vector<uint16_t> all = on_host(memory, b * h * s * d);
  int wrong = 0;
  for (int k = 0; k < b * h * s * d; ++k) {
    const int c = k % d, head = k / d % h, row = k / d / h % s, batch = k / d / h / s;
    const bool written = batch == 1 && head == 1 && row >= row0;
    wrong += all[k] != (written ? tile.bits[(row - row0) * d + c] : 0xAAAA);
  }
  check("tma-store-clips", wrong == 0, text("%d of %d elements of the tensor differ", wrong, b * h * s * d),
        "rows inside the tensor are stored from a swizzled tile, others are not touched");
}

// Q and K by TMA, then a product: the mbarrier's wait alone orders them.
__global__ void __launch_bounds__(128, 1)
    load_and_multiply(const __grid_constant__ CUtensorMap map, float* out, int* waited) {
  extern __shared__ __align__(1024) unsigned char shared[];
  uint64_t& barrier = *reinterpret_cast<uint64_t*>(shared + 2 * 64 * 128);
  if (threadIdx.x == 0) {
    barrier_init(&barrier, 1);
    fence_barrier_init();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    expect(&barrier, 2 * 64 * 128);
    load(shared, &map, &barrier, 0, 0, 0, 0);
    load(shared + 64 * 128, &map, &barrier, 0, 64, 0, 0);
  }
  const bool arrived = wait(&barrier, 0);
  float d[32] = {};
  pin(d);
  wgmma_fence();
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    multiply_ss<0, 0>(d, descriptor(shared_address(shared) + 32 * j, 16, 1024, 1),
                      descriptor(shared_address(shared) + 64 * 128 + 32 * j, 16, 1024, 1), 1);
  }
  wgmma_commit();
  wgmma_wait();
  pin(d);
  if (threadIdx.x == 0) *waited = arrived;
#pragma unroll
  for (int e = 0; e < 32; ++e) out[row_of(threadIdx.x, e) * 64 + col_of(threadIdx.x, e)] = d[e];
}

void product(Encode encode) {
  const Matrix all(128, 64, 9);
  CUresult made{};
  const CUtensorMap map =
      map_of(encode, on_device(all.bits), 1, 1, 128, 64, 64, 64, CU_TENSOR_MAP_SWIZZLE_128B, &made);
  if (made != CUDA_SUCCESS) return check("tma-feeds-wgmma", false, "no map", "a map");
  float* const out = on_device(std::vector<float>(4096, -1.0f));
  load_and_multiply<<<1, 128, 2 * 64 * 128 + 16>>>(map, out, on_device(std::vector<int>{0}));
  must(cudaGetLastError(), "launch");
  int wrong = 0;
  const std::string seen = mismatches(
      on_host(out, 4096), 64, 64,
      [&](int r, int c) {
        int sum = 0;
        for (int k = 0; k < 64; ++k) sum += all.at(r, k) * all.at(64 + c, k);
        return sum;
      },
      &wrong);
  check("tma-feeds-wgmma", wrong == 0, seen, "exact, without a proxy fence");
}

}  // namespace fact

int main() {
  using namespace fact;
  apart("tma-encoder-by-version", [] {
    const auto [encode, error, status] = find_encoder();
    check("tma-encoder-by-version", encode != nullptr, text("error %d, status %d", error, status),
          "cudaGetDriverEntryPointByVersion finds cuTensorMapEncodeTiled of 12000");
  });
  struct Load {
    const char* name;
    int s, d, rows, block;
    CUtensorMapSwizzle swizzle;
    int row0;
    bool stacked = false;
  };
  const Load all[] = {
      {"tma-swizzle-128b", 100, 128, 64, 64, CU_TENSOR_MAP_SWIZZLE_128B, 0},
      {"tma-swizzle-64b", 100, 96, 64, 32, CU_TENSOR_MAP_SWIZZLE_64B, 0},
      {"tma-swizzle-32b", 100, 48, 64, 16, CU_TENSOR_MAP_SWIZZLE_32B, 0},
      {"tma-rows-outside-are-zero-and-counted", 100, 128, 64, 64, CU_TENSOR_MAP_SWIZZLE_128B, 64},
      {"tma-all-rows-outside", 100, 64, 64, 64, CU_TENSOR_MAP_SWIZZLE_128B, 128},
      {"tma-columns-outside-are-zero-and-counted", 100, 40, 64, 64, CU_TENSOR_MAP_SWIZZLE_128B, 0},
      {"tma-rows-before-the-first", 100, 64, 64, 64, CU_TENSOR_MAP_SWIZZLE_128B, -16},
      {"tma-box-of-192-rows", 300, 128, 192, 64, CU_TENSOR_MAP_SWIZZLE_128B, 192},
      {"tma-matrices-that-overlap", 100, 128, 64, 64, CU_TENSOR_MAP_SWIZZLE_128B, 64, true},
  };
  for (const Load& l : all) {
    apart(l.name, [&] {
      loads(must_find_encoder(), l.name, l.s, l.d, l.rows, l.block, l.swizzle, l.row0, l.stacked);
    });
  }
  apart("tma-store-clips", [] { stores(must_find_encoder()); });
  apart("tma-feeds-wgmma", [] { product(must_find_encoder()); });
  return failures != 0;
}
