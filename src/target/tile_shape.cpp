// SPDX-License-Identifier: Apache-2.0
// See tile_shape.h.
#include "target/tile_shape.h"

#include <numeric>

namespace flashlight::target {

namespace {

constexpr int kSharedLimit = 99 * 1024;
// 255 registers less what addresses, operand fragments and loop state take: measured with ptxas, no spills at these bounds.
// A float product holds its operands in two parts, and the sums of a step beside the accumulator.
int value_limit(int element_bytes) { return element_bytes == 4 ? 150 : 200; }

int total(const std::vector<int>& columns) { return std::accumulate(columns.begin(), columns.end(), 0); }

}  // namespace

int shared_bytes(const Demand& d, const TileShape& s) {
  return (s.m * total(d.row_operands) + s.n * total(d.key_operands)) * d.element_bytes;
}

int value_registers(const Demand& d, const TileShape& s) {
  const int mi = s.row_blocks();
  return mi * (total(d.accumulators) / 2 + d.score_fragments * s.n / 2 + 2 * d.row_vectors);
}

std::optional<TileShape> choose_tile(const Demand& demand) {
  static const TileShape kShapes[] = {
      {128, 64, 4}, {128, 64, 8}, {128, 32, 4}, {128, 32, 8}, {64, 64, 4}, {64, 32, 4}, {64, 16, 4}, {32, 32, 2}, {32, 16, 2}, {16, 16, 1},
  };
  for (const TileShape& shape : kShapes) {
    if (shared_bytes(demand, shape) <= kSharedLimit && value_registers(demand, shape) <= value_limit(demand.element_bytes)) return shape;
  }
  return std::nullopt;
}

}  // namespace flashlight::target
