// SPDX-License-Identifier: Apache-2.0
// How TMA finds the tiles of an operand or a result, whatever batch index and head it belongs to.
#pragma once

#include <limits>
#include <numeric>

#include "flashlight/device/hopper/tensor_map.h"
#include "flashlight/generated/launch.h"

namespace flashlight::generated {

// The operand's tensor as matrices that begin `unit` elements apart: a tensor map of three axes, columns,
// rows and the matrix. Any number of batch axes with any strides, groups of heads that share a matrix and
// views that overlap have this form, with the greatest common divisor of all distances as the unit.
struct TileSource {
  device::TensorMap map;
  long long unit;

  // The third coordinate of the matrix that starts at this element.
  FL_DEVICE int at(long long offset) const { return static_cast<int>(offset / unit); }
};

// Strides in elements, and sizes, of the matrices.
struct TiledMatrix {
  long long row_stride, col_stride;
  int rows, cols;
};

// Fills `source` for tiles of type Tile of parameter `parameter`. `steps`: distances behind the pack's axes
// at which matrices may begin. False where TMA cannot address the tensor.
template <class Tile>
bool map_tiles(TileSource& source, const Launch& launch, int parameter, const TiledMatrix& matrix,
               std::initializer_list<long long> steps) {
  const Launch::Stack stack = launch.stack(parameter, steps);
  if (stack.count == 0 || matrix.col_stride != 1) return false;
  source.unit = stack.unit;
  const device::TensorShape shape{
      3, {matrix.cols, matrix.rows, stack.count}, {1, matrix.row_stride, stack.unit}};
  return device::make_tensor_map<Tile>(source.map, launch.base(parameter), shape) == nullptr;
}

// Where a kernel of sm_90a puts its results before TMA stores them: nowhere, they leave from the registers;
// over the tile of the first row operand, whose last product is then done; in a tile of their own.
// src/target/wgmma_shape.cpp decides.
enum class Staging { kRegisters, kRows, kApart };

// Where TMA stores a result, as matrices like those of a TileSource; or not, where it cannot address the
// tensor.
struct TileTarget {
  device::TensorMap map;
  long long unit;
  bool mapped;

  // The third coordinate of the matrix that starts at this element.
  FL_DEVICE int at(long long offset) const { return static_cast<int>(offset / unit); }
};

// An axis along which matrices lie: distance in elements, and how many there are.
struct MatrixAxis {
  long long stride, size;
};

// Fills `target` for boxes of type Tile of the result `out`, whose matrices lie along the pack's axes and
// `axes`. It stays unmapped where TMA cannot store it: strides, alignment, another storage type.
template <class Tile, int R>
void map_result(TileTarget& target, const TensorArg<R>& out, const PackShape& pack, const TiledMatrix& matrix,
                std::initializer_list<MatrixAxis> axes) {
  using T = typename Tile::element;
  constexpr long long kAny = 16 / sizeof(T),
                      kMost = std::numeric_limits<int>::max();  // a lone matrix: see Launch::stack
  long long unit = 0, last = 0;
  bool forward = true;
  const auto add = [&](long long stride, long long size) {
    if (size <= 1) return;
    forward = forward && stride >= 0;
    unit = std::gcd(unit, stride);
    last += (size - 1) * stride;
  };
  for (int k = 0; k < kPackAxes; ++k) add(out.pack[k], pack.size[k]);
  for (const MatrixAxis& axis : axes) add(axis.stride, axis.size);
  target.unit = unit == 0 ? kAny : unit;
  target.mapped = false;
  if (out.dtype != device::aux_type_of<T> || matrix.col_stride != 1 || !forward ||
      last / target.unit >= kMost)
    return;
  const device::TensorShape shape{
      3, {matrix.cols, matrix.rows, last / target.unit + 1}, {1, matrix.row_stride, target.unit}};
  target.mapped = device::make_tensor_map<Tile>(target.map, out.base, shape) == nullptr;
}

// Whether the device takes sm_90a's instructions, the file was compiled for them, and nobody asked for other
// kernels.
template <class P> bool runs_on_hopper(void (*kernel)(P), int threads) {
  return takes_hopper_kernels() && device::compute_capability() == 90 && device::has_code(kernel, threads);
}

}  // namespace flashlight::generated
