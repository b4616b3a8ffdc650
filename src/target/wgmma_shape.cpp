// SPDX-License-Identifier: Apache-2.0
// See wgmma_shape.h.
#include "target/wgmma_shape.h"

#include <algorithm>
#include <numeric>

namespace flashlight::target {

namespace {

constexpr int kSharedLimit = 227 * 1024, kBarrierBytes = 1024;
// What addresses, loop state and the products' descriptors take, fitted to what ptxas says of all samples at
// all head dims; more where addresses, positions or intermediate values of many scores are alive at once, or
// accumulators that are joined in the end. Of three consumers' smaller tiles ptxas keeps fewer alive.
int other_registers(const Demand& d, const WgmmaShape& s) {
  const int loads = d.reads_elements ? 14 : 0;
  if (d.long_elements) return 114 + loads;
  return s.consumers == 3 ? 18 + loads + (d.uses_positions || d.uses_functions ? 8 : 0)
                          : 22 + loads + (d.uses_positions ? 28 : 0) + (d.accumulators.size() > 1 ? 10 : 0);
}
constexpr int kMostColumns = 256;  // of one wgmma
constexpr int kMostStages = 4;

int total(const std::vector<int>& columns) { return std::accumulate(columns.begin(), columns.end(), 0); }

bool fits_shared(const Demand& d, const WgmmaShape& s) { return shared_bytes(d, s) <= kSharedLimit; }
bool fits_registers(const Demand& d, const WgmmaShape& s) {
  return value_registers(d, s) + other_registers(d, s) <=
         std::min(consumer_registers(s.consumers, d.finding), 255);
}

// Results take a tile of their own from what is left, so that the next rows come while they leave. Else they
// take the place of the rows, where a warpgroup's part of the one tile is its part of the other.
Staging staging_of(const Demand& d, WgmmaShape s) {
  const auto block = [](int columns) { return columns % 64 == 0 ? 64 : 32; };  // SharedTile::block
  if (d.results.empty()) return Staging::kRegisters;
  s.staging = Staging::kApart;
  if (fits_shared(d, s)) return Staging::kApart;
  const bool inside =
      !d.row_operands.empty() && std::all_of(d.results.begin(), d.results.end(), [&](int columns) {
        return columns <= d.row_operands[0] && block(columns) == block(d.row_operands[0]);
      });
  return inside ? Staging::kRows : Staging::kRegisters;
}

}  // namespace

int loader_registers(int consumers, Finding finding) {
  const bool tests = finding == Finding::kTests;
  if (finding == Finding::kSearches) return consumers == 1 ? 152 : consumers == 2 ? 88 : 80;
  return consumers == 1 ? 56 : consumers == 2 ? (tests ? 40 : 24) : (tests ? 56 : 32);
}
int consumer_registers(int consumers, Finding finding) {
  const bool tests = finding == Finding::kTests;
  if (consumers > 1 && finding == Finding::kSearches) return consumers == 2 ? 208 : 144;
  return consumers == 1 ? 256 : consumers == 2 ? (tests ? 232 : 240) : (tests ? 152 : 160);
}

int shared_bytes(const Demand& d, const WgmmaShape& s) {
  constexpr int kFloatBytes = 4;
  const int staged = s.staging == Staging::kApart ? *std::max_element(d.results.begin(), d.results.end()) : 0;
  return kBarrierBytes +
         (s.m() * (total(d.row_operands) + staged) + s.stages * s.n * total(d.key_operands)) *
             d.element_bytes +
         s.consumers * s.n * d.key_vectors * kFloatBytes;
}

int value_registers(const Demand& d, const WgmmaShape& s) {
  return total(d.accumulators) / 2 + d.score_fragments * s.n / 2 + s.n / 4 + 2 * d.row_vectors;
}

namespace {

// As many stages as there is room for, and what the results are stored from.
WgmmaShape completed(const Demand& demand, WgmmaShape shape) {
  while (shape.stages < kMostStages && shape.stages * shape.n < 256) {
    WgmmaShape deeper = shape;
    ++deeper.stages;
    if (!fits_shared(demand, deeper)) break;
    shape = deeper;
  }
  shape.staging = staging_of(demand, shape);
  return shape;
}

constexpr int kLeastStages = 2;

std::optional<WgmmaShape> shape_of(const Demand& demand, const TileSize& size) {
  constexpr int kRows = 64, kMostConsumers = 3, kLeastKeys = 32;
  if (size.m % kRows != 0 || size.m / kRows > kMostConsumers || size.n % 16 != 0 || size.n < kLeastKeys ||
      size.n > kMostColumns)
    return std::nullopt;
  const WgmmaShape shape{size.m / kRows, size.n, kLeastStages};
  if (!fits_registers(demand, shape) || !fits_shared(demand, shape)) return std::nullopt;
  return completed(demand, shape);
}

}  // namespace

WgmmaChoice choose_wgmma(const Demand& demand, const std::vector<TileSize>& asked) {
  if (demand.element_bytes != 2) return {std::nullopt, "wgmma multiplies 16-bit types, these are of 32 bits"};
  if (std::any_of(demand.accumulators.begin(), demand.accumulators.end(),
                  [](int c) { return c > kMostColumns; }))
    return {std::nullopt, "an accumulator has more columns than a wgmma makes"};
  for (const TileSize& size : asked)
    if (const auto shape = shape_of(demand, size)) return {shape, {}};
  // By preference: rows save loads of keys from L2, keys save passes over the row vectors; but of a tile that
  // a mask cuts, a wide one wastes more.
  static constexpr TileSize kSizes[] = {{192, 128}, {128, 176}, {128, 128}, {128, 112}, {128, 96},
                                        {128, 80},  {128, 64},  {128, 48},  {128, 32},  {64, 128},
                                        {64, 96},   {64, 64},   {64, 48},   {64, 32}};
  bool registers = false;
  for (const TileSize& size : kSizes) {
    if (demand.skips_tiles && size.n > 128) continue;
    registers = registers || fits_registers(demand, {size.m / 64, size.n, kLeastStages});
    if (const auto shape = shape_of(demand, size)) return {shape, {}};
  }
  return {std::nullopt, registers ? "no two stages of its tiles fit the shared memory of a block"
                                  : "its accumulators do not fit the registers of a warpgroup"};
}

}  // namespace flashlight::target
