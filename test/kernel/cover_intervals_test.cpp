// SPDX-License-Identifier: Apache-2.0
// Masks whose comparisons are not affine: formulas of positions, captured tables of rows and of keys, and
// masks made of other masks. Tiles they leave out and keep whole, against counting pair by pair.
#include "cover_masks.h"

namespace flashlight::kernel {
namespace {

using Tables = std::vector<Array>;

T at(const T& table, std::initializer_list<graph::Arg> index) {
  return table.op("index", graph::list(index));
}
T batch_of(const Tensors& t) { return batch_axis(graph::arange(graph::size(t[0], 0))); }
T over(const T& x, std::int64_t n) { return x.op("floor_divide", Sym(static_cast<long>(n))); }
T clamped(const T& x, int low, int high) { return x.op("clamp", Sym(low), Sym(high)); }
T magnitude(const T& x) { return x.op("abs"); }
T chosen(const T& c, const T& x, const T& y) { return graph::where(c, x, y); }

// A mask made of another one: sequences of `length` positions end to end.
using Keep = std::function<T(const T& i, const T& j)>;
Keep batchified(const Keep& inner, int length) {
  return [=](const T& i, const T& j) {
    return (over(i, length) == over(j, length)) & inner(i % Sym(length), j % Sym(length));
  };
}
using Sees = std::function<bool(std::int64_t i, std::int64_t j)>;
Sees batchified(const Sees& inner, std::int64_t length) {
  return [=](std::int64_t i, std::int64_t j) {
    return i / length == j / length && inner(i % length, j % length);
  };
}
const Keep kCausal = [](const T& i, const T& j) { return j <= i; };
const Sees kSeesCausal = [](std::int64_t i, std::int64_t j) { return j <= i; };

Mask formula(std::string name, Keep keep, Sees sees, bool exact_visits = true, bool exact_full = true) {
  return {std::move(name),
          [keep](auto& i, auto& j, auto&) { return keep(i, j); },
          [sees](const Pair& p) { return sees(p.i, p.j); },
          exact_visits,
          exact_full,
          {},
          false};
}

std::vector<Mask> formulas() {
  return {
      formula(
          "blocks", [](auto& i, auto& j) { return over(i, 4) == over(j, 4); },
          [](auto i, auto j) { return i / 4 == j / 4; }),
      formula(
          "other blocks", [](auto& i, auto& j) { return over(i, 3) != over(j, 5); },
          [](auto i, auto j) { return i / 3 != j / 5; }),
      formula(
          "earlier blocks", [](auto& i, auto& j) { return over(j, 4) < over(i, 4); },
          [](auto i, auto j) { return j / 4 < i / 4; }),
      formula(
          "even keys", [](auto&, auto& j) { return j % Sym(2) == Sym(0); },
          [](auto, auto j) { return j % 2 == 0; }),
      formula(
          "odd sums", [](auto& i, auto& j) { return (i + j) % Sym(2) == Sym(1); },
          [](auto i, auto j) { return (i + j) % 2 == 1; }),
      formula(
          "same residue of the distance", [](auto& i, auto& j) { return (i - j) % Sym(3) == Sym(0); },
          [](auto i, auto j) { return (i - j) % 3 == 0; }),
      formula(
          "dilated window",
          [](auto& i, auto& j) { return (j <= i) & ((i - j) % Sym(3) == Sym(0)) & (i - j <= Sym(9)); },
          [](auto i, auto j) { return j <= i && (i - j) % 3 == 0 && i - j <= 9; }, false, false),
      formula(
          "strided",  // sparse transformer: a window, and every fourth key before it
          [](auto& i, auto& j) { return (j <= i) & ((i - j < Sym(4)) | ((i - j) % Sym(4) == Sym(0))); },
          [](auto i, auto j) { return j <= i && (i - j < 4 || (i - j) % 4 == 0); }, false, false),
      formula(
          "fixed pattern",  // the block, and the last keys of earlier ones
          [](auto& i, auto& j) { return (j <= i) & ((over(i, 4) == over(j, 4)) | (j % Sym(4) == Sym(3))); },
          [](auto i, auto j) { return j <= i && (i / 4 == j / 4 || j % 4 == 3); }, false, false),
      formula("batchified", batchified(kCausal, 5), batchified(kSeesCausal, 5), false, false),
      formula("batchified twice", batchified(batchified(kCausal, 3), 9),
              batchified(batchified(kSeesCausal, 3), 9), false, false),
      formula(
          "block causal", [](auto& i, auto& j) { return j < (over(i, 4) + Sym(1)) * Sym(4); },
          [](auto i, auto j) { return j < (i / 4 + 1) * 4; }),
      formula(
          "at a clamped distance", [](auto& i, auto& j) { return clamped(i - j, 0, 3) == Sym(2); },
          [](auto i, auto j) { return std::clamp<std::int64_t>(i - j, 0, 3) == 2; }),
      formula(
          "outside a clamped distance", [](auto& i, auto& j) { return clamped(j - i, -4, 4) >= Sym(4); },
          [](auto i, auto j) { return j - i >= 4; }),
      formula(
          "even distances", [](auto& i, auto& j) { return magnitude(i - j) % Sym(2) == Sym(0); },
          [](auto i, auto j) { return std::abs(i - j) % 2 == 0; }),
      formula(
          "near the diagonal, by blocks",
          [](auto& i, auto& j) { return magnitude(over(i, 4) - over(j, 4)) <= Sym(1); },
          [](auto i, auto j) { return std::abs(i / 4 - j / 4) <= 1; }),
      formula(
          "both early", [](auto& i, auto& j) { return i.op("maximum", j) <= Sym(6); },
          [](auto i, auto j) { return std::max(i, j) <= 6; }),
      formula(
          "one early", [](auto& i, auto& j) { return i.op("minimum", j) < Sym(3); },
          [](auto i, auto j) { return std::min(i, j) < 3; }),
      formula(
          "under a hyperbola", [](auto& i, auto& j) { return i * j <= Sym(20); },
          [](auto i, auto j) { return i * j <= 20; }),
      formula(
          "within a circle", [](auto& i, auto& j) { return i * i + j * j <= Sym(90); },
          [](auto i, auto j) { return i * i + j * j <= 90; }),
      formula(
          "a squared distance", [](auto& i, auto& j) { return (i - j) * (i - j) <= Sym(9); },
          [](auto i, auto j) { return (i - j) * (i - j) <= 9; }, false, false),
      formula(
          "exclusive or", [](auto& i, auto& j) { return (j <= i) ^ (j < Sym(3)); },
          [](auto i, auto j) { return (j <= i) != (j < 3); }, false, false),
      formula(
          "two windows in turns",
          [](auto& i, auto& j) {
            return magnitude(i - j) <=
                   chosen(over(i, 4) % Sym(2) == Sym(0), Sym(1) + i * Sym(0), Sym(3) + i * Sym(0));
          },
          [](auto i, auto j) { return std::abs(i - j) <= (i / 4 % 2 == 0 ? 1 : 3); }, false, false),
  };
}

// ---- captured tables

Array made(std::vector<std::int64_t> shape,
           const std::function<double(std::int64_t b, std::int64_t k)>& value) {
  Array x{std::move(shape), {}};
  const std::int64_t batches = x.shape.size() > 1 ? x.shape[0] : 1, n = x.shape.back();
  for (std::int64_t b = 0; b < batches; ++b) {
    for (std::int64_t k = 0; k < n; ++k) x.data.push_back(value(b, k));
  }
  return x;
}
double mixed(std::int64_t b, std::int64_t k, std::int64_t n) {
  return static_cast<double>((k * 7 + b * 3 + k * k % 5) % n);
}
// Ids of rows and keys; documents of five positions, each batch element's begin elsewhere.
Tables documents(std::int64_t sq, std::int64_t sk) {
  const auto id = [](auto b, auto k) { return static_cast<double>((k + 2 * b) / 5); };
  return {made({2, sq}, id), made({2, sk}, id)};
}
Tables shuffled(std::int64_t sq, std::int64_t sk) {
  const auto id = [](auto b, auto k) { return mixed(b, k / 3, 4); };
  return {made({2, sq}, id), made({2, sk}, id)};
}
Tables flags(std::int64_t sq, std::int64_t sk) {
  return {made({sq}, [](auto, auto k) { return k % 6 == 4; }),
          made({sk}, [](auto, auto k) { return k % 9 == 2; })};
}
Tables images(std::int64_t sq,
              std::int64_t sk) {  // of keys; the first and one past the last row that sees an image
  const std::int64_t count = (sk + 3) / 4;
  return {made({sk}, [](auto, auto k) { return static_cast<double>(k / 4); }),
          made({count}, [=](auto, auto k) { return static_cast<double>(k * sq / count); }),
          made({count}, [=](auto, auto k) { return static_cast<double>((k + 1) * sq / count); })};
}
// Queries and keys have a number each.
Tables numbers(std::int64_t sq, std::int64_t sk) {
  return {made({2, sq}, [](auto b, auto k) { return mixed(b, k / 2, 11); }),
          made({2, sk}, [](auto b, auto k) { return mixed(b + 1, k / 3, 13); })};
}
Tables times(std::int64_t sq, std::int64_t sk) {
  return {made({sq}, [](auto, auto k) { return 0.25 * mixed(0, k / 2, 11); }),
          made({sk}, [](auto, auto k) { return 0.5 * mixed(1, k / 3, 7); })};
}
Tables with_nan(std::int64_t sq, std::int64_t sk) {
  Tables all = times(sq, sk);
  for (Array& x : all) {
    for (std::size_t k = 3; k < x.data.size(); k += 8) x.data[k] = std::nan("");
  }
  return all;
}

// Of the batch element: ids as they come, numbers as integers.
T own(const T& table, const T& k, const Tensors& t) { return at(table, {batch_of(t), k}); }
T number(const T& table, const T& k, const Tensors& t) {
  return own(table, k, t).op("to", graph::DType::Int64);
}
double row(const Pair& p) { return p.table(0, p.b * p.sq + p.i); }
double key(const Pair& p) { return p.table(1, p.b * p.sk + p.j); }

std::vector<Mask> tables() {
  const auto document = [](auto& i, auto& j, auto& t) { return own(t[3], i, t) == own(t[4], j, t); };
  const auto same = [](const Pair& p) { return row(p) == key(p); };
  return {
      {"documents", document, same, true, true, documents, false},
      {"documents, not sorted", document, same, false, true, shuffled, false},
      {"other documents", [=](auto& i, auto& j, auto& t) { return T(document(i, j, t)).op("~"); },
       [=](const Pair& p) { return !same(p); }, true, true, documents, false},
      {"documents, causal", [=](auto& i, auto& j, auto& t) { return document(i, j, t) & (j <= i); },
       [=](const Pair& p) { return same(p) && p.j <= p.i; }, false, false, documents, false},
      {"causal inside of documents",  // a table of a table
       [=](auto& i, auto& j, auto& t) {
         T begin_i = at(t[5], {own(t[3], i, t)}), begin_j = at(t[5], {own(t[4], j, t)});
         return document(i, j, t) & (j - begin_j <= i - begin_i);
       },
       [=](const Pair& p) { return same(p) && p.j <= p.i; }, false, false,
       [](std::int64_t sq, std::int64_t sk) {
         Tables all = documents(sq, sk);
         all.push_back(made({12}, [](auto, auto k) { return static_cast<double>(5 * k); }));
         return all;
       },
       false},
      {"a flag of the document",
       [](auto&, auto& j, auto& t) { return at(t[5], {own(t[4], j, t)}) != Sym(0); },
       [](const Pair& p) { return p.table(2, std::int64_t(key(p))) != 0; }, true, true,
       [](std::int64_t sq, std::int64_t sk) {
         Tables all = documents(sq, sk);
         all.push_back(made({12}, [](auto, auto k) { return k % 3 == 1; }));
         return all;
       },
       false},
      {"global tokens and a window",
       [](auto& i, auto& j, auto& t) {
         return (magnitude(i - j) <= Sym(2)) | (at(t[3], {i}) != Sym(0)) | (at(t[4], {j}) != Sym(0));
       },
       [](const Pair& p) { return std::abs(p.i - p.j) <= 2 || p.table(0, p.i) != 0 || p.table(1, p.j) != 0; },
       true, false, flags, false},
      {"one of two is global",
       [](auto& i, auto& j, auto& t) { return (at(t[3], {i}) != Sym(0)) ^ (at(t[4], {j}) != Sym(0)); },
       [](const Pair& p) { return (p.table(0, p.i) != 0) != (p.table(1, p.j) != 0); }, true, true, flags,
       false},
      {"both are there",
       [](auto& i, auto& j, auto& t) { return (at(t[3], {i}) != Sym(0)) & (at(t[4], {j}) != Sym(0)); },
       [](const Pair& p) { return p.table(0, p.i) != 0 && p.table(1, p.j) != 0; }, true, true, flags, false},
      {"at least one flag, counted",
       [](auto& i, auto& j, auto& t) {
         return T(at(t[3], {i}) != Sym(0)) + T(at(t[4], {j}) != Sym(0)) >= Sym(1);
       },
       [](const Pair& p) { return p.table(0, p.i) != 0 || p.table(1, p.j) != 0; }, true, true, flags, false},
      {"text sees the image before it",
       [](auto& i, auto& j, auto& t) {
         T image = at(t[3], {j});
         return (at(t[4], {image}) <= i) & (i < at(t[5], {image}));
       },
       [](const Pair& p) {
         const auto image = std::int64_t(p.table(0, p.j));
         return p.table(1, image) <= double(p.i) && double(p.i) < p.table(2, image);
       },
       true, true, images, false},
      {"lengths by row", [](auto& i, auto& j, auto& t) { return j < number(t[3], i, t); },
       [](const Pair& p) { return double(p.j) < row(p); }, true, true, numbers, false},
      {"from where each row begins, causal",
       [](auto& i, auto& j, auto& t) { return (number(t[3], i, t) <= j) & (j <= i); },
       [](const Pair& p) { return row(p) <= double(p.j) && p.j <= p.i; }, false, false, numbers, false},
      {"as long as a key lives",
       [](auto& i, auto& j, auto& t) { return (j <= i) & (i <= j + number(t[4], j, t)); },
       [](const Pair& p) { return p.j <= p.i && double(p.i) <= double(p.j) + key(p); }, true, true, numbers,
       false},
      {"numbers in order", [](auto& i, auto& j, auto& t) { return number(t[4], j, t) <= number(t[3], i, t); },
       [](const Pair& p) { return key(p) <= row(p); }, true, true, numbers, false},
      {"numbers that are near",
       [](auto& i, auto& j, auto& t) { return magnitude(number(t[4], j, t) - number(t[3], i, t)) <= Sym(1); },
       [](const Pair& p) { return std::abs(key(p) - row(p)) <= 1; }, false, true, numbers, false},
      {"by kind of key",
       [](auto& i, auto& j, auto& t) {
         return chosen(number(t[4], j, t) % Sym(2) == Sym(1), i - Sym(3), i) >= j;
       },
       [](const Pair& p) { return (std::int64_t(key(p)) % 2 == 1 ? p.i - 3 : p.i) >= p.j; }, true, true,
       numbers, false},
      {"times in order", [](auto& i, auto& j, auto& t) { return at(t[4], {j}) <= at(t[3], {i}); },
       [](const Pair& p) { return p.table(1, p.j) <= p.table(0, p.i); }, true, true, times, false},
      {"not later", [](auto& i, auto& j, auto& t) { return T(at(t[4], {j}) > at(t[3], {i})).op("~"); },
       [](const Pair& p) { return !(p.table(1, p.j) > p.table(0, p.i)); }, true, true, times, false},
      {"times, some unknown", [](auto& i, auto& j, auto& t) { return at(t[4], {j}) <= at(t[3], {i}); },
       [](const Pair& p) { return p.table(1, p.j) <= p.table(0, p.i); }, false, false, with_nan, false},
      {"not later, some unknown",
       [](auto& i, auto& j, auto& t) { return T(at(t[4], {j}) > at(t[3], {i})).op("~"); },
       [](const Pair& p) { return !(p.table(1, p.j) > p.table(0, p.i)); }, false, false, with_nan, false},
      {"a table of blocks",
       [](auto& i, auto& j, auto& t) { return at(t[3], {over(i, 4), over(j, 4)}) != Sym(0); },
       [](const Pair& p) { return p.table(0, p.i / 4 * ((p.sk + 3) / 4) + p.j / 4) != 0; }, true, true,
       [](std::int64_t sq, std::int64_t sk) {
         const std::int64_t rows = (sq + 3) / 4, keys = (sk + 3) / 4;
         Array x{{rows, keys}, {}};
         for (std::int64_t k = 0; k < rows * keys; ++k) x.data.push_back(k % 3 == 1);
         return Tables{x};
       },
       false},
  };
}

class EveryIntervalMask : public testing::TestWithParam<Mask> {};
TEST_P(EveryIntervalMask, VisitsAndMasksTheTilesThatCountingFinds) { expect_tiles_of(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Formulas, EveryIntervalMask, testing::ValuesIn(formulas()), mask_identifier);
INSTANTIATE_TEST_SUITE_P(Tables, EveryIntervalMask, testing::ValuesIn(tables()), mask_identifier);

}  // namespace
}  // namespace flashlight::kernel
