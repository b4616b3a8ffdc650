// SPDX-License-Identifier: Apache-2.0
// Which tiles a mask leaves out and which it keeps whole, against counting pair by pair.
#include "attention_programs.h"

namespace flashlight::kernel {
namespace {

using graph::Array;
using graph::Sym;
using graph::T;
using graph::Tensors;

// Whether query i sees key j; `captured` is the tensor beside q, k and v.
struct Pair {
  std::int64_t b, h, i, j, sq, sk;
  const Array& captured;
};

struct Mask {
  std::string name;
  std::function<T(const T& i, const T& j, const Tensors&)> keep;
  std::function<bool(const Pair&)> kept;
  // What interval analysis can see of it: each side is exact, or else only on the safe side.
  bool exact_visits = true, exact_full = true;
  std::function<Array(std::int64_t sq, std::int64_t sk)> captured = {};
};

std::ostream& operator<<(std::ostream& out, const Mask& mask) { return out << mask.name; }

T head_axis(const Tensors& t) {
  return graph::arange(graph::size(t[0], 1)).op("view", graph::sizes({-1, 1, 1}));
}
T batch_axis(const T& x) { return x.op("view", graph::sizes({-1, 1, 1, 1})); }
Array lengths(std::int64_t, std::int64_t sk) {
  return {{2}, {static_cast<double>(sk / 2), static_cast<double>(std::max<std::int64_t>(sk - 3, 0))}};
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

Array ranges(std::int64_t, std::int64_t sk) {  // [begin, end) of each batch element
  const auto keys = static_cast<double>(sk);
  return {{4}, {1, std::floor(keys / 3), std::floor(keys / 2), keys}};
}
T bound_of(const Tensors& t, int first) {
  T b = batch_axis(graph::arange(graph::size(t[0], 0))) + Sym(first);
  return t[3].op("index", graph::list({b}));
}

std::vector<Mask> captured_masks() {
  return {
      {"a range of keys",
       [](auto&, auto& j, auto& t) { return (bound_of(t, 0) <= j) & (j < bound_of(t, 2)); },
       [](const Pair& p) { return p.captured.data[p.b] <= p.j && p.j < p.captured.data[2 + p.b]; }, false,
       true, ranges},
      {"key lengths", [](auto&, auto& j, auto& t) { return j < batch_axis(t[3]); },
       [](const Pair& p) { return p.j < p.captured.data[p.b]; }, true, true, lengths},
      {"key lengths, causal", [](auto& i, auto& j, auto& t) { return (j < batch_axis(t[3])) & (j <= i); },
       [](const Pair& p) { return p.j < p.captured.data[p.b] && p.j <= p.i; }, true, true, lengths},
      {"prefix by batch", [](auto& i, auto& j, auto& t) { return (j < batch_axis(t[3])) | (j <= i); },
       [](const Pair& p) { return p.j < p.captured.data[p.b] || p.j <= p.i; }, true, true, lengths},
      {"left padding", [](auto& i, auto& j, auto& t) { return (j >= batch_axis(t[3])) & (j <= i); },
       [](const Pair& p) { return p.j >= p.captured.data[p.b] && p.j <= p.i; }, false, true,
       lengths},  // bounds that cross inside a tile
  };
}

// Without an affine form, in whole or in part: never left out wrongly.
std::vector<Mask> partly_unknown_masks() {
  return {
      {"dilated window",
       [](auto& i, auto& j, auto&) { return (j <= i) & ((i - j) % Sym(3) == Sym(0)) & (i - j <= Sym(9)); },
       [](const Pair& p) { return p.j <= p.i && (p.i - p.j) % 3 == 0 && p.i - p.j <= 9; }, false, false},
      {"even keys", [](auto&, auto& j, auto&) { return j % Sym(2) == Sym(0); },
       [](const Pair& p) { return p.j % 2 == 0; }, false, false},
      {"blocks",
       [](auto& i, auto& j, auto&) {
         return T(i.op("floor_divide", Sym(4))) == T(j.op("floor_divide", Sym(4)));
       },
       [](const Pair& p) { return p.i / 4 == p.j / 4; }, false, false},
      {"in floats", [](auto& i, auto& j, auto&) { return (i - j) * Sym(0.5) <= Sym(2.0); },
       [](const Pair& p) { return (p.i - p.j) * 0.5 <= 2; }, false, false},
      {"dense and causal", [](auto& i, auto& j, auto& t) { return t[3] & (j <= i); },
       [](const Pair& p) { return p.captured.data[p.i * p.sk + p.j] != 0 && p.j <= p.i; }, false, false,
       [](std::int64_t sq, std::int64_t sk) {
         Array x{{sq, sk}, std::vector<double>(sq * sk)};
         for (std::size_t k = 0; k < x.data.size(); ++k) x.data[k] = k % 5 < 2;
         return x;
       }},
      {"dense or causal", [](auto& i, auto& j, auto& t) { return t[3] | (j <= i); },
       [](const Pair& p) { return p.captured.data[p.i * p.sk + p.j] != 0 || p.j <= p.i; }, false, false,
       [](std::int64_t sq, std::int64_t sk) {
         Array x{{sq, sk}, std::vector<double>(sq * sk)};
         for (std::size_t k = 0; k < x.data.size(); ++k) x.data[k] = k % 7 == 3;
         return x;
       }},
      {"exclusive or", [](auto& i, auto& j, auto&) { return (j <= i) ^ (j < Sym(3)); },
       [](const Pair& p) { return (p.j <= p.i) != (p.j < 3); }, false, false},
      {"crossing bounds", [](auto& i, auto& j, auto&) { return (j <= i) & (j + i >= Sym(9)); },
       [](const Pair& p) { return p.j <= p.i && p.j + p.i >= 9; }, false, false},
  };
}

class EveryMask : public testing::TestWithParam<Mask> {};

// Keys past the end of a tile that has some before it count as keys: the tests per tile do not look at the
// end.
TileCounts count(const Mask& mask, std::int64_t sq, std::int64_t sk, std::int64_t m, std::int64_t n,
                 const Array& captured) {
  TileCounts counts;
  const std::int64_t rows = m ? m : sq, keys = n ? n : sk;
  for (std::int64_t element = 0; element < 4; ++element) {
    for (std::int64_t i0 = 0; i0 < sq; i0 += rows) {
      for (std::int64_t j0 = 0; j0 < sk; j0 += keys) {
        bool any = false, all = j0 + keys <= sk;
        for (std::int64_t i = i0; i < std::min(i0 + rows, sq); ++i) {
          for (std::int64_t j = j0; j < j0 + keys; ++j) {
            if (j >= sk && !mask.exact_visits) continue;  // the mask may have no value there
            const bool kept = mask.kept({element / 2, element % 2, i, j, sq, sk, captured});
            any = any || kept;
            all = all && kept;
          }
        }
        ++(any ? counts.visited : counts.skipped);
        counts.full += all;
      }
    }
  }
  return counts;
}

TEST_P(EveryMask, VisitsAndMasksTheTilesThatCountingFinds) {
  const Mask& mask = GetParam();
  const auto lowered = lower(mask.captured ? 4 : 3, [&](const Tensors& t) -> Tensors {
    return {attend(hidden_unless(mask.keep(rows_of(t[0]), keys_of(t[1]), t), scores_of(t)), t[2])};
  });
  struct {
    int sq, sk;
  } const sizes[] = {{1, 1}, {16, 16}, {7, 23}, {23, 7}, {17, 17}, {1, 17}};
  struct {
    int m, n;
  } const tiles[] = {{1, 1}, {2, 3}, {4, 4}, {16, 8}, {0, 0}};
  for (const auto& [sq, sk] : sizes) {
    std::vector<Array> inputs = qkv({sq, sk});
    if (mask.captured) inputs.push_back(mask.captured(sq, sk));
    const auto wanted = graph::evaluate(lowered->function, inputs, {});
    for (const auto& [m, n] : tiles) {
      const std::string where = std::to_string(sq) + " x " + std::to_string(sk) + " in tiles of " +
                                std::to_string(m) + " x " + std::to_string(n);
      TileCounts got;
      expect_close(interpret(lowered->program, inputs, {}, {m, n, true, &got})[0], wanted[0], 0, where);
      const TileCounts brute = count(mask, sq, sk, m, n, inputs.back());
      EXPECT_EQ(got.visited + got.skipped, brute.visited + brute.skipped) << where;
      EXPECT_GE(got.visited, brute.visited) << where;
      EXPECT_LE(got.full, brute.full) << where;
      if (mask.exact_visits) {
        EXPECT_EQ(got.visited, brute.visited) << where << "\n" << to_string(lowered->program);
      }
      if (mask.exact_full) {
        EXPECT_EQ(got.full, brute.full) << where << "\n" << to_string(lowered->program);
      }
    }
  }
}

std::string mask_identifier(const testing::TestParamInfo<Mask>& info) {
  std::string name;
  for (char c : info.param.name) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

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

TEST(Cover, TwoSidedWindowsInAbsoluteValuesAreBounded) {
  const auto lowered = lower(3, attention_program("two-sided window").body);
  TileCounts counts;
  interpret(lowered->program, qkv({64, 64}), {}, {8, 8, true, &counts});
  EXPECT_EQ(counts.visited, 4 * (2 + 6 * 3 + 2));
}

TEST(Cover, WrongSparsityIsFoundWhenChecked) {
  const auto lowered = lower(3, attention_program("causal").body);
  lowered->program.sweeps[0].live = {fusion::algebra::not_of(lowered->program.sweeps[0].live.at(0))};
  EXPECT_THROW(interpret(lowered->program, qkv({16, 16}), {}, {4, 4, true, nullptr}), std::logic_error);
}

}  // namespace
}  // namespace flashlight::kernel
