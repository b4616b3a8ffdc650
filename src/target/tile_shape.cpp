// SPDX-License-Identifier: Apache-2.0
// See tile_shape.h.
#include "target/tile_shape.h"

#include <algorithm>
#include <numeric>

namespace flashlight::target {

namespace {

// The smallest devices of the family (sm_86, sm_89, sm_120) and those of compute capability 8.0 and 9.0 offer
// a CTA this much.
constexpr int kSharedLimits[] = {99 * 1024, 163 * 1024};
// 255 registers, or a thread's share of them where a CTA has more than 256 threads, less what addresses,
// operand fragments and loop state take, fitted to what ptxas says of all samples: no spills at these bounds.
// A float product holds its operands in two parts, and the sums of a step beside the accumulator.
int value_limit(const Demand& d, const TileShape& s) {
  constexpr int kRegisters = 65536;
  const int operands = static_cast<int>(d.row_operands.size() + d.key_operands.size());
  const int held = std::min(255, kRegisters / s.threads());
  return held - (d.element_bytes == 4 ? 87 : 47) - 7 * operands;
}

int total(const std::vector<int>& columns) { return std::accumulate(columns.begin(), columns.end(), 0); }

// A product may start at a column that begins a swizzled block of 128 bytes (SharedTile::block), or inside
// one where its columns divide the block.
bool splits_evenly(const Demand& d, const TileShape& s) {
  if (s.n % (8 * s.parts) != 0) return false;
  for (int columns : d.accumulators) {
    const int part = columns / s.parts, block = d.element_bytes == 2 && columns % 64 == 0 ? 64 : 32;
    if (columns % (8 * s.parts) != 0 || (s.parts > 1 && part % block != 0 && block % part != 0)) return false;
  }
  return true;
}

}  // namespace

int shared_bytes(const Demand& d, const TileShape& s) {
  constexpr int kFloatBytes = 4;
  const int exchange = s.parts > 1 ? kFloatBytes * s.m * s.n : 0;
  return (s.m * total(d.row_operands) + s.n * total(d.key_operands)) * d.element_bytes +
         s.n * d.key_vectors * kFloatBytes + exchange;
}

int value_registers(const Demand& d, const TileShape& s) {
  const int mi = s.row_blocks();
  return mi * (total(d.accumulators) / (2 * s.parts) + d.score_fragments * s.n / 2 + 2 * d.row_vectors);
}

namespace {

bool fits(const Demand& demand, const TileShape& shape, int shared_limit) {
  return shared_bytes(demand, shape) <= shared_limit &&
         value_registers(demand, shape) <= value_limit(demand, shape) && splits_evenly(demand, shape);
}

template <std::size_t N> std::optional<TileShape> first_of(const TileShape (&shapes)[N],
                                                           const Demand& demand) {
  for (int limit : kSharedLimits) {
    for (const TileShape& shape : shapes) {
      if (fits(demand, shape, limit)) return shape;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<TileShape> choose_few_tile(const Demand& demand) {
  static const TileShape kShapes[] = {
      {kFewRows, 64, 1, 4}, {kFewRows, 64, 1, 2}, {kFewRows, 64, 1},    {kFewRows, 32, 1, 4},
      {kFewRows, 32, 1, 2}, {kFewRows, 32, 1},    {kFewRows, 16, 1, 2}, {kFewRows, 16, 1},
  };
  return first_of(kShapes, demand);
}

std::optional<TileShape> choose_combining(const Demand& demand) {
  for (int parts : {4, 2, 1}) {
    const bool even = std::all_of(demand.accumulators.begin(), demand.accumulators.end(),
                                  [&](int columns) { return columns % (8 * parts) == 0; });
    const TileShape shape{kFewRows, 0, 1, parts};
    if (even && value_registers(demand, shape) <= value_limit(demand, shape)) return shape;
  }
  return std::nullopt;
}

namespace {

// Few warps hold more rows each, which saves reads of shared memory; more of them hold larger accumulators.
std::optional<TileShape> shape_of(const Demand& demand, const TileSize& size) {
  constexpr int kMostWarps = 8, kRows = 16;  // of one m16 row block
  if (size.n % 16 != 0) return std::nullopt;
  for (int limit : kSharedLimits) {
    for (int parts : {1, 2, 4}) {
      for (int blocks : {2, 1}) {
        const int warps = size.m / (blocks * kRows);
        if (size.m != warps * blocks * kRows || warps > kMostWarps || (blocks > 1 && size.m < 96)) continue;
        const TileShape shape{size.m, size.n, warps, parts};
        if (fits(demand, shape, limit)) return shape;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<TileShape> choose_tile(const Demand& demand, const std::vector<TileSize>& asked) {
  for (const TileSize& size : asked)
    if (const auto shape = shape_of(demand, size)) return shape;
  static const TileShape kShapes[] = {
      {128, 64, 4},    {128, 64, 8},   {128, 32, 4},   {128, 32, 8},   {64, 64, 4},
      {64, 32, 4},     {64, 16, 4},    {32, 32, 2},    {32, 16, 2},    {16, 16, 1},
      {128, 32, 8, 2}, {64, 32, 4, 2}, {64, 16, 4, 2}, {32, 32, 2, 2}, {32, 16, 2, 2},
      {16, 16, 1, 2},  {64, 32, 4, 4}, {32, 32, 2, 4}, {16, 32, 1, 4},
  };
  return first_of(kShapes, demand);
}

}  // namespace flashlight::target
