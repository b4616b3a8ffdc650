// SPDX-License-Identifier: Apache-2.0
// How TMA finds the tiles of an operand, whatever batch index and head it belongs to.
#pragma once

#include "flashlight/device/hopper/tensor_map.h"
#include "flashlight/generated/launch.h"

namespace flashlight::generated {

// The operand's tensor as matrices that begin `unit` elements apart: a tensor map of three axes, columns, rows and
// the matrix. Any number of batch axes with any strides, groups of heads that share a matrix and views that overlap
// have this form, with the greatest common divisor of all distances as the unit.
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

// Fills `source` for tiles of type Tile of parameter `parameter`. `steps`: distances behind the pack's axes at which
// matrices may begin. False where TMA cannot address the tensor.
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

// Whether the device takes sm_90a's instructions, the file was compiled for them, and nobody asked for other kernels.
template <class P> bool runs_on_hopper(void (*kernel)(P), int threads) {
  return takes_hopper_kernels() && device::compute_capability() == 90 && device::has_code(kernel, threads);
}

}  // namespace flashlight::generated
