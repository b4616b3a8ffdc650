// SPDX-License-Identifier: Apache-2.0
// See cover_masks.h.
#include "cover_masks.h"

namespace flashlight::kernel {

std::ostream& operator<<(std::ostream& out, const Mask& mask) { return out << mask.name; }

std::string mask_identifier(const testing::TestParamInfo<Mask>& info) {
  std::string name;
  for (char c : info.param.name) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

T head_axis(const Tensors& t) {
  return graph::arange(graph::size(t[0], 1)).op("view", graph::sizes({-1, 1, 1}));
}
T batch_axis(const T& x) { return x.op("view", graph::sizes({-1, 1, 1, 1})); }

namespace {

TileCounts count(const Mask& mask, std::int64_t sq, std::int64_t sk, std::int64_t m, std::int64_t n,
                 const std::vector<Array>& inputs) {
  TileCounts counts;
  const std::int64_t rows = m ? m : sq, keys = n ? n : sk;
  for (std::int64_t element = 0; element < 4; ++element) {
    for (std::int64_t i0 = 0; i0 < sq; i0 += rows) {
      for (std::int64_t j0 = 0; j0 < sk; j0 += keys) {
        bool any = false, all = j0 + keys <= sk;
        for (std::int64_t i = i0; i < std::min(i0 + rows, sq); ++i) {
          for (std::int64_t j = j0; j < j0 + keys; ++j) {
            if (j >= sk && !(mask.past_the_end && mask.exact_visits))
              continue;  // the mask may have no value there
            const bool kept = mask.kept({element / 2, element % 2, i, j, sq, sk, inputs});
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

}  // namespace

void expect_tiles_of(const Mask& mask) {
  const int captured = mask.captured ? static_cast<int>(mask.captured(1, 1).size()) : 0;
  const auto lowered = lower(3 + captured, [&](const Tensors& t) -> Tensors {
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
    if (mask.captured) {
      for (Array& array : mask.captured(sq, sk)) inputs.push_back(std::move(array));
    }
    const auto wanted = graph::evaluate(lowered->function, inputs, {});
    for (const auto& [m, n] : tiles) {
      const std::string where = std::to_string(sq) + " x " + std::to_string(sk) + " in tiles of " +
                                std::to_string(m) + " x " + std::to_string(n);
      TileCounts got;
      expect_close(interpret(lowered->program, inputs, {}, {m, n, true, &got})[0], wanted[0], 0, where);
      const TileCounts brute = count(mask, sq, sk, m, n, inputs);
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

}  // namespace flashlight::kernel
