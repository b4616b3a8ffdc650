// SPDX-License-Identifier: Apache-2.0
// Which tiles fused kernels visit and mask, for masks of every kind: counted by the emulated device against
// the masks themselves, evaluated eagerly.
#include "masks.h"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>

#include "flashlight/emulator/emulator.h"

namespace {

using namespace flashlight;

struct Tile {
  int m = 0, n = 0;
};

// That of all kernels of the file but those for few queries, whose tiles have 16 rows.
Tile tile() {
  static const Tile found = [] {
    std::ifstream in(FLASHLIGHT_MASKS_REPORT);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const std::regex pattern("bfloat16 D=64 DV=64: (\\d+)x(\\d+),");
    std::set<std::pair<int, int>> tiles;
    for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it)
      if ((*it)[1] != "16") tiles.emplace(std::stoi((*it)[1]), std::stoi((*it)[2]));
    EXPECT_EQ(tiles.size(), 1u) << "kernels differ in their tiles";
    return Tile{tiles.begin()->first, tiles.begin()->second};
  }();
  return found;
}

struct Count {
  long long visited = 0, full = 0;
};

// Tiles with a visible pair, and tiles of which every pair is visible and no column lies past the end.
Count needed(const Tensor& visible, int batch, int sq, int sk) {
  const Tensor all = visible.expand({batch, sq, sk}).contiguous().to(kInt8);
  const auto* sees = all.data<std::int8_t>();
  Count count;
  for (int b = 0; b < batch; ++b) {
    for (int i0 = 0; i0 < sq; i0 += tile().m) {
      for (int j0 = 0; j0 < sk; j0 += tile().n) {
        bool any = false, every = j0 + tile().n <= sk;
        for (int i = i0; i < std::min(i0 + tile().m, sq); ++i) {
          for (int j = j0; j < std::min(j0 + tile().n, sk); ++j) {
            const bool here = sees[(static_cast<std::int64_t>(b) * sq + i) * sk + j] != 0;
            any = any || here;
            every = every && here;
          }
        }
        count.visited += any;
        count.full += any && every;
      }
    }
  }
  return count;
}

// Documents of 90 tokens, each batch element's begin elsewhere; where each of them begins; some flags.
Captured captured(int batch, int sq, int sk) {
  const Tensor shift = 40 * arange(batch).unsqueeze(-1);
  const Tensor i = arange(sq).unsqueeze(-1), j = arange(sk),
               far = floor_divide(i + 3 * shift.unsqueeze(-1), 130) * 100;
  return {floor_divide(arange(sq) + shift, 90),
          floor_divide(arange(sk) + shift, 90),
          arange(64) * 90,
          arange(sq) % 150 == 149,
          arange(sk) % 130 == 3,
          (j >= far - 20) & (j < far + 180)};
}
// The same documents in another order: ids that are not sorted.
Captured unsorted(int batch, int sq, int sk) {
  Captured c = captured(batch, sq, sk);
  c.rows = c.rows * 5 % 7;
  c.keys = c.keys * 5 % 7;
  return c;
}

Captured on_device(const Captured& c) {
  return {c.rows.to(kCUDA),     c.keys.to(kCUDA),     c.table.to(kCUDA),
          c.row_flag.to(kCUDA), c.key_flag.to(kCUDA), c.dense.to(kCUDA)};
}

std::string error_of(auto&& run) {
  try {
    run();
  } catch (const Error& error) { return error.what(); }
  return "";
}

