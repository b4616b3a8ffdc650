// SPDX-License-Identifier: Apache-2.0
// A warp's accumulators, row vectors beside them, and reductions along a row and over the warp.
//
// An accumulator of MI m16 row blocks x N columns is spread over the 32 lanes as mma.sync and wgmma leave it:
// lane l holds, in row block mi and column block nj (8 wide), four values k = 0..3 at row 16 mi + l / 4 + 8
// (k >> 1), column 8 nj + 2 (l % 4) + (k & 1). The four lanes of a quad share their rows.
#pragma once

#include "flashlight/device/numeric.h"

#if FL_LANES
#include "flashlight/device/detail/instructions.h"
#else
#include "flashlight/emulator/checked.h"
#endif

namespace flashlight::device {

// One accumulator value of the calling lane.
struct Element {
  int mi, nj, k;
  int lane = lane_index();
#if !defined(__CUDACC__)
  std::source_location where = std::source_location::current();
#endif
};

// An element in a loop that is not unrolled: its indices are no constants. See fill_in_turn.
struct ElementInTurn : Element {};

// One of the calling lane's 2 MI rows; half 1 lies eight rows below half 0.
struct Row {
  int mi, half;
  int lane = lane_index();
#if !defined(__CUDACC__)
  std::source_location where = std::source_location::current();
#endif
};

// The product and store primitives' way to an accumulator's registers; kernels never see a bare array.
struct Registers;

// Float accumulators of a warp. Not copyable: a copy would double the registers. Elements are reached through
// for_each_element, whose indices are constants after unrolling.
template <int MI, int N> class Acc {
 public:
  static_assert(MI >= 1 && N >= 8 && N % 8 == 0, "an accumulator is made of m16n8 tiles");
  static constexpr int row_blocks = MI;
  static constexpr int cols = N;

  FL_DEVICE Acc() {}
  Acc(const Acc&) = delete;
  Acc& operator=(const Acc&) = delete;

#if FL_LANES
  FL_DEVICE float& operator[](Element e) { return v_[e.mi][e.nj][e.k]; }
  FL_DEVICE float operator[](Element e) const { return v_[e.mi][e.nj][e.k]; }
  // Chosen among all of them, which keeps them in registers.
  FL_DEVICE float operator[](ElementInTurn) const = delete;  // an index that is no constant
  FL_DEVICE float operator[](ElementInTurn e) {
    float x = 0;
    FL_UNROLL
    for (int at = 0; at < MI * N / 2; ++at) {
      const int mi = at / 4 % MI, nj = at / 4 / MI, k = at % 4;
      if (e.mi == mi && e.nj == nj && e.k == k) x = v_[mi][nj][k];
    }
    return x;
  }
#else
  emulator::CheckedFloat operator[](const Element& e) {
    return v_.at((e.mi * (N / 8) + e.nj) * 4 + e.k, e.where);
  }
  float operator[](const Element& e) const { return v_.read((e.mi * (N / 8) + e.nj) * 4 + e.k, e.where); }
#endif

  FL_DEVICE void fill(float x FL_AND_WHERE) {
#if FL_LANES
    FL_UNROLL
    for (int mi = 0; mi < MI; ++mi) {
      FL_UNROLL
      for (int nj = 0; nj < N / 8; ++nj) {
        FL_UNROLL
        for (int k = 0; k < 4; ++k) v_[mi][nj][k] = x;
      }
    }
#else
    v_.fill(x, where);
#endif
  }

 private:
  friend struct Registers;
#if FL_LANES
  float v_[MI][N / 8][4];
#else
  emulator::CheckedFloats<MI * N / 2> v_;
#endif
};

// One float for each of the calling lane's 2 MI rows. The four lanes of a quad hold their own copies.
template <int MI> class RowVec {
 public:
  FL_DEVICE RowVec() {}
  RowVec(const RowVec&) = delete;
  RowVec& operator=(const RowVec&) = delete;

#if FL_LANES
  FL_DEVICE float& operator[](Row r) { return v_[r.mi][r.half]; }
  FL_DEVICE float operator[](Row r) const { return v_[r.mi][r.half]; }
  FL_DEVICE float& operator[](Element e) { return v_[e.mi][e.k >> 1]; }
  FL_DEVICE float operator[](Element e) const { return v_[e.mi][e.k >> 1]; }
  FL_DEVICE float operator[](ElementInTurn) const = delete;
  FL_DEVICE float operator[](ElementInTurn e) {
    float x = 0;
    FL_UNROLL
    for (int mi = 0; mi < MI; ++mi) {
      if (e.mi == mi) x = e.k >> 1 ? v_[mi][1] : v_[mi][0];
    }
    return x;
  }
#else
  emulator::CheckedFloat operator[](const Row& r) { return v_.at(2 * r.mi + r.half, r.where); }
  float operator[](const Row& r) const { return v_.read(2 * r.mi + r.half, r.where); }
  emulator::CheckedFloat operator[](const Element& e) { return v_.at(2 * e.mi + (e.k >> 1), e.where); }
  float operator[](const Element& e) const { return v_.read(2 * e.mi + (e.k >> 1), e.where); }
#endif

  FL_DEVICE void fill(float x FL_AND_WHERE) {
#if FL_LANES
    FL_UNROLL
    for (int mi = 0; mi < MI; ++mi) v_[mi][0] = v_[mi][1] = x;
#else
    v_.fill(x, where);
#endif
  }

 private:
#if FL_LANES
  float v_[MI][2];
#else
  emulator::CheckedFloats<2 * MI> v_;
#endif
};

// f(Element) for every value of the calling lane. One call site in unrolled loops: the compiler inlines f
// once and then unrolls, so that every index is a constant and accumulators stay in registers. Column blocks
// are outermost: what f computes of a column serves all row blocks and is then dead, instead of occupying a
// register for every column.
template <int MI, int N, class F> FL_DEVICE void for_each_element(F&& f FL_AND_WHERE) {
  const int lane = detail::opaque(lane_index());
  FL_UNROLL
  for (int nj = 0; nj < N / 8; ++nj) {
    FL_UNROLL
    for (int mi = 0; mi < MI; ++mi) {
      FL_UNROLL
      for (int k = 0; k < 4; ++k) f(Element{mi, nj, k, lane FL_AND_HERE});
    }
  }
}

// c[e] = f(e) for every value of the calling lane, one after the other by a single copy of f's code: for
// values that take a loop each, as sums over features do. There are as many of them as registers, and code
// for each would be ten thousand instructions.
template <int MI, int N, class F> FL_DEVICE void fill_in_turn(Acc<MI, N>& c, F&& f FL_AND_WHERE) {
#if FL_LANES
  const int lane = detail::opaque(lane_index());
  FL_NO_UNROLL
  for (int at = 0; at < MI * N / 2; ++at) {
    const float x = f(ElementInTurn{{at / 4 % MI, at / 4 / MI, at % 4, lane FL_AND_HERE}});
    for_each_element<MI, N>([&](const Element& e) FL_INLINE {
      if ((e.nj * MI + e.mi) * 4 + e.k == at) c[e] = x;
    });
  }
#else
  for_each_element<MI, N>([&](const Element& e) { c[e] = f(ElementInTurn{e}); } FL_AND_HERE);
#endif
}

// f(Row) for each of the calling lane's rows.
template <int MI, class F> FL_DEVICE void for_each_row(F&& f FL_AND_WHERE) {
  const int lane = detail::opaque(lane_index());
  FL_UNROLL
  for (int mi = 0; mi < MI; ++mi) {
    FL_UNROLL
    for (int half = 0; half < 2; ++half) f(Row{mi, half, lane FL_AND_HERE});
  }
}

// Row inside the CTA's M tile, and column inside the accumulator, of a value of the calling lane.
template <int MI> FL_DEVICE int row_of(int warp, const Row& r) {
  return (warp * MI + r.mi) * 16 + r.lane / 4 + 8 * r.half;
}
template <int MI> FL_DEVICE int row_of(int warp, const Element& e) {
  return (warp * MI + e.mi) * 16 + e.lane / 4 + 8 * (e.k >> 1);
}
FL_DEVICE int col_of(const Element& e) { return e.nj * 8 + 2 * (e.lane & 3) + (e.k & 1); }

// Reductions over the quad that shares a row; every lane of the warp takes part and receives its quad's
// result.
#if FL_LANES

namespace detail {
template <class T, class F> FL_DEVICE T quad_reduce(T x, F f) {
  x = f(x, shuffle_xor(x, 2));
  return f(x, shuffle_xor(x, 1));
}
}  // namespace detail

FL_DEVICE float quad_max(float x) {
  return detail::quad_reduce(x, [](float a, float b) { return greatest(a, b); });
}
FL_DEVICE float quad_min(float x) {
  return detail::quad_reduce(x, [](float a, float b) { return least(a, b); });
}
FL_DEVICE float quad_sum(float x) {
  return detail::quad_reduce(x, [](float a, float b) { return a + b; });
}
FL_DEVICE float quad_prod(float x) {
  return detail::quad_reduce(x, [](float a, float b) { return a * b; });
}
FL_DEVICE bool quad_or(bool x) {
  return detail::quad_reduce(x ? 1u : 0u, [](std::uint32_t a, std::uint32_t b) { return a | b; }) != 0;
}

namespace detail {
// The value of the lane at this distance (1 or 2) in the quad.
template <int DISTANCE> FL_DEVICE float exchanged(float x FL_AND_WHERE) {
  return shuffle_xor(x, DISTANCE FL_AND_HERE);
}
}  // namespace detail

// Over the warp: the same answer in every lane.
FL_DEVICE bool warp_any(bool x) { return detail::any_lane(x); }
FL_DEVICE bool warp_all(bool x) { return !detail::any_lane(!x); }

#else

namespace detail {
// The same butterfly, so that sums round as on a GPU.
template <class T, T (*combine)(T, T)>
T quad_reduce(const char* name, T x, const std::source_location& where) {
  emulator::warp_collective<T>(
      name, x,
      [](T* const(&lane)[kWarpSize]) {
        for (int distance = 2; distance >= 1; distance /= 2) {
          T previous[kWarpSize];
          for (int l = 0; l < kWarpSize; ++l) previous[l] = *lane[l];
          for (int l = 0; l < kWarpSize; ++l) *lane[l] = combine(previous[l], previous[l ^ distance]);
        }
      },
      where);
  return x;
}
inline float combine_max(float a, float b) { return greatest(a, b); }
inline float combine_min(float a, float b) { return least(a, b); }
inline float combine_sum(float a, float b) { return a + b; }
inline float combine_prod(float a, float b) { return a * b; }
inline bool combine_or(bool a, bool b) { return a || b; }
}  // namespace detail

FL_DEVICE float quad_max(float x FL_AND_WHERE) {
  return detail::quad_reduce<float, detail::combine_max>("quad_max", x, where);
}
FL_DEVICE float quad_min(float x FL_AND_WHERE) {
  return detail::quad_reduce<float, detail::combine_min>("quad_min", x, where);
}
FL_DEVICE float quad_sum(float x FL_AND_WHERE) {
  return detail::quad_reduce<float, detail::combine_sum>("quad_sum", x, where);
}
FL_DEVICE float quad_prod(float x FL_AND_WHERE) {
  return detail::quad_reduce<float, detail::combine_prod>("quad_prod", x, where);
}
FL_DEVICE bool quad_or(bool x FL_AND_WHERE) {
  return detail::quad_reduce<bool, detail::combine_or>("quad_or", x, where);
}

namespace detail {
template <int DISTANCE> float exchanged(float x, const std::source_location& where) {
  emulator::warp_collective<float>(
      DISTANCE == 1 ? "exchange with 1" : "exchange with 2", x,
      [](float* const(&lane)[kWarpSize]) {
        float previous[kWarpSize];
        for (int l = 0; l < kWarpSize; ++l) previous[l] = *lane[l];
        for (int l = 0; l < kWarpSize; ++l) *lane[l] = previous[l ^ DISTANCE];
      },
      where);
  return x;
}
}  // namespace detail

FL_DEVICE bool warp_any(bool x FL_AND_WHERE) {
  emulator::warp_collective<bool>(
      "warp_any", x,
      [](bool* const(&lane)[kWarpSize]) {
        bool any = false;
        for (const bool* b : lane) any = any || *b;
        for (bool* b : lane) *b = any;
      },
      where);
  return x;
}
FL_DEVICE bool warp_all(bool x FL_AND_WHERE) { return !warp_any(!x, where); }

#endif

namespace detail {

// Running sums along the rows, eight columns at a time: pairs, then the quad, then on to the next columns.
template <bool EXCLUSIVE, int MI, int N> FL_DEVICE void scan_rows(Acc<MI, N>& x,
                                                                  RowVec<MI>& carry FL_AND_WHERE) {
  const int lane = opaque(lane_index());
  FL_UNROLL
  for (int mi = 0; mi < MI; ++mi) {
    FL_UNROLL
    for (int half = 0; half < 2; ++half) {
      float sum = carry[Row{mi, half, lane FL_AND_HERE}];
      FL_UNROLL
      for (int nj = 0; nj < N / 8; ++nj) {
        const Element first{mi, nj, 2 * half, lane FL_AND_HERE},
            second{mi, nj, 2 * half + 1, lane FL_AND_HERE};
        const float a = x[first], b = x[second], pair = a + b;
        const float beside = exchanged<1>(pair FL_AND_HERE), two = pair + beside;
        const float across = exchanged<2>(two FL_AND_HERE);
        const float before = sum + ((lane & 1) != 0 ? beside : 0.0f) + ((lane & 2) != 0 ? across : 0.0f);
        x[first] = EXCLUSIVE ? before : before + a;
        x[second] = EXCLUSIVE ? before + a : before + pair;
        sum += two + across;
      }
      carry[Row{mi, half, lane FL_AND_HERE}] = sum;
    }
  }
}

}  // namespace detail

// Each element becomes the sum of its row up to itself, on top of the row's carry, which becomes the sum of
// all; every lane of the warp takes part.
template <int MI, int N> FL_DEVICE void scan(Acc<MI, N>& x, RowVec<MI>& carry FL_AND_WHERE) {
  detail::scan_rows<false>(x, carry FL_AND_HERE);
}
// The same without the element itself.
template <int MI, int N> FL_DEVICE void scan_before(Acc<MI, N>& x, RowVec<MI>& carry FL_AND_WHERE) {
  detail::scan_rows<true>(x, carry FL_AND_HERE);
}

}  // namespace flashlight::device
