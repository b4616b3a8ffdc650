// SPDX-License-Identifier: Apache-2.0
// Intervals of values over a tile, and what a mask keeps of it: kernels decide with them which tiles to
// visit.
//
// A mask evaluated on spans in place of numbers gives a Kept in place of a bool. Warps decide for themselves,
// each the same: no exchange between them is needed, so that warps of different roles can walk over the same
// tiles.
#pragma once

#include "flashlight/device/fragment.h"

namespace flashlight::device {

// Of a condition over a tile: whether it may hold somewhere, and whether it holds everywhere.
struct Kept {
  bool some, all;
};
FL_DEVICE Kept operator&(Kept a, Kept b) { return {a.some && b.some, a.all && b.all}; }
FL_DEVICE Kept operator|(Kept a, Kept b) { return {a.some || b.some, a.all || b.all}; }
FL_DEVICE Kept operator!(Kept a) { return {!a.all, !a.some}; }
FL_DEVICE Kept kept_if(bool holds) { return {holds, holds}; }
FL_DEVICE Kept undecided() { return {true, false}; }

// All values of an integer lie in [lo, hi], both of which it may take. A number is a span of its own.
struct Span {
  long long lo, hi;
  FL_DEVICE Span(long long x) : lo(x), hi(x) {}
  FL_DEVICE Span(long long least, long long greatest) : lo(least), hi(greatest) {}
};
FL_DEVICE Span hull(Span x, Span y) { return {least(x.lo, y.lo), greatest(x.hi, y.hi)}; }
FL_DEVICE Span operator-(Span x) { return {-x.hi, -x.lo}; }
FL_DEVICE Span operator+(Span x, Span y) { return {x.lo + y.lo, x.hi + y.hi}; }
FL_DEVICE Span operator-(Span x, Span y) { return x + -y; }
FL_DEVICE Span operator*(Span x, Span y) {
  return hull(hull(x.lo * y.lo, x.lo * y.hi), hull(x.hi * y.lo, x.hi * y.hi));
}
FL_DEVICE Span magnitude(Span x) { return x.lo >= 0 ? x : x.hi <= 0 ? -x : Span(0, greatest(-x.lo, x.hi)); }
FL_DEVICE Span least_of(Span x, Span y) { return {least(x.lo, y.lo), least(x.hi, y.hi)}; }
FL_DEVICE Span greatest_of(Span x, Span y) { return {greatest(x.lo, y.lo), greatest(x.hi, y.hi)}; }
// By the same number everywhere, which is not 0.
FL_DEVICE Span floor_div(Span x, long long by) {
  const long long first = floor_div(x.lo, by), last = floor_div(x.hi, by);
  return by > 0 ? Span(first, last) : Span(last, first);
}
FL_DEVICE Span floor_mod(Span x, long long by) {
  const long long size = by > 0 ? by : -by, first = floor_mod(x.lo, by), last = floor_mod(x.hi, by);
  const auto length = static_cast<unsigned long long>(x.hi) - static_cast<unsigned long long>(x.lo);
  if (length < static_cast<unsigned long long>(size) && first <= last) return {first, last};
  return by > 0 ? Span(0, size - 1) : Span(1 - size, 0);
}
// 1 where the condition holds, else 0.
FL_DEVICE Span truth(Kept c) { return {c.all, c.some}; }
FL_DEVICE Span choice(Kept c, Span x, Span y) { return c.all ? x : c.some ? hull(x, y) : y; }

// The same of floats: what does not round, and one addition, which rounds as the mask's does. Both ends of a
// span that a NaN takes part in are NaN; it decides nothing.
struct FloatSpan {
  float lo, hi;
  FL_DEVICE FloatSpan(float x) : lo(x), hi(x) {}
  FL_DEVICE FloatSpan(float least, float greatest) : lo(least), hi(greatest) {}
};
FL_DEVICE FloatSpan operator+(FloatSpan x, FloatSpan y) { return {x.lo + y.lo, x.hi + y.hi}; }
FL_DEVICE FloatSpan magnitude(FloatSpan x) {
  if (x.lo <= 0 && x.hi >= 0) return {0, greatest(-x.lo, x.hi)};
  return x.hi < 0 ? FloatSpan(-x.hi, -x.lo) : x;
}
FL_DEVICE FloatSpan real(Span x) { return {static_cast<float>(x.lo), static_cast<float>(x.hi)}; }
FL_DEVICE FloatSpan least_of(FloatSpan x, FloatSpan y) { return {least(x.lo, y.lo), least(x.hi, y.hi)}; }
FL_DEVICE FloatSpan greatest_of(FloatSpan x, FloatSpan y) {
  return {greatest(x.lo, y.lo), greatest(x.hi, y.hi)};
}

template <class S> FL_DEVICE Kept at_most(S x, S y) { return {!(x.lo > y.hi), x.hi <= y.lo}; }
template <class S> FL_DEVICE Kept below(S x, S y) { return {!(x.lo >= y.hi), x.hi < y.lo}; }
template <class S> FL_DEVICE Kept equal(S x, S y) {
  return {!(x.lo > y.hi) && !(y.lo > x.hi), x.lo == y.hi && y.lo == x.hi};
}
FL_DEVICE Kept holds(Span x) { return {!(x.lo == 0 && x.hi == 0), x.lo > 0 || x.hi < 0}; }

// What a mask keeps of the calling lane's elements of an accumulator, a bit each, in the order of
// for_each_element.
template <int MI, int N> class TileMask {
 public:
  FL_DEVICE TileMask() {
    FL_UNROLL
    for (int w = 0; w < kWords; ++w) words_[w] = 0;
  }
  FL_DEVICE void set(const Element& e, bool kept) {
    if (kept) words_[bit(e) / 32] |= 1u << bit(e) % 32;
  }
  FL_DEVICE bool operator[](const Element& e) const { return (words_[bit(e) / 32] >> bit(e) % 32 & 1u) != 0; }
  FL_DEVICE bool some() const {
    std::uint32_t any = 0;
    FL_UNROLL
    for (int w = 0; w < kWords; ++w) any |= words_[w];
    return any != 0;
  }
  FL_DEVICE bool all() const {
    bool result = true;
    FL_UNROLL
    for (int w = 0; w < kWords; ++w) {
      const int bits = kBits - 32 * w;
      result = result && words_[w] == (bits >= 32 ? ~0u : (1u << bits % 32) - 1u);
    }
    return result;
  }

 private:
  static constexpr int kBits = MI * N / 2, kWords = (kBits + 31) / 32;
  static FL_DEVICE int bit(const Element& e) { return (e.nj * MI + e.mi) * 4 + e.k; }
  std::uint32_t words_[kWords];
};

// ---- by a warp together: every lane receives the result

#if FL_LANES
namespace detail {
FL_DEVICE std::uint32_t warp_or(std::uint32_t x FL_AND_WHERE) {
  FL_UNROLL
  for (int distance = 16; distance > 0; distance /= 2) x |= shuffle_xor(x, distance FL_AND_HERE);
  return x;
}
template <class S> FL_DEVICE S warp_hull(S x FL_AND_WHERE) {
  FL_UNROLL
  for (int distance = 16; distance > 0; distance /= 2) {
    const auto lo = shuffle_xor(x.lo, distance FL_AND_HERE), hi = shuffle_xor(x.hi, distance FL_AND_HERE);
    x = {least(x.lo, lo), greatest(x.hi, hi)};
  }
  return x;
}
}  // namespace detail
#else
namespace detail {
inline std::uint32_t warp_or(std::uint32_t x FL_AND_WHERE) {
  emulator::warp_collective<std::uint32_t>(
      "warp_or", x,
      [](std::uint32_t* const(&lane)[kWarpSize]) {
        std::uint32_t all = 0;
        for (const std::uint32_t* bits : lane) all |= *bits;
        for (std::uint32_t* bits : lane) *bits = all;
      },
      where);
  return x;
}
template <class S> S warp_hull(S x FL_AND_WHERE) {
  emulator::warp_collective<S>(
      "warp_hull", x,
      [](S* const(&lane)[kWarpSize]) {
        S all = *lane[0];
        for (const S* s : lane) all = {least(all.lo, s->lo), greatest(all.hi, s->hi)};
        for (S* s : lane) *s = all;
      },
      where);
  return x;
}
}  // namespace detail
#endif

// The least and the greatest of f(first), .. f(last); last >= first. S: Span or FloatSpan.
template <class S, class F> FL_DEVICE S span_of(int first, int last, F f FL_AND_WHERE) {
  S result = f(least(first + lane_index(), last));
  FL_NO_UNROLL
  for (int k = first + lane_index() + kWarpSize; k <= last; k += kWarpSize) {
    const S x = f(k);
    result = {least(result.lo, x.lo), greatest(result.hi, x.hi)};
  }
  return detail::warp_hull(result FL_AND_HERE);
}

// Walks over the tiles of N keys in which kept(j, captured(j)).some for a key j. Lanes take keys in turn, for
// 32 tiles ahead: the keys of tiles that are left out cost their test, and tiles that are visited cost no
// more. captured(j) loads, for TOGETHER keys before the first of them is decided.
template <int N, int TOGETHER = 4> class TileMarks {
 public:
  // The first such tile from `tile` on; `tiles` if there is none before it. Tiles are asked for in ascending
  // order.
  template <class C, class F> FL_DEVICE int from(int tile, int tiles, int keys, C captured,
                                                 F kept FL_AND_WHERE) {
    for (; tile < tiles; tile = first_ + kAhead) {
      if (tile - first_ >= kAhead) mark(tile, least(tile + kAhead, tiles), keys, captured, kept FL_AND_HERE);
      const std::uint32_t ahead = some_ >> (tile - first_);
      if (ahead != 0) return tile + lowest_bit(ahead);
    }
    return tiles;
  }
  // kept(j, captured(j)).all for every key of the tile, which is the one that from() gave last.
  FL_DEVICE bool full(int tile) const { return (all_ >> (tile - first_) & 1u) != 0; }

 private:
  static constexpr int kAhead = 32;

  template <class C, class F> FL_DEVICE void mark(int first, int end, int keys, C& captured,
                                                  F& kept FL_AND_WHERE) {
    const int last = least(end * N, keys);
    std::uint32_t some = 0, not_all = 0;
    FL_NO_UNROLL
    for (int j0 = first * N + lane_index(); j0 < last; j0 += TOGETHER * kWarpSize) {
      decltype(captured(0)) values[TOGETHER];
      FL_UNROLL
      for (int u = 0; u < TOGETHER; ++u) values[u] = captured(least(j0 + u * kWarpSize, last - 1));
      FL_UNROLL
      for (int u = 0; u < TOGETHER; ++u) {
        const int j = least(j0 + u * kWarpSize, last - 1);  // the last key again changes nothing
        const Kept here = kept(j, values[u]);
        const std::uint32_t bit = 1u << (j / N - first);
        if (here.some) some |= bit;
        if (!here.all) not_all |= bit;
      }
    }
    first_ = first;
    some_ = detail::warp_or(some FL_AND_HERE);
    all_ = ~detail::warp_or(not_all FL_AND_HERE);
  }
  static FL_DEVICE int lowest_bit(std::uint32_t x) {
#if defined(__CUDACC__)
    return __ffs(static_cast<int>(x)) - 1;
#else
    return std::countr_zero(x);
#endif
  }

  int first_ = -kAhead;  // of the tiles that are marked
  std::uint32_t some_ = 0, all_ = 0;
};

// kept(j, captured(j)).all for every key of the tile from col0 on.
template <int N, class C, class F> FL_DEVICE bool keeps_all(int col0, int keys, C captured,
                                                            F kept FL_AND_WHERE) {
  bool all = true;
  for (int j = col0 + lane_index(); j < least(col0 + N, keys); j += kWarpSize)
    all = all && kept(j, captured(j)).all;
  return detail::warp_or(all ? 0u : 1u FL_AND_HERE) == 0;
}

}  // namespace flashlight::device