class Masks : public testing::TestWithParam<FusedMask> {
 protected:
  void expect_counts(const Captured& c, int batch, int sq, int sk, bool sorted) {
    const FusedMask& mask = GetParam();
    const Tensor q = randn({batch, sq, 64}, 1).to(kBFloat16), k = randn({batch, sk, 64}, 2).to(kBFloat16),
                 v = randn({batch, sk, 64}, 3).to(kBFloat16);
    const Captured there = on_device(c);
    emulator::reset_counters();
    const Tensor fused = mask.attend(q.to(kCUDA), k.to(kCUDA), v.to(kCUDA), there).to(kCPU).to(kFloat64);
    const long long visited = emulator::counter("tile"), full = visited - emulator::counter("masked tile");
    const std::string where = std::to_string(sq) + " x " + std::to_string(sk);
    const Tensor eager = mask.attend(q.to(kFloat64), k.to(kFloat64), v.to(kFloat64), c);
    EXPECT_LE(max_abs_diff(fused, where_(eager)), 0.03) << where;
    const Tensor b = arange(batch).view({-1, 1, 1}), i = arange(sq).unsqueeze(-1), j = arange(sk);
    const Count wanted = needed(mask.visible(b, i, j, c), batch, sq, sk);
    EXPECT_GE(visited, wanted.visited) << where;
    if (mask.all_empty && sorted) { EXPECT_EQ(visited, wanted.visited) << where; }
    if (mask.by_elements) return;
    EXPECT_LE(full, wanted.full) << where;
    if (mask.all_full && sorted) { EXPECT_EQ(full, wanted.full) << where; }
  }
  // Rows that see no key are 0 in the kernel.
  static Tensor where_(const Tensor& eager) { return where(isnan(eager), zeros({1}, kFloat64), eager); }
};

TEST_P(Masks, VisitAndMaskTheTilesThatCountingFinds) {
  for (const auto& [sq, sk] : {std::pair(300, 420), {512, 512}, {140, 700}, {1, 130}})
    expect_counts(captured(2, sq, sk), 2, sq, sk, true);
}

TEST_P(Masks, AreNeverWrongWhereIdsAreNotSorted) { expect_counts(unsorted(2, 300, 420), 2, 300, 420, false); }

std::string identifier(const testing::TestParamInfo<FusedMask>& info) {
  std::string name;
  for (char c : info.param.name) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}
INSTANTIATE_TEST_SUITE_P(All, Masks, testing::ValuesIn(fused_masks()), identifier);

// A row without a key of its document attends uniformly: no tile may be left out.
TEST(FiniteFill, KeepsItsMeaning) {
  const int sq = 300, sk = 420;
  const Tensor q = randn({2, sq, 64}, 1).to(kBFloat16), k = randn({2, sk, 64}, 2).to(kBFloat16),
               v = randn({2, sk, 64}, 3).to(kBFloat16);
  Captured c = captured(2, sq, sk);
  c.rows = where(arange(sq) % 7 == 2, -1, c.rows);
  const FusedMask mask = filled_documents();
  const Tensor eager = mask.attend(q.to(kFloat64), k.to(kFloat64), v.to(kFloat64), c);
  const Tensor fused = mask.attend(q.to(kCUDA), k.to(kCUDA), v.to(kCUDA), on_device(c)).to(kCPU).to(kFloat64);
  EXPECT_LE(max_abs_diff(fused, eager), 0.03);
  const Tensor uniform = v.to(kFloat64).mean(-2, true).select(1, 0), row = fused.select(1, 2);
  EXPECT_LE(max_abs_diff(row, uniform), 0.01);
}

const FusedMask& mask_named(const std::string& name) {
  static const std::vector<FusedMask> all = fused_masks();
  return *std::find_if(all.begin(), all.end(), [&](const FusedMask& m) { return m.name == name; });
}

TEST(MaskErrors, AnIndexOutsideItsTableIsAnErrorInRowsAndInKeys) {
  const int sq = 300, sk = 420;
  const Tensor q = randn({1, sq, 64}, 1).to(kBFloat16), k = randn({1, sk, 64}, 2).to(kBFloat16), v = k;
  for (const bool of_rows : {false, true}) {
    for (const std::int64_t wrong : {64, -65}) {
      Captured c = captured(1, sq, sk);
      Tensor& ids = of_rows ? c.rows : c.keys;
      ids = where(arange(ids.size(-1)) == 217, wrong, ids);
      const FusedMask& mask = mask_named("causal inside of documents");
      EXPECT_NE(error_of([&] { mask.attend(q, k, v, c); }), "");
      const Captured there = on_device(c);
      const std::string text = error_of([&] { mask.attend(q.to(kCUDA), k.to(kCUDA), v.to(kCUDA), there); });
      EXPECT_NE(text.find("index " + std::to_string(wrong) + " is out of range for an axis of 64"),
                std::string::npos)
          << text;
    }
  }
}

}  // namespace
