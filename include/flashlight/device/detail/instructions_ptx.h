// SPDX-License-Identifier: Apache-2.0
// Instructions of the sm_80 family in PTX.
#pragma once

#include "flashlight/device/detail/instructions.h"

namespace flashlight::device::detail {

FL_DEVICE std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

// ---- asynchronous copies

// Copies `bytes` (0..16) and zero-fills the rest of the 16; the source is not touched when bytes is 0.
FL_DEVICE void copy_async_16(std::uint32_t destination, const void* source, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(destination), "l"(source), "r"(bytes)
               : "memory");
}
FL_DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> FL_DEVICE void wait_copies() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }

// ---- shared memory; volatile keeps the loads behind the barriers before them

FL_DEVICE void load_shared(std::uint32_t address, Pair& x) {
  asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(x.x), "=f"(x.y) : "r"(address));
}
FL_DEVICE void load_shared(std::uint32_t address, Quad& x) {
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(x.word[0]), "=r"(x.word[1]), "=r"(x.word[2]), "=r"(x.word[3])
               : "r"(address));
}
FL_DEVICE void load_shared(std::uint32_t address, float& x) {
  asm volatile("ld.shared.f32 %0, [%1];" : "=f"(x) : "r"(address));
}
template <class T> FL_DEVICE void load_shared(std::uint32_t address, T& x) {
  asm volatile("ld.shared.u16 %0, [%1];" : "=h"(x.bits) : "r"(address));
}
FL_DEVICE void store_shared(std::uint32_t address, Pair x) {
  asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(address), "f"(x.x), "f"(x.y) : "memory");
}
FL_DEVICE void store_shared(std::uint32_t address, Quad x) {
  asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(x.word[0]), "r"(x.word[1]),
               "r"(x.word[2]), "r"(x.word[3])
               : "memory");
}
FL_DEVICE void store_shared(std::uint32_t address, std::uint32_t x) {
  asm volatile("st.shared.u32 [%0], %1;" ::"r"(address), "r"(x) : "memory");
}
FL_DEVICE void store_shared(std::uint32_t address, float x) {
  asm volatile("st.shared.f32 [%0], %1;" ::"r"(address), "f"(x) : "memory");
}
template <class T> FL_DEVICE void store_shared(std::uint32_t address, T x) {
  asm volatile("st.shared.u16 [%0], %1;" ::"r"(address), "h"(x.bits) : "memory");
}

// ---- global memory

// Through the read-only path: nothing writes *p while the kernel runs.
template <class T> FL_DEVICE T load_constant(const T* p) {
  if constexpr (is_half_width<T>) {
    return T{__ldg(reinterpret_cast<const unsigned short*>(p))};
  } else {
    return __ldg(p);
  }
}
// V may be wider than T: an aligned vector.
template <class V, class T> FL_DEVICE void store_global(T* p, V value) { *reinterpret_cast<V*>(p) = value; }

// ---- warp

FL_DEVICE float shuffle_xor(float x, int distance) { return __shfl_xor_sync(0xffffffffu, x, distance); }
FL_DEVICE std::uint32_t shuffle_xor(std::uint32_t x, int distance) {
  return __shfl_xor_sync(0xffffffffu, x, distance);
}
FL_DEVICE long long shuffle_xor(long long x, int distance) {
  return __shfl_xor_sync(0xffffffffu, x, distance);
}
FL_DEVICE bool any_lane(bool x) { return __any_sync(0xffffffffu, x) != 0; }

// ---- matrices

FL_DEVICE void load_matrix_x4(std::uint32_t (&r)[4], std::uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address));
}
FL_DEVICE void load_matrix_x2(std::uint32_t (&r)[4], std::uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(address));
}
FL_DEVICE void load_matrix_x4_transposed(std::uint32_t (&r)[4], std::uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address));
}
FL_DEVICE void load_matrix_x2_transposed(std::uint32_t (&r)[4], std::uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(address));
}

// c (16 x 8) += a (16 x 16) b (16 x 8). Pure, so that it may move between the loads.
template <class T>
FL_DEVICE void mma_k16(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  if constexpr (is_bfloat16<T>) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
}

// c (16 x 8) += a (16 x 8) b (8 x 8) in TF32.
FL_DEVICE void mma_k8_tf32(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

FL_DEVICE std::uint32_t to_tf32(float x) {
  std::uint32_t r;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
  return r;
}

}  // namespace flashlight::device::detail
