// SPDX-License-Identifier: Apache-2.0
// Which tiles a mask leaves out and which it keeps whole, against counting pair by pair.
#include "cover_masks.h"
#include "kernel/cover.h"

namespace flashlight::kernel {
namespace {

std::vector<Array> lengths(std::int64_t, std::int64_t sk) {
  return {{{2}, {static_cast<double>(sk / 2), static_cast<double>(std::max<std::int64_t>(sk - 3, 0))}}};
}

std::vector<Mask> affine_masks() {
  return {
      {"causal", [](auto& i, auto& j, auto&) { return j <= i; }, [](const Pair& p) { return p.j <= p.i; }},
      {"strictly causal", [](auto& i, auto& j, auto&) { return j < i; },
       [](const Pair& p) { return p.j < p.i; }},
      {"anti-causal", [](auto& i, auto& j, auto&) { return j >= i; },
       [](const Pair& p) { return p.j >= p.i; }},
      {"bottom right",
       [](auto& i, auto& j, auto& t) { return j <= i + (graph::size(t[1], -2) - graph::size(t[0], -2)); },
       [](const Pair& p) { return p.j <= p.i + p.sk - p.sq; }},
      {"window", [](auto& i, auto& j, auto&) { return (j <= i) & (i - j <= Sym(5)); },
       [](const Pair& p) { return p.j <= p.i && p.i - p.j <= 5; }},
      {"bottom-right window",
       [](auto& i, auto& j, auto& t) {
         T at = i + (graph::size(t[1], -2) - graph::size(t[0], -2));
         return (j <= at) & (at - j <= Sym(5));
       },
       [](const Pair& p) { return p.j <= p.i + p.sk - p.sq && p.i + p.sk - p.sq - p.j <= 5; }},
      {"two-sided window", [](auto& i, auto& j, auto&) { return (i - j <= Sym(3)) & (j - i <= Sym(4)); },
       [](const Pair& p) { return p.i - p.j <= 3 && p.j - p.i <= 4; }},
      {"outside a window", [](auto& i, auto& j, auto&) { return T((j <= i) & (i - j <= Sym(6))).op("~"); },
       [](const Pair& p) { return !(p.j <= p.i && p.i - p.j <= 6); }},
      {"not causal", [](auto& i, auto& j, auto&) { return T(j <= i).op("~"); },
       [](const Pair& p) { return p.j > p.i; }},
      {"prefix", [](auto& i, auto& j, auto&) { return (j < Sym(6)) | (j <= i); },
       [](const Pair& p) { return p.j < 6 || p.j <= p.i; }},
      {"first keys and a window",
       [](auto& i, auto& j, auto&) { return (j < Sym(2)) | ((j <= i) & (i - j < Sym(4))); },
       [](const Pair& p) { return p.j < 2 || (p.j <= p.i && p.i - p.j < 4); }, true, false},
      {"diagonal", [](auto& i, auto& j, auto&) { return i == j; }, [](const Pair& p) { return p.i == p.j; }},
      {"all but the diagonal", [](auto& i, auto& j, auto&) { return i != j; },
       [](const Pair& p) { return p.i != p.j; }},
      {"two keys a query", [](auto& i, auto& j, auto&) { return j <= i * Sym(2) + Sym(1); },
       [](const Pair& p) { return p.j <= 2 * p.i + 1; }},
      {"two queries a key", [](auto& i, auto& j, auto&) { return j * Sym(2) <= i; },
       [](const Pair& p) { return 2 * p.j <= p.i; }},
      {"slanted", [](auto& i, auto& j, auto&) { return i * Sym(3) - j * Sym(2) <= Sym(7); },
       [](const Pair& p) { return 3 * p.i - 2 * p.j <= 7; }},
      {"later queries", [](auto& i, auto& j, auto&) { return (i >= Sym(4)) & (j <= i); },
       [](const Pair& p) { return p.i >= 4 && p.j <= p.i; }},
      {"window by head",
       [](auto& i, auto& j, auto& t) { return (j <= i) & (i - j <= head_axis(t) * Sym(3)); },
       [](const Pair& p) { return p.j <= p.i && p.i - p.j <= 3 * p.h; }},
      {"two bands", [](auto& i, auto& j, auto&) { return (i == j) | (i == j + Sym(5)); },
       [](const Pair& p) { return p.i == p.j || p.i == p.j + 5; }},
  };
}

std::vector<Array> ranges(std::int64_t, std::int64_t sk) {  // [begin, end) of each batch element
  const auto keys = static_cast<double>(sk);
  return {{{4}, {1, std::floor(keys / 3), std::floor(keys / 2), keys}}};
}
T bound_of(const Tensors& t, int first) {
  T b = batch_axis(graph::arange(graph::size(t[0], 0))) + Sym(first);
  return t[3].op("index", graph::list({b}));
}

std::vector<Mask> captured_masks() {
  return {
      {"a range of keys",
       [](auto&, auto& j, auto& t) { return (bound_of(t, 0) <= j) & (j < bound_of(t, 2)); },
       [](const Pair& p) { return p.table(0, p.b) <= p.j && p.j < p.table(0, 2 + p.b); }, false, true,
       ranges},
      {"key lengths", [](auto&, auto& j, auto& t) { return j < batch_axis(t[3]); },
       [](const Pair& p) { return p.j < p.table(0, p.b); }, true, true, lengths},
      {"key lengths, causal", [](auto& i, auto& j, auto& t) { return (j < batch_axis(t[3])) & (j <= i); },
       [](const Pair& p) { return p.j < p.table(0, p.b) && p.j <= p.i; }, true, true, lengths},
      {"prefix by batch", [](auto& i, auto& j, auto& t) { return (j < batch_axis(t[3])) | (j <= i); },
       [](const Pair& p) { return p.j < p.table(0, p.b) || p.j <= p.i; }, true, true, lengths},
      {"left padding", [](auto& i, auto& j, auto& t) { return (j >= batch_axis(t[3])) & (j <= i); },
       [](const Pair& p) { return p.j >= p.table(0, p.b) && p.j <= p.i; }, false, true,
       lengths},  // bounds that cross inside a tile
  };
}

// Without an affine form, in whole or in part. What no interval decides, the elements of a tile do.
std::vector<Mask> partly_unknown_masks() {
  return {
      {"in floats",
       [](auto& i, auto& j, auto&) { return (i - j) * Sym(0.5) <= Sym(2.0); },
       [](const Pair& p) { return (p.i - p.j) * 0.5 <= 2; },
       true,
       true,
       {},
       false},
      {"dense and causal", [](auto& i, auto& j, auto& t) { return t[3] & (j <= i); },
       [](const Pair& p) { return p.table(0, p.i * p.sk + p.j) != 0 && p.j <= p.i; }, true, true,
       [](std::int64_t sq, std::int64_t sk) {
         Array x{{sq, sk}, std::vector<double>(sq * sk)};
         for (std::size_t k = 0; k < x.data.size(); ++k) x.data[k] = k % 5 < 2;
         return std::vector<Array>{x};
       },
       false},
      {"dense or causal", [](auto& i, auto& j, auto& t) { return t[3] | (j <= i); },
       [](const Pair& p) { return p.table(0, p.i * p.sk + p.j) != 0 || p.j <= p.i; }, true, true,
       [](std::int64_t sq, std::int64_t sk) {
         Array x{{sq, sk}, std::vector<double>(sq * sk)};
         for (std::size_t k = 0; k < x.data.size(); ++k) x.data[k] = k % 7 == 3;
         return std::vector<Array>{x};
       },
       false},
      {"crossing bounds", [](auto& i, auto& j, auto&) { return (j <= i) & (j + i >= Sym(9)); },
       [](const Pair& p) { return p.j <= p.i && p.j + p.i >= 9; }, false, false},
  };
}

class EveryMask : public testing::TestWithParam<Mask> {};
TEST_P(EveryMask, VisitsAndMasksTheTilesThatCountingFinds) { expect_tiles_of(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Affine, EveryMask, testing::ValuesIn(affine_masks()), mask_identifier);
INSTANTIATE_TEST_SUITE_P(Captured, EveryMask, testing::ValuesIn(captured_masks()), mask_identifier);
INSTANTIATE_TEST_SUITE_P(PartlyUnknown, EveryMask, testing::ValuesIn(partly_unknown_masks()),
                         mask_identifier);

TEST(Cover, DilatedWindowsAreBoundedByTheirAffineParts) {
  const auto lowered = lower(3, attention_program("dilated window").body);
  TileCounts counts;
  interpret(lowered->program, qkv({64, 64}), {}, {8, 8, true, &counts});
  EXPECT_EQ(counts.visited, 4 * (1 + 7 * 2));  // a row tile sees its own key tile and the one before
}

// Where every row has a score of its own, a fill of -1e9 skips what -inf does; CTAs with a row that has none
// go twice.
TEST(Cover, TilesOfALargeFillAreLeftOutOnABet) {
  const auto visited = [](const std::function<T(const T& i, const T& j)>& keep, double fill) {
    const auto lowered = lower(3, [&](const Tensors& t) -> Tensors {
      return {attend(graph::where(keep(rows_of(t[0]), keys_of(t[1])), scores_of(t), Sym(fill)), t[2])};
    });
    TileCounts counts;
    const std::vector<Array> inputs = qkv({64, 64});
    const auto got = interpret(lowered->program, inputs, {}, {8, 8, true, &counts});
    const auto wanted = graph::evaluate(lowered->function, inputs, {});
    for (std::size_t k = 0; k < wanted[0].data.size(); ++k)
      EXPECT_NEAR(got[0].data[k], wanted[0].data[k], 1e-12);
    EXPECT_EQ(counts.visited % 4, 0);  // batch elements and heads
    return counts.visited / 4;
  };
  const auto causal = [](const T& i, const T& j) { return j <= i; };
  const auto shifted = [](const T& i, const T& j) { return j + Sym(8) <= i; };
  const int triangle = 8 * 9 / 2;
  EXPECT_EQ(visited(causal, -1e9), triangle);
  EXPECT_EQ(visited(causal, -graph::kInf), triangle);
  EXPECT_EQ(visited(causal, -100), 64);  // a score may come near
  EXPECT_EQ(visited(shifted, -1e9),
            triangle - 8 + 8);  // the first rows see nothing: their bet is lost, on all eight tiles
}

TEST(Cover, TwoSidedWindowsInAbsoluteValuesAreBounded) {
  const auto lowered = lower(3, attention_program("two-sided window").body);
  TileCounts counts;
  interpret(lowered->program, qkv({64, 64}), {}, {8, 8, true, &counts});
  EXPECT_EQ(counts.visited, 4 * (2 + 6 * 3 + 2));
}

// Tiles with the most to do are to start first.
TEST(Cover, TellsWhichRowsKeepTheMostKeys) {
  const auto rows = [](const std::function<T(const T& i, const T& j)>& keep) {
    const auto lowered = lower(3, [&](const Tensors& t) -> Tensors {
      return {attend(hidden_unless(keep(rows_of(t[0]), keys_of(t[1])), scores_of(t)), t[2])};
    });
    return uneven_rows(covers_of(lowered->program, lowered->program.sweeps[0]).live);
  };
  EXPECT_EQ(rows([](auto& i, auto& j) { return j <= i; }), Uneven::Later);
  EXPECT_EQ(rows([](auto& i, auto& j) { return j * Sym(2) <= i + Sym(5); }), Uneven::Later);
  EXPECT_EQ(rows([](auto& i, auto& j) { return j >= i; }), Uneven::Earlier);
  EXPECT_EQ(rows([](auto& i, auto& j) { return i + j <= Sym(20); }), Uneven::Earlier);
  EXPECT_EQ(rows([](auto& i, auto& j) { return (j <= i) & (i - j <= Sym(4)); }), Uneven::Unknown);
  EXPECT_EQ(rows([](auto&, auto& j) { return j <= Sym(7); }), Uneven::Unknown);
}

TEST(Cover, WrongSparsityIsFoundWhenChecked) {
  const auto lowered = lower(3, attention_program("causal").body);
  lowered->program.sweeps[0].live = {fusion::algebra::not_of(lowered->program.sweeps[0].live.at(0))};
  EXPECT_THROW(interpret(lowered->program, qkv({16, 16}), {}, {4, 4, true, nullptr}), std::logic_error);
}

}  // namespace
}  // namespace flashlight::kernel
