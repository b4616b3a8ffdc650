// SPDX-License-Identifier: Apache-2.0
// Tile shapes for the sm_80 family, chosen by a model of registers and shared memory.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace flashlight::target {

// M rows and N keys a CTA; `warps` warps of m16 row blocks, and `parts` of them to the same rows, each with 1
// / parts of the accumulators' columns. Then the scores pass through shared memory.
struct TileShape {
  int m = 0, n = 0, warps = 0, parts = 1;
  int row_blocks() const { return m / (16 * warps); }
  int threads() const { return 32 * warps * parts; }
};

// Rows and keys of a tile that somebody asks for.
struct TileSize {
  int m = 0, n = 0;
};

// What a loader does to know which tile is next: device::Finding has the same.
enum class Finding { kCounts, kTests, kSearches };

// What a kernel keeps per CTA, in elements.
struct Demand {
  int element_bytes = 2;
  std::vector<int> row_operands, key_operands;  // padded columns of each shared operand
  std::vector<int> accumulators;                // padded columns of each [row, column] state
  std::vector<int> results;                     // padded columns of those that TMA may store, on sm_90a
  int score_fragments = 1;                      // live [row, key] fragments
  int row_vectors = 4;
  int key_vectors = 0;                 // numbers for each key of a tile, in shared memory
  bool skips_tiles = false;            // a mask empties some
  Finding finding = Finding::kCounts;  // how the next tile is found, on sm_90a
  bool uses_positions = false;         // scores are computed from the keys' or rows' numbers
  bool uses_functions = false;         // such as tanh
  bool reads_elements = false;         // scores meet numbers from global memory, each its own
  bool long_elements = false;          // what is computed of a score has branches or a long polynomial
};

// The largest shape that fits 255 registers a thread (with room for addresses) and the shared memory of every
// device of the family; where there is none, of its larger devices. None: the kernel needs more than any
// shape has. Of the sizes asked for, the first that fits its larger devices comes before all others.
std::optional<TileShape> choose_tile(const Demand& demand, const std::vector<TileSize>& asked = {});
// The same of 16 rows, for kernels of few queries: as many warps to the rows as their columns divide into.
inline constexpr int kFewRows = 16;
std::optional<TileShape> choose_few_tile(const Demand& demand);
// For the kernel that combines what those leave, whose accumulators it holds twice; its `n` is 0.
std::optional<TileShape> choose_combining(const Demand& demand);
int shared_bytes(const Demand& demand, const TileShape& shape);
// Registers a thread that values occupy: accumulators, score fragments, row vectors.
int value_registers(const Demand& demand, const TileShape& shape);

}  // namespace flashlight::target
