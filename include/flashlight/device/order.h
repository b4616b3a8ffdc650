// SPDX-License-Identifier: Apache-2.0
// Brings the elements of a row into order, by all threads of a CTA: in any length, stable, the same on every
// run.
#pragma once

#include <bit>
#include <type_traits>

#include "flashlight/device/element.h"

namespace flashlight::device {

inline constexpr int kOrderThreads = 256;

namespace detail {

// Numbers whose order as integers is that of the values. NaN is the largest, and both zeros are one.
FL_DEVICE unsigned long long order_key(double x) {
  if (x != x) return ~0ull;
#if defined(__CUDACC__)
  const auto bits = static_cast<unsigned long long>(__double_as_longlong(x + 0.0));
#else
  const auto bits = std::bit_cast<unsigned long long>(x + 0.0);
#endif
  return bits >> 63 ? ~bits : bits | 1ull << 63;
}
FL_DEVICE unsigned long long order_key(long long x) {
  return static_cast<unsigned long long>(x) ^ 1ull << 63;
}

// Memory that the CTA's threads hand to each other, shared or global.
template <bool SHARED, class T> FL_DEVICE T load_row(const T* p FL_AND_WHERE) {
#if defined(__CUDACC__)
  return *p;
#else
  T x{};
  if constexpr (SHARED) emulator::shared_load(thread_index(), p, &x, sizeof x, where);
  else emulator::global_load(p, &x, sizeof x, where);
  return x;
#endif
}
template <bool SHARED, class T> FL_DEVICE void store_row(T* p, T x FL_AND_WHERE) {
#if defined(__CUDACC__)
  *p = x;
#else
  if constexpr (SHARED) emulator::shared_store(thread_index(), p, &x, sizeof x, where);
  else emulator::global_store(p, &x, sizeof x, where);
#endif
}

}  // namespace detail

// What stands for an element in ascending or descending order.
FL_DEVICE unsigned long long order_key(AuxTensor tensor, long long offset, bool descending FL_AND_WHERE) {
  const auto key = detail::with_aux<unsigned long long>(tensor, offset, [](auto x) {
    if constexpr (std::is_floating_point_v<decltype(x)>) return detail::order_key(static_cast<double>(x));
    else return detail::order_key(static_cast<long long>(x));
  } FL_AND_HERE);
  return descending ? ~key : key;
}

// A row's keys, and where each of them stood. Two elements with one key are ordered by their places, so that
// the order is total and any network that sorts is stable.
template <bool SHARED> struct OrderedRow {
  static FL_HOST_DEVICE constexpr long long bytes(long long length) { return (length * 12 + 15) / 16 * 16; }

  unsigned char* memory;
  int length;

  FL_DEVICE int place(int i FL_AND_WHERE) const { return detail::load_row<SHARED>(places() + i FL_AND_HERE); }
  FL_DEVICE void set(int i, unsigned long long key, int place FL_AND_WHERE) const {
    detail::store_row<SHARED>(keys() + i, key FL_AND_HERE);
    detail::store_row<SHARED>(places() + i, place FL_AND_HERE);
  }

  // Merges sorted runs of 1, 2, 4, ..: the first pass of a merge compares with the mirrored element of the
  // other run, so that the lesser always goes to the front, and elements beyond the length, which would be
  // the greatest, never move.
  FL_DEVICE void sort() const {
    for (int run = 1; run < length; run *= 2) {
      for (int step = run; step > 0; step /= 2) {
        for (int t = thread_index();; t += kOrderThreads) {
          const int i = t / step * 2 * step + t % step, j = step == run ? i ^ (2 * run - 1) : i + step;
          if (i >= length) break;
          if (j < length) exchange(i, j);
        }
        sync_threads();
      }
    }
  }

  // The least to the front, and nothing else.
  FL_DEVICE void find_first() const {
    int rest = length;
    while (rest > 1) {
      const int half = (rest + 1) / 2;
      for (int i = thread_index(); i < rest - half; i += kOrderThreads) exchange(i, half + i);
      sync_threads();
      rest = half;
    }
  }

 private:
  FL_DEVICE unsigned long long* keys() const { return reinterpret_cast<unsigned long long*>(memory); }
  FL_DEVICE int* places() const { return reinterpret_cast<int*>(memory + 8ll * length); }

  // The lesser of two to `i`.
  FL_DEVICE void exchange(int i, int j) const {
    const unsigned long long a = detail::load_row<SHARED>(keys() + i),
                             b = detail::load_row<SHARED>(keys() + j);
    const int x = place(i), y = place(j);
    if (a < b || (a == b && x < y)) return;
    set(i, b, y);
    set(j, a, x);
  }
};

}  // namespace flashlight::device
