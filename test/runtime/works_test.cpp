// SPDX-License-Identifier: Apache-2.0
// Works: each tile of rows is taken once, longest first, and CTAs have about equal shares of a triangle.
#include "flashlight/generated/works.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace flashlight::generated {
namespace {

TEST(Works, AreEachTakenOnce) {
  for (const long long bytes : {0ll, 1ll, kSectionBytes / 3, kSectionBytes, 5 * kSectionBytes}) {
    for (const int batch : {1, 2, 7, 16}) {
      const Works works = works_of(5, batch, bytes);
      std::set<std::pair<int, int>> seen;
      for (int w = 0; w < works.count; ++w) {
        const Works::Work work = works.at(w);
        EXPECT_TRUE(work.tile >= 0 && work.tile < 5 && work.batch >= 0 && work.batch < batch);
        seen.insert({work.tile, work.batch});
      }
      EXPECT_EQ(seen.size(), static_cast<std::size_t>(5 * batch)) << bytes << " bytes, batch " << batch;
    }
  }
}

TEST(Works, OfASectionComeLongestFirst) {
  const Works works = works_of(4, 6, kSectionBytes / 3);  // three batch elements share a section
  ASSERT_EQ(works.section, 3);
  int last = 0;
  for (int w = 0; w < 12; ++w) {
    EXPECT_GE(works.at(w).tile, last);
    EXPECT_LT(works.at(w).batch, 3);
    last = works.at(w).tile;
  }
}

TEST(Works, WithoutKeysToShareStayWithTheirBatchElement) {
  const Works works = works_of(4, 3, 0);
  for (int w = 0; w < works.count; ++w) EXPECT_EQ(works.at(w).batch, w / 4);
}

struct Share {
  Works works;
  long long* length;  // of each CTA
  int* taken;         // how often each work was
};

FL_KERNEL(32) add_up(FL_PARAMS(Share) p) {
  if (device::thread_index() != 0) return;
  for (Rounds rounds(p.works); rounds.any(); rounds.next()) {
    p.length[device::block_index()] += p.works.row_tiles - rounds.work().tile;
    ++p.taken[rounds.at];
  }
}

// The tiles of a causal mask are as long as they are many.
TEST(Works, OfATriangleAreSharedEvenly) {
  emulator::Options options = emulator::options();
  const emulator::Checks checks = options.checks;
  options.checks = emulator::Checks::kOff;
  emulator::set_options(options);
  for (const int ctas : {1, 3, 4, 7, 132}) {
    const Works works = works_of(64, 16, kSectionBytes / 8);
    std::vector<long long> length(static_cast<std::size_t>(ctas));
    std::vector<int> taken(static_cast<std::size_t>(works.count));
    ASSERT_EQ(device::launch(add_up, ctas, 32, 0, nullptr, Share{works, length.data(), taken.data()}), 0);
    EXPECT_EQ(std::count(taken.begin(), taken.end(), 1), works.count);
    const auto [least, most] = std::minmax_element(length.begin(), length.end());
    EXPECT_LE(*most - *least, 2 * 64) << ctas << " CTAs: not more apart than two of the longest";
    EXPECT_EQ(std::accumulate(length.begin(), length.end(), 0ll), 16ll * 64 * 65 / 2);
  }
  options.checks = checks;
  emulator::set_options(options);
}

}  // namespace
}  // namespace flashlight::generated
