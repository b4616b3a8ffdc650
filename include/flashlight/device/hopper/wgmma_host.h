// SPDX-License-Identifier: Apache-2.0
// Products of a warpgroup on the emulated device: the same descriptors as on a GPU, handed to the emulator.
#pragma once

#include <array>
#include <type_traits>

#include "flashlight/device/hopper/wgmma.h"

namespace flashlight::device {

namespace detail {

template <int N> emulator::CheckedRegisters& registers_of(Acc<1, N>& c) { return Registers::floats(c); }
template <class T, int N> emulator::CheckedRegisters& registers_of(Operand<T, N>& p) {
  return OperandRegisters::of(p);
}

inline std::uint32_t descriptor_address(const unsigned char* tile, const std::source_location& where) {
  return static_cast<std::uint32_t>(tile - emulator::shared_memory(where));
}

// What the descriptor of each step adds to the first.
template <class Layout, int STEPS> inline constexpr auto kSteps = [] {
  std::array<std::uint64_t, STEPS> steps{};
  for (int i = 0; i < STEPS; ++i) steps[i] = Layout::step(i);
  return steps;
}();

template <class T> float widen(std::uint16_t bits) { return to_float(T{bits}); }

template <class T, class B, int STEPS, int N>
emulator::WarpgroupProduct product_of(Acc<1, N>& c, ProductMode mode, std::uint64_t b) {
  static_assert(N <= 256, "wgmma makes at most 256 columns");
  emulator::WarpgroupProduct p{};
  p.c = &registers_of(c);
  p.columns = N;
  p.add = mode == kAdd;
  p.b = b;
  p.b_steps = kSteps<B, STEPS>.data();
  p.steps = STEPS;
  p.b_transposed = B::transposed;
  p.widen = widen<T>;
  return p;
}

template <class T, class A, class B, int DEPTH, int N>
void start_product(Acc<1, N>& c, ProductMode mode, std::uint64_t a, std::uint64_t b,
                   const std::source_location& where) {
  constexpr int steps = DEPTH / kProductDepth;
  emulator::WarpgroupProduct p = product_of<T, B, steps>(c, mode, b);
  p.a = a;
  p.a_steps = kSteps<A, steps>.data();
  emulator::start_product(p, where);
}

template <class T, class B, int DEPTH, int N>
void start_product(Acc<1, N>& c, ProductMode mode, Operand<T, DEPTH>& left, std::uint64_t b,
                   const std::source_location& where) {
  emulator::WarpgroupProduct p = product_of<T, B, DEPTH / kProductDepth>(c, mode, b);
  p.left = &registers_of(left);
  emulator::start_product(p, where);
}

// A tile's columns as operand of a product that contracts its rows.
template <class Tile> bool blocks_are_inside(const char* name, int col0, int cols,
                                             const std::source_location& where) {
  const bool ok = col0 >= 0 && col0 % Tile::block == 0 && col0 + cols <= Tile::cols;
  if (!ok)
    emulator::invalid_operand(name, "the columns are not inside the tile or do not start a block", where);
  return ok;
}

// Stands for registers that a call does not name. (The line follows the registers, so that they are no pack.)
struct NoRegisters {};
inline NoRegisters no_registers;

// f(registers) for those that are named.
template <class F, class... R> void for_each_named(F f, R&... registers) {
  const auto visit = [&](auto& r) {
    if constexpr (!std::is_same_v<std::remove_reference_t<decltype(r)>, NoRegisters>) f(registers_of(r));
  };
  (visit(registers), ...);
}

}  // namespace detail

template <class A, class B = detail::NoRegisters, class C = detail::NoRegisters,
          class D = detail::NoRegisters, class E = detail::NoRegisters, class F = detail::NoRegisters>
void fence_products(A& a, B& b = detail::no_registers, C& c = detail::no_registers,
                    D& d = detail::no_registers, E& e = detail::no_registers,
                    F& f = detail::no_registers FL_AND_WHERE) {
  detail::for_each_named([&](emulator::CheckedRegisters& r) { emulator::fence_registers(r, where); }, a, b, c,
                         d, e, f);
}

inline void commit_products(FL_WHERE) { emulator::commit_products(where); }

template <int N, class A = detail::NoRegisters, class B = detail::NoRegisters, class C = detail::NoRegisters,
          class D = detail::NoRegisters, class E = detail::NoRegisters, class F = detail::NoRegisters>
void wait_products(A& a = detail::no_registers, B& b = detail::no_registers, C& c = detail::no_registers,
                   D& d = detail::no_registers, E& e = detail::no_registers,
                   F& f = detail::no_registers FL_AND_WHERE) {
  emulator::CheckedRegisters* named[6];
  int count = 0;
  detail::for_each_named([&](emulator::CheckedRegisters& r) { named[count++] = &r; }, a, b, c, d, e, f);
  emulator::wait_products(N, named, count, where);
}

template <class T, int N> void round_fragment(Operand<T, N>& p, const Acc<1, N>& s FL_AND_WHERE) {
  auto& rounded = OperandRegisters::of(p);
  const auto& values = Registers::floats(s);
  if (rounded.in_flight()) return emulator::pending_register("written", where);
  for (int i = 0; i < N / 2; ++i) rounded.values()[i] = to_float(from_float<T>(values.read(i, where)));
  rounded.mark(emulator::RegisterState::kAccessed);
}

template <ProductMode MODE, class T, int N, int M, int NB, int D>
void multiply_transposed_async(Acc<1, N>& c, SharedTile<T, M, D> a, SharedTile<T, NB, D> b, int warpgroup = 0,
                               int first_row = 0 FL_AND_WHERE) {
  using A = detail::KMajor<SharedTile<T, M, D>>;
  using B = detail::KMajor<SharedTile<T, NB, D>>;
  if (!detail::rows_are_inside<SharedTile<T, M, D>>("multiply_transposed_async", 64 * warpgroup, 64, where) ||
      !detail::rows_are_inside<SharedTile<T, NB, D>>("multiply_transposed_async", first_row, N, where)) {
    return;
  }
  detail::start_product<T, A, B, D>(c, MODE,
                                    A::first(detail::descriptor_address(a.base, where), 64 * warpgroup),
                                    B::first(detail::descriptor_address(b.base, where), first_row), where);
}

template <ProductMode MODE, class T, int N, int NB, int D>
void multiply_transposed_async(Acc<1, N>& c, Operand<T, D>& p, SharedTile<T, NB, D> b,
                               int first_row = 0 FL_AND_WHERE) {
  using B = detail::KMajor<SharedTile<T, NB, D>>;
  if (!detail::rows_are_inside<SharedTile<T, NB, D>>("multiply_transposed_async", first_row, N, where))
    return;
  detail::start_product<T, B>(c, MODE, p, B::first(detail::descriptor_address(b.base, where), first_row),
                              where);
}

template <ProductMode MODE, class T, int N, int M, int K, int C>
void multiply_async(Acc<1, N>& c, SharedTile<T, M, K> a, SharedTile<T, K, C> b, int warpgroup = 0,
                    int first_col = 0 FL_AND_WHERE) {
  using A = detail::KMajor<SharedTile<T, M, K>>;
  using B = detail::MnMajor<SharedTile<T, K, C>>;
  if (!detail::rows_are_inside<SharedTile<T, M, K>>("multiply_async", 64 * warpgroup, 64, where) ||
      !detail::blocks_are_inside<SharedTile<T, K, C>>("multiply_async", first_col, N, where)) {
    return;
  }
  detail::start_product<T, A, B, K>(c, MODE,
                                    A::first(detail::descriptor_address(a.base, where), 64 * warpgroup),
                                    B::first(detail::descriptor_address(b.base, where), first_col), where);
}

template <ProductMode MODE, class T, int N, int K, int C>
void multiply_async(Acc<1, N>& c, Operand<T, K>& p, SharedTile<T, K, C> b, int first_col = 0 FL_AND_WHERE) {
  using B = detail::MnMajor<SharedTile<T, K, C>>;
  if (!detail::blocks_are_inside<SharedTile<T, K, C>>("multiply_async", first_col, N, where)) return;
  detail::start_product<T, B>(c, MODE, p, B::first(detail::descriptor_address(b.base, where), first_col),
                              where);
}

}  // namespace flashlight::device
