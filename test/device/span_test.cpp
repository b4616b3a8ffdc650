// SPDX-License-Identifier: Apache-2.0
// Intervals against all the values they stand for, and the walk over tiles that warps do with them.
#include <random>

#include "kernels.h"
#include "support.h"

#include "flashlight/device/span.h"

namespace flashlight::test {
namespace {

using namespace device;

class SpanTest : public DeviceTest {};

struct Random {
  std::mt19937 engine{11};
  int below(int n) { return static_cast<int>(engine() % static_cast<unsigned>(n)); }
  Span span() {
    const int lo = below(25) - 12;
    return {lo, lo + below(3) * below(9)};
  }
};

// f of spans holds every f of numbers; with `exact`, its ends are such values.
template <class F, class G> void expect_hull(Span x, Span y, F spans, G numbers, bool exact,
                                             const char* what) {
  const Span got = spans(x, y);
  long long lo = numbers(x.lo, y.lo), hi = lo;
  for (long long a = x.lo; a <= x.hi; ++a) {
    for (long long b = y.lo; b <= y.hi; ++b) {
      lo = std::min(lo, numbers(a, b));
      hi = std::max(hi, numbers(a, b));
    }
  }
  EXPECT_LE(got.lo, lo) << what;
  EXPECT_GE(got.hi, hi) << what;
  if (!exact) return;
  EXPECT_EQ(got.lo, lo) << what;
  EXPECT_EQ(got.hi, hi) << what;
}

TEST_F(SpanTest, ArithmeticHoldsEveryValue) {
  Random r;
  for (int round = 0; round < 2000; ++round) {
    const Span x = r.span(), y = r.span();
    const long long n = r.below(2) ? 1 + r.below(7) : -1 - r.below(7);
    expect_hull(x, y, [](Span a, Span b) { return a + b; }, [](auto a, auto b) { return a + b; }, true, "+");
    expect_hull(x, y, [](Span a, Span b) { return a - b; }, [](auto a, auto b) { return a - b; }, true, "-");
    expect_hull(x, y, [](Span a, Span b) { return a * b; }, [](auto a, auto b) { return a * b; }, true, "*");
    expect_hull(
        x, y, [](Span a, Span b) { return least_of(a, b); }, [](auto a, auto b) { return std::min(a, b); },
        true, "least");
    expect_hull(
        x, y, [](Span a, Span b) { return greatest_of(a, b); }, [](auto a, auto b) { return std::max(a, b); },
        true, "greatest");
    expect_hull(
        x, y, [](Span a, Span) { return magnitude(a); }, [](auto a, auto) { return std::abs(a); }, true,
        "magnitude");
    expect_hull(
        x, y, [&](Span a, Span) { return floor_div(a, n); }, [&](auto a, auto) { return floor_div(a, n); },
        true, "floor_div");
    expect_hull(
        x, y, [&](Span a, Span) { return floor_mod(a, n); }, [&](auto a, auto) { return floor_mod(a, n); },
        true, "floor_mod");
  }
}

template <class F> void expect_kept(Kept got, Span x, Span y, F holds, const char* what) {
  bool some = false, all = true;
  for (long long a = x.lo; a <= x.hi; ++a) {
    for (long long b = y.lo; b <= y.hi; ++b) (holds(a, b) ? some : all) = holds(a, b);
  }
  EXPECT_EQ(got.some, some) << what;
  EXPECT_EQ(got.all, all) << what;
}

TEST_F(SpanTest, ComparisonsAreExactOfIndependentValues) {
  Random r;
  for (int round = 0; round < 2000; ++round) {
    const Span x = r.span(), y = r.span();
    expect_kept(at_most(x, y), x, y, [](auto a, auto b) { return a <= b; }, "<=");
    expect_kept(below(x, y), x, y, [](auto a, auto b) { return a < b; }, "<");
    expect_kept(equal(x, y), x, y, [](auto a, auto b) { return a == b; }, "==");
    expect_kept(!equal(x, y), x, y, [](auto a, auto b) { return a != b; }, "!=");
    expect_kept(holds(x), x, y, [](auto a, auto) { return a != 0; }, "!= 0");
  }
}

TEST_F(SpanTest, LargeNumbersDoNotOverflowWhereTheyAreCompared) {
  const long long most = std::numeric_limits<long long>::max();
  const Span all(-most, most), one(most);
  EXPECT_TRUE(equal(all, one).some);
  EXPECT_FALSE(equal(all, one).all);
  EXPECT_TRUE(equal(one, one).all);
  EXPECT_EQ(floor_mod(all, 7).hi, 6);
}

TEST_F(SpanTest, ANanDecidesNothing) {
  const float nan = __builtin_nanf("");
  for (const FloatSpan unknown : {FloatSpan(nan), least_of(FloatSpan(nan), FloatSpan(1)),
                                  FloatSpan(nan) + FloatSpan(2), magnitude(FloatSpan(nan))}) {
    for (const Kept kept :
         {at_most(unknown, FloatSpan(1)), below(FloatSpan(1), unknown), equal(unknown, unknown)}) {
      EXPECT_TRUE(kept.some);
      EXPECT_FALSE(kept.all);
    }
  }
}

// ---- by warps

struct WalkParams {
  const int* ids;  // of keys
  int* visited;    // by warp and tile: 1 visited, 2 and full
  int keys, first, wanted_lo, wanted_hi;
};
constexpr int kTile = 16, kWarps = 2, kTiles = 128;

void walk_kernel(const WalkParams& p) {
  const int tiles = (p.keys + kTile - 1) / kTile;
  const Span wanted(p.wanted_lo, p.wanted_hi);
  const auto captured = [&](int j) { return load_raw({p.ids, kAuxInt32}, j); };
  const auto kept = [&](int, RawValue id) { return equal(wanted, Span(int_of(id, kAuxInt32))); };
  TileMarks<kTile> marks;
  for (int tile = marks.from(p.first, tiles, p.keys, captured, kept); tile < tiles;
       tile = marks.from(tile + 1, tiles, p.keys, captured, kept)) {
    const bool full = marks.full(tile);
    if (full != keeps_all<kTile>(tile * kTile, p.keys, captured, kept))
      p.visited[warp_index() * kTiles + tile] = 9;
    else p.visited[warp_index() * kTiles + tile] = full ? 2 : 1;
  }
}

TEST_F(SpanTest, WalksFindEveryTileThatIsKept) {
  Random r;
  for (int keys : {1, 16, 40, 512, 513, 1200, kTile * kTiles}) {
    DeviceArray<int> ids(registry_, static_cast<std::size_t>(keys)), visited(registry_, kWarps * kTiles);
    for (int k = 0; k < keys; ++k) ids[static_cast<std::size_t>(k)] = k / 37 % 23 == 0 ? 5 : r.below(4);
    for (std::size_t k = 0; k < kWarps * kTiles; ++k) visited[k] = 0;
    const int first = r.below(3), lo = 5, hi = 5 + r.below(2);
    FL_EXPECT_RUNS(
        (launch(walk_kernel, 1, 32 * kWarps, 0, nullptr, {ids.data(), visited.data(), keys, first, lo, hi})));
    for (int tile = 0; tile * kTile < keys; ++tile) {
      bool some = false, all = lo == hi;
      for (int k = tile * kTile; k < std::min((tile + 1) * kTile, keys); ++k) {
        const int id = ids[static_cast<std::size_t>(k)];
        some = some || (id >= lo && id <= hi);
        all = all && id == lo;
      }
      for (int w = 0; w < kWarps; ++w) {
        const auto at = static_cast<std::size_t>(w * kTiles + tile);
        EXPECT_EQ(visited[at], tile < first || !some ? 0 : all ? 2 : 1) << keys << " keys, tile " << tile;
      }
    }
  }
}

// ---- raw values

struct RawParams {
  AuxTensor tensor;
  double* out;  // for each element: load_float, float_of, load_int, int_of, load_bool, bool_of
  int count;
};
void raw_kernel(const RawParams& p) {
  if (thread_index() != 0) return;
  for (int k = 0; k < p.count; ++k) {
    const RawValue raw = load_raw(p.tensor, k);
    double* const out = p.out + 6 * k;
    out[0] = load_float(p.tensor, k), out[1] = float_of(raw, p.tensor.dtype);
    out[2] = static_cast<double>(load_int(p.tensor, k)),
    out[3] = static_cast<double>(int_of(raw, p.tensor.dtype));
    out[4] = load_bool(p.tensor, k), out[5] = bool_of(raw, p.tensor.dtype);
  }
}

TEST_F(SpanTest, ARawValueIsWorthWhatALoadGives) {
  const auto expect = [&](auto example, int dtype, std::initializer_list<double> values, auto make) {
    using S = decltype(example);
    constexpr std::size_t kBytes = 512;  // of every array, since one may take another's place
    DeviceArray<S> in(registry_, kBytes / sizeof(S));
    DeviceArray<double> out(registry_, kBytes / sizeof(double));
    std::size_t k = 0;
    for (double v : values) in[k++] = make(v);
    FL_EXPECT_RUNS((launch(raw_kernel, 1, 32, 0, nullptr,
                           {{in.data(), dtype}, out.data(), static_cast<int>(values.size())})));
    for (k = 0; k < values.size(); ++k) {
      for (std::size_t way : {0u, 2u, 4u})
        EXPECT_EQ(out[6 * k + way], out[6 * k + way + 1]) << dtype << ", element " << k;
      EXPECT_EQ(out[6 * k], static_cast<float>(values.begin()[k])) << dtype;
    }
  };
  const auto as = [](auto example) { return [](double v) { return static_cast<decltype(example)>(v); }; };
  expect(0, kAuxInt32, {0, 7, -9, 1e9}, as(0));
  expect(0ll, kAuxInt64, {0, 7, -9, 1099511627776.0}, as(0ll));
  expect(static_cast<signed char>(0), kAuxInt8, {0, 7, -9}, as(static_cast<signed char>(0)));
  expect(static_cast<unsigned char>(0), kAuxUInt8, {0, 7, 200}, as(static_cast<unsigned char>(0)));
  expect(static_cast<unsigned char>(0), kAuxBool, {0, 1}, as(static_cast<unsigned char>(0)));
  expect(0.0f, kAuxFloat32, {0, 7.25, -9.5}, as(0.0f));
  expect(0.0, kAuxFloat64, {0, 7.25, -9.5}, as(0.0));
  expect(float16{}, kAuxFloat16, {0, 7.25, -9.5},
         [](double v) { return from_float<float16>(static_cast<float>(v)); });
  expect(bfloat16{}, kAuxBFloat16, {0, 7.25, -9.5},
         [](double v) { return from_float<bfloat16>(static_cast<float>(v)); });
}

struct HullParams {
  const int* values;
  long long* out;
  int first, last;
};
void hull_kernel(const HullParams& p) {
  const Span all = span_of<Span>(p.first, p.last, [&](int k) { return load_int({p.values, kAuxInt32}, k); });
  p.out[2 * thread_index()] = all.lo;
  p.out[2 * thread_index() + 1] = all.hi;
}

TEST_F(SpanTest, EveryLaneHasTheHullOfAll) {
  Random r;
  DeviceArray<int> values(registry_, 200);
  for (std::size_t k = 0; k < 200; ++k) values[k] = r.below(1000) - 500;
  DeviceArray<long long> out(registry_, 128);
  for (const auto& [first, last] : {std::pair(0, 0), {3, 20}, {0, 31}, {5, 132}, {0, 199}}) {
    FL_EXPECT_RUNS((launch(hull_kernel, 1, 64, 0, nullptr, {values.data(), out.data(), first, last})));
    long long lo = values[static_cast<std::size_t>(first)], hi = lo;
    for (int k = first; k <= last; ++k) {
      lo = std::min<long long>(lo, values[static_cast<std::size_t>(k)]);
      hi = std::max<long long>(hi, values[static_cast<std::size_t>(k)]);
    }
    for (std::size_t t = 0; t < 64; ++t) {
      EXPECT_EQ(out[2 * t], lo);
      EXPECT_EQ(out[2 * t + 1], hi);
    }
  }
}

struct VoteParams {
  int* out;
  int voter;
};
void vote_kernel(const VoteParams& p) {
  for (int round = 0; round < 3; ++round) {
    const bool any = sync_threads_or(round == 1 && thread_index() == p.voter);
    if (any != (round == 1)) p.out[thread_index()] = 1;
  }
}

TEST_F(SpanTest, ABarrierCountsVotesOfItsOwn) {
  DeviceArray<int> out(registry_, 96);
  for (std::size_t t = 0; t < 96; ++t) out[t] = 0;
  for (int voter : {0, 40, 95}) FL_EXPECT_RUNS((launch(vote_kernel, 1, 96, 0, nullptr, {out.data(), voter})));
  for (std::size_t t = 0; t < 96; ++t) EXPECT_EQ(out[t], 0);
}

template <int MI, int N> void mask_kernel(const VoteParams& p) {
  TileMask<MI, N> mask;
  int count = 0, k = 0, kept = 0;
  for_each_element<MI, N>([&](const Element& e) { mask.set(e, p.voter == 0 || k++ % p.voter == 1); });
  for_each_element<MI, N>([&](const Element& e) { ++count, kept += mask[e]; });
  p.out[0] = kept;
  p.out[1] = count;
  p.out[2] = mask.some();
  p.out[3] = mask.all();
}

TEST_F(SpanTest, AMaskHasABitForEachElement) {
  DeviceArray<int> out(registry_, 4);
  const auto expect = [&](auto kernel, int elements) {
    for (int every : {0, 2, 3, elements, 10 * elements}) {
      FL_EXPECT_RUNS((launch(kernel, 1, 32, 0, nullptr, {out.data(), every})));
      const int kept = every == 0 ? elements : (elements + every - 2) / every;
      EXPECT_EQ(out[0], kept);
      EXPECT_EQ(out[1], elements);
      EXPECT_EQ(out[2], kept > 0);
      EXPECT_EQ(out[3], kept == elements);
    }
  };
  expect(mask_kernel<1, 8>, 4);
  expect(mask_kernel<1, 64>, 32);
  expect(mask_kernel<2, 64>, 64);
  expect(mask_kernel<3, 24>, 36);
}

}  // namespace
}  // namespace flashlight::test
