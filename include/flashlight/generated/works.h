// SPDX-License-Identifier: Apache-2.0
// Kernels whose CTAs stay on their SM: each takes one tile of rows after another, and loads the next one's
// operands while the last one's results are stored.
#pragma once

#include <algorithm>

#include "flashlight/generated/launch.h"

namespace flashlight::generated {

// All tiles of rows of all batch elements, in the order in which CTAs take them. A section's batch elements
// take turns, longest tiles first; so many share a section as have keys that fit the L2 cache together.
struct Works {
  int count, row_tiles, batches, section;

  struct Work {
    int tile, batch;  // the tile counts from the one with the most to do
  };
  FL_HOST_DEVICE Work at(int work) const {
    const int first = work / (section * row_tiles) * section, within = work - first * row_tiles;
    const int size = device::least(section, batches - first);
    return {within / size, first + within % size};
  }
};

// A CTA's share. Rounds run to and fro, so that who has the longest tile of one has the shortest of the next.
struct Rounds {
  const Works& works;
  int round, at;

  FL_DEVICE explicit Rounds(const Works& all) : works(all), round(0), at(device::block_index()) {}
  FL_DEVICE bool any() const { return at < works.count; }  // none is left behind one that is none
  FL_DEVICE Works::Work work() const { return works.at(at); }
  FL_DEVICE void next() {
    const int cta = device::block_index(), ctas = device::grid_size();
    ++round;
    at = round * ctas + (round % 2 == 0 ? cta : ctas - 1 - cta);
  }
};

// What the keys of a section may take of an L2 cache.
inline constexpr long long kSectionBytes = 32ll << 20;

// `bytes`: of one batch element's keys, where its tiles of rows differ in length; 0 where they do not, and
// each batch element is a section.
inline Works works_of(int row_tiles, long long batch, long long bytes) {
  const long long section = bytes == 0 ? 1 : std::clamp(kSectionBytes / bytes, 1ll, std::max(batch, 1ll));
  return {static_cast<int>(batch * row_tiles), row_tiles, static_cast<int>(batch), static_cast<int>(section)};
}

// Starts such a kernel: P has the works, and one CTA a multiprocessor takes part. Throws as start().
template <class P>
void start_staying(void (*kernel)(P), const Launch& launch, std::remove_cv_t<std::remove_reference_t<P>>& p,
                   long long batch, long long bytes, const Cta& cta, const char* name) {
  const int ctas = device::multiprocessors(), row_tiles = (p.n_row + cta.rows - 1) / cta.rows;
  launch.grid(batch * row_tiles + ctas);  // all of them can be counted
  p.row_tiles = row_tiles;
  p.works = works_of(row_tiles, batch, bytes);
  start_grid(kernel, launch, p, std::min(p.works.count, ctas), cta, name);
}

}  // namespace flashlight::generated
