// SPDX-License-Identifier: Apache-2.0
// Matrix descriptors: how wgmma finds an operand in shared memory. PTX ISA, "Matrix Descriptor Format".
//
// Bits 0-13: start address, 16-29: leading byte offset, 32-45: stride byte offset, all three in units of 16
// bytes; 49-51: base offset, 0 since our tiles start at multiples of their swizzle's pattern; 62-63: swizzle,
// 1: 128 bytes, 2: 64, 3: 32. The address that results is swizzled like SharedTile and TMA do.
//
//  K-major (the contraction's axis is contiguous: q, k): stride = from 8 rows to the next 8.
//  MN-major (the other axis is contiguous: v as b): stride = from 8 rows, that is steps of the contraction,
//  to the next 8; leading = from one column block to the next.
#pragma once

#include "flashlight/device/tile.h"

namespace flashlight::device::detail {

inline constexpr int kProductDepth = 16;  // of one wgmma on 16-bit types

FL_HOST_DEVICE constexpr std::uint64_t descriptor_field(std::uint32_t bytes) {
  return (bytes & 0x3ffffu) >> 4;
}

// `row_bytes` of a column block: 128, 64 or 32, the swizzle's span.
FL_HOST_DEVICE constexpr std::uint64_t matrix_descriptor(std::uint32_t address, std::uint32_t leading,
                                                         std::uint32_t stride, int row_bytes) {
  const std::uint64_t swizzle = row_bytes == 128 ? 1 : row_bytes == 64 ? 2 : 3;
  return descriptor_field(address) | descriptor_field(leading) << 16 | descriptor_field(stride) << 32 |
         swizzle << 62;
}

// A tile whose columns are contracted, from row `row`, a multiple of 8.
template <class Tile> struct KMajor {
  static constexpr int transposed = 0;
  static FL_HOST_DEVICE constexpr std::uint64_t first(std::uint32_t tile, int row) {
    return matrix_descriptor(tile + static_cast<std::uint32_t>(Tile::advance(row, 0)), 16,
                             8 * Tile::row_bytes, Tile::row_bytes);
  }
  // To add for the i-th 16 columns: inside a block the hardware swizzles the sum.
  static FL_HOST_DEVICE constexpr std::uint64_t step(int i) {
    const int col = kProductDepth * i;
    return descriptor_field(static_cast<std::uint32_t>(Tile::advance(0, col) + Tile::turn(col)));
  }
};

// A tile whose rows are contracted, from column `col`, the first of a block.
template <class Tile> struct MnMajor {
  static constexpr int transposed = 1;
  static FL_HOST_DEVICE constexpr std::uint64_t first(std::uint32_t tile, int col) {
    return matrix_descriptor(tile + static_cast<std::uint32_t>(Tile::advance(0, col)),
                             Tile::rows * Tile::row_bytes, 8 * Tile::row_bytes, Tile::row_bytes);
  }
  static FL_HOST_DEVICE constexpr std::uint64_t step(int i) {
    return descriptor_field(static_cast<std::uint32_t>(Tile::advance(kProductDepth * i, 0)));
  }
};

}  // namespace flashlight::device::detail
