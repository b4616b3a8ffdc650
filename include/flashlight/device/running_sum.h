// SPDX-License-Identifier: Apache-2.0
// Running sums along a row, by all threads of a CTA: the same on every run, for any length.
#pragma once

#include "flashlight/device/order.h"

namespace flashlight::device {

inline constexpr int kSumThreads = 256;
inline constexpr int kSumTogether = 4;  // neighbours that a thread adds up itself

// Adds up what the CTA's threads have, in the order of the threads. T: double, or unsigned long long for
// integers, which wraps. Its memory is shared and takes `bytes`.
template <class T> struct CtaSums {
  static constexpr int bytes = 2 * kSumThreads * static_cast<int>(sizeof(T));

  unsigned char* memory;

  // The sum of what the threads before this one have; `all` becomes that of all. Every thread calls it.
  FL_DEVICE T before(T mine, T& all FL_AND_WHERE) const {
    const int t = thread_index();
    int from = 0;
    store(from, t, mine FL_AND_HERE);
    sync_threads();
    for (int distance = 1; distance < kSumThreads; distance *= 2) {  // each doubles what a place holds
      T sum = load(from, t FL_AND_HERE);
      if (t >= distance) sum = load(from, t - distance FL_AND_HERE) + sum;
      store(1 - from, t, sum FL_AND_HERE);
      from = 1 - from;
      sync_threads();
    }
    all = load(from, kSumThreads - 1 FL_AND_HERE);
    const T result = t > 0 ? load(from, t - 1 FL_AND_HERE) : T{};
    sync_threads();  // before the memory is used again
    return result;
  }

 private:
  FL_DEVICE T* place(int buffer, int t) const {
    return reinterpret_cast<T*>(memory) + buffer * kSumThreads + t;
  }
  FL_DEVICE T load(int buffer, int t FL_AND_WHERE) const {
    return detail::load_row<true>(place(buffer, t) FL_AND_HERE);
  }
  FL_DEVICE void store(int buffer, int t, T x FL_AND_WHERE) const {
    detail::store_row<true>(place(buffer, t), x FL_AND_HERE);
  }
};

// put(i, f(0) + .. + f(i)) for every i below `length`, by the whole CTA.
template <class T, class F, class P> FL_DEVICE void running_sum(CtaSums<T> sums, int length, F f,
                                                                P put FL_AND_WHERE) {
  T carried{};
  for (int first = 0; first < length; first += kSumThreads * kSumTogether) {
    const int mine = first + thread_index() * kSumTogether;
    T values[kSumTogether], sum{}, all{};
    FL_UNROLL
    for (int k = 0; k < kSumTogether; ++k) {
      values[k] = mine + k < length ? f(mine + k) : T{};
      sum += values[k];
    }
    T so_far = carried + sums.before(sum, all FL_AND_HERE);
    FL_UNROLL
    for (int k = 0; k < kSumTogether; ++k) {
      so_far += values[k];
      if (mine + k < length) put(mine + k, so_far);
    }
    carried += all;
  }
}

}  // namespace flashlight::device
