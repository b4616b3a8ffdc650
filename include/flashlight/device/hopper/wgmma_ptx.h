// SPDX-License-Identifier: Apache-2.0
// Products of a warpgroup on a GPU.
#pragma once

#include "flashlight/device/hopper/wgmma.h"

namespace flashlight::device {

namespace detail {

// The compiler may not move accesses to these registers across this place: it does not know that wgmma goes
// on writing and reading them.
template <int N> FL_DEVICE void pin(Acc<1, N>& c) {
  FL_UNROLL
  for (int nj = 0; nj < N / 8; ++nj) {
    float(&v)[4] = Registers::tile(c, 0, nj);
    FL_UNROLL
    for (int k = 0; k < 4; ++k) asm volatile("" : "+f"(v[k])::"memory");
  }
}
template <class T, int N> FL_DEVICE void pin(Operand<T, N>& p) {
  auto& r = OperandRegisters::of(p);
  FL_UNROLL
  for (int i = 0; i < N / kProductDepth; ++i) {
    FL_UNROLL
    for (int k = 0; k < 4; ++k) asm volatile("" : "+r"(r[i][k])::"memory");
  }
}

template <class T, class A, class B, int MODE, int DEPTH, int N>
FL_DEVICE void start_products(Acc<1, N>& c, std::uint64_t a, std::uint64_t b) {
  FL_UNROLL
  for (int i = 0; i < DEPTH / kProductDepth; ++i)
    wgmma<T, B::transposed>(Registers::block(c, 0), a + A::step(i), b + B::step(i), MODE == kAdd || i > 0);
}

template <class T, class B, int MODE, int DEPTH, int N>
FL_DEVICE void start_products(Acc<1, N>& c, Operand<T, DEPTH>& p, std::uint64_t b) {
  auto& a = OperandRegisters::of(p);
  FL_UNROLL
  for (int i = 0; i < DEPTH / kProductDepth; ++i)
    wgmma<T, B::transposed>(Registers::block(c, 0), a[i], b + B::step(i), MODE == kAdd || i > 0);
}

}  // namespace detail

template <class... R> FL_DEVICE void fence_products(R&... registers) {
  (detail::pin(registers), ...);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
FL_DEVICE void commit_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int N, class... R> FL_DEVICE void wait_products(R&... registers) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
  (detail::pin(registers), ...);
}

template <class T, int N> FL_DEVICE void round_fragment(Operand<T, N>& p, const Acc<1, N>& s) {
  auto& r = OperandRegisters::of(p);
  FL_UNROLL
  for (int nj = 0; nj < N / 8; ++nj) {
    const float(&v)[4] = Registers::tile(s, 0, nj);
    r[nj / 2][2 * (nj % 2)] = pack<T>(v[0], v[1]);
    r[nj / 2][2 * (nj % 2) + 1] = pack<T>(v[2], v[3]);
  }
}

template <ProductMode MODE, class T, int N, int M, int NB, int D>
FL_DEVICE void multiply_transposed_async(Acc<1, N>& c, SharedTile<T, M, D> a, SharedTile<T, NB, D> b,
                                         int warpgroup = 0, int first_row = 0) {
  using A = detail::KMajor<SharedTile<T, M, D>>;
  using B = detail::KMajor<SharedTile<T, NB, D>>;
  detail::start_products<T, A, B, MODE, D>(c, A::first(detail::shared_address(a.base), 64 * warpgroup),
                                           B::first(detail::shared_address(b.base), first_row));
}

template <ProductMode MODE, class T, int N, int NB, int D>
FL_DEVICE void multiply_transposed_async(Acc<1, N>& c, Operand<T, D>& p, SharedTile<T, NB, D> b,
                                         int first_row = 0) {
  using B = detail::KMajor<SharedTile<T, NB, D>>;
  detail::start_products<T, B, MODE>(c, p, B::first(detail::shared_address(b.base), first_row));
}

template <ProductMode MODE, class T, int N, int M, int K, int C>
FL_DEVICE void multiply_async(Acc<1, N>& c, SharedTile<T, M, K> a, SharedTile<T, K, C> b, int warpgroup = 0,
                              int first_col = 0) {
  using A = detail::KMajor<SharedTile<T, M, K>>;
  using B = detail::MnMajor<SharedTile<T, K, C>>;
  detail::start_products<T, A, B, MODE, K>(c, A::first(detail::shared_address(a.base), 64 * warpgroup),
                                           B::first(detail::shared_address(b.base), first_col));
}

template <ProductMode MODE, class T, int N, int K, int C>
FL_DEVICE void multiply_async(Acc<1, N>& c, Operand<T, K>& p, SharedTile<T, K, C> b, int first_col = 0) {
  using B = detail::MnMajor<SharedTile<T, K, C>>;
  detail::start_products<T, B, MODE>(c, p, B::first(detail::shared_address(b.base), first_col));
}

}  // namespace flashlight::device
